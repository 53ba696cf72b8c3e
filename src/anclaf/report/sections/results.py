"""The results table, fold by fold and over clips; and the paired comparisons."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from anclaf.core.words import DASH, DIGITS, count, interval_text, number, number_text
from anclaf.experiment.run_folder import RunFolder
from anclaf.models.spec import Variant
from anclaf.report.markup import bullets, details, paragraph, plain_table, results_markup
from anclaf.report.published import DIMENSIONS, apart_for
from anclaf.report.sections import controls
from anclaf.report.tables import LOWER_IS_BETTER, ResultsTable, heading, paper_table


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
    yield details("Fold by fold", _folds_html(run))
    clips = _clips_html(run)
    if clips:
        yield details("Mean over clips instead of over frames", clips)


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
    )
    yield from controls.parts(run.metrics)
    eight = {name for name in run.variants if Variant.recorded(name).n == 8}
    leading_names = {"base", *eight, *map(run.best, run.kinds)}
    leading = [pair for pair in pairs if pair["metric"] == "ccc" and {pair["a"], pair["b"]} <= leading_names]
    yield bullets(comparison_words(pair) for pair in leading or pairs[:6])
    rows = [
        [
            f"{pair['a']} − {pair['b']}",
            str(pair["dimension"]),
            heading(str(pair["metric"])),
            f"{number(pair['difference']):+.3f}" if math.isfinite(number(pair["difference"])) else DASH,
            interval_text(*bounds(pair)) or DASH,
            DASH if not math.isfinite(number(pair.get("p"))) else f"{number(pair['p']):.3f}",
        ]
        for pair in pairs
    ]
    heads = ["", "dimension", "metric", "difference", "95 % interval", "p"]
    yield details(f"All {len(pairs)} comparisons", plain_table(heads, rows, "Paired comparisons"))


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
