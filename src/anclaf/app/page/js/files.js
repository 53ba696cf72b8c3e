// Files of one's own: chosen by the button, or dropped anywhere on the page.

import { at } from "./draw.js";

/** `add` is called with the files, each time that there are some. */
export function takeFiles(add) {
  at("file").addEventListener("change", async (event) => {
    const files = [...event.target.files];
    event.target.value = "";
    await add(files);
  });
  for (const kind of ["dragover", "drop", "dragleave"])
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      at("drop").classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer?.files.length) add(event.dataTransfer.files);
    });
}
