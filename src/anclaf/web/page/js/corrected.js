// Five points where a face has them, looked for in the face itself, as `faces/corrected.py` does.

import { cropMatrix, mean, similarity, warp } from "./align.js";

export class Corrected {
  /** detector: of rough points. find: square faces to five points of each, in their pixels. settings: of page.json. */
  constructor(detector, find, settings) {
    Object.assign(this, { detector, find, settings });
  }

  /** The detector's faces, with other points. */
  async detect(picture) {
    const faces = await this.detector.detect(picture);
    for (let round = 0; round < this.settings.rounds; round++) await this.#look(picture, faces);
    return faces;
  }

  async #look(picture, faces) {
    const size = this.settings.image_size;
    const good = faces.map((face) => ({ face, matrix: cropMatrix(face.points, size) })).filter(({ matrix }) => matrix && matrix.every(Number.isFinite));
    if (!good.length) return;
    const found = await this.find(good.map(({ matrix }) => warp(picture, matrix, size)));
    good.forEach(({ face, matrix }, k) => {
      if (this.#believed(face.points.map((point) => moved(matrix, point)), found[k])) face.points = found[k].map((point) => moved(inverse(matrix), point));
    });
  }

  #believed(given, seen) {
    const { image_size, most_scale, most_turn, most_shift } = this.settings, [a, , , c] = similarity(given, seen);
    const scale = Math.hypot(a, c), turn = (Math.atan2(c, a) * 180) / Math.PI, [from, to] = [mean(given), mean(seen)];
    const shift = Math.hypot(to[0] - from[0], to[1] - from[1]) / image_size;
    return 1 / most_scale < scale && scale < most_scale && Math.abs(turn) < most_turn && shift < most_shift;
  }
}

const moved = ([a, b, x, c, d, y], [u, v]) => [a * u + b * v + x, c * u + d * v + y];

function inverse([a, b, x, c, d, y]) {
  const det = a * d - b * c, [p, q, r, s] = [d / det, -b / det, -c / det, a / det];
  return [p, q, -(p * x + q * y), r, s, -(r * x + s * y)];
}
