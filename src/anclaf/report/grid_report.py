"""The report over a grid of runs: the paper's tables by corpus, the window's length, recipes, seeds, and every run."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from anclaf.core.arguments import checked
from anclaf.core.errors import RunError
from anclaf.core.files import json_text
from anclaf.core.progress import Progress, silent
from anclaf.core.words import counted, fold_words, number_text
from anclaf.experiment.run_folder import RunFolder
from anclaf.report.grid import Grid, heading_of
from anclaf.report.markup import bullets, heading3, link, paragraph, plain_table, results_markup, table_markup
from anclaf.report.page import Page
from anclaf.report.published import DIMENSIONS
from anclaf.report.run_report import write_report
from anclaf.report.sections import controls, people, quadrants, results, window
from anclaf.report.sections.corpus import RESPONSIBLE
from anclaf.report.sections.differences import Difference, difference_table, differences, validation_table
from anclaf.report.sections.seeds import share_table, spread_table
from anclaf.report.tables import PlainTable, ResultsTable, markdown_escape, results_table

Titled = tuple[str, PlainTable]


@checked
def write_grid_report(runs: Sequence[Path], out: Path, progress: Progress = silent) -> Path:
    """Write index.html with its images, grid.md, grid.tex and grid-metrics.json; and each run's own report where it has
    none newer.

    Args:
        runs: run folders, in any order; those without metrics.json yet are listed as unfinished.
        out: where to. Files of an earlier report are replaced.

    Returns the path of index.html, which is written last.

    Raises:
        RunError: no run is finished, or one is damaged.
        OutputError: `out` cannot be written.
    """
    finished = [path for path in runs if RunFolder(path).metrics_file.is_file()]
    unfinished = [path for path in runs if path not in finished]
    if not finished:
        raise RunError(f"none of {counted(len(runs), 'run')} has a metrics.json yet; let the grid finish one")
    grid = Grid([RunFolder.open(path) for path in finished], unfinished)
    for run in grid.runs:
        index = run.report / "index.html"
        if not index.is_file() or index.stat().st_mtime < run.metrics_file.stat().st_mtime:
            write_report(run.path, progress=progress)
    shown = grid.shown()
    tables = [results_table(run.metrics, run.name, run.card) for run in shown]
    beside = _of_runs(shown, results.fold_means, people.beside, lambda run: controls.contrast_table(run.metrics))
    judged = _of_runs(shown, quadrants.table)
    cut = [[(of, plain) for of in cuts] for plain, cuts in grid.ablations()]
    rival = [[pair] for pair in grid.rivals()]
    on_test, on_validation = ([differences(pairs, part) for pairs in cut + rival] for part in ("test", "validation"))
    on_validation = [group for group in on_validation if any(one.found for one in group)]
    ablations = _differences(on_test[: len(cut)], difference_table)
    recipes = _differences(on_test[len(cut) :], difference_table)
    choices = _of_runs(shown, people.validation) + _differences(on_validation, validation_table)
    seeds = [(heading_of(group[0], seed=False), spread_table(group)) for group in grid.repeated()]
    seeds += _of_runs(grid.groups, share_table)
    page = Page(
        "Results of a grid of runs",
        f"{counted(len(grid.runs), 'finished run')}, {len(unfinished)} unfinished, on {', '.join(grid.corpora())}.",
    )
    page.add("summary", "Runs", _runs(grid, out))
    page.add("tables", "Results", _results(shown, tables))
    page.add("people", "Known and new people", _people(shown))
    page.add("pairs", "Comparisons", _pairs([run for run in shown if len(run.seeds) > 1]))
    page.add("window", "Window length", _windows(shown, page))
    page.add("quadrants", "Quadrants", _tables(judged, quadrants.SAID) if judged else ())
    page.add("ablations", "Ablations", _tables(ablations, _PAIRED if ablations else "No ablation is finished."))
    page.add("recipes", "Recipes", _tables(recipes, _PAIRED) if recipes else ())
    page.add("validation", "What validation can tell", _tables(choices, _VALIDATION) if choices else ())
    page.add("seeds", "Seeds", _tables(seeds, _SEEDS if seeds else "No recipe has two finished seeds."))
    page.add("use", "Responsible use", RESPONSIBLE)
    titled = [
        *zip(map(heading_of, shown), tables, strict=True),
        *beside,
        *judged,
        *ablations,
        *recipes,
        *choices,
        *seeds,
    ]
    markdown = [f"## {markdown_escape(title)}\n\n{table.markdown()}" for title, table in titled]
    files = {
        "grid.md": "\n".join(markdown),
        "grid.tex": "\n".join(table.latex() for _, table in titled),
        "grid-metrics.json": json_text(_numbers(shown, [*on_test, *on_validation])),
    }
    return page.write(out, files, progress)


_PAIRED = (
    "Model by model, on the same test frames and by the same seeds, by a paired bootstrap over people (and seeds, "
    "where there are several); 95 % intervals in brackets. An interval without 0 in it is a difference; the intervals "
    "are not corrected for multiple comparisons. A dash: the predictions of one of the two are missing, or the score "
    "is not defined."
)
_VALIDATION = (
    "Checkpoints, and recipes too if one chooses well, are chosen by validation people. A choice between two is no "
    "better than the interval of their difference is narrow."
)
_SEEDS = (
    "Runs that differ in their seed only, which sets the networks' first weights, the order of training and every "
    "random change; the range is in brackets."
)


def _of_runs(runs: Iterable[RunFolder], *make: Callable[[RunFolder], PlainTable | None]) -> list[Titled]:
    """The tables that these functions make of each run, under its heading."""
    made = [(heading_of(run), one(run)) for run in runs for one in make]
    return [(title, table) for title, table in made if table is not None]


def _differences(found: Iterable[list[Difference]], make: Callable[[list[Difference]], PlainTable]) -> list[Titled]:
    return [(heading_of(group[0].less), make(group)) for group in found if group]


def _numbers(shown: Sequence[RunFolder], found: Sequence[Sequence[Difference]]) -> dict[str, object]:
    """What grid-metrics.json holds."""
    groups = [
        {"recipe": run.recipe, "seeds": run.seeds, "fold_seed": run.fold_seed} | dict(run.metrics) for run in shown
    ]
    return {"groups": groups, "differences": [one.to_json() for group in found for one in group]}


def _runs(grid: Grid, out: Path) -> Iterable[str]:
    yield paragraph("Each run has a report of its own with figures 2, 3 and 4. The scores here are CCC.")
    heads = ["corpus", "recipe", "seed", "tested", "models", "best model", "valence", "arousal", "mean"]
    rows: list[list[str]] = []
    for run in grid.ordered:
        best = run.best()
        assert best is not None, "metrics.json has a variant"
        to = _relative(run.report / "index.html", out)
        scores = [number_text(run.score(best, dimension, "ccc")) for dimension in DIMENSIONS]
        folds = fold_words(run.metrics.get("folds") or [])
        rows.append([link(run.name, to), run.recipe, str(run.seed), folds, str(len(run.variants)), best, *scores])
    yield plain_table(heads, rows, "Runs")
    if grid.unfinished:
        yield paragraph("Unfinished, and in no table:")
        yield bullets(_relative(path, out) for path in grid.unfinished)


def _relative(path: Path, out: Path) -> str:
    return Path(os.path.relpath(path, out)).as_posix()


def _results(runs: Sequence[RunFolder], tables: Sequence[ResultsTable]) -> Iterable[str]:
    yield (
        '<p>All tables as <a href="grid.md">Markdown</a> and <a href="grid.tex">LaTeX</a>; the numbers as '
        '<a href="grid-metrics.json">JSON</a>.</p>'
    )
    for run, table in zip(runs, tables, strict=True):
        yield heading3(heading_of(run))
        yield results_markup(table)
        yield from results.fold_means_markup(run)


def _people(runs: Sequence[RunFolder]) -> Iterable[str]:
    for run in runs:
        table = people.beside(run)
        if table is not None:
            yield heading3(heading_of(run))
            yield bullets(people.parting(run))
            yield paragraph(table.caption)
            yield table_markup(table)


def _pairs(groups: Sequence[RunFolder]) -> Iterable[str]:
    for group in groups:
        yield heading3(heading_of(group))
        yield from results.comparisons(group)


def _windows(runs: Sequence[RunFolder], page: Page) -> Iterable[str]:
    for i, run in enumerate(runs):
        yield heading3(heading_of(run))
        yield from window.parts(run, page, f"window-{i + 1}")


def _tables(tables: Sequence[Titled], words: str) -> Iterable[str]:
    """Tables below an explanation of them."""
    yield paragraph(words)
    for title, table in tables:
        yield heading3(title)
        yield paragraph(table.caption)
        yield table_markup(table)
