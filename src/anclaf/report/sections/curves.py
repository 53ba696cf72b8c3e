"""Estimates against the labels through test clips: the paper's figure 2, and the best, middle and worst clip."""

from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.figure import Figure

from anclaf.experiment.run_folder import Run
from anclaf.report.figures.curves import SHORTEST_CLOSE_UP, prediction_curves
from anclaf.report.figures.theme import Theme
from anclaf.report.markup import paragraph
from anclaf.report.page import Page


def parts(run: Run, page: Page) -> Iterable[str]:
    if run.fold is None:
        yield paragraph("No predictions are left in the run's folder, so that no curves can be drawn.")
        return
    leading = [name for name in (run.best(["base"]), run.best(["S"]), run.best(["SA"])) if name is not None]
    names = run.predicted(leading)
    if not names:
        yield paragraph(f"The predictions of {', '.join(leading)} are not in the run's folder.")
        return
    table = run.predictions(run.fold, names)
    lead = names[-1]
    ranked = ranked_clips(table[table["variant"] == lead])
    if not ranked:
        yield paragraph(
            "No test clip has three frames in a row (these are stills), so that there are no curves to draw."
        )
        return
    yield from _figure_2(run, page)
    yield paragraph(
        f"Estimates of {', '.join(names)} against the labels on test clips of fold {run.fold}, the clips chosen by the "
        f"RMSE of {lead} over valence and arousal: its best, its middle and its worst. Scores in the legends are of "
        "that one clip."
    )
    missing = [kind for kind in ("base", "S", "SA") if run.best([kind]) is None]
    if missing:
        yield paragraph(
            f"Not drawn, because not trained: {', '.join(k if k == 'base' else f'{k}-n' for k in missing)}."
        )
    for i, (rank, clip) in enumerate(_places(ranked)):
        yield _curves(run, page, f"curves-{i + 1}", table[table["clip"] == clip], names, f"{rank} for {lead}")


def _figure_2(run: Run, page: Page) -> Iterable[str]:
    """Base and all S-n through the middle clip for the best S-n, of those long enough for a close-up if there are."""
    names = run.predicted([*run.of_kind("base"), *run.of_kind("S")])
    best = run.best(["S"])
    if best not in names:
        return
    assert run.fold is not None
    table = run.predictions(run.fold, names)
    clip = middle_clip(table[table["variant"] == best], SHORTEST_CLOSE_UP)
    yield _curves(
        run, page, "figure-2", table[table["clip"] == clip], names,
        f"the middle one for {best} (compare figure 2 of the paper: without and with a window)",
    )  # fmt: skip


def _curves(run: Run, page: Page, name: str, part: pd.DataFrame, names: Sequence[str], rank: str) -> str:
    clip = part["clip"].iloc[0]
    present = [variant for variant in names if (part["variant"] == variant).any()]

    def draw(theme: Theme) -> Figure:
        return prediction_curves(part, present, run.caption, run.scale.low, run.scale.high, theme)

    alt = f"Valence and arousal through clip {clip}: the labels and the estimates of {', '.join(present)}."
    return page.picture(name, draw, alt, f"Clip {clip}, of the test clips {rank}.")


def ranked_clips(table: pd.DataFrame, shortest: int = 3) -> list[str]:
    """The clips of one model's rows by its RMSE, best first, of those with `shortest` frames or more."""
    squared = (table["valence_hat"] - table["valence"]) ** 2 + (table["arousal_hat"] - table["arousal"]) ** 2
    by_clip = squared.groupby(table["clip"]).agg(["mean", "size"])
    return [str(c) for c in by_clip[by_clip["size"] >= shortest].sort_values("mean", kind="stable").index]


def middle_clip(table: pd.DataFrame, wanted: int) -> str:
    """The middle one by RMSE of the clips with `wanted` frames, or of the longest clips where none has so many."""
    longest = int(table.groupby("clip").size().max())
    ranked = ranked_clips(table, min(wanted, longest))
    return ranked[len(ranked) // 2]


def _places(ranked: Sequence[str]) -> list[tuple[str, str]]:
    places = dict.fromkeys([0, len(ranked) // 2, len(ranked) - 1])
    ranks = ("the best", "the middle one", "the worst")
    return [(rank, ranked[place]) for rank, place in zip(ranks, places, strict=False)]
