// One number a person through a video, as `inference/tracks.py` has it.

import { reduced } from "./pixels.js";

const REACH = 1, RESIZE = 2, SIMILARITY = [0.35, 0.2], APPEARANCE_WEIGHT = 3, CLOSE = 1.5, BLINK_S = 0.12, NEVER = 1e6;

/** 768 numbers of a square face: 16 x 16 colours about their mean, of length 1. */
export function appearance(crop) {
  const small = Float32Array.from((crop.width === 16 ? crop : reduced(crop, 16, 16)).data);
  const mean = small.reduce((sum, value) => sum + value, 0) / small.length;
  return unit(small.map((value) => value - mean));
}

function unit(values) {
  const length = Math.max(Math.sqrt(dot(values, values)), 1e-6);
  return values.map((value) => value / length);
}

function dot(a, b) {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}

export class Tracker {
  constructor(maxGap) {
    Object.assign(this, { maxGap, tracks: [], next: 0 });
  }

  /** sightings: { box, appearance }. The tracks after a frame; `seen` is the place of each in the sightings, or null. */
  update(sightings, time) {
    this.tracks = this.tracks.filter((track) => track.seen !== null || time - track.seenS <= this.#patience(track));
    for (const track of this.tracks) {
      track.seen = null;
      track.crowded = this.tracks.some((other) => other !== track && near(track, other, time));
    }
    const costs = this.tracks.map((track) => sightings.map((sighting) => Math.min(this.#cost(track, sighting, time), NEVER)));
    const taken = new Set();
    for (const [row, column] of assignment(costs)) {
      if (!(costs[row][column] < NEVER)) continue;
      follow(this.tracks[row], sightings[column], column, time);
      taken.add(column);
    }
    sightings.forEach((sighting, index) => {
      if (taken.has(index)) return;
      const { centre, side } = placed(sighting);
      this.tracks.push({ id: this.next++, centre, side, appearance: sighting.appearance, bornS: time, seenS: time, seen: index, velocity: [0, 0], crowded: false });
    });
    return this.tracks;
  }

  #patience(track) {
    return Math.min(this.maxGap, track.seenS - track.bornS + BLINK_S);
  }

  #cost(track, sighting, time) {
    const { centre, side } = placed(sighting), expected = expectedAt(track, time);
    const gap = Math.min((time - track.seenS) / Math.max(this.maxGap, 1e-6), 1);
    const distance = Math.hypot(centre[0] - expected[0], centre[1] - expected[1]) / Math.max(track.side, side);
    const similarity = dot(track.appearance, sighting.appearance);
    const ratio = Math.max(side, track.side) / Math.max(Math.min(side, track.side), 1e-6);
    const least = track.crowded ? -1 : SIMILARITY[0] + (SIMILARITY[1] - SIMILARITY[0]) * gap;
    if (distance > REACH * (1 + gap) || ratio > RESIZE || similarity < least) return Infinity;
    return distance + Math.log2(ratio) + APPEARANCE_WEIGHT * (1 - similarity);
  }
}

function placed({ box: [x, y, width, height] }) {
  return { centre: [x + width / 2, y + height / 2], side: Math.sqrt(Math.max(width * height, 1)) };
}

const expectedAt = (track, time) => track.centre.map((value, k) => value + track.velocity[k] * (time - track.seenS));

function near(a, b, time) {
  const [p, q] = [expectedAt(a, time), expectedAt(b, time)];
  return Math.hypot(p[0] - q[0], p[1] - q[1]) < CLOSE * Math.max(a.side, b.side);
}

function follow(track, sighting, index, time) {
  const { centre, side } = placed(sighting), elapsed = Math.max(time - track.seenS, 1e-3), slowly = 1 - Math.exp(-elapsed);
  if (track.crowded) {
    track.velocity = track.velocity.map((value) => value * (1 - slowly / 2));
    track.side += slowly * (side - track.side);
  } else {
    const quickly = 1 - Math.exp(-elapsed / 0.1);
    track.velocity = track.velocity.map((value, k) => value + quickly * ((centre[k] - track.centre[k]) / elapsed - value));
    track.appearance = unit(track.appearance.map((value, k) => value + slowly * (sighting.appearance[k] - value)));
    track.side = side;
  }
  Object.assign(track, { centre, seenS: time, seen: index });
}

/** Rows and columns of least total cost, [row, column] pairs: shortest augmenting paths (Jonker & Volgenant 1987). */
export function assignment(costs) {
  const rows = costs.length, columns = rows ? costs[0].length : 0;
  if (!rows || !columns) return [];
  if (rows > columns) return assignment(costs[0].map((_, k) => costs.map((row) => row[k]))).map(([a, b]) => [b, a]);
  const u = new Float64Array(rows + 1), v = new Float64Array(columns + 1);
  const owner = new Int32Array(columns + 1), before = new Int32Array(columns + 1);
  for (let row = 1; row <= rows; row++) {
    const least = new Float64Array(columns + 1).fill(Infinity), used = new Uint8Array(columns + 1);
    let column = 0;
    owner[0] = row;
    do {
      used[column] = 1;
      let step = Infinity, next = 0;
      for (let j = 1; j <= columns; j++) {
        if (used[j]) continue;
        const cost = costs[owner[column] - 1][j - 1] - u[owner[column]] - v[j];
        if (cost < least[j]) [least[j], before[j]] = [cost, column];
        if (least[j] < step) [step, next] = [least[j], j];
      }
      for (let j = 0; j <= columns; j++) {
        if (used[j]) {
          u[owner[j]] += step;
          v[j] -= step;
        } else least[j] -= step;
      }
      column = next;
    } while (owner[column]);
    for (; column; column = before[column]) owner[column] = owner[before[column]];
  }
  return [...owner].flatMap((row, column) => (column && row ? [[row - 1, column - 1]] : []));
}
