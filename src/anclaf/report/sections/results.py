"""The results table, fold by fold and over clips; and the paired comparisons."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anclaf.core.words import DASH, DIGITS, count, interval_text, number, number_text, percent_text
from anclaf.experiment.run_folder import RunFolder
from anclaf.models.spec import Variant
from anclaf.report.markup import bullets, details, paragraph, plain_table, results_markup, table_markup
from anclaf.report.published import DIMENSIONS, apart_for
from anclaf.report.sections import controls
from anclaf.report.tables import LOWER_IS_BETTER, PlainTable, ResultsTable, heading, paper_table


def parts(run: RunFolder, table: ResultsTable, whole: ResultsTable) -> Iterable[str]:
    yield results_markup(table)
    yield (
        '<p>The same as <a href="table.md">Markdown</a> and <a href="table.tex">LaTeX</a>. '
        "RMSE is in the corpus's own units.</p>"
    )
    apart = apart_for(run.card)
    if apart is not None:
        title = f"Table {apart.number} of the paper ({apart.database}), which may not be of this corpus"
        yield details(title, results_markup(paper_table(apart, table.protocol)))
    if whole.metrics != table.metrics:
        beside = '<p>Also as <a href="all-metrics.md">Markdown</a> and <a href="all-metrics.tex">LaTeX</a>.</p>'
        yield details("All metrics", results_markup(whole) + beside)
    yield from fold_means_markup(run)
    yield details("Fold by fold", _folds_html(run))
    whole_frames = _all_frames_html(run)
    if whole_frames:
        yield details("Each model on all frames that it estimates", whole_frames)
    clips = _clips_html(run)
    if clips:
        yield details("Mean over clips instead of over frames", clips)


def fold_means(run: RunFolder) -> PlainTable | None:
    """CCC pooled over folds beside the mean of the folds', as the paper's authors average them; None of one fold."""
    if len(run.metrics.get("folds") or []) < 2:
        return None
    entries = run.metrics["variants"] | run.metrics["comparators"]
    rows: list[list[str]] = []
    for name, entry in entries.items():
        cells: list[str] = []
        for dimension in DIMENSIONS:
            of_folds = [number((fold.get(dimension) or {}).get("ccc")) for fold in entry.get("folds") or []]
            mean = sum(of_folds) / len(of_folds) if of_folds else math.nan
            cells += [number_text(number((entry.get(dimension) or {}).get("ccc"))), number_text(mean)]
        rows.append([str(entry.get("label", name)), *cells])
    caption = (
        "CCC of the frames of all folds pooled, as in the table above, and the mean over the folds of each fold's, as "
        "the paper's authors give it. Folds differ in whose labels they have, which a mean of folds does not see."
    )
    return PlainTable(caption, ["", *(f"{d}, {how}" for d in DIMENSIONS for how in ("pooled", "mean of folds"))], rows)


def fold_means_markup(run: RunFolder) -> Iterable[str]:
    """The same as markup; with one fold, that the two are the same."""
    table = fold_means(run)
    if table is None:
        yield paragraph("One fold was tested: the scores are pooled ones and means of folds in one.")
        return
    yield paragraph(table.caption)
    yield table_markup(table)


def _all_frames_html(run: RunFolder) -> str:
    """Where tables are of the frames that all models have, what a model scores on all of its own."""
    entries = run.metrics["variants"] | run.metrics["comparators"]
    heads = ["", "frames", *(f"{heading(m)} {d}" for m in ("ccc", "rmse") for d in DIMENSIONS)]
    rows = []
    for name, entry in entries.items():
        if whole := entry.get("all_frames"):
            numbers = [number_text(number((whole.get(d) or {}).get(m))) for m in ("ccc", "rmse") for d in DIMENSIONS]
            rows.append([str(entry.get("label", name)), count(whole["frames"]), *numbers])
    return plain_table(heads, rows, "Scores on all frames of each model") if rows else ""


def _folds_html(run: RunFolder) -> str:
    heads = ["", "fold", "frames", *(f"{heading(m)} {d}" for m in ("ccc", "rmse") for d in DIMENSIONS)]
    rows: list[list[str]] = []
    for name in run.variants:
        for entry in run.metrics["variants"][name].get("folds") or []:
            numbers = [number_text(number((entry.get(d) or {}).get(m))) for m in ("ccc", "rmse") for d in DIMENSIONS]
            rows.append([name, str(entry.get("fold")), count(entry["frames"]) if "frames" in entry else DASH, *numbers])
    return plain_table(heads, rows, "Scores of each fold")


def _clips_html(run: RunFolder) -> str:
    entries = {name: run.metrics["variants"][name].get("per_clip") for name in run.variants}
    heads = ["", *(f"{heading(m)} {d}" for m in ("ccc", "rmse") for d in DIMENSIONS)]
    rows = [
        [name, *(number_text(number((entry.get(d) or {}).get(m))) for m in ("ccc", "rmse") for d in DIMENSIONS)]
        for name, entry in entries.items()
        if entry
    ]
    return plain_table(heads, rows, "Means over clips") if rows else ""


def comparisons(run: RunFolder) -> Iterable[str]:
    pairs = list(run.metrics.get("paired") or [])
    if not pairs:
        yield paragraph("This run has no paired comparisons: they need two models.")
        return
    yield paragraph(
        "Two models are compared on the same test frames, by a paired bootstrap over people. The difference is the "
        "first model's score less the second one's. The p-values are not corrected for multiple comparisons."
        + (_SEVERAL if len(run.seeds) > 1 else "")
    )
    yield from controls.parts(run.metrics)
    eight = {name for name in run.variants if Variant.recorded(name).n == 8}
    leading_names = {"base", *eight, *map(run.best, run.kinds)}
    leading = [pair for pair in pairs if pair["metric"] == "ccc" and {pair["a"], pair["b"]} <= leading_names]
    yield bullets(comparison_words(pair) for pair in leading or pairs[:6])
    yield all_pairs(pairs, len(run.seeds) > 1)


def all_pairs(pairs: Sequence[Mapping[str, Any]], several: bool = False) -> str:
    """Every comparison, folded up. several: over several seeds."""
    rows = [
        [
            f"{pair['a']} − {pair['b']}",
            str(pair["dimension"]),
            heading(str(pair["metric"])),
            f"{number(pair['difference']):+.3f}" if math.isfinite(number(pair["difference"])) else DASH,
            interval_text(*bounds(pair)) or DASH,
            DASH if not math.isfinite(number(pair.get("p"))) else f"{number(pair['p']):.3f}",
            *([percent_text(pair.get("training_share"))] if several else []),
        ]
        for pair in pairs
    ]
    heads = ["", "dimension", "metric", "difference", "95 % interval", "p"]
    heads += ["training"] if several else []
    return details(f"All {len(pairs)} comparisons", plain_table(heads, rows, "Paired comparisons"))


_SEVERAL = (
    " Differences are means over the seeds, each model against the other of the same seed; intervals are over people "
    "and seeds together. Under training: its part of the variance of one training's difference; the rest is people's."
)


def bounds(pair: Mapping[str, Any]) -> tuple[float, float]:
    """The 95 % interval of an entry of `paired`."""
    low, high = pair.get("ci95") or (None, None)
    return number(low), number(high)


def comparison_words(pair: Mapping[str, Any]) -> str:
    """An entry of metrics.json's `paired`, difference = a - b, as a sentence."""
    difference, (low, high) = number(pair["difference"]), bounds(pair)
    what = f"{pair['dimension']} {str(pair['metric']).upper()}"
    if not math.isfinite(difference):
        return f"{pair['a']} and {pair['b']} cannot be compared by {what}: it is not defined for one of them."
    numbers = f"{difference:+z.{DIGITS}f} {interval_text(low, high)}".strip() + _p_text(number(pair.get("p")))
    if not (low > 0 or high < 0):
        return f"Between {pair['a']} and {pair['b']} no difference is shown in {what} ({numbers})."
    better = (difference < 0) == (pair["metric"] in LOWER_IS_BETTER)
    return f"{pair['a']} is {'better' if better else 'worse'} than {pair['b']} in {what} ({numbers})."


def _p_text(p: float) -> str:
    """`, p = 0.012`; `, p < 0.001`; nothing where there is none."""
    if not math.isfinite(p):
        return ""
    return ", p < 0.001" if p < 0.001 else f", p = {p:.3f}"
