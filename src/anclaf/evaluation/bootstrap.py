"""95 % intervals and paired comparisons by bootstrap over subjects.

Frames of a person resemble each other, so people are resampled, not frames. Every metric follows from a few sums, and
the sums of a resample are the subjects' sums times how often each was drawn: no frame is indexed again.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.metrics.regression import METRICS, Moments

DIMENSIONS = ("valence", "arousal")
RESAMPLES = 1000

Scores = dict[str, dict[str, NDArray[np.float64]]]
"""Dimension (valence, arousal, and mean, the mean of both) -> metric -> value, or (R,) values of resamples."""


@dataclass(frozen=True)
class Sums:
    """Sums over the frames of each group (subject or clip).

    groups: (G,) names, sorted. frames: (G,). totals: (G, 2, 7) by dimension and term, of deviations from `centre` (2,).
    """

    groups: NDArray
    frames: NDArray[np.int64]
    totals: NDArray[np.float64]
    centre: NDArray[np.float64]

    @classmethod
    def of(cls, table: pd.DataFrame, by: str, middle: float) -> "Sums":
        """Sums of a predictions table, grouped by one of its columns.

        Args:
            table: one variant's rows, with the columns valence, arousal, valence_hat, arousal_hat.
            by: `subject` or `clip`.
            middle: of the label scale, for SAGR.
        """
        target = table[list(DIMENSIONS)].to_numpy(np.float64)
        estimate = table[[f"{name}_hat" for name in DIMENSIONS]].to_numpy(np.float64)
        groups, index = np.unique(table[by].to_numpy(str), return_inverse=True)
        centre = target.mean(0)  # sums of squares of values far from zero would lose the variance to rounding
        e, t = estimate - centre, target - centre
        agrees = np.sign(estimate - middle) == np.sign(target - middle)
        terms = np.stack([e, t, e**2, t**2, e * t, (e - t) ** 2, agrees], -1)
        totals = np.zeros((len(groups), *terms.shape[1:]))
        np.add.at(totals, index, terms)
        return cls(groups, np.bincount(index, minlength=len(groups)), totals, centre)

    def moments(self, counts: NDArray | None = None) -> Moments:
        """Moments of the pooled frames, fields (2,); with counts (R, G) of R resamples, fields (R, 2)."""
        counts = np.ones(len(self.groups)) if counts is None else counts
        return _moments(counts @ self.frames, np.tensordot(counts, self.totals, 1))

    def scores(self, counts: NDArray | None = None) -> Scores:
        """Every metric of the pooled frames, or of R resamples."""
        return _with_mean(self.moments(counts).metrics())

    def scores_per_group(self) -> Scores:
        """Every metric within each group, (G,); NaN where it is not defined there."""
        return _with_mean(_moments(self.frames, self.totals).metrics())


def _moments(frames: NDArray, totals: NDArray) -> Moments:
    """frames (...), totals (..., 2, 7) -> moments, fields (..., 2)."""
    e, t, ee, tt, et, square_error, agreement = np.moveaxis(totals / np.asarray(frames)[..., None, None], -1, 0)
    return Moments(e, t, ee - e**2, tt - t**2, et - e * t, square_error, agreement)


def _with_mean(values: dict[str, NDArray]) -> Scores:
    scores = {name: {m: value[..., d] for m, value in values.items()} for d, name in enumerate(DIMENSIONS)}
    return scores | {"mean": {metric: value.mean(-1) for metric, value in values.items()}}


def draws(groups: int, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.int64]:
    """(R, G) how often each group is in each resample of G groups with replacement."""
    return np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=resamples)


def intervals(sums: Sums, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, dict[str, list[float]]]:
    """Dimension -> metric -> [low, high], the percentiles 2.5 and 97.5 over resamples of the subjects.

    NaN for a single subject, who shows no spread, and where the metric itself is not defined.
    """
    resampled = sums.scores(draws(len(sums.groups), resamples, seed))
    whole = sums.scores()
    return {
        dimension: {m: _interval(resampled[dimension][m], whole[dimension][m], len(sums.groups)) for m in METRICS}
        for dimension in whole
    }


def _interval(values: NDArray, whole: NDArray, groups: int) -> list[float]:
    """[low, high]. A resample in which labels do not vary has no correlation; it is left out."""
    values = values[np.isfinite(values)]
    if groups < 2 or np.isnan(whole) or len(values) == 0:
        return [np.nan, np.nan]
    return np.percentile(values, [2.5, 97.5]).tolist()


@dataclass(frozen=True)
class Comparison:
    """a's metric minus b's on the frames both have. p: two-sided, not corrected for many comparisons."""

    dimension: str
    metric: str
    difference: float
    ci95: list[float]
    p: float


def compare(
    a: pd.DataFrame, b: pd.DataFrame, middle: float, resamples: int = RESAMPLES, seed: int = 0
) -> list[Comparison]:
    """Paired bootstrap over subjects: both variants are scored on the same resamples of the same frames.

    p = 2 min(P(difference <= 0), P(difference >= 0)) over the resamples, one more resample being counted on
    either side, so that p is never 0. A metric that is not defined for both is left out; nothing is compared when the
    two share fewer than two subjects.

    Args:
        a: predictions of one variant, with the columns clip, frame and those of `Sums.of`.
        b: predictions of another. Frames that only one of them has are left out.
        middle: of the label scale.
    """
    keys = ["clip", "frame"]
    if not (len(a) == len(b) and (a[keys].to_numpy() == b[keys].to_numpy()).all()):
        shared = a[keys].merge(b[keys], on=keys)
        a, b = shared.merge(a, on=keys), shared.merge(b, on=keys)
    if a["subject"].nunique() < 2:
        return []
    of_a, of_b = Sums.of(a, "subject", middle), Sums.of(b, "subject", middle)
    counts = draws(len(of_a.groups), resamples, seed)
    whole_a, whole_b, drawn_a, drawn_b = of_a.scores(), of_b.scores(), of_a.scores(counts), of_b.scores(counts)
    out: list[Comparison] = []
    for dimension in whole_a:
        for metric in METRICS:
            difference = float(whole_a[dimension][metric] - whole_b[dimension][metric])
            drawn = drawn_a[dimension][metric] - drawn_b[dimension][metric]
            drawn = drawn[np.isfinite(drawn)]
            if np.isnan(difference) or len(drawn) == 0:
                continue
            tail = min((drawn <= 0).sum(), (drawn >= 0).sum())
            p = min(1.0, 2 * float(tail + 1) / (len(drawn) + 1))
            out.append(Comparison(dimension, metric, difference, np.percentile(drawn, [2.5, 97.5]).tolist(), p))
    return out
