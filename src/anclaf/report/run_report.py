"""The report of a run: one page with its tables and pictures, and the tables in Markdown and LaTeX beside it."""

from pathlib import Path

from anclaf.core.arguments import checked
from anclaf.core.errors import RunError
from anclaf.core.progress import Progress, silent
from anclaf.core.words import fold_words
from anclaf.experiment.evaluate import EvaluationFolder
from anclaf.experiment.run_folder import RunFolder
from anclaf.metrics.regression import METRICS
from anclaf.report.evaluation_report import write_evaluation
from anclaf.report.page import Page
from anclaf.report.sections import (
    attention,
    corpus,
    curves,
    people,
    quadrants,
    results,
    summary,
    window,
)
from anclaf.report.tables import results_table


@checked
def write_report(run: Path, out: Path | None = None, progress: Progress = silent) -> Path:
    """Write index.html with its images; table.md and table.tex; all-metrics.md and .tex where there are more metrics.

    Args:
        run: a folder that `anclaf train` or `anclaf evaluate` finished.
        out: where to; RUN/report by default. Files of an earlier report are replaced.

    Returns the path of index.html, which is written last.

    Raises:
        RunError: not a run, no metrics yet, or damaged results.
        OutputError: `out` cannot be written.
    """
    evaluation = EvaluationFolder(Path(run))
    if evaluation.request_file.is_file():
        return write_evaluation(evaluation, out, progress)
    opened = RunFolder.open(Path(run))
    try:
        table = results_table(opened.metrics, opened.name, opened.card)
        whole = results_table(opened.metrics, opened.name, opened.card, METRICS)
        page = Page(
            f"Results on {opened.name}",
            f"Recipe {opened.recipe}, protocol {opened.metrics.get('protocol', 'unknown')}, tested on "
            f"{fold_words(opened.metrics.get('folds') or [])}; corpus fingerprint "
            f"{opened.card.get('fingerprint', 'unknown')}.",
        )
        page.add("summary", "Summary", summary.parts(opened, whole))
        page.add("table", "Results", results.parts(opened, table, whole))
        page.add("people", "Known and new people", people.parts(opened))
        page.add("pairs", "Comparisons", results.comparisons(opened))
        page.add("window", "Window length", window.parts(opened, page))
        if quadrants.judged(opened):
            page.add("quadrants", "Quadrants", quadrants.parts(opened))
        page.add("curves", "Curves", curves.parts(opened, page))
        page.add("attention", "Attention", attention.parts(opened, page))
        page.add("training", "Training", curves.training(opened, page))
        page.add("corpus", "Corpus and settings", corpus.parts(opened))
        page.add("limits", "What was not measured", corpus.limits(opened))
        page.add("use", "Responsible use", corpus.RESPONSIBLE)
    except (KeyError, TypeError) as error:
        raise RunError(f"{run}: its results are incomplete ({error!r}); evaluate the run again") from error
    files = {"table.md": table.markdown(), "table.tex": table.latex()}
    if table.metrics != whole.metrics:
        files |= {"all-metrics.md": whole.markdown(), "all-metrics.tex": whole.latex()}
    return page.write(opened.report if out is None else Path(out), files, progress)
