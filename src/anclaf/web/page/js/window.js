// A track's last frames at the pace that its model knows, as `inference/window.py` picks them; sliding windows alone.

import { even } from "./pixels.js";

const SNAP = 0.15, LATER = 1e-3;

export class FeatureWindow {
  /** about: n, lead_in, fps (of the model), max_gap. fps: of what is added. */
  constructor(about, fps) {
    const { n, lead_in, max_gap } = about;
    Object.assign(this, { n, fps, most: n + lead_in, items: [], began: 0, full: false });
    this.period = about.fps > 0 && n > 1 ? 1 / about.fps : 0;
    this.gap = max_gap / (about.fps > 0 ? Math.min(about.fps, fps) : fps);
  }

  /** Keep a frame; the window that ends at it, oldest first. */
  add(time, frame) {
    const grid = even(time * this.fps);
    if (Math.abs(time * this.fps - grid) < SNAP) time = grid / this.fps;
    if (this.items.length && time - this.items.at(-1).time > this.gap) this.items = [];
    if (!this.items.length) this.began = time;
    this.items.push({ time, frame });
    return this.#pick(time);
  }

  #pick(now) {
    const { items, period, most } = this;
    if (!period) {
      while (items.length > most) items.shift();
      const length = this.#length(items.length, items.filter(({ time }) => time >= this.began).length);
      return items.slice(-length).map(({ frame }) => frame);
    }
    while (items.length > 1 && items[1].time < now - most * period) items.shift();
    const instants = Array.from({ length: most }, (_, k) => now - period * k + LATER / this.fps);
    const since = (first) => instants.filter((instant) => instant >= first - period / 2).length;
    const length = this.#length(since(items[0].time), since(this.began));
    return instants.slice(0, length).map((instant) => {
      let best = 0;
      items.forEach(({ time }, k) => {
        if (Math.abs(time - instant) < Math.abs(items[best].time - instant)) best = k;
      });
      return items[best].frame;
    }).reverse();
  }

  #length(there, own) {
    this.full = own >= this.n;
    return Math.min(there, this.most);
  }
}
