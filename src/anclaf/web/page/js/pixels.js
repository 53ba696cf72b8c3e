// Pictures as OpenCV handles them: the same pixels come out, to the last bit where nothing says otherwise.
//
// A picture is { data, width, height, channels }, bytes row after row; of four channels the last is left alone.

/** As Python and OpenCV round: halves to the even number. */
export function even(value) {
  const low = Math.floor(value), rest = value - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
}

const { fround } = Math;
const byte = (value) => Math.min(255, Math.max(0, even(value)));

/** [target, source, weight] of each source pixel in each target pixel, along one side (OpenCV's area table). */
function shares(from, to) {
  const scale = from / to, table = [];
  for (let d = 0; d < to; d++) {
    const begin = d * scale, end = begin + scale, cell = Math.min(scale, from - begin);
    const last = Math.min(Math.floor(end), from - 1), first = Math.min(Math.ceil(begin), last);
    if (first - begin > 1e-3) table.push([d, first - 1, fround((first - begin) / cell)]);
    for (let s = first; s < last; s++) table.push([d, s, fround(1 / cell)]);
    if (end - last > 1e-3) table.push([d, last, fround(Math.min(end - last, 1, cell) / cell)]);
  }
  return table;
}

/** cv2.resize with INTER_AREA, to a smaller RGB picture. */
export function reduced(picture, width, height) {
  const { data, channels } = picture, out = new Uint8Array(width * height * 3);
  if (picture.width === 2 * width && picture.height === 2 * height) {
    for (let y = 0, o = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let c = 0; c < 3; c++) {
          const a = (2 * y * picture.width + 2 * x) * channels + c, b = a + picture.width * channels;
          out[o++] = (data[a] + data[a + channels] + data[b] + data[b + channels] + 2) >> 2;
        }
    return { data: out, width, height, channels: 3 };
  }
  const across = shares(picture.width, width), row = new Float32Array(width * 3), sum = new Float32Array(width * 3);
  let done = -1, target = 0;
  const finish = () => {
    for (let i = 0; i < sum.length; i++) out[target * width * 3 + i] = byte(sum[i]);
    sum.fill(0);
  };
  for (const [to, from, weight] of shares(picture.height, height)) {
    if (to !== target) {
      finish();
      target = to;
    }
    if (from !== done) {
      row.fill(0);
      for (const [d, s, share] of across) {
        const i = (from * picture.width + s) * channels;
        for (let c = 0; c < 3; c++) row[3 * d + c] += fround(data[i + c] * share);
      }
      done = from;
    }
    for (let i = 0; i < sum.length; i++) sum[i] += fround(weight * row[i]);
  }
  finish();
  return { data: out, width, height, channels: 3 };
}

/** cv2.warpAffine, linear, black outside: the RGB square of `size` that a matrix, six numbers, maps the picture to. */
export function warped(picture, matrix, size) {
  const [a, b, tx, c, d, ty] = matrix, { data, width, height, channels } = picture;
  const det = a * d - b * c, scale = det ? 1 / det : 0;
  const xx = d * scale, xy = -b * scale, yx = -c * scale, yy = a * scale;
  const x0 = -xx * tx - xy * ty, y0 = -yx * tx - yy * ty;
  const out = new Uint8Array(size * size * 3);
  const value = (x, y, k) => (x >= 0 && x < width && y >= 0 && y < height ? data[(y * width + x) * channels + k] : 0);
  for (let v = 0, o = 0; v < size; v++) {
    // places in 1/1024 of a pixel, of which 1/32 count
    const rowX = even((xy * v + x0) * 1024) + 16, rowY = even((yy * v + y0) * 1024) + 16;
    for (let u = 0; u < size; u++) {
      const px = Math.floor((rowX + even(xx * u * 1024)) / 32), py = Math.floor((rowY + even(yx * u * 1024)) / 32);
      const x = Math.floor(px / 32), y = Math.floor(py / 32), fx = px - 32 * x, fy = py - 32 * y;
      for (let k = 0; k < 3; k++) {
        const top = (32 - fx) * value(x, y, k) + fx * value(x + 1, y, k);
        const low = (32 - fx) * value(x, y + 1, k) + fx * value(x + 1, y + 1, k);
        out[o++] = ((32 - fy) * top + fy * low + 512) >> 10;
      }
    }
  }
  return { data: out, width: size, height: size, channels: 3 };
}

/** cv2.cvtColor from RGB to grey. */
export function grey({ data, width, height, channels }) {
  const out = new Uint8Array(width * height);
  for (let i = 0, p = 0; i < out.length; i++, p += channels) out[i] = (data[p] * 9798 + data[p + 1] * 19235 + data[p + 2] * 3735 + 16384) >> 15;
  return out;
}

/** Variance of the Laplacian of a grey square, over its own variance, which counts as 1 at least. */
export function sharpness(square, size) {
  const inside = (k) => (k < 0 ? -k : k >= size ? 2 * size - 2 - k : k);
  const at = (x, y) => square[inside(y) * size + inside(x)];
  const edges = new Float64Array(size * size);
  for (let y = 0, i = 0; y < size; y++)
    for (let x = 0; x < size; x++) edges[i++] = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4 * at(x, y);
  return variance(edges) / Math.max(variance(square), 1);
}

function variance(values) {
  let sum = 0, squares = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  for (const value of values) squares += (value - mean) ** 2;
  return squares / values.length;
}
