"""Losses and validation scores."""

from collections.abc import Iterable

from anclaf.experiment.run_folder import Run
from anclaf.report.figures.losses import loss_curves
from anclaf.report.markup import paragraph
from anclaf.report.page import Page


def parts(run: Run, page: Page) -> Iterable[str]:
    histories = run.histories() if run.fold is not None else {}
    if not histories:
        yield paragraph("No history.csv is in the run's folder, so that no losses can be drawn.")
        return
    lacking = [name for name in run.variants if name not in histories]
    if lacking:
        yield paragraph(f"Without a history.csv, and so left out: {', '.join(lacking)}.")
    yield page.picture(
        "losses",
        lambda theme: loss_curves(histories, run.caption, theme),
        f"Losses in training and scores in validation of {', '.join(histories)} over the training steps.",
        f"Losses and validation scores over the steps of fold {run.fold}; numbers in the legends are the last values. "
        "The weights kept are "
        "those of the best validation score, not the last ones.",
    )
