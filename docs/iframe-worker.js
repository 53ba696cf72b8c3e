// Pages that are opened from disk may not start a worker; the search, which is one, then runs in a hidden frame.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.title = "search";
      this.ready = new Promise((resolve) => (this.frame.onload = resolve));
      this.frame.srcdoc = "<!doctype html>";
      this.started = this.ready.then(() => this.start(new URL(url, document.baseURI).href));
      document.body.append(this.frame);
    }
    start(url) {
      const inside = this.frame.contentWindow;
      const load = (source) =>
        new Promise((resolve, reject) => {
          const script = inside.document.createElement("script");
          script.onload = resolve;
          script.onerror = () => reject(new Error(source));
          script.src = new URL(source, url).href;
          inside.document.body.append(script);
        });
      // what a worker has and a window has not: scripts by name, and a message to who started it
      inside.importScripts = (...sources) => sources.reduce((done, one) => done.then(() => load(one)), Promise.resolve());
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      return load(url);
    }
    postMessage(data) {
      this.started.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }
    terminate() {
      this.frame.remove();
    }
  };
}
