"""The report of a run: one static page with its pictures and tables, with nothing loaded from elsewhere."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from importlib import metadata, resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anclaf.core.errors import AnclafError, CorpusError
from anclaf.core.files import output_error, write_text
from anclaf.core.progress import Progress, silent
from anclaf.core.scale import LabelScale
from anclaf.data.store import PreparedCorpus
from anclaf.metrics.regression import METRICS
from anclaf.models.spec import LENGTHS, Variant
from anclaf.report import figures
from anclaf.report.published import AFEW_VA, DIMENSIONS, SEWA, rendered
from anclaf.report.tables import (
    BASELINE_LABELS,
    DASH,
    GROUP_TITLES,
    Cell,
    ResultsTable,
    comparison_words,
    count,
    counted,
    fold_words,
    has_interval,
    heading,
    interval_text,
    number,
    number_text,
    results_table,
    size_words,
    variant_order,
)

_PROTOCOLS = {
    "strict": "The people tested were not seen in training, nor in choosing the checkpoint.",
    "paper": "In this protocol, the authors' own, a person may be in training and in test, and the checkpoint is "
    "chosen on the test block: the numbers flatter the networks.",
}
LONGEST = 120
"""Frames of a clip above which weights through it are drawn for its liveliest part only."""


class ReportError(AnclafError):
    """A folder is not a run, or there is nothing to report from it yet."""


@dataclass(frozen=True)
class Run:
    """A run's folder, opened for reading. fold: the first tested fold that has predictions, or None.

    corpus: the prepared corpus, or None; `corpus_trouble` then says why.
    """

    folder: Path
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    fold: int | None
    corpus: PreparedCorpus | None
    corpus_trouble: str

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """Raises ReportError: no run, no metrics yet, or damaged files."""
        if not (folder / "run.json").is_file():
            raise ReportError(
                f"{folder}: not a run (no run.json here); expected the folder given to `anclaf train --out`"
            )
        if not (folder / "metrics.json").is_file():
            raise ReportError(
                f"{folder}: no metrics.json yet; let `anclaf train` finish (the same command continues it)"
            )
        config, measured = _json(folder / "run.json"), _json(folder / "metrics.json")
        variants, card = measured.get("variants"), measured.get("corpus")
        whole = isinstance(variants, dict) and variants and all(isinstance(entry, dict) for entry in variants.values())
        if not (whole and isinstance(card, dict)):
            raise ReportError(f"{folder / 'metrics.json'}: no variants or no corpus in it; evaluate the run again")
        folds = [
            fold for fold in measured.get("folds") or [] if (folder / f"fold{fold}" / "predictions.parquet").is_file()
        ]
        corpus, trouble = _corpus(folder, config, measured["corpus"])
        return cls(folder, config, measured, folds[0] if folds else None, corpus, trouble)

    @property
    def card(self) -> Mapping[str, Any]:
        return self.metrics["corpus"]

    @property
    def name(self) -> str:
        """Of the corpus, for people."""
        place = Path(str(self.config.get("corpus_folder") or "")).name
        return str(self.card.get("name") or place or self.card.get("source", "unknown"))

    @property
    def scale(self) -> LabelScale:
        return LabelScale(float(self.card["low"]), float(self.card["high"]))

    @property
    def caption(self) -> str:
        """Which corpus a picture is of."""
        clips = f", {counted(self.card['clips'], 'clip')}" if "clips" in self.card else ""
        where = "" if self.fold is None else f", fold {self.fold}"
        source, mark = self.card.get("source", "unknown"), self.card.get("fingerprint", "")
        return f"corpus {self.name} ({source}){clips}, fingerprint {mark}{where}"

    @cached_property
    def variants(self) -> list[str]:
        return sorted(self.metrics["variants"], key=variant_order)

    def best(self, kinds: Sequence[str], shortest: int = 1) -> str | None:
        """The variant with the highest mean CCC, of these kinds and with a window of `shortest` frames or more."""
        parsed = {name: Variant.parse(name) for name in self.variants}
        own = [name for name, variant in parsed.items() if variant.kind in kinds and variant.n >= shortest]
        return max(own, key=lambda name: _order(self.score(name, "mean", "ccc")), default=None)

    def best_baseline(self) -> str | None:
        """The baseline with the highest mean CCC that is a number."""
        own = [name for name in self.metrics.get("baselines") or {} if math.isfinite(self.score(name, "mean", "ccc"))]
        return max(own, key=lambda name: self.score(name, "mean", "ccc"), default=None)

    def score(self, name: str, dimension: str, metric: str) -> float:
        entry = self.metrics["variants"].get(name) or (self.metrics.get("baselines") or {}).get(name) or {}
        return number((entry.get(dimension) or {}).get(metric))

    def drawn(self) -> list[str]:
        """Whose curves are drawn: base, the best S-n and the best SA-n."""
        return [name for name in (self.best(["base"]), self.best(["S"]), self.best(["SA"])) if name is not None]

    @property
    def fold_folder(self) -> Path:
        return self.folder / f"fold{self.fold}"

    def predictions(self, names: Sequence[str]) -> pd.DataFrame:
        """Rows of these variants in predictions.parquet of the fold, in the order written."""
        path = self.fold_folder / "predictions.parquet"
        try:
            return pd.read_parquet(path, filters=[("variant", "in", list(names))])
        except (OSError, ValueError, KeyError) as error:
            raise ReportError(f"{path}: cannot be read ({error}); evaluate the run again") from error

    def attention(self, variant: str) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
        """weights (N, n - 1) and prepared-corpus row (N,) of a variant, or None where they were not written."""
        path = self.fold_folder / "attention" / f"{variant}.npz"
        if not path.is_file():
            return None
        try:
            with np.load(path) as file:
                return file["weights"], file["row"]
        except (OSError, ValueError, KeyError) as error:
            raise ReportError(f"{path}: cannot be read ({error}); evaluate the run again") from error

    def histories(self) -> dict[str, pd.DataFrame]:
        """history.csv by variant, of those that have one."""
        paths = {name: self.fold_folder / name / "history.csv" for name in self.variants}
        try:
            columns = ["step", "phase", "name", "value"]
            return {name: pd.read_csv(path, usecols=columns) for name, path in paths.items() if path.is_file()}
        except (OSError, ValueError) as error:
            raise ReportError(f"{self.fold_folder}: a history.csv cannot be read ({error})") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError(f"{path}: not JSON ({error}); run the same training command again") from error
    if not isinstance(content, dict):
        raise ReportError(f"{path}: expected a JSON object; run the same training command again")
    return content


def _corpus(folder: Path, config: Mapping[str, Any], card: Mapping[str, Any]) -> tuple[PreparedCorpus | None, str]:
    place = str(config.get("corpus_folder") or "")
    if not place:
        return None, "the run does not say where its prepared corpus is"
    candidates = [path for path in (Path(place), folder / place) if path.is_dir()]
    if not candidates:
        return None, "the prepared corpus is no longer where it was when the run was made"
    try:
        corpus = PreparedCorpus.open(candidates[0])
    except CorpusError as error:
        return None, f"the prepared corpus cannot be opened ({error})"
    if corpus.card.fingerprint != card.get("fingerprint"):
        return None, "the prepared corpus has changed since the run was made (its fingerprint differs)"
    return corpus, ""


def _order(value: float) -> float:
    return value if math.isfinite(value) else -math.inf


@dataclass(frozen=True)
class Picture:
    """A picture to be drawn. draw: theme -> figure. suffix: `svg`, or `png` where it shows faces."""

    name: str
    suffix: str
    draw: Callable[[figures.Theme], Figure]

    def path(self, theme: figures.Theme) -> str:
        """Below the report's folder."""
        return f"images/{self.name}{'' if theme is figures.LIGHT else '-dark'}.{self.suffix}"


@dataclass
class _Page:
    """What a page is put together from: sections in order, and the pictures that they show."""

    run: Run
    sections: list[tuple[str, str, str]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)

    def add(self, anchor: str, title: str, *parts: str) -> None:
        self.sections.append((anchor, title, "\n".join(parts)))

    def picture(
        self, name: str, draw: Callable[[figures.Theme], Figure], alt: str, caption: str, faces: bool = False
    ) -> str:
        """Markup of a picture, which is drawn later in both themes."""
        picture = Picture(name, "png" if faces else "svg", draw)
        self.pictures.append(picture)
        light, dark = picture.path(figures.LIGHT), picture.path(figures.DARK)
        return (
            f'<figure><div class="scroll"><a href="{light}"><picture>'
            f'<source srcset="{dark}" media="(prefers-color-scheme: dark)">'
            f'<img src="{light}" alt="{escape(alt)}"></picture></a></div>'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )


def write_report(run: Path, out: Path | None = None, progress: Progress = silent) -> Path:
    """Write the report of a run: index.html with its images, table.md and table.tex.

    Args:
        run: a folder that `anclaf train` finished evaluating.
        out: where to; RUN/report by default. Files of an earlier report are replaced.

    Returns the path of index.html, which is written last.

    Raises:
        ReportError: not a run, no metrics yet, or damaged results.
        OutputError: `out` cannot be written.
    """
    opened = Run.open(Path(run))
    out = Path(run) / "report" if out is None else Path(out)
    try:
        table = results_table(opened.metrics, opened.name)
        page = _compose(opened, table)
    except (KeyError, TypeError) as error:
        raise ReportError(f"{run}: its results lack something ({error!r}); evaluate the run again") from error
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(out, error) from error
    themes = (figures.LIGHT, figures.DARK)
    total = len(page.pictures) * len(themes)
    for i, (picture, theme) in enumerate((picture, theme) for picture in page.pictures for theme in themes):
        progress(i, total, f"report: {picture.name}")
        figures.save(picture.draw(theme), out / picture.path(theme))
    write_text(out / "table.md", table.markdown())
    write_text(out / "table.tex", table.latex())
    write_text(out / "index.html", _render(page))
    progress(total, total, "report")
    return out / "index.html"


def _render(page: _Page) -> str:
    run = page.run
    files = resources.files("anclaf.report")
    template = Template((files / "page.html").read_text(encoding="utf-8"))
    recipe = run.config.get("recipe")
    recipe = recipe.get("name") if isinstance(recipe, Mapping) else recipe
    lead = (
        f"Recipe {recipe or 'unknown'}, protocol {run.metrics.get('protocol', 'unknown')}, "
        f"tested on {fold_words(run.metrics.get('folds') or [])}; corpus fingerprint "
        f"{run.card.get('fingerprint', 'unknown')}."
    )
    return template.substitute(
        title=escape(f"Results on {run.name}"),
        lead=escape(lead),
        version=escape(metadata.version("anclaf")),
        style=(files / "style.css").read_text(encoding="utf-8"),
        navigation="\n".join(f'<li><a href="#{anchor}">{escape(title)}</a></li>' for anchor, title, _ in page.sections),
        body="\n".join(
            f'<section id="{anchor}" aria-labelledby="{anchor}-title">\n'
            f'<h2 id="{anchor}-title">{escape(title)}</h2>\n{body}\n</section>'
            for anchor, title, body in page.sections
        ),
    )


def _compose(run: Run, table: ResultsTable) -> _Page:
    page = _Page(run)
    page.add("summary", "Summary", *_summary(run, table))
    page.add("table", "Results", *_results(run, table))
    page.add("pairs", "Comparisons", *_comparisons(run))
    page.add("window", "Window length", *_window(page))
    page.add("curves", "Curves", *_curves(page))
    page.add("attention", "Attention", *_attention(page))
    page.add("training", "Training", *_training(page))
    page.add("corpus", "Corpus and settings", *_corpus_facts(run))
    page.add("limits", "What was not measured", _list(_not_measured(run)))
    page.add("use", "Responsible use", *_RESPONSIBLE)
    return page


def _summary(run: Run, table: ResultsTable) -> Iterable[str]:
    best = run.best(["base", "S", "SA"])
    assert best is not None, "metrics.json has a variant"
    cards: list[tuple[str, str, str]] = []
    for dimension in ("valence", "arousal"):
        cell = table.row(best).cells["ccc", dimension]
        interval = f"95 % interval {interval_text(cell.low, cell.high)}" if has_interval(cell) else "no interval"
        cards.append((f"{dimension.capitalize()} CCC of {best}", number_text(cell.value), interval))
    words = [
        f"Of the {len(run.variants)} variants trained, {best} has the highest CCC over valence and arousal together."
        if len(run.variants) > 1
        else f"One variant was trained: {best}."
    ]
    if best != "base" and "base" in run.variants:
        for dimension in ("arousal", "valence"):
            pair = _pair(run, best, "base", dimension)
            if pair is None:
                continue
            if dimension == "arousal":
                gain, interval = number(pair["difference"]), interval_text(*_bounds(pair))
                text = f"{gain:+.3f}" if math.isfinite(gain) else DASH
                cards.append(
                    ("Arousal CCC gained over base", text, f"95 % interval {interval}" if interval else "no interval")
                )
            words.append(comparison_words(pair))
    baseline = run.best_baseline()
    if baseline is not None:
        label = BASELINE_LABELS.get(baseline, baseline)
        both = [f"{d} {number_text(run.score(baseline, d, 'ccc'))}" for d in ("valence", "arousal")]
        cards.append(("Mean CCC of the best baseline", number_text(run.score(baseline, "mean", "ccc")), label))
        behind = run.score(best, "mean", "ccc") < run.score(baseline, "mean", "ccc")
        verdict = "which no variant reaches" if behind else f"which {best} exceeds"
        if run.score(best, "mean", "ccc") == run.score(baseline, "mean", "ccc"):
            verdict = f"which {best} equals"
        words.append(f"The best baseline is the {label} (CCC {', '.join(both)}), {verdict} in the mean of the two.")
    items = "".join(f"<div><dt>{escape(a)}</dt><dd>{escape(b)}</dd><dd>{escape(c)}</dd></div>" for a, b, c in cards)
    yield f'<dl class="cards">{items}</dl>'
    yield _paragraph(" ".join(words))
    yield _paragraph(
        "CCC is Lin's concordance: 1 where every estimate equals its label, 0 where the two have nothing in common. "
        + _PROTOCOLS.get(str(run.metrics.get("protocol")), "")
    )


def _pair(run: Run, a: str, b: str, dimension: str) -> Mapping[str, Any] | None:
    for pair in run.metrics.get("paired") or []:
        if (pair["a"], pair["b"], pair["dimension"], pair["metric"]) == (a, b, dimension, "ccc"):
            return pair
    return None


def _bounds(pair: Mapping[str, Any]) -> tuple[float, float]:
    low, high = pair.get("ci95") or (None, None)
    return number(low), number(high)


def _results(run: Run, table: ResultsTable) -> Iterable[str]:
    yield f'<div class="note">{"".join(_paragraph(statement) for statement in table.statements)}</div>'
    yield _results_html(table)
    yield (
        '<p>The same as <a href="table.md">Markdown</a> and <a href="table.tex">LaTeX</a>. '
        "RMSE is in the corpus's own units.</p>"
    )
    yield _details("Fold by fold", _folds_html(run))
    clips = _clips_html(run)
    if clips:
        yield _details("Mean over clips instead of over frames", clips)


def _results_html(table: ResultsTable) -> str:
    heads = "".join(
        f'<th class="first" colspan="{len(DIMENSIONS)}" scope="colgroup">{heading(m)}</th>' for m in METRICS
    )
    short = {"valence": '<abbr title="valence">V</abbr>', "arousal": '<abbr title="arousal">A</abbr>', "mean": "mean"}
    subs = "".join(f'<th scope="col"{_first(d)}>{short[d]}</th>' for _ in METRICS for d in DIMENSIONS)
    parts = [f'<thead><tr><td rowspan="2"></td>{heads}</tr><tr>{subs}</tr></thead>']
    for group, rows in table.groups():
        span = 1 + len(METRICS) * len(DIMENSIONS)
        lines = [f'<tr><th scope="rowgroup" colspan="{span}"><span>{escape(GROUP_TITLES[group])}</span></th></tr>']
        for row in rows:
            cells = "".join(
                _cell_html(row.cells[metric, d], d, group != "published") for metric in METRICS for d in DIMENSIONS
            )
            lines.append(f'<tr><th scope="row">{escape(row.label)}</th>{cells}</tr>')
        parts.append(f'<tbody class="{group}">{"".join(lines)}</tbody>')
    caption = "Arrows point where better is. V valence, A arousal, mean their mean; 95 % intervals in brackets."
    return _scroll(f"<table><caption>{caption}</caption>{''.join(parts)}</table>", "Results table")


def _cell_html(cell: Cell, dimension: str, measured: bool) -> str:
    value, best = number_text(cell.value), cell.best and measured
    first = "first " if dimension == DIMENSIONS[0] else ""
    opening = _first(dimension) if not best else f' class="{first}best"'
    # without the noughts before the point fifteen columns fit a screen
    interval = re.sub(r"\b0\.", ".", interval_text(cell.low, cell.high))
    interval = f"<small>{interval}</small>" if interval else ""
    return f"<td{opening}>{'<b>' * cell.best}{value}{'</b>' * cell.best}{interval}</td>"


def _first(dimension: str) -> str:
    return ' class="first"' if dimension == DIMENSIONS[0] else ""


def _folds_html(run: Run) -> str:
    heads = ["", "fold", "frames", *(f"{heading(m)} {d}" for m in ("ccc", "rmse") for d in DIMENSIONS)]
    rows: list[list[str]] = []
    for name in run.variants:
        for entry in run.metrics["variants"][name].get("folds") or []:
            numbers = [number_text(number((entry.get(d) or {}).get(m))) for m in ("ccc", "rmse") for d in DIMENSIONS]
            rows.append([name, str(entry.get("fold")), count(entry["frames"]) if "frames" in entry else DASH, *numbers])
    return _table_html(heads, rows, "Scores of each fold")


def _clips_html(run: Run) -> str:
    entries = {name: run.metrics["variants"][name].get("per_clip") for name in run.variants}
    heads = ["", *(f"{heading(m)} {d}" for m in ("ccc", "rmse") for d in DIMENSIONS)]
    rows = [
        [name, *(number_text(number((entry.get(d) or {}).get(m))) for m in ("ccc", "rmse") for d in DIMENSIONS)]
        for name, entry in entries.items()
        if entry
    ]
    return _table_html(heads, rows, "Means over clips") if rows else ""


def _comparisons(run: Run) -> Iterable[str]:
    pairs = list(run.metrics.get("paired") or [])
    if not pairs:
        yield _paragraph("There are no paired comparisons in this run: it takes two variants to compare.")
        return
    yield _paragraph(
        "Two variants are compared on the same test frames, people drawn again with replacement; the difference is the "
        "first one's score "
        "less the second one's. The p-values are not corrected for there being many comparisons."
    )
    drawn = set(run.drawn())
    leading = [pair for pair in pairs if pair["metric"] == "ccc" and {pair["a"], pair["b"]} <= drawn]
    yield _list(comparison_words(pair) for pair in leading or pairs[:6])
    rows = [
        [
            f"{pair['a']} − {pair['b']}",
            str(pair["dimension"]),
            heading(str(pair["metric"])),
            f"{number(pair['difference']):+.3f}" if math.isfinite(number(pair["difference"])) else DASH,
            interval_text(*_bounds(pair)) or DASH,
            DASH if not math.isfinite(number(pair.get("p"))) else f"{number(pair['p']):.3f}",
        ]
        for pair in pairs
    ]
    heads = ["", "dimension", "metric", "difference", "95 % interval", "p"]
    yield _details(f"All {len(pairs)} comparisons", _table_html(heads, rows, "Paired comparisons"))


def _window(page: _Page) -> Iterable[str]:
    run = page.run
    temporal = [name for name in run.variants if name != "base"]
    if not temporal:
        yield _paragraph("Only the base model was trained, which sees one frame at a time: there is no window to vary.")
        return
    best = run.best(["S", "SA"])
    fps = number(run.card.get("fps"))
    length = Variant.parse(str(best)).n
    lasts = f", {1000 * length / fps:.0f} ms at {fps:g} frames a second" if fps > 0 else ""
    yield _paragraph(
        f"The best temporal variant is {best}: {length} frames{lasts}. The paper found 8 frames, 160 ms at 50 frames a "
        "second, the best."
    )
    numbers = [f"{name} {number_text(run.score(name, 'arousal', 'ccc'))}" for name in run.variants]
    yield page.picture(
        "window",
        lambda theme: figures.metric_by_length(run.metrics, run.caption.replace(f", fold {run.fold}", ""), theme),
        "CCC and RMSE of valence, arousal and their mean against the window length. Arousal CCC: "
        f"{', '.join(numbers)}.",
        "CCC (above, higher is better) and RMSE (below, lower is better) against the window's length in frames, "
        "tested on "
        f"{fold_words(run.metrics.get('folds') or [])}. Lines: 95 % intervals. Horizontal: baselines.",
    )


def _curves(page: _Page) -> Iterable[str]:
    run = page.run
    if run.fold is None:
        yield _paragraph("No predictions are left in the run's folder, so that no curves can be drawn.")
        return
    names = run.drawn()
    table = run.predictions(names)
    lead = names[-1]
    clips = _clips_to_show(table[table["variant"] == lead])
    if not clips:
        yield _paragraph(
            "No test clip has three frames in a row (these are stills), so that there are no curves to draw."
        )
        return
    yield _paragraph(
        f"Estimates of {', '.join(names)} against the labels on test clips of fold {run.fold}, the clips chosen by the "
        "RMSE of "
        f"{lead} over valence and "
        "arousal: its best, its middle and its worst. Scores in the legends are of that one clip."
    )
    missing = [kind for kind in ("base", "S", "SA") if run.best([kind]) is None]
    if missing:
        yield _paragraph(
            f"Not drawn, because not trained: {', '.join(k if k == 'base' else f'{k}-n' for k in missing)}."
        )
    low, high = run.scale.low, run.scale.high
    for i, (rank, clip) in enumerate(clips):
        part = table[table["clip"] == clip]

        def draw(theme: figures.Theme, part: pd.DataFrame = part) -> Figure:
            return figures.prediction_curves(part, names, run.caption, low, high, theme)

        alt = f"Valence and arousal through clip {clip}: the labels and the estimates of {', '.join(names)}."
        yield page.picture(f"curves-{i + 1}", draw, alt, f"Clip {clip}, {rank} of the test clips for {lead}.")


def _clips_to_show(table: pd.DataFrame) -> list[tuple[str, str]]:
    """(which, clip): the best, the middle and the worst by RMSE, of the clips with three frames or more."""
    squared = (table["valence_hat"] - table["valence"]) ** 2 + (table["arousal_hat"] - table["arousal"]) ** 2
    by_clip = squared.groupby(table["clip"]).agg(["mean", "size"])
    order = by_clip[by_clip["size"] >= 3].sort_values("mean", kind="stable").index.tolist()
    places = dict.fromkeys([0, len(order) // 2, len(order) - 1]) if order else []
    ranks = ("the best", "the middle one", "the worst")
    return [(rank, str(order[place])) for rank, place in zip(ranks, places, strict=False)]


def _attention(page: _Page) -> Iterable[str]:
    run = page.run
    if run.best(["SA"]) is None:
        yield _paragraph("No SA variant was trained, so that there are no attention weights to show.")
        return
    variant = run.best(["SA"], shortest=3)
    if variant is None:
        yield _paragraph("SA-2 looks back on one frame, whose weight is always 1: there is nothing to show.")
        return
    stored = run.attention(variant) if run.fold is not None else None
    if stored is None:
        yield _paragraph(f"The attention weights of {variant} are not in the run's folder.")
        return
    weights, row = stored
    table = run.predictions([variant]).reset_index(drop=True)
    if len(table) != len(weights) or len(row) != len(weights):
        raise ReportError(
            f"{run.fold_folder / 'attention' / variant}.npz has {len(weights)} rows, predictions.parquet {len(table)} "
            f"of {variant}; "
            "evaluate the run again"
        )
    chosen = figures.pick_examples(weights)
    if not chosen:
        yield _paragraph(
            f"No frame of the test clips looks back on two frames or more, so that {variant} has nothing to choose "
            "between."
        )
        return
    with_faces = run.corpus is not None
    if with_faces:
        yield _paragraph("The faces are the corpus's own: its licence may not allow you to pass this page on.")
    else:
        yield _paragraph(f"Faces are left out: {run.corpus_trouble}.")
    yield page.picture(
        "attention-strips",
        lambda theme: figures.attention_strips(
            _examples(run, table, weights, row, chosen), weights, variant, run.caption, theme
        ),
        f"Attention weights of {variant} for {len(chosen)} test frames, each bar below the face of the frame it "
        "belongs to, and the mean "
        "weight by lag over all test frames.",
        f"What {variant} looks back on, at the test frames of fold {run.fold} with the most concentrated, middling and "
        "most even weights. "
        "Bars: the weight of each earlier frame, the oldest on the left; dashed: what it would be if all were alike.",
        faces=with_faces,
    )
    clips = _clips_to_show(table)
    if clips:
        _, clip = clips[len(clips) // 2]
        rows = np.flatnonzero((table["clip"] == clip).to_numpy())
        labels = table.loc[rows, ["valence", "arousal"]].to_numpy(np.float64)
        start, stop = figures.closest(labels, LONGEST)
        rows = rows[start:stop]
        yield page.picture(
            "attention-clip",
            lambda theme: figures.attention_through_clip(
                table.loc[rows], weights[rows], _images(run, row[rows]), variant, run.caption, run.scale.middle, theme
            ),
            f"Clip {clip}: faces, valence and arousal with the estimates of {variant}, and the attention weights of "
            "every frame.",
            f"{variant} through clip {clip}, the middle one of the test clips{_part(start, stop, len(labels))}. Each "
            "column of the lowest "
            "panel holds the weights that one frame gives to the frames before it; grey: there is none.",
            faces=with_faces,
        )


def _part(start: int, stop: int, length: int) -> str:
    return (
        "" if stop - start == length else f" (its frames {start} to {stop - 1} of {length}, where the labels move most)"
    )


def _images(run: Run, rows: NDArray[np.int64]) -> NDArray[np.uint8] | None:
    return None if run.corpus is None else run.corpus.images(rows)


def _examples(
    run: Run, table: pd.DataFrame, weights: NDArray[np.float32], row: NDArray[np.int64], chosen: Sequence[int]
) -> list[figures.Attended]:
    examples: list[figures.Attended] = []
    for i in chosen:
        back = int(np.isfinite(weights[i]).sum())
        faces = _images(run, row[i - np.arange(back + 1)])
        examples.append(figures.Attended(str(table["clip"].iloc[i]), float(table["time_s"].iloc[i]), weights[i], faces))
    return examples


def _training(page: _Page) -> Iterable[str]:
    run = page.run
    histories = run.histories() if run.fold is not None else {}
    if not histories:
        yield _paragraph("No history.csv is in the run's folder, so that no losses can be drawn.")
        return
    lacking = [name for name in run.variants if name not in histories]
    if lacking:
        yield _paragraph(f"Without a history.csv, and so left out: {', '.join(lacking)}.")
    yield page.picture(
        "losses",
        lambda theme: figures.loss_curves(histories, run.caption, theme),
        f"Losses in training and scores in validation of {', '.join(histories)} over the training steps.",
        f"Losses and validation scores over the steps of fold {run.fold}; numbers in the legends are the last values. "
        "The weights kept are "
        "those of the best validation score, not the last ones.",
    )


def _corpus_facts(run: Run) -> Iterable[str]:
    card = run.card
    skipped = card.get("skipped") or {}
    facts = [
        ("Name", run.name),
        ("Read as", card.get("source")),
        ("Size", size_words(card)),
        ("Labels", f"{card['low']:g} to {card['high']:g}" if "low" in card and "high" in card else None),
        ("Frame rate", _frame_rate(card.get("fps"))),
        (
            "Faces",
            f"{card.get('image_size')} × {card.get('image_size')} pixels, crop {card.get('crop')}, detector "
            f"{card.get('detector')}",
        ),
        ("Left out", ", ".join(f"{reason}: {count(n)}" for reason, n in skipped.items()) or "nothing"),
        ("Notes", "; ".join(card.get("notes") or []) or "none"),
        ("Fingerprint", card.get("fingerprint")),
        ("Seed", run.config.get("seed")),
        ("Versions", ", ".join(f"{k} {v}" for k, v in (run.config.get("versions") or {}).items())),
    ]
    items = "".join(f"<dt>{escape(a)}</dt><dd>{escape(str(b))}</dd>" for a, b in facts if b not in (None, ""))
    yield f'<dl class="facts">{items}</dl>'
    whole = json.dumps(run.config, indent=1, ensure_ascii=False)
    yield _details("The whole configuration (run.json)", f'<pre tabindex="0">{escape(whole)}</pre>')


def _frame_rate(fps: Any) -> str | None:
    rate = number(fps)
    if not math.isfinite(rate):
        return None
    return f"{rate:g} frames a second" if rate else "stills"


def _not_measured(run: Run) -> Iterable[str]:
    card = run.card
    known = {"afew-va": AFEW_VA, "sewa": SEWA}.get(str(card.get("source")))
    if rendered(card):
        yield "Real people: the corpus is a drawn one. Nothing here says how well the networks do before a camera."
    if rendered(card) or known is None:
        yield (
            "AFEW-VA and SEWA, the paper's databases. So the paper's published numbers are not shown: they cannot be "
            "compared with these."
        )
    else:
        clips = card.get("clips")
        differs = (
            f" It has {counted(clips, 'clip')}, {known.database} has {known.clips}."
            if clips not in (None, known.clips)
            else ""
        )
        yield (
            f"Whether this corpus is {known.database} itself: it is laid out as {known.database} is, and a drawn "
            "corpus can be too. "
            f"Its name, size and fingerprint are above the table.{differs}"
        )
        other = SEWA if known is AFEW_VA else AFEW_VA
        yield f"{other.database}, the paper's other database."
    yield "The authors' own networks: they published no weights, so that nothing of theirs was run here."
    folds = run.metrics.get("folds") or []
    if len(folds) < 5:
        yield f"All five folds of the paper: tested here are {len(folds)} ({fold_words(folds)})."
    wanted = ["base", *(f"{kind}-{n}" for kind in ("S", "SA") for n in LENGTHS)]
    lacking = [name for name in wanted if name not in run.variants]
    if lacking:
        yield f"Variants of the paper that were not trained: {', '.join(lacking)}."
    absent = [label for name, label in BASELINE_LABELS.items() if name not in (run.metrics.get("baselines") or {})]
    if absent:
        yield f"Baselines that are missing, as they are where a corpus has no landmarks: {', '.join(absent)}."
    yield "Other corpora than this one, other cameras, and differences between groups of people."


_RESPONSIBLE = (
    "<p>The numbers say how well an estimate follows what annotators made of a face. They do not say what a person "
    "feels: valence and "
    "arousal as labelled here describe an expression as others see it, and no inner state can be read off it. People, "
    "cultures and "
    "situations differ in how a face goes with a feeling, and a corpus holds few of them.</p>",
    "<p>In the European Union, Article 5(1)(f) of the AI Act (Regulation (EU) 2024/1689) forbids systems that infer "
    "emotions of people at "
    "work and in education, save for medical or safety reasons. Do not use these models for decisions about "
    "people.</p>",
)


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def _details(summary: str, content: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def _scroll(content: str, label: str) -> str:
    """Wide content scrolls by itself, and by keyboard too."""
    return f'<div class="scroll" role="region" aria-label="{escape(label)}" tabindex="0">{content}</div>'


def _table_html(heads: Sequence[str], rows: Sequence[Sequence[str]], label: str) -> str:
    """A plain table; the first column heads the rows."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' if text else "<td></td>" for text in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(text)}</td>" for text in row[1:])}</tr>'
        for row in rows
    )
    return _scroll(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", label)
