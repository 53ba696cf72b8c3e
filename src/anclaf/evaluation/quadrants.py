"""What D's Q is worth on people it has seen and on others, beside the prior's: from tables to `metrics.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.core.labels import QUADRANTS, label_quadrant
from anclaf.data.store import PreparedCorpus
from anclaf.metrics.classification import QuadrantScores

PROBABILITIES = tuple(f"q{i + 1}" for i in range(len(QUADRANTS)))
"""Columns of Q, in the order of `QUADRANTS`."""
COLUMNS = ("part", "clip", "subject", "frame", "quadrant", *PROBABILITIES)
"""Of `quadrants.parquet`. part: test, train or validation. quadrant: of the label, an index into `QUADRANTS`."""
PARTS = ("test", "validation", "train")
SCORES = ("accuracy", "balanced_accuracy", "cross_entropy")
"""Of `QuadrantScores`, but for the number of frames."""


def quadrant_table(corpus: PreparedCorpus, rows: NDArray[np.int64], q: NDArray[np.floating]) -> pd.DataFrame:
    """Q (N, 4) of rows of a corpus beside the quadrant of each row's label: all of `COLUMNS` but `part`."""
    table = corpus.index.iloc[rows][["clip", "subject", "frame"]].reset_index(drop=True)
    table["quadrant"] = label_quadrant(*corpus.targets[rows].T)
    return table.assign(**dict(zip(PROBABILITIES, q.T, strict=True)))


def quadrant_scores(tables: Mapping[int, pd.DataFrame]) -> dict[str, Any]:
    """What `metrics.json` says of Q: part -> its scores over all folds' frames, `prior`, and `folds`.

    `prior` has the scores of one constant for each fold: how often its training frames are in each quadrant.

    Args:
        tables: fold -> a table with `COLUMNS`. Parts without frames are left out.
    """
    found: dict[str, Any] = {}
    for part in PARTS:
        rows = {fold: table[table["part"] == part] for fold, table in tables.items()}
        rows = {fold: table for fold, table in rows.items() if len(table)}
        if not rows:
            continue
        priors = {fold: np.tile(_prior(tables[fold]), (len(table), 1)) for fold, table in rows.items()}
        pooled, prior = pd.concat(rows.values()), np.concatenate(list(priors.values()))
        found[part] = _scores(pooled, prior) | {
            "subjects": pooled["subject"].nunique(),
            "folds": [{"fold": fold} | _scores(table, priors[fold]) for fold, table in rows.items()],
        }
    return found


def mean_over_seeds(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """As `quadrant_scores` gives it, without `folds`: the mean of each score over runs of the same frames.

    Args:
        runs: `quadrant_scores` of each seed. A part that one of them lacks is left out.
    """
    parts = [part for part in PARTS if runs and all(part in run for run in runs)]
    return {part: _mean([run[part] for run in runs]) | {"subjects": runs[0][part]["subjects"]} for part in parts}


def _mean(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found = {name: float(np.mean([one[name] for one in scores])) for name in SCORES}
    prior = {name: float(np.mean([one["prior"][name] for one in scores])) for name in SCORES}
    return found | {"frames": scores[0]["frames"], "prior": prior | {"frames": scores[0]["frames"]}}


def _prior(table: pd.DataFrame) -> NDArray[np.float64]:
    """(4,) how often the training frames of a fold are in each quadrant."""
    counts = np.bincount(table.loc[table["part"] == "train", "quadrant"], minlength=len(QUADRANTS))
    return counts / counts.sum()


def _scores(table: pd.DataFrame, prior: NDArray[np.float64]) -> dict[str, Any]:
    label = table["quadrant"].to_numpy()
    own = QuadrantScores.of(table[list(PROBABILITIES)].to_numpy(), label)
    return asdict(own) | {"prior": asdict(QuadrantScores.of(prior, label))}
