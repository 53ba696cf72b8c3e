"""Intraclass correlations of raters who all rated the same targets, with intervals.

McGraw & Wong 1996, Forming inferences about some intraclass correlation coefficients, Psychological Methods 1(1): the
two-way model, cases 2 and 3, tables 4 and 7. (Of two series, `regression.icc_score` is ICC(C,1) with both variances of
the population.)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from anclaf.core.arguments import checked

LEVEL = 0.95
_ROUNDING = 1e-20


class Interval(NamedTuple):
    """A coefficient and the ends of its interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


_NONE = Interval(*3 * (float("nan"),))


class Intraclass(NamedTuple):
    """a: absolute agreement, c: consistency; 1: of one rater, k: of the mean of all."""

    a1: Interval
    c1: Interval
    ak: Interval
    ck: Interval


@checked
def intraclass(values: ArrayLike, level: float = LEVEL) -> Intraclass:
    """ICC(A,1), ICC(C,1), ICC(A,k) and ICC(C,k) of (R, M) values, a row per rater, a column per target.

    The intervals take targets for independent draws of normal values: of successive moments of one recording they are
    too narrow. All is NaN where fewer than two targets are there, a value is not finite, or nothing ever changes.

    Raises:
        ValueError: not (R, M), or fewer than two raters.
    """
    x = np.asarray(values, np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"got values {x.shape}; expected (R, M) of two raters or more")
    k, n = x.shape
    if n < 2 or not np.isfinite(x).all():
        return Intraclass(*4 * (_NONE,))
    grand = x.mean()
    rows = k * ((x.mean(0) - grand) ** 2).sum() / (n - 1)
    columns = n * ((x.mean(1) - grand) ** 2).sum() / (k - 1)
    rest = x - x.mean(0) - x.mean(1)[:, None] + grand
    error = (rest**2).sum() / ((k - 1) * (n - 1))
    scale = max(1.0, grand**2)
    # a mean is rounded: nobody's value ever changed where no more than rounding is left
    if rows + error <= _ROUNDING * scale:
        return Intraclass(*4 * (_NONE,))
    c1 = (rows - error) / (rows + (k - 1) * error)
    whole = rows + (k - 1) * error + k / n * (columns - error)
    a1 = (rows - error) / whole if whole > _ROUNDING * scale else float("nan")
    c1_ends, ck_ends = _consistency(rows, error, k, n, level)
    a1_ends, ak_ends = _agreement(rows, columns, error, a1, k, n, level)
    one, mean = (Interval(float(a1), *a1_ends), Interval(float(c1), *c1_ends)), (_NONE, _NONE)
    if rows > _ROUNDING * scale:  # otherwise the mean of all never changes
        ak, ck = (rows - error) / (rows + (columns - error) / n), (rows - error) / rows
        mean = Interval(float(ak), *ak_ends), Interval(float(ck), *ck_ends)
    return Intraclass(*one, *mean)


_Ends = tuple[float, float]


def _consistency(rows: float, error: float, k: int, n: int, level: float) -> tuple[_Ends, _Ends]:
    """Of one rater and of the mean of all: from the F ratio of targets and error."""
    if error <= 0:
        return (1.0, 1.0), (1.0, 1.0)
    above, below = n - 1, (n - 1) * (k - 1)
    low, high = rows / error / _f(above, below, level), rows / error * _f(below, above, level)
    return (
        (float((low - 1) / (low + k - 1)), float((high - 1) / (high + k - 1))),
        (float(1 - 1 / low), float(1 - 1 / high)) if rows > 0 else _NONE[1:],
    )


def _agreement(
    rows: float, columns: float, error: float, a1: float, k: int, n: int, level: float
) -> tuple[_Ends, _Ends]:
    """Of one rater and of the mean of all: with Satterthwaite's degrees of freedom for raters and error together."""
    if columns <= 0 and error <= 0:
        return (1.0, 1.0), (1.0, 1.0)
    if a1 != a1:
        return _NONE[1:], _NONE[1:]
    # a and b of the paper, both times n (1 - ICC(A,1)), which may be 0
    a, b = k * a1, n * (1 - a1) + k * a1 * (n - 1)
    shares = (a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    freedom = (a * columns + b * error) ** 2 / shares if shares > 0 else float((n - 1) * (k - 1))
    upper, lower = _f(n - 1, freedom, level), _f(freedom, n - 1, level)
    both = k * columns + (k * n - k - n) * error
    one = n * (rows - upper * error) / (upper * both + n * rows), n * (lower * rows - error) / (both + n * lower * rows)
    raised = [float(k * end / (1 + (k - 1) * end)) for end in one]  # Spearman and Brown's formula
    return (float(one[0]), float(one[1])), (raised[0], raised[1])


def _f(above: float, below: float, level: float) -> float:
    """Quantile of the F distribution that leaves half of 1 - level above it."""
    from scipy.special import fdtri

    return float(fdtri(above, below, (1 + level) / 2))
