"""Curves: estimates against the labels through test clips (the paper's figure 2); losses over the training steps."""

from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.figure import Figure

from anclaf.experiment.run_folder import RunFolder
from anclaf.report.figures.curves import SHORTEST_CLOSE_UP, prediction_curves
from anclaf.report.figures.losses import loss_curves
from anclaf.report.figures.theme import Theme
from anclaf.report.markup import paragraph
from anclaf.report.page import Page


def parts(run: RunFolder, page: Page) -> Iterable[str]:
    if run.fold is None:
        yield paragraph("The run's folder has no predictions, so no curves can be drawn.")
        return
    leading = [name for name in map(run.best, run.kinds) if name is not None]
    names = run.predicted(leading)
    if not names:
        yield paragraph(f"The predictions of {', '.join(leading)} are not in the run's folder.")
        return
    table = run.predictions(run.fold, names)
    lead = names[-1]
    ranked = ranked_clips(table[table["variant"] == lead])
    if not ranked:
        yield paragraph("No test clip has three frames in a row (these are stills), so there are no curves to draw.")
        return
    yield from _figure_2(run, page)
    yield paragraph(
        f"Estimates of {', '.join(names)} against the labels on three test clips of fold {run.fold}: those with "
        f"the lowest, the median and the highest RMSE of {lead} over valence and arousal. Scores in the legends are "
        "of that one clip."
    )
    missing = [kind for kind in ("base", "S", "SA") if kind not in run.kinds]
    if missing:
        yield paragraph(
            f"Not drawn, because not trained: {', '.join(k if k == 'base' else f'{k}-n' for k in missing)}."
        )
    for i, (rank, clip) in enumerate(_best_middle_worst(ranked)):
        yield _curves(run, page, f"curves-{i + 1}", table[table["clip"] == clip], names, f"{rank} for {lead}")


def _figure_2(run: RunFolder, page: Page) -> Iterable[str]:
    """Base and all S-n through the middle clip of the best S-n, among clips long enough for a close-up if there are."""
    names = run.predicted([*run.of_kind("base"), *run.of_kind("S")])
    best = run.best("S")
    if best not in names:
        return
    assert run.fold is not None
    table = run.predictions(run.fold, names)
    clip = middle_clip(table[table["variant"] == best], SHORTEST_CLOSE_UP)
    yield _curves(
        run, page, "figure-2", table[table["clip"] == clip], names,
        f"the middle one for {best} (compare figure 2 of the paper: without and with a window)",
    )  # fmt: skip


def _curves(run: RunFolder, page: Page, name: str, part: pd.DataFrame, names: Sequence[str], rank: str) -> str:
    clip = part["clip"].iloc[0]
    present = [variant for variant in names if (part["variant"] == variant).any()]

    def draw(theme: Theme) -> Figure:
        return prediction_curves(part, present, run.caption, run.scale.low, run.scale.high, theme)

    alt = f"Valence and arousal through clip {clip}: the labels and the estimates of {', '.join(present)}."
    return page.picture(name, draw, alt, f"Clip {clip}, of the test clips {rank}.")


def ranked_clips(table: pd.DataFrame, shortest: int = 3) -> list[str]:
    """The clips of a model's rows that have `shortest` frames or more, by RMSE, best first."""
    squared = (table["valence_hat"] - table["valence"]) ** 2 + (table["arousal_hat"] - table["arousal"]) ** 2
    by_clip = squared.groupby(table["clip"]).agg(["mean", "size"])
    return [str(c) for c in by_clip[by_clip["size"] >= shortest].sort_values("mean", kind="stable").index]


def middle_clip(table: pd.DataFrame, wanted: int) -> str:
    """The clip of median RMSE among those with `wanted` frames, or among the longest clips where none has so many."""
    longest = int(table.groupby("clip").size().max())
    ranked = ranked_clips(table, min(wanted, longest))
    return ranked[len(ranked) // 2]


def _best_middle_worst(ranked: Sequence[str]) -> list[tuple[str, str]]:
    positions = dict.fromkeys([0, len(ranked) // 2, len(ranked) - 1])
    ranks = ("the best", "the middle one", "the worst")
    return [(rank, ranked[i]) for rank, i in zip(ranks, positions, strict=False)]


def training(run: RunFolder, page: Page) -> Iterable[str]:
    """Losses and validation scores."""
    histories = run.histories() if run.fold is not None else {}
    if not histories:
        yield paragraph("The run's folder has no history.csv, so no losses can be drawn.")
        return
    lacking = [name for name in run.variants if name not in histories]
    if lacking:
        yield paragraph(f"Without a history.csv, and so left out: {', '.join(lacking)}.")
    yield page.picture(
        "losses",
        lambda theme: loss_curves(histories, run.caption, theme),
        f"Losses in training and scores in validation of {', '.join(histories)} over the training steps.",
        f"Losses and validation scores over the steps of fold {run.fold}; numbers in the legends are the last values. "
        "The weights kept are those of the best validation score, not the last ones.",
    )
