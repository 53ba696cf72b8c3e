"""What raters said of a recording over time: their values at any moment, joined into one label, and how they agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anclaf.core.errors import CorpusError
from anclaf.core.labels import LabelScale
from anclaf.metrics import Intraclass, Moments, intraclass

Dimension = Literal["valence", "arousal"]
DIMENSIONS: tuple[Dimension, ...] = ("valence", "arousal")
_ROUNDING_S = 1e-6
"""A frame that is this much before an interval is in it: times are sums of rounded steps."""


@dataclass(frozen=True)
class Ratings:
    """What one rater said of one recording in one dimension.

    start, stop: (N,) seconds from the video's first frame, rising and not overlapping; a value holds from `start` to
    before `stop`. value: (N,), NaN where there is none. scale: the range that the file or its format states.
    dimension, rater, video, subject: as the file says them, or None. ties: values that were left out, for another
    one has the same time.
    """

    start: NDArray[np.float64]
    stop: NDArray[np.float64]
    value: NDArray[np.float64]
    scale: LabelScale | None = None
    dimension: Dimension | None = None
    rater: str | None = None
    video: str | None = None
    subject: str | None = None
    ties: int = 0

    @classmethod
    def bins(cls, end: ArrayLike, value: ArrayLike) -> Self:
        """Means of bins that are stamped at their ends, (N,) and (N,): each holds from the end of the one before."""
        end, value, ties = _in_order(end, value)
        width = np.median(np.diff(end)) if len(end) > 1 else end.sum()
        return cls(_from(end - width, end), end, value, ties=ties)

    @classmethod
    def samples(cls, time_s: ArrayLike, value: ArrayLike) -> Self:
        """Values at moments, (N,) and (N,): each holds for half a usual step before and after."""
        time, value, ties = _in_order(time_s, value)
        half = np.median(np.diff(time)) / 2 if len(time) > 1 else 0.5
        middle = (time[1:] + time[:-1]) / 2
        start, stop = time - half, time + half
        start[1:], stop[:-1] = np.maximum(start[1:], middle), np.minimum(stop[:-1], middle)
        return cls(start, stop, value, ties=ties)

    @classmethod
    def changes(cls, time_s: ArrayLike, value: ArrayLike) -> Self:
        """Values that hold until the next one, (N,) and (N,); the last time is the end, and its value says nothing."""
        time, value, ties = _in_order(time_s, value)
        return cls(time[:-1], time[1:], value[:-1], ties=ties)

    @property
    def rate(self) -> float:
        """Values a second, by their usual length; NaN where there is none."""
        length = (self.stop - self.start)[np.isfinite(self.value)]
        return float(1 / np.median(length)) if len(length) and np.median(length) > 0 else float("nan")

    def at(self, time_s: ArrayLike) -> NDArray[np.float64]:
        """(M,) values at these seconds; NaN where there is none."""
        time = np.asarray(time_s, np.float64) + _ROUNDING_S
        which = np.searchsorted(self.start, time, side="right") - 1
        inside = (which >= 0) & (time < np.append(self.stop, -np.inf)[which])
        return np.where(inside, np.append(self.value, np.nan)[which], np.nan)

    def binned(self, length_s: float) -> Self:
        """The same as means over bins of one length from 0 s, weighted by time; NaN where nothing of a bin was rated. A
        last part that is shorter is dropped. Not for ratings without end."""
        count = int(self.stop.max(initial=0.0) / length_s + _ROUNDING_S)
        edges = np.arange(count + 1) * length_s
        rated = np.isfinite(self.value)
        start, stop, value = self.start[rated], self.stop[rated], self.value[rated]
        if not len(value):
            return replace(self, start=edges[:-1], stop=edges[1:], value=np.full(count, np.nan))
        times = np.stack([start, stop], 1).ravel()

        def between(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
            """(count,) how much of what grows evenly over each interval falls into each bin."""
            total = np.cumsum(amounts)
            return np.diff(np.interp(edges, times, np.stack([total - amounts, total], 1).ravel()))

        time, integral = between(stop - start), between((stop - start) * value)
        mean = np.divide(integral, time, out=np.full(count, np.nan), where=time > _ROUNDING_S)
        return replace(self, start=edges[:-1], stop=edges[1:], value=mean)

    def within(self, scale: LabelScale) -> tuple[Self, int]:
        """The same without the values outside a range, and how many those were."""
        out = np.isfinite(self.value) & ~scale.contains(self.value)
        return replace(self, value=np.where(out, np.nan, self.value)), int(out.sum())


def _in_order(time_s: ArrayLike, value: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Times that are numbers, rising, and their values, of one time the last; and how many those leave out."""
    time, value = np.asarray(time_s, np.float64), np.asarray(value, np.float64)
    order = np.argsort(time, kind="stable")
    order = order[np.isfinite(time[order])]
    last = np.append(np.diff(time[order]) > 0, True)[: len(order)]
    return time[order][last], value[order][last], int((~last).sum())


def _from(start: NDArray[np.float64], stop: NDArray[np.float64]) -> NDArray[np.float64]:
    """Starts that are not before the end of the one before."""
    return np.maximum(start, np.append(-np.inf, stop[:-1])[: len(start)])


@dataclass(frozen=True)
class JoinedRatings:
    """A label of several raters: at each moment the weighted mean of those who rated it.

    weights: of each, 0 or more.
    """

    raters: tuple[Ratings, ...]
    weights: tuple[float, ...]

    def at(self, time_s: ArrayLike) -> NDArray[np.float64]:
        """(M,) labels at these seconds; NaN where nobody with a weight rated."""
        return weighted_mean(values_at(self.raters, time_s), np.asarray(self.weights))


def values_at(raters: Sequence[Ratings], time_s: ArrayLike) -> NDArray[np.float64]:
    """(R, M) values of each rater at these seconds."""
    return np.stack([rater.at(time_s) for rater in raters])


def weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, M), (R,) -> (M,) mean of the values that are there; NaN where none with a weight is."""
    there = np.isfinite(values) & (weights > 0)[:, None]
    total = np.where(there, weights[:, None], 0.0).sum(0)
    weighted = np.where(there, np.where(there, values, 0.0) * weights[:, None], 0.0).sum(0)
    return np.divide(weighted, total, out=np.full(len(total), np.nan), where=total > 0)


def believed(weights: Mapping[str, float], dimension: Dimension) -> dict[str, float]:
    """`evaluator_weights` to join by: somebody whom nobody can be compared with has the weight 1.

    Raises:
        CorpusError: nobody has a weight.
    """
    if not any(weight > 0 for weight in weights.values()):
        raise CorpusError(f"{dimension}: no rater agrees with the others: EWE weighs nobody. Use --join mean")
    return {name: 1.0 if np.isnan(weight) else weight for name, weight in weights.items()}


def evaluator_weights(recordings: Sequence[Mapping[str, NDArray[np.float64]]]) -> dict[str, float]:
    """Each rater's weight in the evaluator weighted estimator (Grimm & Kroschel 2005): the correlation of what they
    said, over all recordings, with the mean of the others at the same moments. 0 where it is negative or undefined;
    NaN where nobody else rated the same moments.

    Deviation: the paper correlates with the mean of all, the rater among them, so that everybody agrees with themselves
    the more, the larger their own variance is.

    Args:
        recordings: of each, rater -> (M,) values at common moments.
    """
    pairs: dict[str, list[NDArray[np.float64]]] = {}
    for values in recordings:
        for rater, own in values.items():
            others = [value for name, value in values.items() if name != rater]
            if others:
                rest = weighted_mean(np.stack(others), np.ones(len(others)))
                both = np.isfinite(own) & np.isfinite(rest)
                pairs.setdefault(rater, []).append(np.stack([own[both], rest[both]]))
            else:
                pairs.setdefault(rater, [])
    weights = {}
    for rater, found in pairs.items():
        own, rest = np.concatenate([np.empty((2, 0)), *found], 1)
        if len(own) < 2:
            weights[rater] = float("nan")
            continue
        weights[rater] = float(np.nan_to_num(max(float(Moments.of(own, rest).cor()), 0.0)))
    return weights


class Agreement(NamedTuple):
    """How raters of one recording agree, over the moments that all of them rated; NaN where that is undefined.

    ccc: mean of Lin's concordance correlation over all pairs. icc: of one rater and of the mean of all, for absolute
    agreement and for consistency. moments: how many.
    """

    ccc: float
    icc: Intraclass
    moments: int


def agreement(values: NDArray[np.float64]) -> Agreement:
    """Of (R, M) values, NaN where there is none.

    Raises:
        ValueError: fewer than two raters.
    """
    if len(values) < 2:
        raise ValueError(f"got {len(values)} rater; expected two or more")
    all_rated = values[:, np.isfinite(values).all(0)]
    ccc = float(np.mean([Moments.of(a, b).ccc() for a, b in combinations(all_rated, 2)]))
    return Agreement(ccc, intraclass(all_rated), all_rated.shape[1])
