// Valence and arousal of one person over time, and a lane for everybody. Times are the frames' own.

import { AROUSAL, INK, LINE, PALE, VALENCE, clock, fresh, personColour, statusFill } from "./draw.js";
import { after } from "./result.js";

const LEFT = 46, RIGHT = 8, TOP = 6, AXIS = 20, LANE = 15, MOST_LANES = 8;
const SHORTEST_S = 0.5;

export class Timeline {
  /** seek: called with a time of the table. step: with −1 or 1. */
  constructor(canvas, seek, step) {
    this.canvas = canvas;
    this.still = document.createElement("canvas"); // all but the playhead
    this.seek = seek;
    let down = false;
    canvas.addEventListener("pointerdown", (event) => {
      down = true;
      canvas.setPointerCapture(event.pointerId);
      this.#point(event);
    });
    canvas.addEventListener("pointermove", (event) => down && this.#point(event));
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => (down = false));
    canvas.addEventListener("wheel", (event) => {
      if (!this.result || this.live) return;
      event.preventDefault();
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.#show(this.from + (event.deltaX / this.#wide()) * (this.to - this.from), this.to - this.from);
      else this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.#time(event));
    }, { passive: false });
    new ResizeObserver(() => this.redraw()).observe(canvas);
  }

  show(result, track, live = false) {
    const other = result !== this.result;
    this.result = result;
    this.track = track;
    this.live = live;
    const lanes = Math.min(MOST_LANES, result.people.length);
    this.canvas.style.height = `${260 + lanes * LANE}px`;
    if (other && !live) [this.from, this.to] = [0, Math.max(result.end, SHORTEST_S)];
    this.canvas.setAttribute("aria-valuemax", result.end.toFixed(2));
    this.redraw();
  }

  /** Of a webcam: the last so many seconds. */
  window(from, to) {
    [this.from, this.to] = [from, to];
  }

  whole() {
    if (this.result) this.#show(0, this.result.end);
  }

  /** Show `by` times as much, around a time. */
  zoom(by, around = this.at ?? 0) {
    if (!this.result) return;
    const length = Math.max(SHORTEST_S, (this.to - this.from) * by);
    this.#show(around - ((around - this.from) / (this.to - this.from)) * length, length);
  }

  #show(from, length) {
    const whole = Math.max(this.result.end, SHORTEST_S);
    length = Math.min(whole, length);
    this.from = Math.max(0, Math.min(whole - length, from));
    this.to = this.from + length;
    this.redraw();
  }

  #wide() {
    return Math.max(1, this.canvas.clientWidth - LEFT - RIGHT);
  }

  #time(event) {
    const x = event.clientX - this.canvas.getBoundingClientRect().left;
    return this.from + ((x - LEFT) / this.#wide()) * (this.to - this.from);
  }

  #point(event) {
    if (!this.result || this.live) return;
    this.seek(Math.max(0, Math.min(this.result.end, this.#time(event))));
  }

  x(time) {
    return LEFT + ((time - this.from) / (this.to - this.from)) * this.#wide();
  }

  redraw() {
    if (!this.result || !this.canvas.clientWidth) return;
    const { context, width, height } = fresh(this.canvas);
    this.still.width = this.canvas.width;
    this.still.height = this.canvas.height;
    this.#still(context, width, height);
    this.still.getContext("2d").drawImage(this.canvas, 0, 0);
    this.#head(context, height);
  }

  /** Move the playhead to a time of the table. */
  move(time, text) {
    this.at = time;
    if (!this.result || !this.canvas.clientWidth) return;
    this.canvas.setAttribute("aria-valuenow", time.toFixed(3));
    this.canvas.setAttribute("aria-valuetext", text);
    if (!this.live && (time < this.from || time > this.to)) {
      this.#show(time - (this.to - this.from) * 0.1, this.to - this.from);
      return;
    }
    const context = this.canvas.getContext("2d");
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.still, 0, 0);
    context.restore();
    this.#head(context, this.canvas.clientHeight);
  }

  #head(context, height) {
    if (this.at === undefined) return;
    const x = this.x(this.at);
    context.fillStyle = "#c40d0d";
    context.fillRect(x - 1, TOP, 2, height - TOP - AXIS + 4);
  }

  #still(context, width, height) {
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, width, height);
    const lanes = this.result.people.slice(0, MOST_LANES);
    const room = height - AXIS - TOP - lanes.length * LANE - 8;
    const each = room / 2;
    const reach = this.result.reach();
    const person = this.result.people.find((one) => one.track === this.track);
    this.#axis(context, width, height);
    this.#chart(context, "valence", VALENCE, TOP, each - 6, reach, person);
    this.#chart(context, "arousal", AROUSAL, TOP + each, each - 6, reach, person);
    lanes.forEach((one, k) => this.#lane(context, one, TOP + room + 6 + k * LANE));
    this.#left(context, TOP, room);
  }

  #axis(context, width, height) {
    const length = this.to - this.from;
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];
    const step = steps.find((one) => (one / length) * this.#wide() >= 64) ?? 7200;
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "center";
    for (let k = Math.ceil(this.from / step); k * step <= this.to; k++) {
      const x = this.x(k * step);
      context.fillStyle = "#e6e9ed";
      context.fillRect(x, TOP, 1, height - AXIS - TOP);
      context.fillStyle = PALE;
      if (x > LEFT && x < width - 20) context.fillText(clock(k * step, step < 1 ? 1 : 0), x, height - 6);
    }
  }

  #chart(context, name, colour, top, tall, reach, person) {
    const y = (value) => top + tall - ((value - reach.low) / (reach.high - reach.low)) * tall;
    context.strokeStyle = LINE;
    context.strokeRect(LEFT + 0.5, Math.round(top) + 0.5, this.#wide(), Math.round(tall));
    context.fillStyle = LINE;
    context.fillRect(LEFT, Math.round(y((reach.low + reach.high) / 2)), this.#wide(), 1);
    context.fillStyle = PALE;
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "right";
    const digits = reach.high - reach.low < 4 ? 2 : 1;
    context.fillText(reach.high.toFixed(digits), LEFT - 4, top + 10);
    context.fillText(reach.low.toFixed(digits).replace("-", "−"), LEFT - 4, top + tall);
    context.save();
    context.beginPath();
    context.rect(LEFT, top, this.#wide(), tall);
    context.clip();
    if (person) {
      for (const part of this.#parts(person, name)) this.#band(context, part, y, colour);
      for (const part of this.#parts(person, name)) this.#line(context, part, y, colour);
    }
    context.restore();
    context.textAlign = "left";
    context.font = "bold 13px system-ui, sans-serif";
    context.fillStyle = colour;
    context.fillText(name, LEFT + 6, top + 15);
  }

  /** Stretches of estimates to be joined; where there are many for a pixel, the extremes of each pixel stand for them. */
  #parts(person, name) {
    const low = person[`${name}_low`], high = person[`${name}_high`], value = person[name];
    const first = Math.max(0, after(person.times, this.from) - 2), last = Math.min(person.times.length, after(person.times, this.to) + 2);
    const many = last - first > 3 * this.#wide();
    const parts = [];
    let part = null, before = -Infinity, pixel = null;
    for (let k = first; k < last; k++) {
      if (Number.isNaN(value[k])) continue;
      const t = person.times[k];
      if (t - before > this.result.longest) parts.push((part = [])), (pixel = null);
      before = t;
      const x = this.x(t), odd = person.unfamiliar[k] > 0.9;
      if (many && pixel !== null && Math.floor(x) === Math.floor(pixel.x)) {
        pixel.min = Math.min(pixel.min, value[k]);
        pixel.max = Math.max(pixel.max, value[k]);
        pixel.low = Math.min(pixel.low, low[k]);
        pixel.high = Math.max(pixel.high, high[k]);
        pixel.odd = pixel.odd && odd;
        continue;
      }
      pixel = { x, min: value[k], max: value[k], low: low[k], high: high[k], odd };
      part.push(pixel);
    }
    return parts;
  }

  #band(context, part, y, colour) {
    if (part.some((point) => Number.isNaN(point.low)) || !part.length) return;
    context.fillStyle = colour + "26";
    context.beginPath();
    part.forEach((point) => context.lineTo(point.x, y(point.high)));
    [...part].reverse().forEach((point) => context.lineTo(point.x, y(point.low)));
    context.fill();
  }

  #line(context, part, y, colour) {
    context.lineWidth = 1.8;
    context.lineJoin = "round";
    if (part.length === 1) {
      context.fillStyle = colour;
      context.fillRect(part[0].x - 1.5, y(part[0].max) - 1.5, 3, 3);
      return;
    }
    for (let k = 0; k < part.length; ) {
      // familiar and unfamiliar stretches, each joined to the next
      const odd = part[k].odd;
      context.strokeStyle = odd ? colour + "77" : colour;
      context.beginPath();
      if (k) context.moveTo(part[k - 1].x, y(part[k - 1].max));
      for (; k < part.length && part[k].odd === odd; k++) {
        context.lineTo(part[k].x, y(part[k].max));
        if (part[k].min !== part[k].max) context.lineTo(part[k].x, y(part[k].min));
      }
      context.stroke();
    }
  }

  #lane(context, person, top) {
    const tall = LANE - 3, colour = personColour(person.track);
    context.font = (person.track === this.track ? "bold " : "") + "12px system-ui, sans-serif";
    context.textAlign = "right";
    context.fillStyle = INK;
    context.fillText(this.result.name(person.track).replace(/^Person /, "P").slice(0, 6), LEFT - 4, top + 10);
    const first = Math.max(0, after(person.times, this.from) - 1);
    let k = first;
    while (k < person.times.length && person.times[k] < this.to) {
      const status = person.status[k], start = person.times[k];
      let end = start;
      while (k < person.times.length && person.status[k] === status && person.times[k] - end <= this.result.longest) end = person.times[k++];
      const x = Math.max(LEFT, this.x(start)), right = Math.min(LEFT + this.#wide(), this.x(end + this.result.interval));
      if (right <= LEFT) continue;
      context.fillStyle = statusFill(context, status, colour);
      context.fillRect(x, top, Math.max(1, right - x), tall);
      context.strokeStyle = PALE;
      context.lineWidth = 0.5;
      if (status === "no_face") context.strokeRect(x, top + 0.5, Math.max(1, right - x), tall - 1);
    }
  }

  /** What was left out, hatched. */
  #left(context, top, tall) {
    for (const one of this.result.edits.excluded || []) {
      if (one.track !== null && one.track !== this.track) continue;
      const x = Math.max(LEFT, this.x(one.from_s)), right = Math.min(LEFT + this.#wide(), this.x(one.to_s));
      if (right <= x) continue;
      context.save();
      context.beginPath();
      context.rect(x, top, right - x, tall);
      context.clip();
      context.fillStyle = "#ffffffb0";
      context.fillRect(x, top, right - x, tall);
      context.strokeStyle = "#6b7480";
      context.lineWidth = 1;
      context.beginPath();
      for (let at = x - tall; at < right; at += 9) {
        context.moveTo(at, top + tall);
        context.lineTo(at + tall, top);
      }
      context.stroke();
      context.restore();
    }
  }
}
