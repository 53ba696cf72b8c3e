// Where a person is on the plane of valence (right) and arousal (up), and the way there.

import { AROUSAL, INK, LINE, PALE, VALENCE, fresh, personColour } from "./draw.js";
import { after } from "./result.js";

const TRAIL_S = 5, MOST = 2000;

export class Circumplex {
  constructor(canvas) {
    this.canvas = canvas;
  }

  /** index: of the frame; track: of the person, or null. */
  draw(result, index, track) {
    if (!this.canvas.clientWidth) return;
    const { context, width } = fresh(this.canvas);
    const reach = result.reach(), radius = width / 2 - 16, middle = width / 2;
    const at = (v, a) => [
      middle + ((2 * (v - reach.low)) / (reach.high - reach.low) - 1) * radius,
      middle - ((2 * (a - reach.low)) / (reach.high - reach.low) - 1) * radius,
    ];
    context.strokeStyle = LINE;
    context.lineWidth = 1;
    context.strokeRect(middle - radius, middle - radius, 2 * radius, 2 * radius);
    context.beginPath();
    context.arc(middle, middle, radius, 0, 2 * Math.PI);
    context.moveTo(middle - radius, middle);
    context.lineTo(middle + radius, middle);
    context.moveTo(middle, middle - radius);
    context.lineTo(middle, middle + radius);
    context.stroke();
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "right";
    context.fillStyle = VALENCE;
    context.fillText("valence", middle + radius - 3, middle - 4);
    context.textAlign = "left";
    context.fillStyle = AROUSAL;
    context.fillText("arousal", middle + 4, middle - radius + 12);
    context.fillStyle = PALE;
    context.textAlign = "center";
    const digits = reach.high - reach.low < 4 ? 2 : 1;
    context.fillText(`±${((reach.high - reach.low) / 2).toFixed(digits)}`, middle + radius - 14, middle + radius + 13);
    const person = result.people.find((one) => one.track === track);
    if (!person) return;
    const colour = personColour(track), now = result.times[index] ?? 0;
    this.#path(context, result, person, at, -Infinity, Infinity, colour + "30", 1);
    this.#path(context, result, person, at, now - TRAIL_S, now + 0.002, colour, 2);
    const row = result.rowOf(index, track);
    const v = result.value("valence", row), a = result.value("arousal", row);
    if (v === null || a === null) return;
    const ends = ["valence_low", "valence_high", "arousal_low", "arousal_high"].map((name) => result.value(name, row));
    const [x, y] = at(v, a);
    context.lineWidth = 1.5;
    if (ends.every((end) => end !== null)) {
      context.strokeStyle = VALENCE;
      context.beginPath();
      context.moveTo(Math.max(0, at(ends[0], a)[0]), y);
      context.lineTo(Math.min(width, at(ends[1], a)[0]), y);
      context.stroke();
      context.strokeStyle = AROUSAL;
      context.beginPath();
      context.moveTo(x, Math.min(width, at(v, ends[2])[1]));
      context.lineTo(x, Math.max(0, at(v, ends[3])[1]));
      context.stroke();
    }
    context.fillStyle = colour;
    context.strokeStyle = INK;
    context.beginPath();
    context.arc(x, y, 6, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }

  #path(context, result, person, at, from, to, colour, thick) {
    const first = after(person.times, from), last = after(person.times, to);
    const every = Math.max(1, Math.floor((last - first) / MOST));
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.beginPath();
    let before = -Infinity;
    for (let k = first; k < last; k += every) {
      if (Number.isNaN(person.valence[k])) continue;
      const point = at(person.valence[k], person.arousal[k]);
      if (person.times[k] - before > result.longest * every) context.moveTo(...point);
      else context.lineTo(...point);
      before = person.times[k];
    }
    context.stroke();
  }
}
