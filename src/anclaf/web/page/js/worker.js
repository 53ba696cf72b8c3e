// The thread that analyses. Told { open: { fps, options } }, it begins anew; told a frame, it answers with its rows.

import { load } from "./model.js";
import { Stream } from "./stream.js";

let loaded = null, stream = null;

async function answer({ id, open, frame }) {
  if (open) stream = new Stream(loaded, open.fps, open.options);
  if (!frame) return { id };
  const { data, width, height, time, number } = frame;
  const rows = await stream.step({ data: new Uint8Array(data), width, height, channels: 4 }, time, number);
  return { id, rows };
}

// one thing after the other, in the order told
let last = load().then((all) => {
  loaded = all;
  postMessage({ about: all.about });
}, (error) => postMessage({ problem: error.message }));
onmessage = ({ data }) => {
  last = last.then(() => answer(data)).then(postMessage, (error) => postMessage({ id: data.id, problem: error.message }));
};
