// How much an SA model weighs the frames before this one, under pictures of them where they were shown.

import { INK, LINE, PALE, clock, fresh, personColour } from "./draw.js";

const SIDE = 56, MOST_PICTURES = 400;

export class Attention {
  constructor(canvas) {
    this.canvas = canvas;
    this.pictures = new Map(); // frame index and person -> face
  }

  clear() {
    this.pictures.clear();
  }

  /** Keep the face that is shown now. */
  keep(video, result, index, track) {
    const key = `${index}/${track}`;
    if (this.canvas.hidden || this.pictures.has(key)) return;
    const row = result.rowOf(index, track), { width, height } = result.about;
    const [x, y, w, h] = ["x", "y", "w", "h"].map((name) => result.value(name, row));
    if (x === null || !width || !video.videoWidth) return;
    const sx = video.videoWidth / width, sy = video.videoHeight / height;
    const face = document.createElement("canvas");
    face.width = face.height = SIDE;
    face.getContext("2d").drawImage(video, x * sx, y * sy, w * sx, h * sy, 0, 0, SIDE, SIDE);
    this.pictures.set(key, face);
    if (this.pictures.size > MOST_PICTURES) this.pictures.delete(this.pictures.keys().next().value);
  }

  draw(result, index, track) {
    const count = result.about.attention;
    this.canvas.hidden = !count;
    if (!count || !this.canvas.clientWidth) return;
    const { context, width, height } = fresh(this.canvas);
    const row = result.rowOf(index, track), now = result.times[index];
    const step = result.about.model_fps > 0 ? 1 / result.about.model_fps : result.interval;
    const wide = Math.min(SIDE + 10, width / count), side = Math.min(SIDE, wide - 3);
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "center";
    for (let k = 1; k <= count; k++) {
      // the oldest on the left, as on the timeline
      const weight = result.value(`attention_${k}`, row), left = width - k * wide;
      const at = now - k * step;
      const picture = at >= -step / 2 ? this.pictures.get(`${result.frameAt(at)}/${track}`) : undefined;
      context.strokeStyle = LINE;
      context.strokeRect(left + 0.5, 0.5, side, side);
      if (picture) context.drawImage(picture, left, 0, side, side);
      if (weight === null) continue;
      context.fillStyle = personColour(track ?? 0);
      context.fillRect(left, height - 16 - weight * 20, side, Math.max(1, weight * 20));
      context.fillStyle = INK;
      if (side > 26) context.fillText(weight.toFixed(2), left + side / 2, height - 4);
    }
    context.textAlign = "left";
    context.fillStyle = PALE;
    if (row === undefined || result.value("attention_1", row) === null) context.fillText(`no weights at ${clock(now)}`, 6, height - 4);
  }
}
