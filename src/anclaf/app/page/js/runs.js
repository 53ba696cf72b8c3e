// Trained runs: their scores with intervals, by fold, and the curves of their training.

import { AROUSAL, INK, LINE, PALE, VALENCE, at, element, fresh } from "./draw.js";

const COLOURS = [INK, "#00694c", "#8a2a6b", "#5c5300", "#4a4f9c", "#39606b"];
const colour = (one, k) => ({ valence_ccc: VALENCE, arousal_ccc: AROUSAL })[one.name] ?? COLOURS[k % COLOURS.length];
const LEFT = 52, RIGHT = 10, TOP = 8, BOTTOM = 24;

async function ask(path) {
  const response = await fetch(`/api/runs${path}`);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}

const digits = (value) => (value === null || value === undefined ? "–" : value.toFixed(3).replace("-", "−"));
const interval = (score) => (!score ? "–" : digits(score.value) + (score.low === null ? "" : ` [${digits(score.low)}, ${digits(score.high)}]`));

let run = null;

/** Choices of a select, the one before kept where it is still there. */
function choices(select, values, words = (value) => value) {
  const before = select.value;
  select.replaceChildren(...values.map((value) => element("option", { value, textContent: words(value) })));
  if (values.map(String).includes(before)) select.value = before;
}

function table() {
  const fold = at("run-fold").value, metric = at("run-metric").value;
  const of = (entry) => (fold === "" ? entry.scores : entry.folds[fold] ?? {});
  const head = element("tr", {}, ...["", "valence", "arousal", "mean"].map((text) => element("th", { textContent: text, scope: "col" })));
  const rows = run.entries.map((entry) => {
    const name = element("th", { textContent: entry.label, scope: "row", className: entry.comparator ? "comparator" : "" });
    return element("tr", {}, name, ...["valence", "arousal", "mean"].map((one) => element("td", { textContent: interval(of(entry)[one]?.[metric]) })));
  });
  at("run-scores").replaceChildren(element("caption", { textContent: caption(fold, metric) }), element("thead", {}, head), element("tbody", {}, ...rows));
}

function caption(fold, metric) {
  const where = fold === "" ? `${run.folds.length > 1 ? `${run.folds.length} folds together` : `fold ${run.folds[0]}`}; in brackets 95 % intervals over people` : `fold ${fold}, without intervals`;
  return `${metric.toUpperCase()}, ${metric === "rmse" ? "lower" : "higher"} is better: ${where}`;
}

let asked = 0;

async function curves() {
  const mine = ++asked, entry = run.entries.find((one) => one.name === at("run-variant").value);
  if (entry) choices(at("run-of"), entry.curves, (fold) => `fold ${fold}`);
  const found = entry ? await ask(`/${run.id}/curves?${new URLSearchParams({ variant: entry.name, fold: at("run-of").value })}`) : [];
  if (mine !== asked) return;
  const losses = found.filter((one) => one.phase !== "validation" && one.name === "loss");
  const scores = found.filter((one) => one.phase === "validation" && one.name.endsWith("ccc"));
  draw(at("run-losses"), losses.map((one) => ({ ...one, label: one.phase })), "Losses in training");
  draw(at("run-validation"), scores.map((one) => ({ ...one, label: one.name.replace("_", " ") })), "CCC in validation");
}

function draw(canvas, series, title) {
  const ends = series.map((one) => `${one.label} ${digits(one.values.at(-1))}`).join(", ");
  canvas.setAttribute("aria-label", series.length ? `${title}, at the last step: ${ends}` : `${title}: none`);
  canvas.previousElementSibling.textContent = title;
  canvas.nextElementSibling.replaceChildren(...series.flatMap((one, k) => {
    const swatch = element("i");
    swatch.style.background = colour(one, k);
    return [swatch, `${one.label} ${digits(one.values.at(-1))}`];
  }));
  const { context, width, height } = fresh(canvas);
  const values = series.flatMap((one) => one.values).filter((value) => value !== null);
  if (!values.length || width < 100) return;
  const steps = series.flatMap((one) => one.steps), last = Math.max(...steps, 1);
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (low === high) [low, high] = [low - 1, high + 1];
  const x = (step) => LEFT + (step / last) * (width - LEFT - RIGHT);
  const y = (value) => TOP + ((high - value) / (high - low)) * (height - TOP - BOTTOM);
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = PALE;
  context.strokeStyle = LINE;
  context.lineWidth = 1;
  for (const value of [low, (low + high) / 2, high]) {
    context.beginPath();
    context.moveTo(LEFT, y(value));
    context.lineTo(width - RIGHT, y(value));
    context.stroke();
    context.textAlign = "right";
    context.fillText(digits(value), LEFT - 6, y(value) + 4);
  }
  context.fillText(`step ${last}`, width - RIGHT, height - 6);
  context.lineWidth = 2;
  series.forEach((one, k) => {
    context.strokeStyle = colour(one, k);
    context.beginPath();
    one.steps.forEach((step, i) => {
      if (one.values[i] === null) return;
      if (i === 0 || one.values[i - 1] === null) context.moveTo(x(step), y(one.values[i]));
      else context.lineTo(x(step), y(one.values[i]));
    });
    context.stroke();
  });
}

function show(answer) {
  run = answer;
  at("run-title").textContent = run.name;
  const { name, source, clips, subjects, frames } = run.corpus;
  const sizes = [[clips, "clips"], [subjects, "people"], [frames, "frames"]].filter(([n]) => n !== undefined).map(([n, unit]) => `${n} ${unit}`);
  at("run-about").textContent = `Recipe ${run.recipe}, protocol ${run.protocol}; corpus ${name ?? "unknown"} (${source ?? "unknown"}), ${sizes.join(", ")}.`;
  at("run-report").hidden = !run.report;
  at("run-report").firstElementChild.href = `/api/runs/${run.id}/report/index.html`;
  choices(at("run-fold"), ["", ...run.folds], (fold) => (fold === "" ? "all folds" : `fold ${fold}`));
  const first = run.metrics.includes("ccc") && at("run-metric").value === "";
  choices(at("run-metric"), run.metrics, (metric) => metric.toUpperCase());
  if (first) at("run-metric").value = "ccc";
  const trained = run.entries.filter((one) => one.curves.length);
  choices(at("run-variant"), trained.map((one) => one.name));
  at("run-curves").hidden = !trained.length;
  table();
  at("video").pause();
  for (const id of ["result", "empty"]) at(id).hidden = true;
  at("run").hidden = false;
}

const doing = (work) => async () => {
  try {
    at("problem").hidden = true;
    await work();
  } catch (error) {
    at("problem").textContent = error.message;
    at("problem").hidden = false;
  }
};

async function start() {
  const runs = await ask("");
  at("runs").hidden = !runs.length;
  at("runs").lastElementChild.replaceChildren(...runs.map((one) => {
    const button = element("button", { type: "button", className: "name", textContent: one.name });
    button.addEventListener("click", doing(async () => {
      show(await ask(`/${one.id}`));
      await curves();
    }));
    return element("li", {}, button, element("div", { className: "state", textContent: one.scored ? "a trained run" : "in training, no scores yet" }));
  }));
}

for (const id of ["run-fold", "run-metric"]) at(id).addEventListener("change", table);
for (const id of ["run-variant", "run-of"]) at(id).addEventListener("change", doing(curves));
new ResizeObserver(() => run && !at("run").hidden && doing(curves)()).observe(at("run-losses"));
new MutationObserver(() => {
  if (!at("result").hidden) at("run").hidden = true; // a video was chosen
}).observe(at("result"), { attributeFilter: ["hidden"] });
doing(start)();
