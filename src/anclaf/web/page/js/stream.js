// One video or camera, frame after frame, as `inference/stream.py`: who is in it, and what the networks say of each.

import { cropMatrix, cropMotion, faceQuality, warp } from "./align.js";
import { Tracker, appearance } from "./tracks.js";
import { FeatureWindow } from "./window.js";

export class Stream {
  /** loaded: of `load`. fps: frames a second of the source. options: { largest, attention }. */
  constructor({ about, detector, model }, fps, options = {}) {
    Object.assign(this, { about, detector, model, fps, options });
    this.tracker = new Tracker(about.options.max_gap_s);
    this.windows = new Map();
    this.largest = null;
  }

  /** The rows of the next frame. picture: { data, width, height, channels }. */
  async step(picture, time, number) {
    const seen = [];
    for (const face of await this.detector.detect(picture)) {
      const matrix = cropMatrix(face.points, this.about.image_size);
      if (!matrix || !matrix.every(Number.isFinite)) continue; // the five points are one: not a face
      const crop = warp(picture, matrix, this.about.image_size);
      seen.push({ face, matrix, crop, quality: faceQuality(picture, face.points), box: face.box, appearance: appearance(crop) });
    }
    const rows = this.#follow(seen, time).map((track) => this.#blank(number, time, track.id, track.seen === null ? null : seen[track.seen]));
    const clear = rows.filter(({ row }) => row.status === "ok");
    if (clear.length) await this.#affect(clear, time);
    const there = new Set(this.tracker.tracks.map((track) => track.id));
    for (const id of this.windows.keys()) if (!there.has(id)) this.windows.delete(id);
    return rows.length ? rows.map(({ row }) => row) : [{ frame: number, time_s: time, track: null, status: "no_face" }];
  }

  #follow(seen, time) {
    const tracks = this.tracker.update(seen, time);
    if (!this.options.largest) return tracks;
    const present = tracks.filter((track) => track.seen !== null);
    if (present.length) this.largest = present.reduce((most, track) => (track.side > most.side ? track : most)).id;
    return tracks.filter((track) => track.id === this.largest);
  }

  #blank(frame, time_s, track, face) {
    const row = { frame, time_s, track, status: "no_face" };
    if (!face) return { row, face };
    const { min_size, min_sharpness } = this.about.options, { quality } = face;
    const [x, y, w, h] = face.box;
    const status = quality.size < min_size ? "too_small" : quality.sharpness < min_sharpness ? "blurred" : "ok";
    return { row: Object.assign(row, { x, y, w, h, detection: face.face.score, ...quality, status }), face };
  }

  async #affect(clear, time) {
    const encoded = await this.model.encode(clear.map(({ face }) => face.crop));
    for (const [k, { row, face }] of clear.entries()) {
      if (!this.windows.has(row.track)) this.windows.set(row.track, new FeatureWindow(this.about, this.fps));
      const window = this.windows.get(row.track), { x, q, unfamiliar } = encoded[k];
      const frames = window.add(time, { x, matrix: face.matrix });
      const features = new Float32Array(frames.length * x.length);
      frames.forEach((frame, i) => features.set(frame.x, i * x.length));
      const motion = cropMotion(frames.map((frame) => frame.matrix), this.about.image_size);
      const { affect, attention } = await this.model.estimate(features, motion, frames.length);
      Object.assign(row, this.#told(affect, q), { unfamiliar, status: window.full ? "ok" : "warming_up" });
      if (this.options.attention && attention) Object.assign(row, this.#weights(attention));
    }
  }

  #told(affect, q) {
    const { low, high, quadrants } = this.about, [v, a] = affect;
    const restored = (value) => (value * (high - low)) / 2 + (low + high) / 2;
    const told = { valence: restored(v), arousal: restored(a), quadrant: quadrants[a >= 0 ? (v >= 0 ? 0 : 1) : v >= 0 ? 3 : 2] };
    [told.q1, told.q2, told.q3, told.q4] = q;
    if (this.model.calibration && this.about.intervals) {
      const [valence, arousal] = this.model.calibration.intervals(affect);
      [told.valence_low, told.valence_high] = valence.map(restored);
      [told.arousal_low, told.arousal_high] = arousal.map(restored);
    }
    return told;
  }

  /** attention_1: of the state one frame before, and so on, as far back as the head reaches. */
  #weights(attention) {
    const past = attention.slice(0, -1).reverse().slice(0, this.about.reach);
    return Object.fromEntries(past.map((weight, k) => [`attention_${k + 1}`, weight]));
  }
}
