"""Scores of one model as `metrics.json` has them: dimension -> metric -> value, with intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.evaluation.bootstrap import RESAMPLES, Repeats, Scores, draws, intervals, training_share


def values_of(
    rows: Sequence[pd.DataFrame], middle: float, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Dimension -> metric -> mean over the seeds, with `ci95` and, of several seeds, `training_share`.

    Args:
        rows: predictions of the same frames, a table for each seed.
    """
    repeats = Repeats.of(rows, "subject", middle)
    found = mean_values(repeats.scores())
    for dimension, of in intervals(repeats, resamples, seed).items():
        found[dimension]["ci95"] = of
    if len(rows) > 1:
        whole, resampled = repeats.scores(), repeats.scores(draws(repeats.groups, resamples, seed))
        for dimension, of in whole.items():
            shares = {m: training_share(value, resampled[dimension][m]) for m, value in of.items()}
            found[dimension]["training_share"] = shares
    return found


def plain_values(rows: Sequence[pd.DataFrame], middle: float) -> dict[str, dict[str, Any]]:
    """As `values_of`, without intervals."""
    return mean_values(Repeats.of(rows, "subject", middle).scores())


def clip_values(rows: Sequence[pd.DataFrame], middle: float) -> dict[str, Any]:
    """The mean over clips, a clip counting only where the metric is defined; and how many clips there are."""
    clips = Repeats.of(rows, "clip", middle)
    each = [one.scores_per_group() for one in clips.seeds]
    per_seed = [{d: {m: _mean(v) for m, v in of.items()} for d, of in one.items()} for one in each]
    means = {d: {m: float(np.mean([one[d][m] for one in per_seed])) for m in of} for d, of in per_seed[0].items()}
    return means | {"clips": clips.groups}


def mean_values(scores: Scores) -> dict[str, dict[str, Any]]:
    """Of values (S,) with each seed, the mean."""
    return {
        dimension: {metric: float(np.mean(value)) for metric, value in of.items()} for dimension, of in scores.items()
    }


def _mean(values: NDArray[np.float64]) -> float:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else np.nan
