// A table by frames and by people, with a person's changes over it.

const ESTIMATED = new Set(["ok", "warming_up"]);
const KEPT = ["valence", "arousal", "valence_low", "valence_high", "arousal_low", "arousal_high", "unfamiliar", "x", "y", "w", "h"];

/** Columns of the table that are drawn. */
export const COLUMNS = ["frame", "time_s", "track", "status", ...KEPT, "attention_*"].join(",");

/** First index in a rising array whose value is above `value`. */
export function after(array, value) {
  let low = 0, high = array.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (array[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What a result is made of: rows, by column; columns that a row lacks are null. */
export function table(rows, names, about) {
  const columns = Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name] ?? null)]));
  return { rows: rows.length, columns, first_s: 0, attention: 0, ...about };
}

export class Result {
  /** answer: of `GET /api/videos/ID/rows`. edits: of `…/edits`. */
  constructor(answer, edits) {
    this.about = answer;
    this.columns = answer.columns;
    const c = this.columns, rows = answer.rows;
    this.times = [];
    this.frames = [];
    this.starts = []; // first row of each frame
    for (let row = 0; row < rows; row++) {
      if (!row || c.frame[row] !== c.frame[row - 1]) {
        this.times.push(c.time_s[row]);
        this.frames.push(c.frame[row]);
        this.starts.push(row);
      }
    }
    this.starts.push(rows);
    const gaps = this.times.slice(1).map((t, i) => t - this.times[i]).sort((a, b) => a - b);
    this.interval = gaps.length ? gaps[gaps.length >> 1] : 0.04;
    this.longest = 3.5 * this.interval; // estimates further apart are not joined
    this.end = this.times.length ? this.times.at(-1) + this.interval : 0;
    this.edit(edits);
  }

  /** Take a person's changes into account. */
  edit(edits) {
    this.edits = edits;
    const merged = edits.merged || {};
    this.person = (track) => (track === null ? null : merged[track] ?? track);
    const rowsOf = new Map(), c = this.columns;
    for (let row = 0; row < this.about.rows; row++) {
      const person = this.person(c.track[row]);
      if (person === null) continue;
      if (!rowsOf.has(person)) rowsOf.set(person, []);
      rowsOf.get(person).push(row);
    }
    this.people = [...rowsOf].map(([track, rows]) => this.#series(track, rows)).sort((a, b) => a.track - b.track);
  }

  #series(track, rows) {
    const c = this.columns;
    // of two joined tracks that are both there, what has an estimate counts
    const kept = [];
    for (const row of rows) {
      const last = kept.at(-1);
      if (last === undefined || c.frame[last] !== c.frame[row]) kept.push(row);
      else if (!ESTIMATED.has(c.status[last]) && ESTIMATED.has(c.status[row])) kept[kept.length - 1] = row;
    }
    const series = { track, rows: kept, times: kept.map((row) => c.time_s[row]), status: kept.map((row) => c.status[row]) };
    for (const name of KEPT) {
      const column = c[name];
      series[name] = kept.map((row) => (column ? column[row] ?? NaN : NaN));
    }
    series.estimates = kept.reduce((n, row) => n + ESTIMATED.has(c.status[row]), 0);
    return series;
  }

  name(track) {
    return this.edits.names?.[track] ?? `Person ${track}`;
  }

  /** Index of the frame that is shown at a time of the table. */
  frameAt(time) {
    return Math.min(this.times.length - 1, Math.max(0, after(this.times, time + 0.002) - 1));
  }

  /** A time in the middle of a frame's showing, so that a player that rounds shows that frame. */
  inside(index) {
    const next = index + 1 < this.times.length ? this.times[index + 1] : this.times[index] + this.interval;
    return this.times[index] + Math.min((next - this.times[index]) / 2, 0.005);
  }

  rowsOf(index) {
    const rows = [];
    for (let row = this.starts[index]; row < this.starts[index + 1]; row++) rows.push(row);
    return rows;
  }

  /** The row of a person in a frame, or undefined. */
  rowOf(index, track) {
    const rows = this.rowsOf(index).filter((row) => this.person(this.columns.track[row]) === track);
    return rows.find((row) => ESTIMATED.has(this.columns.status[row])) ?? rows[0];
  }

  value(name, row) {
    return row === undefined ? null : this.columns[name]?.[row] ?? null;
  }

  excluded(time, track) {
    return (this.edits.excluded || []).some((one) => (one.track === null || one.track === track) && time >= one.from_s && time < one.to_s);
  }

  /** Whether, and how far, axes are drawn in: the scale, or its middle half or quarter where all lies well inside. */
  reach() {
    const { low, high } = this.about, half = (high - low) / 2, middle = (high + low) / 2;
    let most = 0;
    for (const one of this.people)
      for (const name of ["valence", "arousal"])
        for (const value of one[name]) if (Math.abs(value - middle) > most) most = Math.abs(value - middle);
    const part = most < 0.2 * half ? 4 : most < 0.42 * half ? 2 : 1;
    return { low: middle - half / part, high: middle + half / part, part };
  }
}
