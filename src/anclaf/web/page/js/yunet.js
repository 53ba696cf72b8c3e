// YuNet: what goes into it, and its outputs to boxes and points, as OpenCV's FaceDetectorYN reads them.

import { even, reduced } from "./pixels.js";

const STRIDES = [8, 16, 32], LEAST = 64, MULTIPLE = 32;

export class YuNet {
  /** run: planes (3 x height x width, BGR) to { name: numbers }. settings: min_score, overlap, longer_side. */
  constructor(run, settings) {
    Object.assign(this, { run, settings });
  }

  /** The faces of a picture, largest first: box, five points, score, in its own pixels. */
  async detect(picture) {
    const { small, scale } = this.#reduced(picture);
    const [width, height] = [small.width, small.height].map((side) => Math.ceil(Math.max(side, LEAST) / MULTIPLE) * MULTIPLE);
    const found = this.#apart(this.#decoded(await this.run(planes(small, width, height), width, height), width, height));
    const faces = found.map(({ box, points, score }) => ({
      box: box.map((value, k) => value * scale[k % 2]),
      // pixel centres lie at whole numbers
      points: points.map((point) => point.map((value, k) => (value + 0.5) * scale[k] - 0.5)),
      score,
    }));
    return faces.sort((a, b) => b.box[2] * b.box[3] - a.box[2] * a.box[3]);
  }

  #reduced(picture) {
    const { width, height } = picture, factor = this.settings.longer_side / Math.max(width, height);
    if (factor >= 1) return { small: picture, scale: [1, 1] };
    const size = [width, height].map((side) => Math.max(1, even(side * factor)));
    return { small: reduced(picture, ...size), scale: [width / size[0], height / size[1]] };
  }

  #decoded(outputs, width, height) {
    const found = [], { fround } = Math, least = fround(this.settings.min_score);
    for (const stride of STRIDES) {
      const [cls, obj, bbox, kps] = ["cls", "obj", "bbox", "kps"].map((name) => outputs[`${name}_${stride}`]);
      const columns = width / stride, cells = columns * (height / stride);
      for (let i = 0; i < cells; i++) {
        const score = fround(Math.sqrt(fround(clipped(cls[i]) * clipped(obj[i]))));
        if (score < least) continue;
        const column = i % columns, row = (i - column) / columns;
        const w = Math.exp(bbox[4 * i + 2]) * stride, h = Math.exp(bbox[4 * i + 3]) * stride;
        const left = (column + bbox[4 * i]) * stride - w / 2, top = (row + bbox[4 * i + 1]) * stride - h / 2;
        const points = [0, 1, 2, 3, 4].map((k) => [
          fround((kps[10 * i + 2 * k] + column) * stride), fround((kps[10 * i + 2 * k + 1] + row) * stride),
        ]);
        found.push({ box: [left, top, w, h].map(fround), points, score });
      }
    }
    return found;
  }

  /** Of boxes that overlap the best. */
  #apart(found) {
    if (found.length < 2) return found;
    const kept = [];
    for (const one of found.filter(({ score }) => score > Math.fround(this.settings.min_score)).sort((a, b) => b.score - a.score))
      if (kept.every((other) => overlap(one.box.map(Math.trunc), other.box.map(Math.trunc)) <= Math.fround(this.settings.overlap))) kept.push(one);
    return kept;
  }
}

const clipped = (value) => Math.min(1, Math.max(0, value));

function overlap([ax, ay, aw, ah], [bx, by, bw, bh]) {
  const wide = Math.min(ax + aw, bx + bw) - Math.max(ax, bx), tall = Math.min(ay + ah, by + bh) - Math.max(ay, by);
  const both = wide > 0 && tall > 0 ? wide * tall : 0, all = aw * ah + bw * bh - both;
  return all > 0 ? both / all : 1;
}

function planes({ data, width, height, channels }, wide, tall) {
  const out = new Float32Array(3 * wide * tall), [blue, green, red] = [0, wide * tall, 2 * wide * tall];
  for (let y = 0, p = 0; y < height; y++)
    for (let x = 0, o = y * wide; x < width; x++, o++, p += channels) {
      out[red + o] = data[p];
      out[green + o] = data[p + 1];
      out[blue + o] = data[p + 2];
    }
  return out;
}
