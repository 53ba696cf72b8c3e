"""Attention weight against the motion of the landmarks: the paper's section 4.4 as a number.

The paper: "the weights calculated with respect to the associated frames seem to be higher in the presence of changes".
Here, for the test frames of a model that attends (SA-n) whose window is full, with 95 % intervals by bootstrap over
subjects:

- localisation: for each frame t, Spearman's correlation within the window between the weights that t gives to the
  states before it and the motion of the landmarks at those states; then the mean over frames. Ranks within a window
  need no unit and no uniform weight.
- intensity: Spearman's correlation across windows between how concentrated the weights are and how much the face moves.
- place: the share of the weights' variance that how far back a state is explains by itself. Where it is 1 every frame
  looks at the same places, whatever is seen there, and nothing has been attended to.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.bootstrap import RESAMPLES, draws

OFFSETS = (-3, -2, -1, 0, 1, 2, 3)
"""Frames from the state weighted to the motion; above 0 the face moves after it."""

_ALIKE = 1e-6


@dataclass(frozen=True)
class Correlation:
    """Mean of the correlations within windows. low, high: 95 % interval over subjects, NaN for fewer than two."""

    value: float
    low: float
    high: float
    frames: int
    subjects: int

    def to_json(self) -> dict[str, Any]:
        """As in `metrics.json`."""
        return {"value": self.value, "ci95": [self.low, self.high], "frames": self.frames, "subjects": self.subjects}


@dataclass(frozen=True)
class AttentionScores:
    """What is said of one model's weights. by_lag: (K,) mean weight of the state j + 1 frames before.

    beyond_place: localisation after each lag's mean weight is taken off.
    """

    localisation: Correlation
    beyond_place: Correlation
    intensity: Correlation
    place: Correlation
    by_lag: list[float]

    def to_json(self) -> dict[str, Any]:
        """As in `metrics.json`."""
        names = ("localisation", "beyond_place", "intensity", "place")
        return {name: getattr(self, name).to_json() for name in names} | {"by_lag": self.by_lag}


@dataclass(frozen=True)
class Attended:
    """Windows of one model that attends, full ones only.

    weights: (N, K), of the state j + 1 frames before. motion: offset -> (N, K), at those states or so many
    frames after, NaN where it is not known. subjects: (N,).
    """

    weights: NDArray[np.float64]
    motion: dict[int, NDArray[np.float64]]
    subjects: NDArray[np.str_]

    def correlation(self, offset: int = 0, beyond_place: bool = False, resamples: int = RESAMPLES) -> Correlation:
        """beyond_place: each lag's mean weight is taken off first, so that only what differs between windows counts."""
        weights = self.weights
        if beyond_place and len(weights):
            mean = weights.mean(0)
            # what differs by rounding alone is alike, and must not be ranked
            weights = np.where(np.abs(weights - mean) < _ALIKE * mean, 0.0, weights - mean)
        return mean_correlation(within_window(weights, self.motion[offset]), self.subjects, resamples)

    def intensity(self, resamples: int = RESAMPLES) -> Correlation:
        """Of concentration, the sum of the squared weights, and the mean motion at the states, over all windows.

        What differs by rounding alone is alike, so that weights which never change have no correlation.
        """
        concentration = (self.weights**2).sum(1)
        concentration = np.round(concentration / _ALIKE) * _ALIKE
        return rank_correlation(concentration, self.motion[0].mean(1), self.subjects, resamples)

    def scores(self, resamples: int = RESAMPLES) -> AttentionScores:
        return AttentionScores(
            self.correlation(resamples=resamples),
            self.correlation(beyond_place=True, resamples=resamples),
            self.intensity(resamples),
            variance_of_place(self.weights, self.subjects, resamples),
            self.weights.mean(0).tolist() if len(self.weights) else [],
        )


@checked
def landmark_motion(corpus: PreparedCorpus) -> NDArray[np.float64]:
    """(N,) mean over the landmarks of how far each moved on the crop since the frame before, in sides of the crop.

    The crop follows the face, so that this is what the face does and not where the head goes. NaN at a segment's start.
    """
    points = corpus.crop_landmarks.astype(np.float64) / 2
    moved = np.full(len(corpus), np.nan)
    moved[1:] = np.linalg.norm(np.diff(points, axis=0), axis=-1).mean(-1)
    for segment in corpus.segments():
        moved[segment[0]] = np.nan
    return moved


@checked
def attended(
    corpus: PreparedCorpus, parts: Sequence[tuple[pd.DataFrame, NDArray, NDArray]], offsets: Sequence[int] = OFFSETS
) -> Attended:
    """The full windows of one model.

    Args:
        parts: for each fold the model's predictions, its (N, K) weights, and its rows in the corpus.
    """
    motion = landmark_motion(corpus)
    segment_of = np.empty(len(corpus), np.int64)
    for number, segment in enumerate(corpus.segments()):
        segment_of[segment] = number
    weights = np.concatenate([part[1] for part in parts]).astype(np.float64)
    row = np.concatenate([part[2] for part in parts])
    subjects = np.concatenate([part[0]["subject"].to_numpy(str) for part in parts])
    full = np.isfinite(weights).all(1)
    weights, row, subjects = weights[full], row[full], subjects[full]
    states = row[:, None] - 1 - np.arange(weights.shape[1])
    found: dict[int, NDArray[np.float64]] = {}
    for offset in offsets:
        at = states + offset
        inside = (at >= 0) & (at < len(corpus))
        at = np.where(inside, at, 0)
        found[offset] = np.where(inside & (segment_of[at] == segment_of[row][:, None]), motion[at], np.nan)
    return Attended(weights, found, subjects)


def within_window(weights: NDArray[np.floating], motion: NDArray[np.floating]) -> NDArray[np.float64]:
    """Spearman's correlation of each row, (N, K) and (N, K) -> (N,).

    NaN where a value is missing, where either side is constant, and everywhere for fewer than two states.
    """
    out = np.full(len(weights), np.nan)
    known = np.isfinite(weights).all(1) & np.isfinite(motion).all(1)
    if weights.shape[1] < 2 or not known.any():
        return out
    a, b = (pd.DataFrame(side[known]).rank(axis=1).to_numpy() for side in (weights, motion))
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    scale = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    out[known] = np.divide((a * b).sum(1), scale, out=np.full(len(a), np.nan), where=scale > 0)
    return out


def mean_correlation(
    values: NDArray[np.floating], subjects: NDArray, resamples: int = RESAMPLES, seed: int = 0
) -> Correlation:
    """Mean of the values that there are, people drawn again with replacement for the interval."""
    known = np.isfinite(values)
    if not known.any():
        return Correlation(np.nan, np.nan, np.nan, 0, 0)
    return _resampled(values[known, None], subjects[known], lambda mean: mean[..., 0], resamples, seed)


def rank_correlation(
    a: NDArray[np.floating], b: NDArray[np.floating], subjects: NDArray, resamples: int = RESAMPLES, seed: int = 0
) -> Correlation:
    """Spearman's correlation of (N,) and (N,) where both are known, people drawn again for the interval.

    Ranks are those among all; NaN where either side is constant.
    """
    known = np.isfinite(a) & np.isfinite(b)
    if not known.any():
        return Correlation(np.nan, np.nan, np.nan, 0, 0)
    x, y = ((rank - rank.mean()) / len(rank) for rank in (pd.Series(side[known]).rank().to_numpy() for side in (a, b)))

    def correlation(mean: NDArray[np.float64]) -> NDArray[np.float64]:
        mx, my, xx, yy, xy = np.moveaxis(mean, -1, 0)
        return _ratio(xy - mx * my, np.sqrt((xx - mx**2).clip(0) * (yy - my**2).clip(0)))

    return _resampled(np.stack([x, y, x * x, y * y, x * y], 1), subjects[known], correlation, resamples, seed)


def variance_of_place(
    weights: NDArray[np.floating], subjects: NDArray, resamples: int = RESAMPLES, seed: int = 0
) -> Correlation:
    """R² of (N, K) weights on the place: 1 where each place has one weight, 0 where no place has more than another.

    NaN where all weights are alike, and for fewer than two states, between which there is nothing to choose.
    """
    count = weights.shape[1]
    if count < 2 or not len(weights):
        return Correlation(np.nan, np.nan, np.nan, 0, 0)
    centred = weights - weights.mean()  # 1 / K where rows sum to 1

    def share(mean: NDArray[np.float64]) -> NDArray[np.float64]:
        return _ratio((mean[..., :count] ** 2).sum(-1), mean[..., count])

    sums = np.concatenate([centred, (centred**2).sum(1, keepdims=True)], 1)
    return _resampled(sums, subjects, share, resamples, seed)


def _resampled(
    rows: NDArray[np.floating],
    subjects: NDArray,
    score: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    resamples: int,
    seed: int,
) -> Correlation:
    """A score of the mean of the rows (N, M), people drawn again with replacement for the interval.

    score: (..., M) means -> (...).
    """
    names, who = np.unique(subjects, return_inverse=True)
    total, frames = np.zeros((len(names), rows.shape[1])), np.bincount(who)
    np.add.at(total, who, rows)
    low = high = np.nan
    value = float(score(total.sum(0) / len(rows)))
    if len(names) > 1 and np.isfinite(value):
        counts = draws(len(names), resamples, seed)
        drawn = score((counts @ total) / (counts @ frames)[:, None])
        # a resample in which nothing varies has no correlation; it is left out
        low, high = np.percentile(drawn[np.isfinite(drawn)], [2.5, 97.5]).tolist()
    return Correlation(value, low, high, len(rows) if np.isfinite(value) else 0, len(names))


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where what is divided by is 0 but for rounding."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > _ALIKE**2)
