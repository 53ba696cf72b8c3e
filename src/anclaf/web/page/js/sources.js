// Frames with their times and numbers, of pictures, of a video file, and of a webcam.

const PICTURES_FPS = 25, AHEAD = 4, PROBE = 12, WIDE = [640, 480, 320], ENOUGH = 12, TRIALS = 8, LEAST_RATE = 0.1, SETTLED_MS = 400;
const names = new Intl.Collator(undefined, { numeric: true });

/** Draws what a video shows, or a bitmap, and reads its pixels. */
class Reader {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  }

  read(source, width, height) {
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.context.drawImage(source, 0, 0, width, height);
    return this.context.getImageData(0, 0, width, height);
  }
}

/** Pictures as the frames of a video, in the order of their names; their pixels are taken as they are. */
export class Pictures {
  constructor(files) {
    this.files = [...files].sort((a, b) => names.compare(a.name, b.name));
    this.fps = PICTURES_FPS;
    this.count = files.length;
  }

  async *frames() {
    const reader = new Reader();
    for (const [number, file] of this.files.entries()) {
      if (this.over) return;
      let bitmap;
      try {
        bitmap = await createImageBitmap(file, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
      } catch {
        throw new Error(`${file.name}: cannot be read as a picture`);
      }
      yield { picture: reader.read(bitmap, bitmap.width, bitmap.height), time: number / this.fps, number };
      bitmap.close();
    }
  }

  stop() {
    this.over = true;
  }
}

/** A video file that the page's player plays: it waits where the analysis is slower, and goes back for what it left out. */
export class Film {
  /** video: the player. address: of the file. */
  constructor(video, address) {
    Object.assign(this, { video, address, rate: 1, over: false });
    this.halted = new Promise((_, reject) => (this.halt = reject));
    this.halted.catch(() => {}); // where nothing waits for it
    this.fail = () => this.halt(new Error("This browser cannot play the video's format."));
  }

  /** Find out its frame rate. */
  async open() {
    const { video } = this;
    if (!("requestVideoFrameCallback" in HTMLVideoElement.prototype)) throw new Error("This browser does not tell which frame it shows; take a newer one.");
    video.addEventListener("error", this.fail);
    video.addEventListener("loadedmetadata", () => video.videoWidth || this.fail(), { once: true }); // its sound alone
    const shown = this.#shown();
    video.src = this.address;
    const times = [(this.first = await Promise.race([shown, this.halted]))];
    const ended = new Promise((resolve) => video.addEventListener("ended", () => resolve(null), { once: true }));
    video.playbackRate = 0.5;
    while (times.length < PROBE) {
      const next = this.#shown();
      if (video.paused) await video.play();
      const time = await Promise.race([next, ended, this.halted]);
      if (time === null) break;
      if (time > times.at(-1)) times.push(time);
    }
    video.pause();
    const steps = times.slice(1).map((time, k) => time - times[k]), usual = [...steps].sort((a, b) => a - b)[steps.length >> 1] || 0.04;
    const frames = steps.reduce((sum, step) => sum + Math.round(step / usual), 0);
    this.interval = frames ? (times.at(-1) - times[0]) / frames : usual;
    this.fps = 1 / this.interval;
    this.count = Number.isFinite(video.duration) ? Math.round((video.duration - this.first) / this.interval) : 0;
  }

  /** When the next frame that is shown belongs. */
  #shown() {
    return new Promise((resolve) => this.video.requestVideoFrameCallback((_, about) => resolve(about.mediaTime)));
  }

  #number(mediaTime) {
    return Math.round((mediaTime - this.first) / this.interval);
  }

  /** Show the frame of a number, and keep it; where a video has none of this number, the one before is shown. */
  async #seek(number) {
    const { video } = this;
    video.currentTime = this.first + (number + 0.5) * this.interval;
    const settled = new Promise((resolve) => video.addEventListener("seeked", () => setTimeout(() => resolve(null), SETTLED_MS), { once: true }));
    this.wanted = number;
    // frames of before may still be told
    for (let time = 0; time !== null && this.last !== number; ) {
      time = await Promise.race([this.#shown(), settled]);
      this.#take();
    }
    this.wanted = null;
  }

  /** Keep the frame that is shown now, which says itself when it belongs, unless it was kept or comes after one that was
   * not; its number. */
  #take() {
    const { video } = this, frame = new VideoFrame(video), time = frame.timestamp / 1e6, number = this.#number(time);
    if (number === this.last + 1 || (number > this.last && number === this.wanted)) {
      this.last = number;
      this.queue.push({ picture: this.reader.read(frame, video.videoWidth, video.videoHeight), time: time - this.first, number });
    }
    frame.close();
    return number;
  }

  /** All frames up to a number, one after the other; whether there is such a one. */
  async *#each(until) {
    while (this.last < until && !this.over) {
      const before = this.last;
      for (let next = before + 1; next <= until && this.last === before && !this.over; next++) await this.#seek(next);
      if (this.last === before) return;
      yield* this.#queued();
    }
  }

  *#queued() {
    while (this.queue.length && !this.over) yield this.queue.shift();
  }

  /** Play until frames wait, one was left out, or the end: the number of the one that came after those left out. */
  async #play() {
    const { video } = this;
    let request = 0;
    const reached = new Promise((resolve) => {
      const grab = () => {
        const number = this.#take();
        if (number > this.last) return resolve(number);
        if (this.queue.length >= AHEAD) return resolve(null);
        request = video.requestVideoFrameCallback(grab);
      };
      request = video.requestVideoFrameCallback(grab);
      video.addEventListener("ended", () => setTimeout(() => resolve(null), SETTLED_MS), { once: true });
      this.wake = () => resolve(null);
    });
    await video.play();
    const left = await reached;
    video.cancelVideoFrameCallback(request);
    video.pause();
    return left;
  }

  async *frames() {
    const { video } = this;
    Object.assign(this, { reader: new Reader(), queue: [], last: -1 });
    try {
      yield* this.#each(0);
      while (!this.over && !video.ended) {
        const began = performance.now(), before = this.last, left = await this.#play();
        yield* this.#queued();
        if (left !== null) yield* this.#each(left);
        // as fast as it is analysed, so that the player leaves few out
        const speed = (1000 * (this.last - before)) / (performance.now() - began) / this.fps;
        this.rate += 0.3 * (speed - this.rate);
        video.playbackRate = Math.min(4, Math.max(LEAST_RATE, this.rate));
      }
      yield* this.#each(this.count - 1);
    } finally {
      video.removeEventListener("error", this.fail);
      video.pause();
      video.playbackRate = 1;
    }
  }

  stop() {
    this.over = true;
    this.video.pause();
    this.wake?.();
    this.halt(new Error("stopped"));
  }
}

/** A webcam: always the newest picture, no more of them a second than `fps`. */
export class Webcam {
  constructor(video) {
    Object.assign(this, { video, fps: 1, over: false, reader: new Reader() });
  }

  /** Switch it on, and find out how many pictures a second can be analysed. step: analyses one. most: that are wanted. */
  async open(step, most) {
    if (!navigator.mediaDevices?.getUserMedia) throw new Error("The browser gives the webcam to pages of this machine, or by HTTPS, alone.");
    try {
      this.camera = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: WIDE[0] } }, audio: false });
    } catch (error) {
      throw new Error(`No webcam: ${error.message || error.name}`);
    }
    const { video } = this, [track] = this.camera.getVideoTracks();
    track.addEventListener("ended", () => (this.over = true));
    video.srcObject = this.camera;
    await video.play();
    let speed = await this.#speed(step);
    for (const width of WIDE.slice(1)) {
      if (speed >= ENOUGH || this.over) break;
      await track.applyConstraints({ width: { ideal: width } });
      await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
      speed = await this.#speed(step);
    }
    this.fps = Math.min(most, speed, track.getSettings().frameRate || most);
    this.note = `The webcam's pictures were ${video.videoWidth}×${video.videoHeight}.`;
  }

  async #speed(step) {
    const took = [];
    for (let k = 0; k < TRIALS && !this.over; k++) {
      const began = performance.now();
      await step(this.#picture());
      took.push(performance.now() - began);
    }
    // the first ones are slow: programs are still being made
    return 1000 / (took.slice(-(TRIALS >> 1)).sort((a, b) => a - b)[TRIALS >> 2] || 1000);
  }

  #picture() {
    return this.reader.read(this.video, this.video.videoWidth, this.video.videoHeight);
  }

  async *frames() {
    const began = performance.now();
    for (let number = 0; !this.over; number++) {
      const asked = performance.now();
      yield { picture: this.#picture(), time: (asked - began) / 1000, number };
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, 1000 / this.fps - (performance.now() - asked))));
    }
  }

  stop() {
    this.over = true;
    this.camera?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
  }
}
