// The page: the list of videos, and what is shown of one.

import * as api from "./api.js";
import { Attention } from "./attention.js";
import { Circumplex } from "./circumplex.js";
import { REASONS, clock, element, number, statusFill } from "./draw.js";
import { Live } from "./live.js";
import { People } from "./people.js";
import { Result } from "./result.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";

const at = (id) => document.getElementById(id);
const state = { model: null, videos: [], open: null, result: null, track: null, live: null, opening: 0, wanted: new Set() };

const stage = new Stage(at("video"), at("boxes"), shown, (line) => (at("note").textContent = line));
const timeline = new Timeline(at("timeline"), (time) => stage.go(state.result.frameAt(time)));
const circumplex = new Circumplex(at("circumplex"));
const attention = new Attention(at("weights"));
const people = new People(choose, (edits) => saveEdits(edits), () => state.result.times[stage.index]);

function problem(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

const doing = (work) => async (...given) => {
  try {
    problem("");
    await work(...given);
  } catch (error) {
    problem(error.message);
  }
};

// one video

const open = doing(async (id) => {
  stopLive();
  const mine = ++state.opening;
  const video = state.videos.find((one) => one.id === id);
  const [answer, edits] = await Promise.all([api.rows(id), api.edits(id)]);
  if (mine !== state.opening) return; // another one was chosen meanwhile
  state.open = id;
  history.replaceState(null, "", `#${id}`);
  show(new Result(answer, edits));
  at("title").textContent = video.name;
  at("note").textContent = video.message || (answer.complete ? "" : "This analysis was stopped before the end of the video.");
  attention.clear();
  stage.open(state.result, {
    video: video.playable ? api.address(id, "video") : null,
    overlay: video.overlay ? api.address(id, "overlay") : null,
  });
  downloads(video);
  at("sureness").textContent = answer.sureness;
  at("notes").replaceChildren(...answer.notes.map((note) => element("li", { textContent: note })));
  at("made").textContent = JSON.stringify(answer.made_with, null, 1);
  list();
});

function show(result) {
  state.result = result;
  const most = [...result.people].sort((a, b) => b.estimates - a.estimates)[0];
  if (!result.people.some((one) => one.track === state.track)) state.track = most ? most.track : null;
  at("result").hidden = false;
  at("empty").hidden = true;
  for (const id of ["edit", "downloads", "about", "bar"]) at(id).hidden = Boolean(state.live);
  at("boxes").dataset.ready = "";
  timeline.show(result, state.track, Boolean(state.live));
  if (!state.live) people.show(result, state.track);
}

function downloads(video) {
  const offers = [["CSV", "table?format=csv"], ["Parquet", "table?format=parquet"]];
  if (video.plot) offers.push(["Plot (PNG)", "plot"]);
  if (video.overlay) offers.push(["Overlay video (MP4)", "overlay"]);
  at("links").replaceChildren(
    ...offers.map(([text, what]) => element("a", { href: api.address(video.id, what), textContent: text, download: "" })),
  );
}

function shown(index) {
  const { result, track } = state;
  if (!result || !result.times.length) return;
  const time = result.times[index];
  const row = track === null ? undefined : result.rowOf(index, track);
  stage.draw(track);
  circumplex.draw(result, index, track);
  if (!state.live) {
    attention.draw(result, index, track);
    attention.keep(at("video"), result, index, track);
  }
  const told = numbers(index, row);
  timeline.move(time, `${clock(time)}, ${told}`);
  at("clock").textContent = `frame ${result.frames[index]}, ${clock(time)} of ${clock(result.end)}`;
  at("boxes").dataset.frame = result.frames[index];
}

function numbers(index, row) {
  const { result, track } = state, status = result.value("status", row);
  const interval = (name) => {
    const [value, low, high] = [name, `${name}_low`, `${name}_high`].map((one) => result.value(one, row));
    return value === null ? "–" : number(value) + (low === null ? "" : ` [${number(low)}, ${number(high)}]`);
  };
  const why = status === null ? (track === null ? "nobody is tracked" : "not in this frame") : REASONS[status] ?? status;
  const lines = [
    ["person", track === null ? "–" : result.name(track)], ["valence", interval("valence")], ["arousal", interval("arousal")],
    ["status", why + (result.excluded(result.times[index], track) ? ", left out" : "")],
  ];
  const odd = result.value("unfamiliar", row);
  if (odd !== null) lines.push(["unfamiliar", `${odd.toFixed(2)}${odd > 0.9 ? " (unlike the faces it learnt from)" : ""}`]);
  at("numbers").replaceChildren(...lines.flatMap(([term, text]) => [element("dt", { textContent: term }), element("dd", { textContent: text })]));
  return `valence ${interval("valence")}, arousal ${interval("arousal")}, ${why}`;
}

function choose(track) {
  state.track = track;
  timeline.show(state.result, track);
  people.show(state.result, track);
  shown(stage.index);
  document.querySelector("#people input:checked")?.focus();
}

const saveEdits = doing(async (edits) => {
  const saved = await api.saveEdits(state.open, edits);
  state.result.edit(saved);
  state.track = people.track;
  show(state.result);
  shown(stage.index);
});

// the list

function list() {
  at("nothing").hidden = state.videos.length > 0;
  at("videos").replaceChildren(...state.videos.map(entry));
}

function entry(video) {
  const name = element("button", { type: "button", className: "name", textContent: video.name, disabled: video.state !== "done" });
  name.addEventListener("click", () => open(video.id));
  const words = {
    new: "not analysed", done: video.message ? `analysed; ${video.message}` : "analysed", cancelled: video.message || "stopped",
    waiting: video.position ? `waits, ${video.position} before it` : "is next", failed: video.message,
    running: video.total ? `${video.done} of ${video.total} frames` : `${video.done} frames`,
  };
  const line = element("div", { className: `state ${video.state}`, textContent: words[video.state] });
  const made = element("li", { className: video.id === state.open ? "open" : "" }, name, line);
  made.dataset.state = video.state;
  if (video.state === "running") {
    const bar = element("progress", video.total ? { max: video.total, value: video.done } : {});
    bar.setAttribute("aria-label", `Progress of ${video.name}`);
    made.append(bar);
  }
  made.append(element("div", { className: "acts" }, ...acts(video)));
  return made;
}

function acts(video) {
  const act = (text, work) => {
    const button = element("button", { type: "button", textContent: text });
    button.setAttribute("aria-label", `${text}: ${video.name}`);
    button.addEventListener("click", doing(work));
    return button;
  };
  if (video.state === "waiting" || video.state === "running") return [act("Stop", () => api.cancel(video.id))];
  const made = [];
  if (video.playable && video.state !== "done") made.push(act("Analyse", () => api.analyse(video.id, options())));
  if (video.playable && video.state === "done") made.push(act("Again", () => api.analyse(video.id, { ...options(), overwrite: true })));
  if (video.uploaded) made.push(act("Remove", () => removeVideo(video)));
  return made;
}

async function removeVideo(video) {
  await api.remove(video.id);
  if (video.id === state.open) close();
}

function close() {
  state.open = state.result = null;
  stage.result = null;
  at("video").removeAttribute("src");
  at("result").hidden = true;
  at("empty").hidden = false;
}

function changed(videos) {
  const before = new Map(state.videos.map((one) => [one.id, one.state]));
  const focused = document.activeElement?.getAttribute?.("aria-label");
  state.videos = videos;
  list();
  if (focused) [...document.querySelectorAll("#videos [aria-label]")].find((one) => one.getAttribute("aria-label") === focused)?.focus();
  for (const video of videos) {
    const ended = video.state === "done" && before.has(video.id) && before.get(video.id) !== "done";
    const wanted = video.state === "done" && state.wanted.delete(video.id);
    if (!state.live && (wanted || (ended && (video.id === state.open || state.open === null)))) open(video.id);
  }
  if (state.first !== false) {
    state.first = false;
    const asked = videos.find((one) => one.id === location.hash.slice(1) && one.state === "done");
    if (asked) open(asked.id);
  }
}

// adding

const options = () => ({ faces: at("largest").checked ? "largest" : "all", attention: at("attention").checked });

async function add(files) {
  problem("");
  await Promise.allSettled([...files].map(send));
}

async function send(file) {
  const most = state.limits.upload_mb * 1e6;
  if (file.size > most) {
    problem(`${file.name}: larger than ${state.limits.upload_mb} MB, the most that an upload may have`);
    return;
  }
  const bar = element("progress", { max: 1, value: 0 });
  bar.setAttribute("aria-label", `Upload of ${file.name}`);
  const stop = element("button", { type: "button", textContent: "Stop" });
  const line = element("div", {}, `${file.name} is sent `, stop, bar);
  at("sending").append(line);
  const sent = api.upload(file, options(), (done, total) => (bar.value = total ? done / total : 0));
  stop.addEventListener("click", sent.stop);
  try {
    const video = await sent.done;
    state.wanted.add(video.id);
    changed(state.videos); // it may be ready already
  } catch (error) {
    problem(error.message);
  } finally {
    line.remove();
  }
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

// webcam

function stopLive() {
  state.live?.stop();
}

at("webcam").addEventListener("click", doing(async () => {
  if (state.live) return stopLive();
  close();
  const live = new Live(at("video"), state.model, (result, now) => {
    stage.result = result;
    stage.camera = true;
    stage.index = Math.max(0, result.times.length - 1);
    timeline.window(Math.max(0, now - 30), Math.max(30, now));
    show(result);
    shown(stage.index);
    at("title").textContent = "Webcam";
  }, (said) => {
    state.live = null;
    at("webcam").textContent = "Webcam";
    stage.camera = false;
    close();
    at("empty").firstElementChild.textContent = `${said} Choose a video on the left, or add one.`;
    if (live.problem) problem(live.problem);
  });
  state.live = live;
  at("webcam").textContent = "Webcam off";
  at("title").textContent = "Webcam: the model is loaded…";
  at("note").textContent = "";
  at("weights").hidden = true;
  at("result").hidden = false;
  at("empty").hidden = true;
  for (const id of ["edit", "downloads", "about", "bar"]) at(id).hidden = true;
  try {
    await live.start(at("largest").checked ? "largest" : "all");
  } catch (error) {
    live.stop();
    throw error;
  }
}));

// keys and buttons

at("back").addEventListener("click", () => stage.step(-1));
at("forward").addEventListener("click", () => stage.step(1));
at("narrow").addEventListener("click", () => timeline.zoom(0.5));
at("wide").addEventListener("click", () => timeline.zoom(2));
at("whole").addEventListener("click", () => timeline.whole());

document.addEventListener("keydown", (event) => {
  if (!state.result || state.live || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, select, textarea, summary")) return;
  const acts = {
    ArrowLeft: () => stage.step(-1), ArrowRight: () => stage.step(1), Home: () => stage.go(0),
    End: () => stage.go(state.result.times.length - 1), "+": () => timeline.zoom(0.5), "-": () => timeline.zoom(2),
  };
  if (event.key === " " && !event.target.closest?.("button, a, video")) acts[" "] = () => (at("video").paused ? at("video").play() : at("video").pause());
  if (!acts[event.key]) return;
  event.preventDefault();
  event.stopPropagation();
  acts[event.key]();
}, true);

function legend() {
  const parts = Object.entries(REASONS).map(([status, text]) => {
    const box = element("i");
    box.style.background = statusFill(null, status, "#0b5cad");
    return [box, text];
  });
  at("legend").replaceChildren("Lanes:", ...parts.flat(), ". Bands are the intervals of single frames; a pale line is an unfamiliar face.");
}

const start = doing(async () => {
  const server = await api.server();
  state.model = server.model;
  state.limits = server.limits;
  at("model").textContent = `${server.model.variant}, ${server.model.detector}${server.model.about ? `: ${server.model.about}` : ""}`;
  at("attends").hidden = !server.model.attends;
  legend();
  api.watch(changed, (gone) => gone && problem("The server is gone. Start `anclaf app` again; this page then goes on."));
});
start();
