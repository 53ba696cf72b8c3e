// Where a rater holds valence, arousal or both: by mouse, touch, arrow keys or gamepad.

import { AROUSAL, INK, LINE, PALE, VALENCE, fresh } from "./draw.js";

const EDGE = 18; // pixels between the canvas's edge and the scale's ends
const TAP = 1 / 40, SPEED = 1 / 2.5; // of the scale: for a tap of a key, and a second
const WORDS = { valence: ["unpleasant", "pleasant"], arousal: ["calm", "excited"] };
const KEYS = {
  ArrowLeft: { valence: -1, any: -1 }, ArrowRight: { valence: 1, any: 1 },
  ArrowDown: { arousal: -1, any: -1 }, ArrowUp: { arousal: 1, any: 1 },
};

export class Pad {
  constructor(canvas) {
    this.canvas = canvas;
    this.on = false;
    this.held = new Set();
    for (const kind of ["pointerdown", "pointermove"])
      canvas.addEventListener(kind, (event) => this.on && this.by !== "gamepad" && this.#point(event));
    document.addEventListener("keydown", (event) => this.#key(event), true);
    document.addEventListener("keyup", (event) => this.held.delete(event.key), true);
    window.addEventListener("blur", () => this.held.clear());
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** What is rated, of `dimensions`, between low and high; from the middle. by: "hand" or "gamepad". */
  show(dimensions, low, high, by) {
    Object.assign(this, { dimensions, low, high, by });
    this.held.clear();
    const middle = (low + high) / 2;
    this.value = { valence: middle, arousal: middle };
    this.plane = dimensions.length === 2;
    this.canvas.classList.toggle("plane", this.plane);
    this.canvas.setAttribute("aria-valuemin", low);
    this.canvas.setAttribute("aria-valuemax", high);
    this.canvas.setAttribute("aria-label", `${dimensions.join(" and ")}, by mouse, touch or arrow keys`);
    this.draw();
  }

  /** [valence, arousal], null for what is not rated. */
  now() {
    return ["valence", "arousal"].map((name) => (this.dimensions.includes(name) ? this.value[name] : null));
  }

  #set(name, value) {
    this.value[name] = Math.round(Math.max(this.low, Math.min(this.high, value)) * 1e4) / 1e4;
  }

  #point(event) {
    const box = this.canvas.getBoundingClientRect(), range = this.high - this.low;
    const x = (event.clientX - box.left - EDGE) / (box.width - 2 * EDGE);
    const y = (event.clientY - box.top - EDGE) / (box.height - 2 * EDGE);
    if (this.plane) {
      this.#set("valence", this.low + x * range);
      this.#set("arousal", this.high - y * range);
    } else {
      this.#set(this.dimensions[0], this.low + x * range);
    }
    this.draw();
  }

  #key(event) {
    if (!this.on || this.by === "gamepad" || !KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, select, textarea")) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.repeat || this.held.has(event.key)) return;
    this.held.add(event.key);
    this.#move(event.key, TAP);
    this.draw();
  }

  /** Move by a share of the scale in a key's direction. */
  #move(key, share) {
    for (const name of this.dimensions) {
      const way = this.plane ? KEYS[key][name] : KEYS[key].any;
      if (way) this.#set(name, this.value[name] + way * share * (this.high - this.low));
    }
  }

  /** So many seconds went by with keys held down, or with a stick where it is. */
  frame(seconds) {
    if (!this.on) return;
    for (const key of this.held) this.#move(key, SPEED * seconds);
    if (this.by === "gamepad") this.#stick();
    this.draw();
  }

  #stick() {
    const stick = [...(navigator.getGamepads?.() ?? [])].find((one) => one?.axes.length >= 2);
    this.lost = !stick;
    if (!stick) return;
    const half = (this.high - this.low) / 2, middle = (this.high + this.low) / 2;
    // up is more, as DARMA has it
    const axes = { valence: stick.axes[0], arousal: -stick.axes[1] };
    for (const name of this.dimensions) this.#set(name, middle + axes[name] * half);
  }

  draw() {
    if (!this.dimensions || !this.canvas.clientWidth) return;
    const { context, width, height } = fresh(this.canvas), range = this.high - this.low;
    const x = (value) => EDGE + ((value - this.low) / range) * (width - 2 * EDGE);
    const y = (value) => height - EDGE - ((value - this.low) / range) * (height - 2 * EDGE);
    context.strokeStyle = LINE;
    context.font = "13px system-ui, sans-serif";
    if (this.plane) this.#plane(context, width, height);
    else this.#line(context, width, height);
    const [name] = this.dimensions;
    const at = this.plane ? [x(this.value.valence), y(this.value.arousal)] : [x(this.value[name]), height / 2];
    context.fillStyle = this.plane ? INK : name === "valence" ? VALENCE : AROUSAL;
    context.beginPath();
    context.arc(...at, 9, 0, 2 * Math.PI);
    context.fill();
    const told = this.dimensions.map((one) => `${one} ${this.value[one].toFixed(2)}`).join(", ");
    this.canvas.setAttribute("aria-valuenow", this.value[name]);
    this.canvas.setAttribute("aria-valuetext", told);
  }

  #plane(context, width, height) {
    context.strokeRect(EDGE, EDGE, width - 2 * EDGE, height - 2 * EDGE);
    context.beginPath();
    context.ellipse(width / 2, height / 2, width / 2 - EDGE, height / 2 - EDGE, 0, 0, 2 * Math.PI);
    context.moveTo(EDGE, height / 2);
    context.lineTo(width - EDGE, height / 2);
    context.moveTo(width / 2, EDGE);
    context.lineTo(width / 2, height - EDGE);
    context.stroke();
    context.textAlign = "right";
    context.fillStyle = VALENCE;
    context.fillText("pleasant", width - EDGE - 4, height / 2 - 5);
    context.textAlign = "left";
    context.fillText("unpleasant", EDGE + 4, height / 2 - 5);
    context.fillStyle = AROUSAL;
    context.fillText("excited", width / 2 + 5, EDGE + 14);
    context.fillText("calm", width / 2 + 5, height - EDGE - 6);
  }

  #line(context, width, height) {
    const [name] = this.dimensions, middle = height / 2;
    context.lineWidth = 6;
    context.beginPath();
    context.moveTo(EDGE, middle);
    context.lineTo(width - EDGE, middle);
    context.stroke();
    context.lineWidth = 1;
    context.fillStyle = PALE;
    for (let k = 0; k <= 8; k++) context.fillRect(EDGE + (k / 8) * (width - 2 * EDGE), middle + 12, 1, k % 4 ? 6 : 12);
    context.fillText(`${this.low} ${WORDS[name][0]}`, EDGE, middle - 18);
    context.textAlign = "right";
    context.fillText(`${WORDS[name][1]} ${this.high}`, width - EDGE, middle - 18);
    context.textAlign = "center";
    context.fillText(name, width / 2, middle - 18);
  }
}
