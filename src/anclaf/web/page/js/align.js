// Five points to a square face, as `faces/align.py` does. A matrix is six numbers, row after row.

import { grey, reduced, sharpness, warped } from "./pixels.js";

const TEMPLATE = [[0.32, 0.36], [0.68, 0.36], [0.5, 0.568], [0.353, 0.776], [0.647, 0.776]];
const QUALITY_SIDE = 64;

const scaleOf = (m) => Math.sqrt(Math.abs(m[0] * m[4] - m[1] * m[3]));

export const mean = (points) => [0, 1].map((k) => points.reduce((sum, point) => sum + point[k], 0) / points.length);

/** From frame pixels to crop pixels; null where the five points are one. */
export const cropMatrix = (points, size) => similarity(points, TEMPLATE.map(([x, y]) => [x * size, y * size]));

/** The least-squares similarity from points to others; null where they are one. */
export function similarity(points, target) {
  const from = mean(points), to = mean(target);
  let spread = 0, cos = 0, sin = 0;
  points.forEach((point, k) => {
    const [ax, ay, bx, by] = [point[0] - from[0], point[1] - from[1], target[k][0] - to[0], target[k][1] - to[1]];
    spread += ax * ax + ay * ay;
    cos += ax * bx + ay * by;
    sin += ax * by - ay * bx;
  });
  if (!(spread > 1e-12)) return null;
  cos /= spread;
  sin /= spread;
  return [cos, -sin, to[0] - (cos * from[0] - sin * from[1]), sin, cos, to[1] - (sin * from[0] + cos * from[1])];
}

/** The square face; a large one is first reduced by area averaging. */
export function warp(picture, matrix, size) {
  const scale = scaleOf(matrix);
  let factor = 1;
  while (scale * factor < 0.5 && Math.min(picture.width, picture.height) >= 2) {
    picture = reduced(picture, Math.max(1, picture.width >> 1), Math.max(1, picture.height >> 1));
    factor *= 2;
  }
  const [a, b, x, c, d, y] = matrix, half = (factor - 1) / 2;
  if (factor > 1) matrix = [a * factor, b * factor, x + (a + b) * half, c * factor, d * factor, y + (c + d) * half];
  return warped(picture, matrix, size);
}

/** How much a face can tell: size, sharpness, frontalness. */
export function faceQuality(picture, points) {
  const matrix = cropMatrix(points, QUALITY_SIDE);
  const square = grey(warp(picture, matrix, QUALITY_SIDE));
  const eyes = mean(points.slice(0, 2)), mouth = mean(points.slice(3));
  const across = [points[1][0] - points[0][0], points[1][1] - points[0][1]];
  const off = [0, 1].map((k) => points[2][k] - (eyes[k] + mouth[k]) / 2);
  const aside = Math.abs(off[0] * across[0] + off[1] * across[1]) / Math.max(across[0] ** 2 + across[1] ** 2, 1e-12);
  return {
    size: QUALITY_SIDE / scaleOf(matrix),
    sharpness: sharpness(square, QUALITY_SIDE),
    frontalness: Math.min(1, Math.max(0, 1 - 2 * aside)),
  };
}

/** How a crop moved since the one before, four numbers a matrix; the first did not move. */
export function cropMotion(matrices, size) {
  const moved = new Float32Array(4 * matrices.length), middle = size / 2;
  for (let k = 1; k < matrices.length; k++) {
    const [a, b, tx, c, d, ty] = matrices[k], [p, q, px, r, s, py] = matrices[k - 1];
    const det = a * d - b * c, [ia, ib, ic, id] = [d / det, -b / det, -c / det, a / det];
    const [ix, iy] = [-(ia * tx + ib * ty), -(ic * tx + id * ty)];
    // a point of this crop -> the same place of the source frame -> where that was on the crop before
    const [la, lb, lc, ld] = [p * ia + q * ic, p * ib + q * id, r * ia + s * ic, r * ib + s * id];
    const [x, y] = [p * ix + q * iy + px, r * ix + s * iy + py];
    moved[4 * k] = ((la + lb) * middle + x - middle) / size;
    moved[4 * k + 1] = ((lc + ld) * middle + y - middle) / size;
    moved[4 * k + 2] = Math.log(Math.abs(la * ld - lb * lc)) / 2;
    moved[4 * k + 3] = Math.atan2(lc, la);
  }
  return moved;
}
