// Curves of several raters over time, the joined one, and a model's estimates.

import { AROUSAL, INK, LINE, PALE, VALENCE, clock, fresh, personColour } from "./draw.js";

const LEFT = 52, RIGHT = 8, TOP = 8, AXIS = 20;

export class Curves {
  constructor(canvas) {
    this.canvas = canvas;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** joined: of `GET …/ratings/joined`. names: of raters, by whose order they are coloured. hidden: who is left out. */
  show(joined, names, hidden) {
    Object.assign(this, { joined, names, hidden });
    this.parts = ["valence", "arousal"].filter((name) => joined.dimensions[name].raters.length);
    this.canvas.style.height = `${TOP + AXIS + 150 * Math.max(1, this.parts.length)}px`;
    this.draw();
  }

  draw() {
    if (!this.joined || !this.canvas.clientWidth) return;
    const { context, width, height } = fresh(this.canvas), { lag_s } = this.joined.settings;
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, width, height);
    const said = this.parts.flatMap((name) => this.joined.dimensions[name].raters);
    const end = Math.max(1, ...said.map((one) => (one.time_s.at(-1) ?? 0) - lag_s));
    const x = (time) => LEFT + (time / end) * (width - LEFT - RIGHT);
    const tall = (height - TOP - AXIS) / Math.max(1, this.parts.length);
    this.#axis(context, x, end, width, height);
    this.parts.forEach((name, k) => this.#part(context, name, x, TOP + k * tall, tall - 8, width, lag_s));
  }

  #axis(context, x, end, width, height) {
    const step = [0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800].find((one) => x(one) - x(0) >= 64) ?? 3600;
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "center";
    for (let time = 0; time <= end; time += step) {
      context.fillStyle = "#e6e9ed";
      context.fillRect(x(time), TOP, 1, height - TOP - AXIS);
      context.fillStyle = PALE;
      if (x(time) < width - 16) context.fillText(clock(time, step < 1 ? 1 : 0), x(time), height - 5);
    }
  }

  #part(context, name, x, top, tall, width, lag) {
    const { low, high, dimensions } = this.joined, part = dimensions[name];
    const y = (value) => top + tall - ((value - low) / (high - low)) * tall;
    context.strokeStyle = LINE;
    context.lineWidth = 1;
    context.strokeRect(LEFT + 0.5, top + 0.5, width - LEFT - RIGHT, tall);
    context.fillStyle = PALE;
    context.textAlign = "right";
    context.fillText(high, LEFT - 4, top + 11);
    context.fillText(String(low).replace("-", "−"), LEFT - 4, top + tall);
    context.save();
    context.beginPath();
    context.rect(LEFT, top, width - LEFT - RIGHT, tall);
    context.clip();
    if (part.estimates) this.#line(context, part.estimates, x, y, 0, PALE, 1.5, [5, 4]);
    for (const one of part.raters)
      if (!this.hidden.has(one.rater)) this.#line(context, one, x, y, lag, personColour(this.names.indexOf(one.rater)), 1.8, []);
    if (part.raters.length > 1) this.#line(context, part.joined, x, y, lag, INK, 2.6, []);
    context.restore();
    context.textAlign = "left";
    context.font = "bold 13px system-ui, sans-serif";
    context.fillStyle = name === "valence" ? VALENCE : AROUSAL;
    context.fillText(name, LEFT + 6, top + 15);
    context.font = "12px system-ui, sans-serif";
  }

  #line(context, curve, x, y, lag, colour, thick, dash) {
    const { time_s, value } = curve;
    const steps = time_s.slice(1).map((time, k) => time - time_s[k]).sort((a, b) => a - b);
    const longest = 3.5 * (steps[steps.length >> 1] ?? 1);
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.setLineDash(dash);
    context.beginPath();
    let before = -Infinity;
    for (let k = 0; k < time_s.length; k++) {
      if (value[k] === null) continue;
      const point = [x(time_s[k] - lag), y(value[k])];
      if (time_s[k] - before > longest) context.moveTo(...point);
      context.lineTo(...point);
      before = time_s[k];
    }
    context.stroke();
    context.setLineDash([]);
  }
}
