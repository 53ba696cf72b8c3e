// The page: a source is chosen, analysed in a thread of its own, shown while that goes on, and saved.

import { Analysis } from "./analysis.js";
import { csv, save } from "./csv.js";
import { at, element, personColour } from "./draw.js";
import { takeFiles } from "./files.js";
import { Result, table } from "./result.js";
import { Film, Pictures, Webcam } from "./sources.js";
import { View } from "./view.js";

const LIVE_KEPT_S = 60, MOST_FPS = 25, SLOW = 0.9, DRAWN_MS = 150;
const view = new View();
const analysis = new Analysis();
const state = { about: null, source: null, rows: [], name: "", address: null, last: Promise.resolve() };

function problem(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

const columns = (attention) => [...state.about.columns, ...Array.from({ length: attention }, (_, k) => `attention_${k + 1}`)];

function resultOf(rows, size) {
  const { low, high } = state.about;
  const about = table(rows, columns(state.attention), { low, high, attention: state.attention, model_fps: state.about.fps, ...size });
  return new Result(about, { names: {}, merged: {}, excluded: [] });
}

/** Who is in it; one is shown. */
function people() {
  at("people").replaceChildren(...view.result.people.map((one) => {
    const radio = element("input", { type: "radio", name: "person", checked: one.track === view.track });
    radio.addEventListener("change", () => view.choose(one.track));
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = personColour(one.track);
    return element("li", {}, element("label", {}, radio, swatch, view.result.name(one.track)), element("span", { className: "small", textContent: `${one.estimates} estimates` }));
  }));
  if (!view.result.people.length) at("people").append(element("li", { textContent: "No face was found." }));
}

/** What a reader of the numbers must know. */
function notes({ fps, note }) {
  const { about } = state, told = note ? [note] : [];
  if (about.n > 1 && fps < SLOW * about.fps)
    told.push(`${fps.toFixed(1)} frames a second, and ${about.variant} was trained at ${about.fps}: frames are repeated to fill its windows, and arousal may be underestimated.`);
  return told;
}

function stop() {
  state.source?.stop();
}

/** Analyse a source to its end, or until it is stopped; one after the other. */
function run(source, name) {
  stop();
  state.last = state.last.then(() => analyse(source, name));
  return state.last;
}

async function analyse(source, name) {
  const live = source instanceof Webcam, options = { largest: at("largest").checked, attention: at("attention").checked };
  problem("");
  view.close();
  Object.assign(state, { source, rows: [], name, attention: options.attention ? state.about.reach : 0 });
  at("work").hidden = false;
  at("webcam").textContent = live ? "Webcam off" : "Webcam";
  at("progress").hidden = live;
  at("state").textContent = "It is looked at…";
  at("title").textContent = name;
  at("note").textContent = "";
  at("weights").hidden = true;
  at("result").hidden = false;
  at("empty").hidden = true;
  for (const id of ["edit", "about", "bar"]) at(id).hidden = true;
  try {
    await analysis.open(MOST_FPS, {});
    await source.open?.((picture) => analysis.step(picture, 0, 0), state.about.fps || MOST_FPS);
    await analysis.open(source.fps, options);
    await follow(source);
  } catch (error) {
    if (!source.over) problem(error.message);
  }
  finish(source);
}

async function follow(source) {
  const began = performance.now(), size = (state.size = {});
  let frames = 0, drawn = 0, recent = [];
  for await (const { picture, time, number } of source.frames()) {
    [size.width, size.height] = [picture.width, picture.height];
    const rows = await analysis.step(picture, time, number);
    state.rows.push(...rows);
    recent = [...recent.filter((row) => row.time_s > time - LIVE_KEPT_S), ...rows];
    frames++;
    const now = performance.now(), speed = (1000 * frames) / (now - began);
    at("state").textContent = `${frames} frames, ${speed.toFixed(1)} a second${rows[0].track === null ? ": no face is found" : ""}`;
    if (source.count) at("progress").value = Math.min(1, (number + 1) / source.count);
    if (source.over || now - drawn < DRAWN_MS) continue; // the page need not be drawn more often
    drawn = now;
    view.follow(resultOf(recent, size), time);
  }
}

/** What was found, whole. */
function finish(source) {
  source.stop();
  state.source = null;
  at("work").hidden = true;
  at("webcam").textContent = "Webcam";
  if (!state.rows.length) {
    view.close();
    return;
  }
  for (const id of ["edit", "about"]) at(id).hidden = false;
  view.open(resultOf(state.rows, state.size), { video: source.address ?? null, overlay: null });
  const told = notes(source);
  at("notes").replaceChildren(...told.map((line) => element("li", { textContent: line })));
  at("note").textContent = [...(source.address ? [] : ["There is no video to play: the numbers are shown."]), ...told].join(" ");
  people();
}

async function add(files) {
  const all = [...files];
  if (!all.length || !state.about) return;
  if (all.every((file) => file.type.startsWith("image/"))) return run(new Pictures(all), all[0].name);
  if (all.length > 1) return problem("One video at a time; or several pictures, which are the frames of a video.");
  if (state.address) URL.revokeObjectURL(state.address);
  state.address = URL.createObjectURL(all[0]);
  return run(new Film(at("video"), state.address), all[0].name);
}

takeFiles(add);
at("webcam").addEventListener("click", () => {
  if (state.source instanceof Webcam) return stop();
  return run(new Webcam(at("video")), "Webcam");
});
at("stop").addEventListener("click", stop);
at("save").addEventListener("click", () => save(`${state.name.replace(/\.[^.]*$/, "")}.csv`, csv(state.rows, columns(state.attention))));

analysis.ready.then((about) => {
  state.about = about;
  at("model").textContent = `${about.variant}, YuNet${about.about ? `: ${about.about}` : ""}`;
  at("sureness").textContent = about.sureness;
  at("made").textContent = JSON.stringify(about, null, 1);
  at("attends").hidden = !about.attends;
  for (const id of ["file", "webcam"]) at(id).disabled = false;
  at("empty").firstElementChild.textContent = "Open a video on the left, or switch on the webcam.";
  view.legend();
}, (error) => {
  problem(error.message);
  at("empty").firstElementChild.textContent = "The model could not be loaded.";
});
