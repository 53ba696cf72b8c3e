// All raters of a video together: curves, lag, joined rating, agreement, the model beside them; files of other tools.

import { ratings } from "./api.js";
import { Curves } from "./curves.js";
import { at, element, number, personColour } from "./draw.js";

const ICC = ["A,1", "C,1", "A,k", "C,k"];
const two = (value) => (value === null ? "–" : value.toFixed(2).replace("-", "−"));

/** A file's bytes in base64. */
const base64 = (file) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
  reader.onerror = () => reject(new Error(`${file.name}: cannot be read`));
  reader.readAsDataURL(file);
});

export class Raters {
  /** doing: as of `Rating`. changed: called with what there is of the video when that changed. */
  constructor(doing, changed) {
    this.doing = doing;
    this.changed = changed;
    this.curves = new Curves(at("rating-curves"));
    this.hidden = new Set();
    at("rating-all").addEventListener("toggle", doing(() => at("rating-all").open && this.#draw()));
    for (const id of ["rating-join", "rating-lag"]) at(id).addEventListener("change", doing(() => this.#choose()));
    at("rating-best").addEventListener("click", doing(() => this.#best()));
    at("rating-subject").addEventListener("change", doing(async () => this.changed(await ratings.subject(this.video.id, at("rating-subject").value))));
    at("import-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#import();
    });
    at("import-format").addEventListener("change", () => this.#ranges());
    this.#ranges();
  }

  show(video, there) {
    this.video = video;
    this.there = there;
    this.names = [...new Set(there.raters.map((one) => one.rater))].sort();
    at("rating-subject").value = there.subject;
    at("rating-subject").disabled = !there.raters.length;
    at("rating-own").hidden = at("rating-subject").parentElement.hidden = !there.lasting;
    at("rating-save").hidden = there.lasting || !(there.raters.length || there.unfinished.length);
    at("rating-archive").href = ratings.archive(video.id);
    at("rating-list").replaceChildren(...there.raters.map((one) => this.#rater(one)));
    if (!there.raters.length) at("rating-list").append(element("li", { textContent: "Nobody has rated this video yet." }));
    if (at("rating-all").open) this.doing(() => this.#draw())();
  }

  #rater(one) {
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = personColour(this.names.indexOf(one.rater));
    const box = element("input", { type: "checkbox", checked: !this.hidden.has(one.rater) });
    box.addEventListener("change", () => {
      if (box.checked) this.hidden.delete(one.rater);
      else this.hidden.add(one.rater);
      this.curves.draw();
    });
    const about = `${one.dimension}, ${one.low} to ${one.high}, bins of ${one.bin_s} s, ${one.rated_s.toFixed(1)} s rated`.replaceAll("-", "−");
    const link = element("a", { href: ratings.file(this.video.id, one.rater, one.dimension), textContent: "CARMA", download: "" });
    link.setAttribute("aria-label", `${one.dimension} by ${one.rater} as CARMA's file`);
    const away = element("button", { type: "button", textContent: "Set aside" });
    away.setAttribute("aria-label", `Set aside ${one.dimension} by ${one.rater}`);
    away.addEventListener("click", this.doing(async () => this.changed(await ratings.remove(this.video.id, one.rater, one.dimension))));
    const weight = element("span", { className: "small weight" });
    weight.dataset.of = `${one.dimension} ${one.rater}`;
    return element("li", {}, element("label", {}, box, swatch, one.rater), element("span", { className: "small", textContent: about }), weight, link, away);
  }

  async #draw() {
    const { video } = this;
    this.#folder(await ratings.together(video.id));
    if (!this.names.length) return;
    const joined = await ratings.joined(video.id);
    if (video !== this.video) return;
    at("rating-curves").hidden = false;
    this.curves.show(joined, this.names, this.hidden);
    for (const [name, part] of Object.entries(joined.dimensions))
      for (const one of part.raters) {
        const place = [...document.querySelectorAll("#rating-list .weight")].find((item) => item.dataset.of === `${name} ${one.rater}`);
        if (place) place.textContent = `weight ${one.weight.toFixed(2)}`;
      }
    at("rating-notes").replaceChildren(...joined.notes.map((note) => element("li", { textContent: note })));
    this.#agreement(joined);
    this.#model(joined);
  }

  #agreement(joined) {
    const rows = Object.entries(joined.dimensions).filter(([, part]) => part.agreement);
    at("rating-agreement").hidden = !rows.length;
    const interval = (one) => `${two(one.value)} [${two(one.low)}, ${two(one.high)}]`;
    table("agreement", ["dimension", "CCC", ...ICC.map((name) => `ICC(${name})`), "bins"], rows.map(([name, { agreement }]) => [
      name, two(agreement.ccc), ...ICC.map((kind) => interval(agreement.icc[kind])), `${agreement.bins} of ${agreement.bin_s} s`,
    ]));
  }

  #model(joined) {
    const rows = Object.entries(joined.dimensions).flatMap(([name, part]) => part.model.map((one) => [
      name, one.rater, two(one.ccc), two(one.cor), one.rmse === null ? "–" : number(one.rmse, 2).slice(1), one.frames,
    ]));
    at("rating-model").hidden = !rows.length;
    at("rating-person").textContent = `Estimates of person ${joined.track}, the dashed lines, brought to the ratings' scale; the lag is taken off.`;
    table("model-scores", ["dimension", "rater", "CCC", "r", "RMSE", "frames"], rows);
  }

  #folder(folder) {
    at("rating-join").value = folder.settings.join;
    at("rating-lag").value = folder.settings.lag_s;
    at("rating-told").textContent = folder.settings.lag_told;
    at("rating-commands").textContent = folder.commands.join("\n");
    at("rating-count").textContent = `${folder.videos} rated ${folder.videos === 1 ? "video" : "videos"} in the folder, ${folder.complete} with valence and arousal, which a corpus takes.`;
  }

  async #choose() {
    const choice = { join: at("rating-join").value, lag_s: Number(at("rating-lag").value) };
    this.#folder(await ratings.settings(this.video.id, choice));
    await this.#draw();
  }

  async #best() {
    at("rating-told").textContent = "All rated videos are looked at…";
    at("rating-best").disabled = true;
    try {
      this.#folder(await ratings.lag(this.video.id));
    } finally {
      at("rating-best").disabled = false;
      await this.#draw();
    }
  }

  // files of other tools

  #ranges() {
    const format = at("import-format").value;
    at("import-range").hidden = format !== "pagan";
    at("import-pair").hidden = format !== "nova";
  }

  #import = () => this.doing(async () => {
    const files = await Promise.all([...at("import-files").files].map(async (file) => ({ name: file.name, content: await base64(file) })));
    const format = at("import-format").value, rater = at("import-rater").value.trim(), dimension = at("import-dimension").value;
    const asked = { format, files };
    if (rater) asked.rater = rater;
    if (dimension) asked.dimension = dimension;
    if (format === "pagan") Object.assign(asked, { low: Number(at("import-low").value), high: Number(at("import-high").value) });
    this.changed(await ratings.take(this.video.id, asked));
    at("import-form").reset();
    this.#ranges();
    at("rating-all").open = true;
  })();
}

/** Fill a table. */
function table(id, titles, rows) {
  const cell = (textContent, k) => (k ? element("td", { textContent }) : element("th", { textContent, scope: "row" }));
  at(id).replaceChildren(
    element("thead", {}, element("tr", {}, ...titles.map((textContent) => element("th", { textContent, scope: "col" })))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map(cell)))),
  );
}
