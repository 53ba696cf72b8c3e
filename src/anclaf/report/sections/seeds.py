"""What training alone does to a score: its spread over seeds, and its part of the variance."""

from collections.abc import Sequence

import numpy as np

from anclaf.core.words import DASH, fold_words, interval_text, number_text, percent_text
from anclaf.experiment.run_folder import RunFolder
from anclaf.report.published import DIMENSIONS
from anclaf.report.sections.differences import COMPARED
from anclaf.report.tables import PlainTable, heading


def spread_table(runs: Sequence[RunFolder]) -> PlainTable:
    """Mean, standard deviation and range over the seeds, of the models that every seed has."""
    shared = [name for name in runs[0].variants if all(name in run.variants for run in runs)]
    rows = [[name, *(_spread([run.score(name, d, m) for run in runs]) for d, m in COMPARED)] for name in shared]
    folds = "; ".join(f"seed {run.seed}: {fold_words(run.metrics.get('folds') or [])}" for run in runs)
    caption = (
        f"Recipe {runs[0].recipe} on corpus {runs[0].name}, fingerprint {runs[0].card.get('fingerprint')}, "
        f"protocol {runs[0].metrics.get('protocol')} ({folds}): mean ± standard deviation over seeds, and the range."
    )
    if len({run.fold_seed for run in runs}) > 1:
        caption += " Who is in which fold differs too."
    return PlainTable(caption, ["model", *(f"{heading(m)} {d}" for d, m in COMPARED)], rows)


def _spread(values: Sequence[float]) -> str:
    if not np.isfinite(values).all():
        return DASH
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    return f"{number_text(mean)} ± {number_text(deviation)} {interval_text(min(values), max(values))}"


def share_table(group: RunFolder) -> PlainTable | None:
    """Training's part of the variance of each row's CCC; None of one seed."""
    if len(group.seeds) < 2:
        return None
    entries = group.metrics["variants"] | group.metrics["comparators"]
    rows = [
        [
            str(entry.get("label", name)),
            *(percent_text((entry[d].get("training_share") or {}).get("ccc")) for d in DIMENSIONS),
        ]
        for name, entry in entries.items()
    ]
    caption = (
        f"Training's part of the variance of one run's CCC, from {len(group.seeds)} seeds: the variance between seeds "
        "on the same people, against that between resamples of the people with one seed. The rest is who was tested. "
        f"In the mean over the seeds, training's variance is {len(group.seeds)} times smaller. From few seeds this is "
        "a rough number."
    )
    return PlainTable(caption, ["", *DIMENSIONS], rows)
