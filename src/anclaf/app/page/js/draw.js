// Colours, words and canvases that the parts of the page share.

export const VALENCE = "#175a96";
export const AROUSAL = "#a8460f";
export const INK = "#1d2126";
export const PALE = "#565e68";
export const LINE = "#c9ced6";
// dark enough for text on white, and apart for colour-blind eyes (after Okabe and Ito)
const PEOPLE = ["#0b5cad", "#a34500", "#00694c", "#8a2a6b", "#5c5300", "#4a4f9c", "#7a3b12", "#39606b"];

export const REASONS = {
  ok: "estimated",
  warming_up: "estimated from a shorter window",
  no_face: "not seen",
  too_small: "face too small",
  blurred: "face too blurred",
  unreadable: "picture cannot be read",
};

export const personColour = (track) => PEOPLE[track % PEOPLE.length];

/** Size a canvas to its place on the page and clear it; drawing is in CSS pixels. */
export function fresh(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const w = Math.round(width * ratio), h = Math.round(height * ratio);
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** m:ss.mmm, or h:mm:ss.mmm. */
export function clock(seconds, digits = 3) {
  const whole = Math.max(0, seconds);
  const h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60, s = whole % 60;
  const end = s.toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return h ? `${h}:${String(m).padStart(2, "0")}:${end}` : `${m}:${end}`;
}

/** A signed number, or a dash for null. */
export function number(value, digits = 2) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);
}

/** What has this id. */
export const at = (id) => document.getElementById(id);

/** An element with properties and children. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** How each status looks in a lane. */
export function statusFill(context, status, colour) {
  switch (status) {
    case "ok": return colour;
    case "warming_up": return colour + "88";
    case "too_small": return "#8d96a3";
    case "blurred": return "#b9a26a";
    case "unreadable": return "#1d2126";
    default: return "#ffffff";
  }
}

/** Show a dialog; whether it was answered by its button of the value "yes". */
export function asked(dialog) {
  for (const button of dialog.querySelectorAll("button")) button.onclick = () => dialog.close(button.value);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}
