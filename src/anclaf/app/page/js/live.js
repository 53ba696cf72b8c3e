// The webcam: pictures go to the server one at a time, each is answered with its rows.

import { Result, table } from "./result.js";

const FPS = 10, WIDE = 640, QUALITY = 0.85, KEPT_S = 60;
const NAMES = ["frame", "time_s", "track", "x", "y", "w", "h", "valence", "arousal", "status", "valence_low", "valence_high", "arousal_low", "arousal_high", "unfamiliar"];

export class Live {
  /** video: shows the camera. model: of the server. tell: called with a Result after each answer. ended: with a line. */
  constructor(video, model, tell, ended) {
    Object.assign(this, { video, model, tell, ended, rows: [], width: 0, height: 0 });
  }

  async start(faces) {
    if (!navigator.mediaDevices?.getUserMedia) throw new Error("The browser gives the webcam to pages of this machine, or by HTTPS, alone.");
    try {
      this.camera = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: WIDE } }, audio: false });
    } catch (error) {
      throw new Error(`No webcam: ${error.message || error.name}`);
    }
    this.video.srcObject = this.camera;
    await this.video.play();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/api/live`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.socket.send(JSON.stringify({ fps: FPS, faces }));
    this.socket.onmessage = (event) => this.#answer(JSON.parse(typeof event.data === "string" ? event.data : new TextDecoder().decode(event.data)));
    this.socket.onclose = () => this.stop(this.problem || "The webcam is off.");
  }

  #answer(told) {
    if (told.problem) {
      this.problem = told.problem;
      return;
    }
    if (told.ready) this.began = performance.now();
    else this.#take(told.rows);
    const wait = told.ready ? 0 : Math.max(0, 1000 / FPS - (performance.now() - this.sent));
    this.timer = setTimeout(() => this.#send(), wait);
  }

  #take(rows) {
    this.rows.push(...rows);
    const now = rows.at(-1)?.time_s ?? 0;
    while (this.rows.length && this.rows[0].time_s < now - KEPT_S) this.rows.shift();
    const { low, high } = this.model;
    const about = table(this.rows, NAMES, { low, high, model_fps: FPS, width: this.width, height: this.height });
    this.tell(new Result(about, { names: {}, merged: {}, excluded: [] }), now);
  }

  async #send() {
    const { video, socket } = this;
    if (socket.readyState !== WebSocket.OPEN) return;
    this.sent = performance.now();
    const scale = Math.min(1, WIDE / Math.max(video.videoWidth, video.videoHeight, 1));
    const canvas = document.createElement("canvas");
    this.width = canvas.width = Math.round(video.videoWidth * scale) || 16;
    this.height = canvas.height = Math.round(video.videoHeight * scale) || 16;
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    const time = (performance.now() - this.began) / 1000;
    const picture = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
    const head = new ArrayBuffer(8);
    new DataView(head).setFloat64(0, time, true);
    if (socket.readyState === WebSocket.OPEN) socket.send(await new Blob([head, picture]).arrayBuffer());
  }

  stop(said = "The webcam is off.") {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    this.socket?.close();
    this.camera?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
    this.ended(said);
  }
}
