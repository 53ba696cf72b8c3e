// The video with its boxes, in step with the table by the frames' own timestamps.

import { PALE, REASONS, fresh, number, personColour } from "./draw.js";

export class Stage {
  /** shown: called with the index of the frame that is shown. said: with a line about what is shown. */
  constructor(video, canvas, shown, said) {
    this.video = video;
    this.canvas = canvas;
    this.shown = shown;
    this.said = said;
    this.index = 0;
    video.addEventListener("error", () => this.#cannot());
    video.addEventListener("loadedmetadata", () => {
      if (!video.videoWidth) this.#cannot(); // its sound alone
    });
    video.addEventListener("seeked", () => this.byFrames || this.#at(video.currentTime));
    video.addEventListener("play", () => (this.target = null));
    this.byFrames = "requestVideoFrameCallback" in HTMLVideoElement.prototype;
    this.#follow();
    new ResizeObserver(() => this.draw()).observe(video);
  }

  #follow() {
    const { video } = this;
    if (this.byFrames) {
      const next = (_, about) => {
        this.#at(about.mediaTime);
        video.requestVideoFrameCallback(next);
      };
      video.requestVideoFrameCallback(next);
    } else {
      const next = () => {
        if (!video.paused) this.#at(video.currentTime);
        requestAnimationFrame(next);
      };
      requestAnimationFrame(next);
    }
  }

  /** sources: addresses of the video and of its overlay, null where there is none. */
  open(result, sources) {
    this.result = result;
    this.sources = sources;
    this.index = 0;
    this.camera = false;
    this.video.srcObject = null;
    this.#play(sources.video ? "video" : "overlay");
    this.shown(0);
  }

  #play(kind) {
    const { video } = this;
    this.kind = kind;
    // players count from the file's first sound or picture, or from its clock's zero: the first picture tells which
    this.firstS = kind === "video" ? this.result.about.first_s : 0;
    this.firstKnown = !this.byFrames;
    this.target = null;
    const source = this.sources[kind];
    if (source) {
      video.src = source;
    } else {
      video.removeAttribute("src");
      this.said("The video is not there, nor an overlay of it: the numbers alone are shown.");
    }
    if (kind === "overlay" && source && !this.sources.video) this.said("The video is not there; its overlay is shown.");
  }

  #cannot() {
    if (this.camera || !this.sources || !this.video.hasAttribute("src")) return;
    if (this.kind === "video" && this.sources.overlay) {
      this.#play("overlay");
      this.said("This browser cannot play the video's own format: the overlay video is shown, which has the boxes drawn in.");
    } else {
      this.video.removeAttribute("src");
      this.said("This browser cannot play the video's format. The numbers are complete; the timeline and the arrow keys go through them.");
      this.draw();
    }
  }

  #at(media) {
    if (!this.result || this.camera) return;
    if (!this.firstKnown) {
      this.firstKnown = true;
      this.firstS = media;
      if (this.target) return this.go(this.target);
    }
    const index = this.result.frameAt(media - this.firstS);
    // of a place that is being left
    if (this.target !== null && index !== this.target && this.video.paused) return;
    this.target = null;
    this.index = index;
    this.shown(index);
  }

  /** Go to a frame. */
  go(index) {
    if (!this.result) return;
    index = Math.max(0, Math.min(this.result.times.length - 1, index));
    this.index = index;
    const playable = this.video.hasAttribute("src");
    this.target = playable ? index : null;
    if (playable && this.firstKnown) this.video.currentTime = this.firstS + this.result.inside(index);
    this.shown(index);
  }

  step(by) {
    this.video.pause();
    this.go(this.index + by);
  }

  /** Where in its element the picture is. */
  #place() {
    const { video } = this, width = video.clientWidth, height = video.clientHeight;
    const w = video.videoWidth || width, h = video.videoHeight || height;
    const scale = Math.min(width / w, height / h);
    return { left: (width - w * scale) / 2, top: (height - h * scale) / 2, wide: w * scale, tall: h * scale };
  }

  draw(track = this.track) {
    this.track = track;
    const { context } = fresh(this.canvas);
    if (!this.result || (this.kind === "overlay" && !this.camera)) return;
    const { result } = this, place = this.#place(), c = result.columns;
    const sx = place.wide / (result.about.width || 1), sy = place.tall / (result.about.height || 1);
    if (!result.about.width) return;
    context.font = "bold 13px system-ui, sans-serif";
    for (const row of result.times.length ? result.rowsOf(this.index) : []) {
      if (c.x[row] === null) {
        if (c.track[row] === null) this.#label(context, REASONS[c.status[row]] ?? c.status[row], place.left + 8, place.top + 20, "#ffffff");
        continue;
      }
      const person = result.person(c.track[row]), chosen = person === track, odd = (c.unfamiliar?.[row] ?? 0) > 0.9;
      const x = place.left + c.x[row] * sx, y = place.top + c.y[row] * sy;
      context.strokeStyle = "#ffffff";
      context.lineWidth = chosen ? 5 : 3;
      context.strokeRect(x, y, c.w[row] * sx, c.h[row] * sy);
      context.strokeStyle = odd ? PALE : personColour(person);
      context.lineWidth = chosen ? 3 : 1.5;
      context.strokeRect(x, y, c.w[row] * sx, c.h[row] * sy);
      const told = c.valence[row] === null ? REASONS[c.status[row]] ?? c.status[row] : `V ${number(c.valence[row])} A ${number(c.arousal[row])}`;
      const text = [result.name(person), told, ...(odd ? ["unfamiliar"] : [])].join("  ");
      this.#label(context, text, x, Math.max(place.top + 16, y - 5), odd ? "#d5d9de" : "#ffffff");
    }
  }

  #label(context, text, x, y, colour) {
    const wide = context.measureText(text).width, left = Math.max(0, Math.min(x, this.canvas.clientWidth - wide - 6));
    context.fillStyle = "#000000b8";
    context.fillRect(left, y - 13, wide + 6, 17);
    context.fillStyle = colour;
    context.fillText(text, left + 3, y);
  }
}
