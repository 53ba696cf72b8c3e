// A person rates a video while it plays: countdown, pause, begin anew, finish. What is given is saved as it comes.

import { ratings } from "./api.js";
import { asked, at, clock, element } from "./draw.js";
import { Pad } from "./pad.js";
import { Raters } from "./raters.js";
import { Recorder } from "./recorder.js";

const COUNT = 3;
const words = (dimensions) => dimensions.join(" and ");

export class Rating {
  /** doing: wraps what may fail, so that it is said. address: of a video's file, by its id. */
  constructor(doing, address) {
    this.doing = doing;
    this.address = address;
    this.media = at("rating-video");
    this.pad = new Pad(at("pad"));
    this.raters = new Raters(doing, (there) => this.#told(there));
    this.recorder = new Recorder(() => this.pad.now(),
      (message) => ratings.add(this.video.id, { rater: this.rater, ...message }),
      (problem, over) => this.#saved(problem, over));
    at("rating-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#asked();
    });
    at("rating-pause").addEventListener("click", () => this.#pause());
    at("rating-anew").addEventListener("click", () => this.#again());
    at("rating-finish").addEventListener("click", () => this.#finish());
    at("rating-who").value = localStorage.getItem("rater") ?? "";
    this.media.addEventListener("ended", () => this.session && this.#finish());
    this.media.addEventListener("error", () => this.video && this.#note("This browser cannot play the video's format: convert it to MP4 (H.264), or rate it with another tool and read its file below."));
    this.media.addEventListener("loadeddata", () => (at("rating-start").disabled = false));
    // a trained run was chosen
    new MutationObserver(() => !at("run").hidden && this.video && this.close()).observe(at("run"), { attributeFilter: ["hidden"] });
    document.addEventListener("visibilitychange", () => document.hidden && this.#stop());
    document.addEventListener("keydown", (event) => {
      if (event.key !== " " || !this.session || event.target.closest?.("button, input, select, a, dialog, summary")) return;
      event.preventDefault();
      this.#pause();
    }, true);
  }

  #note(text) {
    at("rating-note").textContent = text;
  }

  open = (video) => this.doing(async () => {
    await this.close();
    const there = await ratings.of(video.id);
    this.video = video;
    at("run").hidden = true;
    at("rating").hidden = false;
    at("rating-title").textContent = `Rate ${video.name}`;
    this.#note(`${there.lasting ? `What you say is kept in ${there.folder}.` : "This video was uploaded: it is removed when the server ends, and its ratings with it. Save them when you have finished."} Look at the face, not at the plot of others: their ratings are folded up below.`);
    this.firstS = there.first_s;
    at("rating-start").disabled = true;
    this.media.src = this.address(video.id);
    // players count from the file's first sound or picture: the first picture tells which
    this.media.requestVideoFrameCallback?.((_, about) => this.session || (this.firstS = about.mediaTime));
    at("rating-all").open = false;
    this.#told(there);
    this.#running(false);
    at("rating-who").focus();
  })();

  /** What there is of the video, anew. */
  #told(there) {
    this.there = there;
    this.raters.show(this.video, there);
    const names = [...new Set(there.raters.map((one) => one.rater))];
    at("rating-names").replaceChildren(...names.map((value) => element("option", { value })));
    at("unfinished").replaceChildren(...there.unfinished.map((one) => this.#broken(one)));
  }

  #broken(one) {
    const button = (text, work) => {
      const made = element("button", { type: "button", textContent: text });
      made.addEventListener("click", this.doing(work));
      return made;
    };
    return element("li", {}, `${one.rater} broke off ${words(one.dimensions)} at ${clock(one.at_s, 1)} `,
      button("Go on", () => this.#begin({ rater: one.rater, dimensions: one.dimensions, go_on: true })),
      button("Finish as it is", async () => this.#told(await ratings.finish(this.video.id, { rater: one.rater }))),
      button("Set aside", async () => this.#told(await ratings.remove(this.video.id, one.rater, "unfinished"))));
  }

  // beginning

  #asked = () => this.doing(async () => {
    const [low, high] = at("rating-scale").value.split(" ").map(Number);
    const what = at("rating-what").value;
    const asked = {
      rater: at("rating-who").value.trim(), dimensions: what === "both" ? ["valence", "arousal"] : [what],
      low, high, bin_s: Number(at("rating-bin").value),
    };
    localStorage.setItem("rater", asked.rater);
    this.#told(await ratings.of(this.video.id));
    const same = (one) => one.rater.toLowerCase() === asked.rater.toLowerCase();
    const rated = this.there.raters.filter((one) => same(one) && asked.dimensions.includes(one.dimension));
    const broken = this.there.unfinished.find((one) => same(one) && one.saved);
    if (rated.length || broken) {
      const said = rated.length ? `${asked.rater} has rated ${words(rated.map((one) => one.dimension))} of this video.` : `${asked.rater} broke off a rating at ${clock(broken.at_s, 1)}.`;
      if (!(await this.#sure(`${said} Rate anew? The old file is kept apart, in the folder kept.`))) return;
      asked.replace = true;
    }
    await this.#begin(asked);
  })();

  #sure(text) {
    at("rating-asked").textContent = text;
    return asked(at("rating-sure"));
  }

  async #begin(asked) {
    const session = await ratings.begin(this.video.id, asked);
    this.rater = asked.rater;
    this.begun = { ...asked, ...session };
    this.session = session.session;
    this.pad.show(session.dimensions, session.low, session.high, at("rating-by").value);
    this.recorder.begin(session, (message) => ratings.addLeaving(this.video.id, { rater: this.rater, ...message }));
    this.#running(true);
    await this.#seek(this.firstS + session.from_s);
    await this.#count();
  }

  #running(on) {
    for (const id of ["rating-bar", "pad"]) at(id).hidden = !on;
    for (const id of ["rating-form", "unfinished", "rating-all", "rating-import"]) at(id).hidden = on;
    this.pad.on = on;
    if (on) this.#note("");
    at("rating-saved").textContent = "";
  }

  #seek(time) {
    const { media } = this;
    if (Math.abs(media.currentTime - time) < 1e-3) return Promise.resolve();
    return new Promise((resolve) => {
      media.addEventListener("seeked", resolve, { once: true });
      media.currentTime = time;
    });
  }

  async #count() {
    const mine = this.session;
    at("pad").focus();
    at("pad").scrollIntoView?.({ block: "nearest" });
    this.#follow();
    for (let k = COUNT; k > 0 && this.session === mine; k--) {
      at("countdown").textContent = k;
      at("countdown").hidden = false;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    at("countdown").hidden = true;
    if (this.session === mine) await this.#play();
  }

  async #play() {
    this.recorder.fresh();
    await this.media.play();
    at("rating-pause").textContent = "Pause";
  }

  #stop() {
    if (!this.session || this.media.paused) return;
    this.#sample();
    this.media.pause();
    at("rating-pause").textContent = "Go on";
  }

  // while it plays

  #follow() {
    let before = performance.now();
    const mine = this.session;
    const next = (now) => {
      if (this.session !== mine) return;
      this.pad.frame(Math.min(0.2, Math.max(0, now - before) / 1000));
      before = now;
      if (!this.media.paused && !this.media.seeking) this.#sample();
      if (this.pad.lost) this.#note("No gamepad: press one of its buttons, or choose another way.");
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  }

  #sample() {
    const { currentTime, duration } = this.media;
    // a video's end is no moment of it
    const time = Math.min(currentTime, duration - 0.01) - this.firstS;
    this.recorder.at(time);
    const value = this.pad.now().map((one, k) => (one === null ? "" : `${["V", "A"][k]} ${one.toFixed(2)}`)).join("  ");
    at("rating-clock").textContent = `${clock(Math.max(0, time), 1)}  ${value}`;
  }

  #saved(problem, over) {
    if (!problem) return (at("rating-saved").textContent = `saved up to ${clock(this.begun.from_s + (this.recorder.saved - this.begun.saved) / 20, 1)}`);
    this.#stop();
    if (over) this.#leave();
    this.#note(problem.message);
  }

  #pause = () => this.doing(async () => {
    if (!at("countdown").hidden) return;
    if (!this.media.paused) return this.#stop();
    if (await this.recorder.flush()) await this.#play();
  })();

  #again = () => this.doing(async () => {
    this.#stop();
    if (!(await this.#sure("Begin this rating anew? What was given so far is kept apart, in the folder kept."))) return;
    await this.recorder.flush();
    const { rater, dimensions, low, high, bin_s } = this.begun;
    this.#leave();
    await this.#begin({ rater, dimensions, low, high, bin_s, replace: true });
  })();

  #finish = () => this.doing(async () => {
    if (!this.session || this.finishing) return;
    this.finishing = true;
    try {
      await this.#end();
    } finally {
      this.finishing = false;
    }
  })();

  async #end() {
    this.#sample();
    this.media.pause();
    const { video, rater, session } = this;
    if (!(await this.recorder.flush()) && !(await this.recorder.flush())) throw new Error("The server does not answer: not all is saved yet. Finish again when it is back.");
    const there = await ratings.finish(video.id, { rater, session });
    this.#leave();
    this.#told(there);
    at("rating-all").open = true;
    this.#note(there.lasting ? `${rater}'s rating is saved in ${there.folder}.` : `${rater}'s rating is complete. Save it below: it is removed with the video.`);
  }

  #leave() {
    this.recorder.end();
    this.session = null;
    this.media.pause();
    at("countdown").hidden = true;
    this.#running(false);
  }

  /** Leave the video; a rating that goes on is broken off where it is. */
  async close() {
    if (this.session) {
      this.#stop();
      await this.recorder.flush();
      this.#leave();
    }
    this.video = null;
    this.media.removeAttribute("src");
    at("rating").hidden = true;
  }
}
