// The page: the list of videos, and what is shown of one.

import * as api from "./api.js";
import { asked, at, element } from "./draw.js";
import { takeFiles } from "./files.js";
import { Live } from "./live.js";
import { People } from "./people.js";
import { Rating } from "./rating.js";
import { COLUMNS, Result } from "./result.js";
import { View } from "./view.js";

const state = { model: null, videos: [], open: null, live: null, opening: 0, wanted: new Set() };

const view = new View();
const people = new People(choose, (edits) => saveEdits(edits), () => view.now);

function problem(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

/** Work whose problem is said. What was said before stays, so that nothing that begins by itself takes it away. */
const saying = (work) => async (...given) => {
  try {
    await work(...given);
  } catch (error) {
    problem(error.message);
  }
};

/** Work that somebody asks for. */
const doing = (work) => {
  const said = saying(work);
  return (...given) => {
    problem("");
    return said(...given);
  };
};

const rating = new Rating(doing, (id) => api.address(id, "video"));

// one video

const opened = saying(async (id) => {
  stopLive();
  await rating.close();
  const mine = ++state.opening;
  const video = state.videos.find((one) => one.id === id);
  const [answer, edits] = await Promise.all([api.rows(id, COLUMNS), api.edits(id)]);
  if (mine !== state.opening) return; // another one was chosen meanwhile
  state.open = id;
  history.replaceState(null, "", `#${id}`);
  at("title").textContent = video.name;
  at("note").textContent = video.message || (answer.complete ? "" : "This analysis was stopped before the end of the video.");
  show(new Result(answer, edits), {
    video: video.playable ? api.address(id, "video") : null,
    overlay: video.overlay ? api.address(id, "overlay") : null,
  });
  downloads(video);
  at("sureness").textContent = answer.sureness;
  at("notes").replaceChildren(...answer.notes.map((note) => element("li", { textContent: note })));
  at("made").textContent = JSON.stringify(answer.made_with, null, 1);
  list();
});

const open = doing(opened);

/** sources: of the video, where it is another one than before. */
function show(result, sources) {
  for (const id of ["edit", "downloads", "about"]) at(id).hidden = Boolean(state.live);
  if (sources) view.open(result, sources);
  else view.show(result);
  people.show(result, view.track);
}

function downloads(video) {
  const offers = [["CSV", "table?format=csv"], ["Parquet", "table?format=parquet"]];
  if (video.plot) offers.push(["Plot (PNG)", "plot"]);
  if (video.overlay) offers.push(["Overlay video (MP4)", "overlay"]);
  at("links").replaceChildren(
    ...offers.map(([text, what]) => element("a", { href: api.address(video.id, what), textContent: text, download: "" })),
  );
}

function choose(track) {
  view.choose(track);
  people.show(view.result, track);
  document.querySelector("#people input:checked")?.focus();
}

const saveEdits = doing(async (edits) => {
  const saved = await api.saveEdits(state.open, edits);
  view.result.edit(saved);
  view.track = people.track;
  show(view.result);
  view.shown(view.stage.index);
});

// the list

function list() {
  at("nothing").hidden = state.videos.length > 0;
  at("videos").replaceChildren(...state.videos.map(entry));
}

/** On a narrow page what was chosen is below the list. */
function shownFirst(id) {
  if (at(id).getBoundingClientRect().top > innerHeight / 2) at(id).scrollIntoView();
}

function entry(video) {
  const name = element("button", { type: "button", className: "name", textContent: video.name, disabled: video.state !== "done" });
  name.addEventListener("click", async () => {
    await open(video.id);
    shownFirst("result");
  });
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
  if (video.playable) made.push(act("Rate", () => rate(video)));
  if (video.uploaded) made.push(act("Remove", () => removeVideo(video)));
  return made;
}

async function removeVideo(video) {
  try {
    await api.remove(video.id);
  } catch (error) {
    if (error.status !== 409) throw error;
    at("removing").textContent = `${video.name} has ratings that nobody has saved. They are removed with it.`;
    at("remove-save").href = api.ratings.archive(video.id);
    if (!(await asked(at("remove-sure")))) return;
    await api.remove(video.id, true);
  }
  if (video.id === rating.video?.id) await rating.close();
  if (video.id === state.open) close();
}

async function rate(video) {
  stopLive();
  state.opening++;
  close();
  at("empty").hidden = true;
  await rating.open(video);
  shownFirst("rating");
}

function close() {
  state.open = null;
  view.close();
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
    if (!state.live && !rating.video && (wanted || (ended && (video.id === state.open || state.open === null)))) opened(video.id);
  }
  if (state.first !== false) {
    state.first = false;
    const asked = videos.find((one) => one.id === location.hash.slice(1) && one.state === "done");
    if (asked) opened(asked.id);
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

takeFiles(add);

// webcam

function stopLive() {
  state.live?.stop();
}

at("webcam").addEventListener("click", doing(async () => {
  if (state.live) return stopLive();
  await rating.close();
  close();
  const live = new Live(at("video"), state.model, (result, now) => {
    view.follow(result, now);
    at("title").textContent = "Webcam";
  }, (said) => {
    state.live = null;
    at("webcam").textContent = "Webcam";
    close();
    at("empty").firstElementChild.textContent = `${said} Choose a video, or add one.`;
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

const start = doing(async () => {
  const server = await api.server();
  state.model = server.model;
  state.limits = server.limits;
  at("model").textContent = `${server.model.variant}, ${server.model.detector}${server.model.about ? `: ${server.model.about}` : ""}`;
  at("attends").hidden = !server.model.attends;
  view.legend();
  api.watch(changed, (gone) => gone && problem("The server is gone. Start `anclaf app` again; this page then goes on."));
});
start();
