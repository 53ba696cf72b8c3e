// The page's side of the thread that analyses.

export class Analysis {
  /** ready: a promise of what `page.json` says. */
  constructor() {
    // a worker made of a blob is held to the page's own policy; one of an address would not be
    const program = `import ${JSON.stringify(new URL("worker.js", import.meta.url).href)};`;
    const address = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
    this.worker = new Worker(address, { type: "module" });
    this.waiting = new Map();
    this.next = 0;
    this.ready = new Promise((resolve, reject) => {
      this.worker.onmessage = ({ data }) => {
        if (data.about) resolve(data.about);
        else if (data.id === undefined) reject(new Error(data.problem));
        else this.#answer(data);
      };
      this.worker.onerror = (event) => {
        const error = new Error(event.message || "The programs of this page cannot be loaded; reload it.");
        reject(error);
        for (const { reject: refuse } of this.waiting.values()) refuse(error);
      };
    });
  }

  #answer({ id, rows, problem }) {
    const { resolve, reject } = this.waiting.get(id);
    this.waiting.delete(id);
    if (problem) reject(new Error(problem));
    else resolve(rows);
  }

  #ask(told, moved = []) {
    const id = this.next++;
    this.worker.postMessage({ id, ...told }, moved);
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }

  /** Begin with a source of so many frames a second. */
  open(fps, options) {
    return this.#ask({ open: { fps, options } });
  }

  /** The rows of the next frame. picture: ImageData, which is given away. */
  step(picture, time, number) {
    const { width, height, data } = picture;
    return this.#ask({ frame: { data: data.buffer, width, height, time, number } }, [data.buffer]);
  }
}
