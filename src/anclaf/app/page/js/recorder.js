// Samples of a rating at 20 Hz in the video's own time, and their way to the server's disk.

export const RATE = 20;
const EVERY_MS = 500, MOST = 2000;
const STALLED_S = 1; // after a longer pause of the page nobody knows where the rater was: a gap
const UNSAVED_MS = 3000; // the rating stops where nothing was saved for so long

export class Recorder {
  /** now: gives [valence, arousal]. send: takes {session, first, samples}. said: called with `saved` and a problem. */
  constructor(now, send, said) {
    Object.assign(this, { now, send, said });
    window.addEventListener("pagehide", () => this.#last());
  }

  /** Begin, or go on, as the server answered; `post` also works while the page is left. */
  begin(session, post) {
    this.session = session.session;
    this.saved = session.saved;
    this.next = Math.round(session.from_s * RATE);
    this.waiting = [];
    this.before = null;
    this.post = post;
    this.fresh();
    this.timer = setInterval(() => this.flush(), EVERY_MS);
  }

  /** The video plays again: nothing counts as late. */
  fresh() {
    this.since = performance.now();
  }

  end() {
    clearInterval(this.timer);
    this.session = null;
  }

  /** The video is at a time of its own, in seconds from its first frame. */
  at(time) {
    if (!this.session) return;
    const now = { time, value: this.now() };
    if (time - this.next / RATE > STALLED_S) this.next = Math.ceil(time * RATE);
    // of what was held before and now, each sample has what is nearer in time
    const before = this.before ?? now, middle = (before.time + time) / 2;
    for (; this.next / RATE <= time + 1e-4; this.next++) {
      const moment = this.next / RATE;
      this.waiting.push([moment, ...(moment < middle ? before : now).value]);
    }
    this.before = now;
  }

  #message() {
    return { session: this.session, first: this.saved, samples: this.waiting.slice(0, MOST) };
  }

  /** Send what waits. Whether it is all on disk. */
  async flush() {
    if (!this.session) return true;
    if (this.sending) {
      await this.sending;
      if (!this.session) return true;
    }
    if (!this.waiting.length) {
      this.fresh();
      return true;
    }
    const message = this.#message();
    this.sending = this.send(message).then(
      ({ saved }) => {
        this.waiting.splice(0, message.samples.length);
        this.saved = saved;
        this.fresh();
        this.said(null);
      },
      (error) => {
        if (error.status) this.said(error, true); // the server does not want them
        else if (performance.now() - this.since > UNSAVED_MS) this.said(new Error("The server does not answer: nothing is saved. The rating waits for it."));
      },
    );
    await this.sending;
    this.sending = null;
    return !this.waiting.length;
  }

  /** The page is left. */
  #last() {
    if (this.session && this.waiting.length) this.post(this.#message());
  }
}
