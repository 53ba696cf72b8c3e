// Who is shown, what they are called, who is the same person, and what does not count.

import { at, clock, element, personColour } from "./draw.js";

export class People {
  /** choose: called with a track. save: with changed edits. now: the time of the frame that is shown. */
  constructor(choose, save, now) {
    this.choose = choose;
    this.save = save;
    this.now = now;
    this.from = null;
    at("from").addEventListener("click", () => this.#begin(now()));
    at("to").addEventListener("click", () => this.#finish(now()));
  }

  #begin(time) {
    this.from = time;
    at("from").textContent = `Leave out from ${clock(time)}…`;
    at("to").disabled = false;
  }

  #finish(time) {
    const [from_s, to_s] = [Math.min(this.from, time), Math.max(this.from, time) + this.result.interval];
    const track = at("everybody").checked ? null : this.track;
    this.#reset();
    this.#change({ excluded: [...(this.result.edits.excluded || []), { track, from_s, to_s }] });
  }

  #reset() {
    this.from = null;
    at("from").textContent = "Leave out from here…";
    at("to").disabled = true;
  }

  #change(changed) {
    this.save({ ...this.result.edits, ...changed });
  }

  show(result, track) {
    if (result !== this.result) this.#reset();
    this.result = result;
    this.track = track;
    at("people").replaceChildren(...result.people.map((one) => this.#person(one)), ...this.#joined());
    at("excluded").replaceChildren(...(result.edits.excluded || []).map((one, k) => this.#stretch(one, k)));
    if (!result.people.length) at("people").append(element("li", { textContent: "Nobody was found in this video." }));
  }

  #person(one) {
    const { result } = this, name = result.name(one.track);
    const radio = element("input", { type: "radio", name: "person", checked: one.track === this.track });
    radio.addEventListener("change", () => this.choose(one.track));
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = personColour(one.track);
    const text = element("input", { type: "text", value: result.edits.names?.[one.track] ?? "", maxLength: 80, placeholder: `Person ${one.track}` });
    text.setAttribute("aria-label", `Name of person ${one.track}`);
    text.addEventListener("change", () => {
      const names = { ...result.edits.names }, told = text.value.trim();
      if (told) names[one.track] = told;
      else delete names[one.track];
      this.#change({ names });
    });
    const select = element("select", {}, element("option", { value: "", textContent: "same person as…" }));
    select.setAttribute("aria-label", `${name} is the same person as`);
    for (const other of result.people)
      if (other.track !== one.track) select.append(element("option", { value: other.track, textContent: result.name(other.track) }));
    select.addEventListener("change", () => {
      if (select.value === "") return;
      const into = Number(select.value), merged = { ...result.edits.merged, [one.track]: into };
      for (const track of Object.keys(merged)) if (merged[track] === one.track) merged[track] = into;
      if (this.track === one.track) this.track = into;
      this.#change({ merged });
    });
    const share = element("span", { className: "small", textContent: `${one.estimates} estimates` });
    return element("li", {}, element("label", {}, radio, swatch, name), text, select, share);
  }

  #joined() {
    return Object.entries(this.result.edits.merged || {}).map(([track, into]) => {
      const button = element("button", { type: "button", textContent: "part again" });
      button.setAttribute("aria-label", `Part track ${track} from ${this.result.name(into)}`);
      button.addEventListener("click", () => {
        const merged = { ...this.result.edits.merged };
        delete merged[track];
        this.#change({ merged });
      });
      return element("li", {}, element("span", { textContent: `Track ${track} is ${this.result.name(into)}` }), button);
    });
  }

  #stretch(one, k) {
    const who = one.track === null ? "everybody" : this.result.name(one.track);
    const button = element("button", { type: "button", textContent: "count again" });
    button.addEventListener("click", () => this.#change({ excluded: this.result.edits.excluded.filter((_, i) => i !== k) }));
    return element("li", {}, `${clock(one.from_s)} to ${clock(one.to_s)} of ${who} is left out `, button);
  }
}
