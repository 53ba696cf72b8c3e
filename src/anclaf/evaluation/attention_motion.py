"""Attention weight against the motion of the landmarks: the paper's section 4.4 as a number.

The paper: "the weights calculated with respect to the associated frames seem to be higher in the presence of changes".
Here, for each test frame t of a model that attends (SA-n) whose window is full, Spearman's correlation within the
window between the n - 1 weights that t gives to the states before it and the motion of the landmarks at those states;
then the mean over frames, with a 95 % interval by bootstrap over subjects. Ranks within a window need no unit and no
uniform weight.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

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


@dataclass(frozen=True)
class Attended:
    """Windows of one model that attends, full ones only.

    weights: (N, n - 1), of the state j + 1 frames before. motion: offset -> (N, n - 1), at those states or so many
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


def attended(
    corpus: PreparedCorpus, parts: Sequence[tuple[pd.DataFrame, NDArray, NDArray]], offsets: Sequence[int] = OFFSETS
) -> Attended:
    """The full windows of one model.

    Args:
        parts: for each fold the model's predictions, its (N, n - 1) weights, and its rows in the corpus.
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
    a, b = (rankdata(side[known], axis=1) for side in (weights, motion))
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
    names, who = np.unique(subjects[known], return_inverse=True)
    total, frames = np.bincount(who, values[known]), np.bincount(who)
    low = high = np.nan
    if len(names) > 1:
        counts = draws(len(names), resamples, seed)
        low, high = np.percentile((counts @ total) / (counts @ frames), [2.5, 97.5]).tolist()
    return Correlation(float(values[known].mean()), low, high, int(known.sum()), len(names))
