"""The results table, fold by fold and over clips."""

from collections.abc import Iterable

from anclaf.core.words import DASH, count, number, number_text
from anclaf.experiment.run_folder import Run
from anclaf.report.markup import details, plain_table, results_markup
from anclaf.report.published import DIMENSIONS
from anclaf.report.tables import ResultsTable, heading


def parts(run: Run, table: ResultsTable, whole: ResultsTable) -> Iterable[str]:
    yield results_markup(table)
    yield (
        '<p>The same as <a href="table.md">Markdown</a> and <a href="table.tex">LaTeX</a>. '
        "RMSE is in the corpus's own units.</p>"
    )
    if whole.metrics != table.metrics:
        beside = '<p>Also as <a href="all-metrics.md">Markdown</a> and <a href="all-metrics.tex">LaTeX</a>.</p>'
        yield details("All metrics", results_markup(whole) + beside)
    yield details("Fold by fold", _folds_html(run))
    clips = _clips_html(run)
    if clips:
        yield details("Mean over clips instead of over frames", clips)


def _folds_html(run: Run) -> str:
    heads = ["", "fold", "frames", *(f"{heading(m)} {d}" for m in ("ccc", "rmse") for d in DIMENSIONS)]
    rows: list[list[str]] = []
    for name in run.variants:
        for entry in run.metrics["variants"][name].get("folds") or []:
            numbers = [number_text(number((entry.get(d) or {}).get(m))) for m in ("ccc", "rmse") for d in DIMENSIONS]
            rows.append([name, str(entry.get("fold")), count(entry["frames"]) if "frames" in entry else DASH, *numbers])
    return plain_table(heads, rows, "Scores of each fold")


def _clips_html(run: Run) -> str:
    entries = {name: run.metrics["variants"][name].get("per_clip") for name in run.variants}
    heads = ["", *(f"{heading(m)} {d}" for m in ("ccc", "rmse") for d in DIMENSIONS)]
    rows = [
        [name, *(number_text(number((entry.get(d) or {}).get(m))) for m in ("ccc", "rmse") for d in DIMENSIONS)]
        for name, entry in entries.items()
        if entry
    ]
    return plain_table(heads, rows, "Means over clips") if rows else ""
