// How sure a model is: intervals, and how far a face lies from those that it learnt from (`models/familiarity.py`).

const TAIL = 4;

/** The tensors of a safetensors file, as numbers of double precision. */
export function tensors(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const read = { F64: (bytes) => new Float64Array(bytes), F32: (bytes) => Float64Array.from(new Float32Array(bytes)), F16: halves };
  const found = {};
  delete header.__metadata__;
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(header))
    found[name] = { shape, values: read[dtype](buffer.slice(8 + length + from, 8 + length + to)) };
  return found;
}

function halves(bytes) {
  return Float64Array.from(new Uint16Array(bytes), (bits) => {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, part = bits & 1023;
    if (exponent === 31) return part ? NaN : sign * Infinity;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + part / 1024) : 2 ** -14 * (part / 1024));
  });
}

export class Calibration {
  /** buffer: of the file. reach: how far valence and arousal may be off, null where it is not bounded. */
  constructor(buffer, reach) {
    const { mean, axes, variances, other, distances, shares } = tensors(buffer);
    this.reach = reach.map((value) => value ?? Infinity);
    Object.assign(this, { mean: mean.values, axes: axes.values, variances: variances.values, other: other.values[0] });
    Object.assign(this, { distances: distances.values, shares: shares.values });
  }

  /** Lower and upper end of valence, and of arousal, in [-1, 1]. */
  intervals(affect) {
    const inside = (value) => Math.min(1, Math.max(-1, value));
    return affect.map((value, k) => [inside(value - this.reach[k]), inside(value + this.reach[k])]);
  }

  /** The share of the validation people's faces that lie nearer than this one. */
  unfamiliar(pooled) {
    const { axes, variances, distances, shares } = this, count = variances.length, along = new Float64Array(count);
    let besides = 0;
    for (let i = 0; i < pooled.length; i++) {
      const off = pooled[i] - this.mean[i];
      besides += off * off;
      for (let k = 0; k < count; k++) along[k] += off * axes[i * count + k];
    }
    let sum = 0;
    for (let k = 0; k < count; k++) {
      besides -= along[k] ** 2;
      sum += along[k] ** 2 / variances[k];
    }
    const distance = Math.sqrt(sum + Math.max(besides, 0) / this.other), last = distances.at(-1), known = shares.at(-1);
    if (distance > last) return 1 - (1 - known) * (last / distance) ** TAIL;
    let k = distances.findLastIndex((value) => value <= distance);
    if (k < 0) return shares[0];
    if (k === distances.length - 1) return known;
    return shares[k] + ((shares[k + 1] - shares[k]) * (distance - distances[k])) / (distances[k + 1] - distances[k]);
  }
}
