// The page: a source is chosen, analysed in a thread of its own, shown while that goes on, and saved.

import { Analysis } from "./analysis.js";
import { csv, save } from "./csv.js";
import { element, personColour } from "./draw.js";
import { Result, table } from "./result.js";
import { Film, Pictures, Webcam } from "./sources.js";
import { View } from "./view.js";

const LIVE_KEPT_S = 60, WARMING = 6, SLOW = 0.9;
const at = (id) => document.getElementById(id);
const view = new View();
const analysis = new Analysis();
const state = { about: null, source: null, rows: [], name: "", address: null };

function problem(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

const columns = (attention) => [...state.about.columns, ...Array.from({ length: attention }, (_, k) => `attention_${k + 1}`)];

function resultOf(rows, fps, size) {
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

function notes(fps) {
  const { about } = state, told = [];
  if (about.n > 1 && fps < SLOW * about.fps)
    told.push(`${fps.toFixed(1)} frames a second, and ${about.variant} was trained at ${about.fps}: frames are repeated to fill its windows, and arousal may be underestimated.`);
  at("notes").replaceChildren(...told.map((line) => element("li", { textContent: line })));
  return told;
}

/** Analyse a source to its end, or until it is stopped. */
async function run(source, name, live) {
  stop();
  problem("");
  view.close();
  const mine = (state.source = source);
  const options = { largest: at("largest").checked, attention: at("attention").checked };
  Object.assign(state, { rows: [], name, attention: options.attention ? state.about.reach : 0 });
  at("work").hidden = false;
  at("webcam").textContent = live ? "Webcam off" : "Webcam";
  at("progress").hidden = live;
  at("title").textContent = name;
  at("note").textContent = "";
  at("weights").hidden = true;
  at("result").hidden = false;
  at("empty").hidden = true;
  for (const id of ["edit", "about", "bar"]) at(id).hidden = true;
  try {
    await source.open?.();
    if (mine !== state.source) return;
    await analysis.open(source.fps, options);
    await follow(source, live);
    if (mine === state.source) finish(live);
  } catch (error) {
    if (mine !== state.source) return;
    problem(error.message);
    finish(live);
  }
}

async function follow(source, live) {
  const began = performance.now(), size = {};
  let frames = 0, drawn = 0, recent = [];
  for await (const { picture, time, number } of source.frames()) {
    [size.width, size.height] = [picture.width, picture.height];
    const rows = await analysis.step(picture, time, number);
    if (source !== state.source) return;
    state.rows.push(...rows);
    recent = [...recent.filter((row) => row.time_s > time - LIVE_KEPT_S), ...rows];
    frames++;
    const now = performance.now(), speed = (1000 * frames) / (now - began);
    document.body.dataset.speed = speed.toFixed(2);
    at("state").textContent = `${frames} frames, ${speed.toFixed(1)} a second${rows[0].track === null ? ": no face is found" : ""}`;
    if (source.count) at("progress").value = Math.min(1, (number + 1) / source.count);
    if (now - drawn < 50) continue; // the page need not be drawn more often
    drawn = now;
    view.follow(resultOf(recent, source.fps, size), time);
  }
  state.size = size;
}

/** What was found, whole. */
function finish() {
  const { source } = state;
  source.stop();
  state.source = null;
  at("work").hidden = true;
  at("webcam").textContent = "Webcam";
  if (!state.rows.length) {
    view.close();
    return;
  }
  const result = resultOf(state.rows, source.fps, state.size);
  for (const id of ["edit", "about"]) at(id).hidden = false;
  view.open(result, { video: source.address ?? null, overlay: null });
  const told = notes(source.fps);
  at("note").textContent = told.join(" ");
  people();
}

function stop() {
  state.source?.stop();
}

async function add(files) {
  const all = [...files];
  if (!all.length || !state.about) return;
  if (state.address) URL.revokeObjectURL(state.address);
  state.address = null;
  if (all.every((file) => file.type.startsWith("image/"))) return run(new Pictures(all), all[0].name, false);
  if (all.length > 1) return problem("One video at a time; or several pictures, which are the frames of a video.");
  state.address = URL.createObjectURL(all[0]);
  return run(new Film(at("video"), state.address), all[0].name, false);
}

at("file").addEventListener("change", async (event) => {
  const files = [...event.target.files];
  event.target.value = "";
  await add(files);
});
for (const kind of ["dragover", "drop", "dragleave"])
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer?.files.length) add(event.dataTransfer.files);
  });
at("webcam").addEventListener("click", () => {
  if (state.source instanceof Webcam) return stop();
  return run(new Webcam(at("video"), state.about.fps || 25), "Webcam", true);
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
