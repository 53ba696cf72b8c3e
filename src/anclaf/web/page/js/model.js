// The networks, run by onnxruntime-web from this page's own folder.

import { Calibration } from "./calibration.js";
import { Corrected } from "./corrected.js";
import { YuNet } from "./yunet.js";

const FOLDER = new URL("../", import.meta.url).href;
const there = (path) => new URL(path, FOLDER).href;

async function fetched(path) {
  const answer = await fetch(there(path));
  if (!answer.ok) throw new Error(`${path} is missing on the server (${answer.status}); copy the whole folder of the page`);
  return answer.arrayBuffer();
}

/** All that the page needs: { about, detector, model }. */
export async function load() {
  const about = JSON.parse(new TextDecoder().decode(await fetched("page.json")));
  const ort = await import(there(`runtime/${about.runtime.module}`));
  ort.env.wasm.wasmPaths = there("runtime/");
  // threads need memory that they share, which browsers give to pages isolated from all others
  ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;
  const session = async (path) => ort.InferenceSession.create(await fetched(path), { executionProviders: ["wasm"], logSeverityLevel: 3 });
  const [yunet, points, encoder, head] = [await session("models/yunet.onnx"), await session("models/points.onnx"), await session("models/encoder.onnx"), await session("models/head.onnx")];
  const calibration = about.calibration && new Calibration(await fetched("models/calibration.safetensors"), about.calibration.reach);
  const rough = new YuNet(async (planes, width, height) => {
    const found = await yunet.run({ [yunet.inputNames[0]]: new ort.Tensor("float32", planes, [1, 3, height, width]) });
    return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, tensor.data]));
  }, about.detector);
  const detector = new Corrected(rough, async (crops) => {
    const found = (await points.run({ crops: pixels(ort, crops) })).points.data;
    return crops.map((_, k) => [0, 1, 2, 3, 4].map((p) => [found[10 * k + 2 * p], found[10 * k + 2 * p + 1]]));
  }, about.points);
  return { about, detector, model: new Model(ort, encoder, head, calibration) };
}

/** Square faces, one beside the other. */
function pixels(ort, crops) {
  const size = crops[0].width, bytes = new Uint8Array(crops.length * size * size * 3);
  crops.forEach((crop, k) => bytes.set(crop.data, k * crop.data.length));
  return new ort.Tensor("uint8", bytes, [crops.length, size, size, 3]);
}

class Model {
  constructor(ort, encoder, head, calibration) {
    Object.assign(this, { ort, encoder, head, calibration });
  }

  /** Square faces to { x, q, unfamiliar } of each. */
  async encode(crops) {
    const { x, q, pooled } = await this.encoder.run({ crops: pixels(this.ort, crops) });
    const each = (tensor, k) => tensor.data.slice((k * tensor.data.length) / crops.length, ((k + 1) * tensor.data.length) / crops.length);
    return crops.map((_, k) => ({ x: each(x, k), q: each(q, k), unfamiliar: this.calibration ? this.calibration.unfamiliar(each(pooled, k)) : null }));
  }

  /** A window's x and motion, frame after frame, to what is said of its last frame: affect, and the attention. */
  async estimate(x, motion, frames) {
    const given = {
      x: new this.ort.Tensor("float32", x, [1, frames, x.length / frames]),
      motion: new this.ort.Tensor("float32", motion, [1, frames, 4]),
    };
    const found = await this.head.run(Object.fromEntries(this.head.inputNames.map((name) => [name, given[name]])));
    return { affect: [...found.affect.data.slice(-2)], attention: found.attention ? [...found.attention.data.slice(-frames)] : null };
  }
}
