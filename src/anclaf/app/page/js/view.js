// One result on the page, or what a webcam gives: picture and boxes, timeline, circumplex, attention, numbers, keys.

import { Attention } from "./attention.js";
import { Circumplex } from "./circumplex.js";
import { REASONS, at, clock, element, number, statusFill } from "./draw.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";

const LIVE_S = 30;

export class View {
  constructor() {
    this.close();
    this.stage = new Stage(at("video"), at("boxes"), (index) => this.shown(index), (line) => (at("note").textContent = line));
    this.timeline = new Timeline(at("timeline"), (time) => this.stage.go(this.result.frameAt(time)));
    this.circumplex = new Circumplex(at("circumplex"));
    this.attention = new Attention(at("weights"));
    at("back").addEventListener("click", () => this.stage.step(-1));
    at("forward").addEventListener("click", () => this.stage.step(1));
    at("narrow").addEventListener("click", () => this.timeline.zoom(0.5));
    at("wide").addEventListener("click", () => this.timeline.zoom(2));
    at("whole").addEventListener("click", () => this.timeline.whole());
    document.addEventListener("keydown", (event) => this.#key(event), true);
  }

  /** A whole result with the addresses of its video and overlay, null where there is none. */
  open(result, sources) {
    this.live = false;
    this.attention.clear();
    this.show(result);
    this.stage.open(result, sources);
  }

  /** A result, new or changed; whoever was chosen stays, or else whoever has most estimates is. */
  show(result) {
    this.result = result;
    const most = [...result.people].sort((a, b) => b.estimates - a.estimates)[0];
    if (!result.people.some((one) => one.track === this.track)) this.track = most ? most.track : null;
    at("result").hidden = false;
    at("empty").hidden = true;
    at("bar").hidden = this.live;
    at("boxes").dataset.ready = "";
    this.timeline.show(result, this.track, this.live);
  }

  /** What is known so far of what plays now: its last frame, at `now`, is drawn over the picture. */
  follow(result, now) {
    this.live = true;
    Object.assign(this.stage, { result, camera: true, index: Math.max(0, result.times.length - 1) });
    this.timeline.window(Math.max(0, now - LIVE_S), Math.max(LIVE_S, now));
    const last = result.rowsOf(this.stage.index).map((row) => result.columns.track[row]);
    if (last[0] !== null && !last.includes(this.track)) this.track = last[0]; // whoever was chosen is gone
    this.show(result);
    this.shown(this.stage.index);
  }

  choose(track) {
    this.track = track;
    this.timeline.show(this.result, track, this.live);
    this.shown(this.stage.index);
  }

  /** Nothing is open. */
  close() {
    Object.assign(this, { result: null, track: null, live: false });
    if (this.stage) Object.assign(this.stage, { result: null, camera: false });
    at("video").removeAttribute("src");
    at("result").hidden = true;
    at("empty").hidden = false;
  }

  get now() {
    return this.result.times[this.stage.index];
  }

  shown(index) {
    const { result, track } = this;
    if (!result || !result.times.length) return;
    const time = result.times[index];
    const row = track === null ? undefined : result.rowOf(index, track);
    this.stage.draw(track);
    this.circumplex.draw(result, index, track);
    if (!this.live) {
      this.attention.draw(result, index, track);
      this.attention.keep(at("video"), result, index, track);
    }
    const told = this.#numbers(index, row);
    this.timeline.move(time, `${clock(time)}, ${told}`);
    at("clock").textContent = `frame ${result.frames[index]}, ${clock(time)} of ${clock(result.end)}`;
    at("boxes").dataset.frame = result.frames[index];
  }

  #numbers(index, row) {
    const { result, track } = this, status = result.value("status", row);
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

  #key(event) {
    const { stage, timeline } = this;
    if (!this.result || this.live || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, select, textarea, summary")) return;
    const acts = {
      ArrowLeft: () => stage.step(-1), ArrowRight: () => stage.step(1), Home: () => stage.go(0),
      End: () => stage.go(this.result.times.length - 1), "+": () => timeline.zoom(0.5), "-": () => timeline.zoom(2),
    };
    if (event.key === " " && !event.target.closest?.("button, a, video")) acts[" "] = () => (at("video").paused ? at("video").play() : at("video").pause());
    if (!acts[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    acts[event.key]();
  }

  legend() {
    const parts = Object.entries(REASONS).map(([status, text]) => {
      const box = element("i");
      box.style.background = statusFill(null, status, "#0b5cad");
      return [box, text];
    });
    at("legend").replaceChildren("Lanes:", ...parts.flat(), ". Bands are the intervals of single frames; a pale line is an unfamiliar face.");
  }
}
