"""95 % intervals and paired comparisons by bootstrap over subjects, and over the seeds of the training.

Frames of a person resemble each other, so people are resampled, not frames. Every metric follows from a few sums, and
the sums of a resample are the subjects' sums times how often each was drawn: no frame is indexed again.

Where a model was trained with several seeds on the same folds, its score is the mean over the seeds, and each resample
draws people (the same ones for all seeds) and seeds, both with replacement: an interval is then over people and seeds
together. With S seeds, the spread of a mean of S drawn ones falls short of the spread of a mean of S new ones by
sqrt((S - 1) / S), so that the deviations between seeds are made larger by the inverse.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.metrics.regression import METRICS, Moments

DIMENSIONS = ("valence", "arousal")
RESAMPLES = 1000
KEYS = ("clip", "frame")
"""Which row of a predictions table is which of another."""

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


@dataclass(frozen=True)
class Repeats:
    """Sums of one model over the same frames of the same people, with each of S seeds of its training."""

    seeds: tuple[Sums, ...]

    @classmethod
    def of(cls, tables: Sequence[pd.DataFrame], by: str, middle: float) -> "Repeats":
        """One table for each seed, as of `Sums.of`."""
        return cls(tuple(Sums.of(table, by, middle) for table in tables))

    @property
    def groups(self) -> int:
        return len(self.seeds[0].groups)

    def scores(self, counts: NDArray | None = None) -> Scores:
        """Every metric with each seed, (S,); of R resamples of the people (S, R)."""
        each = [sums.scores(counts) for sums in self.seeds]
        return {
            dimension: {metric: np.stack([one[dimension][metric] for one in each]) for metric in of}
            for dimension, of in each[0].items()
        }


def draws(groups: int, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.int64]:
    """(R, G) how often each group is in each resample of G groups with replacement."""
    return np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=resamples)


def seed_weights(seeds: int, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.float64]:
    """(R, S) what each of S seeds weighs in the mean of each resample; 1 where there is one seed.

    A seed drawn k times weighs k / S, and its distance from 1 / S is then made sqrt(S / (S - 1)) times as large.
    """
    if seeds == 1:
        return np.ones((resamples, 1))
    drawn = np.random.default_rng((seed, 1)).multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds
    return 1 / seeds + np.sqrt(seeds / (seeds - 1)) * (drawn - 1 / seeds)


def resampled_means(values: NDArray, seed: int = 0) -> NDArray[np.float64]:
    """(R,) means over drawn seeds of values (S, R) with each seed on each resample of the people."""
    return np.einsum("rs,sr->r", seed_weights(*values.shape, seed=seed), values)


def training_share(whole: NDArray, resampled: NDArray) -> float:
    """Part of the variance of one training's score that is due to the training, the rest being due to the people.

    Args:
        whole: (S,) with each seed, on all people. Their variance is that of training.
        resampled: (S, R) with each seed, on each resample of the people. Its mean variance within a seed is that of
            people.

    Returns NaN for one seed, and where a score is not defined.
    """
    if len(whole) < 2:
        return np.nan
    defined = resampled[:, np.isfinite(resampled).all(0)]
    if defined.shape[1] < 2:
        return np.nan
    training, people = whole.var(ddof=1), defined.var(1, ddof=1).mean()
    return float(training / (training + people)) if training + people > 0 else np.nan


def aligned(tables: Sequence[pd.DataFrame], keys: Sequence[str] = KEYS) -> list[pd.DataFrame]:
    """Of each table the rows of those frames that all of them have, in the same order."""
    columns, first = list(keys), tables[0]
    if all(len(t) == len(first) and (t[columns].to_numpy() == first[columns].to_numpy()).all() for t in tables):
        return [table.reset_index(drop=True) for table in tables]
    shared = reduce(lambda a, b: a.merge(b, on=columns), (table[columns] for table in tables))
    return [shared.merge(table, on=columns) for table in tables]


@checked
def intervals(sums: Sums | Repeats, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, dict[str, list[float]]]:
    """Dimension -> metric -> [low, high], the percentiles 2.5 and 97.5 over resamples of the subjects (and seeds).

    NaN for a single subject, who shows no spread, and where the metric itself is not defined.
    """
    repeats = Repeats((sums,)) if isinstance(sums, Sums) else sums
    resampled = repeats.scores(draws(repeats.groups, resamples, seed))
    whole = repeats.scores()
    return {
        dimension: {
            m: _interval(resampled_means(resampled[dimension][m], seed), whole[dimension][m].mean(), repeats.groups)
            for m in METRICS
        }
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
    """a's metric minus b's on the frames both have, the mean over the seeds.

    p: two-sided, not corrected for many comparisons. training_share: see `training_share`; NaN for one seed.
    """

    dimension: str
    metric: str
    difference: float
    ci95: list[float]
    p: float
    training_share: float

    def to_json(self) -> dict[str, Any]:
        """An entry of `metrics.json`, without the share where it is not defined."""
        known = asdict(self)
        return known if np.isfinite(self.training_share) else {k: v for k, v in known.items() if k != "training_share"}


@checked
def compare(
    a: pd.DataFrame | Sequence[pd.DataFrame],
    b: pd.DataFrame | Sequence[pd.DataFrame],
    middle: float,
    resamples: int = RESAMPLES,
    seed: int = 0,
    keys: Sequence[str] = KEYS,
) -> list[Comparison]:
    """Paired bootstrap over subjects: both variants are scored on the same resamples of the same frames.

    p = 2 min(P(difference <= 0), P(difference >= 0)) over the resamples, one more resample being counted on
    either side, so that p is never 0. A metric that is not defined for both is left out; nothing is compared when the
    two share fewer than two subjects.

    Args:
        a: predictions of one variant, with the columns of `keys` and those of `Sums.of`; or such a table for each seed.
        b: predictions of another, of the same seeds in the same order: differences are of equal seeds. Frames that
            not all tables have are left out.
        middle: of the label scale.
        keys: columns that say which row of one is which of another.
    """
    of_a, of_b = ([tables] if isinstance(tables, pd.DataFrame) else list(tables) for tables in (a, b))
    assert len(of_a) == len(of_b), "of the same seeds"
    rows = aligned([*of_a, *of_b], keys)
    if rows[0]["subject"].nunique() < 2:
        return []
    first, second = (Repeats.of(part, "subject", middle) for part in (rows[: len(of_a)], rows[len(of_a) :]))
    counts = draws(first.groups, resamples, seed)
    whole_a, whole_b, drawn_a, drawn_b = first.scores(), second.scores(), first.scores(counts), second.scores(counts)
    out: list[Comparison] = []
    for dimension in whole_a:
        for metric in METRICS:
            whole = whole_a[dimension][metric] - whole_b[dimension][metric]
            each = drawn_a[dimension][metric] - drawn_b[dimension][metric]
            difference, drawn = float(whole.mean()), resampled_means(each, seed)
            drawn = drawn[np.isfinite(drawn)]
            if np.isnan(difference) or len(drawn) == 0:
                continue
            tail = min((drawn <= 0).sum(), (drawn >= 0).sum())
            p = min(1.0, 2 * float(tail + 1) / (len(drawn) + 1))
            interval = np.percentile(drawn, [2.5, 97.5]).tolist()
            out.append(Comparison(dimension, metric, difference, interval, p, training_share(whole, each)))
    return out
