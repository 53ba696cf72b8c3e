"""The report over a grid of runs: the paper's tables by corpus, the window's length, ablations, seeds, and every run.

A run's corpus, recipe and seed are read from its run.json. A recipe with a `+` in its name is an ablation of the plain
recipe before it: `small+no-quadrant` of `small`.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anclaf.core.errors import RunError
from anclaf.core.progress import Progress, silent
from anclaf.core.words import DASH, counted, fold_words, interval_text, number_text
from anclaf.evaluation.bootstrap import RESAMPLES, Comparison, compare
from anclaf.experiment.run_folder import RunFolder
from anclaf.models.spec import Variant
from anclaf.report.markup import bullets, heading3, link, paragraph, plain_table, results_markup
from anclaf.report.page import Page
from anclaf.report.published import DIMENSIONS
from anclaf.report.run_report import write_report
from anclaf.report.sections import window
from anclaf.report.sections.corpus import RESPONSIBLE
from anclaf.report.tables import PlainTable, ResultsTable, heading, markdown_escape, results_table

_LEADING = (1, 8)
"""Windows of the models by which an ablation is judged: base, and of every other kind (S, SA…) the one of 8 frames."""
_COMPARED = (("valence", "ccc"), ("arousal", "ccc"), ("mean", "ccc"), ("mean", "rmse"))


def write_grid_report(runs: Sequence[Path], out: Path, progress: Progress = silent) -> Path:
    """Write index.html with its images, grid.md and grid.tex; and each run's own report where it has none newer.

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
    ablations = [(_heading(of), _ablation_table(of, cuts)) for of, cuts in grid.ablations()]
    seeds = [(_heading(group[0], seed=False), _seed_table(group)) for group in grid.repeated()]
    page = Page(
        "Results of a grid of runs",
        f"{counted(len(grid.runs), 'finished run')}, {len(unfinished)} unfinished, on {', '.join(grid.corpora())}.",
    )
    page.add("summary", "Runs", _runs(grid, out))
    page.add("tables", "Results", _results(shown, tables))
    page.add("window", "Window length", _windows(shown, page))
    page.add("ablations", "Ablations", _tables(ablations, _ABLATIONS if ablations else "No ablation is finished."))
    page.add("seeds", "Seeds", _tables(seeds, _SEEDS if seeds else "No recipe has two finished seeds."))
    page.add("use", "Responsible use", RESPONSIBLE)
    titled = [*zip(map(_heading, shown), tables, strict=True), *ablations, *seeds]
    markdown = [f"## {markdown_escape(title)}\n\n{table.markdown()}" for title, table in titled]
    return page.write(
        out, {"grid.md": "\n".join(markdown), "grid.tex": "\n".join(table.latex() for _, table in titled)}, progress
    )


_ABLATIONS = (
    "Each ablation against the plain recipe, model by model, on the same test frames, by a paired bootstrap "
    "over people; 95 % intervals in brackets. An interval without 0 in it is a difference; the intervals are not "
    "corrected for multiple comparisons. A dash: the predictions of one of the two are missing, or the score is not "
    "defined."
)
_SEEDS = (
    "Runs that differ in their seed only, which sets the networks' first weights, the order of training and, in the "
    "strict protocol, who is tested in which fold. The range is in brackets."
)


@dataclass(frozen=True)
class Grid:
    """The finished runs, and the folders of the unfinished ones."""

    runs: Sequence[RunFolder]
    unfinished: Sequence[Path]

    def corpora(self) -> list[str]:
        return list(dict.fromkeys(run.name for run in self.ordered()))

    def ordered(self) -> list[RunFolder]:
        """By corpus, recipe and seed."""
        return sorted(self.runs, key=lambda run: (run.name, _tested(run), run.recipe, run.seed))

    def shown(self) -> list[RunFolder]:
        """For each corpus and recipe, with ablations or without, the run of the lowest seed."""
        first: dict[tuple[str, str], RunFolder] = {}
        for run in self.ordered():
            first.setdefault((_tested(run), run.recipe), run)
        return list(first.values())

    def ablations(self) -> list[tuple[RunFolder, list[RunFolder]]]:
        """Each plain run with its ablations on the same corpus and with the same seed, where there are any."""
        pairs = [
            (run, [cut for cut in self.ordered() if _tested(cut) == _tested(run) and _ablates(cut, run)])
            for run in self.ordered()
            if "+" not in run.recipe
        ]
        return [(run, cuts) for run, cuts in pairs if cuts]

    def repeated(self) -> list[list[RunFolder]]:
        """Groups of two runs or more that differ in their seed only."""
        groups: dict[tuple[str, str], list[RunFolder]] = {}
        for run in self.ordered():
            groups.setdefault((_tested(run), run.recipe), []).append(run)
        return [group for group in groups.values() if len(group) > 1]


def _tested(run: RunFolder) -> str:
    """The corpus, by fingerprint because two may have one name, and the protocol."""
    return f"{run.card.get('fingerprint')} {run.metrics.get('protocol')}"


def _ablates(cut: RunFolder, plain: RunFolder) -> bool:
    return cut.recipe.startswith(f"{plain.recipe}+") and cut.seed == plain.seed


def _heading(run: RunFolder, seed: bool = True) -> str:
    return f"Corpus {run.name}, recipe {run.recipe}" + (f", seed {run.seed}" if seed else "")


def _runs(grid: Grid, out: Path) -> Iterable[str]:
    yield paragraph("Each run has a report of its own with figures 2, 3 and 4. The scores here are CCC.")
    heads = ["corpus", "recipe", "seed", "tested", "models", "best model", "valence", "arousal", "mean"]
    rows: list[list[str]] = []
    for run in grid.ordered():
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
    yield '<p>All tables as <a href="grid.md">Markdown</a> and <a href="grid.tex">LaTeX</a>.</p>'
    for run, table in zip(runs, tables, strict=True):
        yield heading3(_heading(run))
        yield results_markup(table)


def _windows(runs: Sequence[RunFolder], page: Page) -> Iterable[str]:
    for i, run in enumerate(runs):
        yield heading3(_heading(run))
        yield from window.parts(run, page, f"window-{i + 1}")


def _tables(tables: Sequence[tuple[str, PlainTable]], words: str) -> Iterable[str]:
    """Tables below an explanation of them."""
    yield paragraph(words)
    for title, table in tables:
        yield heading3(title)
        yield paragraph(table.caption)
        yield plain_table(table.heads, table.rows, table.caption)


def _ablation_table(plain: RunFolder, cuts: Sequence[RunFolder]) -> PlainTable:
    """Differences of the CCC, ablation less plain, on the frames that both tested."""
    rows: list[list[str]] = []
    for cut in cuts:
        shared = [name for name in plain.variants if name in cut.variants]
        for name in [name for name in shared if Variant.recorded(name).n in _LEADING] or shared[-1:]:
            found = _differences(cut, plain, name)
            cells = [_difference_words(found.get((d, m))) for d, m in _COMPARED]
            rows.append([cut.recipe.removeprefix(plain.recipe), name, *cells])
    caption = (
        f"Ablations of recipe {plain.recipe} on corpus {plain.name}, fingerprint {plain.card.get('fingerprint')}, "
        f"protocol {plain.metrics.get('protocol')}, seed {plain.seed}: the ablation's score less the plain recipe's."
    )
    heads = ["ablation", "model", *(f"{heading(metric)} {dimension}" for dimension, metric in _COMPARED)]
    return PlainTable(caption, heads, rows)


def _differences(cut: RunFolder, plain: RunFolder, name: str) -> dict[tuple[str, str], Comparison]:
    a, b = cut.pooled(name), plain.pooled(name)
    if a.empty or b.empty:
        return {}
    found = compare(a, b, plain.scale.middle, int(plain.metrics.get("resamples") or RESAMPLES))
    return {(one.dimension, one.metric): one for one in found}


def _difference_words(found: Comparison | None) -> str:
    """`+0.021 [-0.010, 0.052]`; a dash where the two cannot be compared."""
    return DASH if found is None else f"{found.difference:+z.3f} {interval_text(*found.ci95)}"


def _seed_table(runs: Sequence[RunFolder]) -> PlainTable:
    """Mean, standard deviation and range over the seeds, of the models that every seed has."""
    shared = [name for name in runs[0].variants if all(name in run.variants for run in runs)]
    rows = [[name, *(_spread([run.score(name, d, m) for run in runs]) for d, m in _COMPARED)] for name in shared]
    folds = "; ".join(f"seed {run.seed}: {fold_words(run.metrics.get('folds') or [])}" for run in runs)
    caption = (
        f"Recipe {runs[0].recipe} on corpus {runs[0].name}, fingerprint {runs[0].card.get('fingerprint')}, "
        f"protocol {runs[0].metrics.get('protocol')} ({folds}): mean ± standard deviation over seeds, and the range."
    )
    return PlainTable(caption, ["model", *(f"{heading(m)} {d}" for d, m in _COMPARED)], rows)


def _spread(values: Sequence[float]) -> str:
    if not np.isfinite(values).all():
        return DASH
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    return f"{number_text(mean)} ± {number_text(deviation)} {interval_text(min(values), max(values))}"
