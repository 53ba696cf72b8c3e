"""How well a series of estimates follows its labels: RMSE, COR, CCC, ICC, SAGR (Eq. 11-14), in the corpus's own units.

As in scikit-learn, lower is better for `_error`, higher for `_score`. All moments are those of the population (divided
by N): COR and ICC do not depend on that, CCC is Lin's (1989) own. Degenerate input gives NaN and a `RuntimeWarning`,
never 0. The differentiable counterparts are in `losses.affect`.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anclaf.core.arguments import checked

METRICS = ("rmse", "cor", "ccc", "icc", "sagr")
FLAT = 1e-12
"""A variance below this fraction of the mean square is rounding error: the series is constant."""


@dataclass(frozen=True)
class Moments:
    """What every metric follows from. Fields are float64 arrays of one shape, an entry per series.

    square_error: mean of (estimate - target)². agreement: share of frames on the same side of the scale's middle.
    """

    mean_estimate: NDArray[np.float64]
    mean_target: NDArray[np.float64]
    var_estimate: NDArray[np.float64]
    var_target: NDArray[np.float64]
    covariance: NDArray[np.float64]
    square_error: NDArray[np.float64]
    agreement: NDArray[np.float64]

    @classmethod
    def of(cls, estimate: ArrayLike, target: ArrayLike, middle: float = 0.0) -> "Moments":
        """Moments of one pair of series (N,). NaN everywhere where N is 0 or a value is not finite.

        Raises:
            ValueError: the two are not (N,) of one N.
        """
        e, t = np.asarray(estimate, np.float64), np.asarray(target, np.float64)
        if e.ndim != 1 or e.shape != t.shape:
            raise ValueError(f"got estimate {e.shape} and target {t.shape}; expected two (N,) of one length")
        if len(e) == 0 or not (np.isfinite(e).all() and np.isfinite(t).all()):
            return cls(*np.full(7, np.nan))
        de, dt = e - e.mean(), t - t.mean()
        # a mean is rounded, so a constant series would keep a variance of 1e-34
        var_e, var_t = (de**2).mean() * (np.ptp(e) > 0), (dt**2).mean() * (np.ptp(t) > 0)
        agreement = np.sign(e - middle) == np.sign(t - middle)
        values = e.mean(), t.mean(), var_e, var_t, (de * dt).mean(), ((e - t) ** 2).mean(), agreement.mean()
        return cls(*np.asarray(values, np.float64))

    def rmse(self) -> NDArray[np.float64]:
        """Eq. 11."""
        return np.sqrt(self.square_error)

    def cor(self) -> NDArray[np.float64]:
        """Pearson's correlation, Eq. 12."""
        # from sums, the variance of a constant can be -1e-17
        return self._ratio(self.covariance, np.sqrt(np.maximum(self.var_estimate, 0) * np.maximum(self.var_target, 0)))

    def ccc(self) -> NDArray[np.float64]:
        """Lin's concordance, Eq. 13."""
        shift = (self.mean_estimate - self.mean_target) ** 2
        return self._ratio(2 * self.covariance, self.var_estimate + self.var_target + shift)

    def icc(self) -> NDArray[np.float64]:
        """ICC(3,1) of two raters, Eq. 14."""
        return self._ratio(2 * self.covariance, self.var_estimate + self.var_target)

    def sagr(self) -> NDArray[np.float64]:
        """Sign agreement (Nicolaou et al. 2011)."""
        return self.agreement

    def _ratio(self, numerator: NDArray, denominator: NDArray) -> NDArray[np.float64]:
        """A correlation with a constant series, estimate or label, is not defined."""
        varies = (self.var_estimate > FLAT * self.mean_estimate**2) & (self.var_target > FLAT * self.mean_target**2)
        out = np.full(np.shape(numerator), np.nan)
        return np.divide(numerator, denominator, out=out, where=varies)

    def metrics(self) -> dict[str, NDArray[np.float64]]:
        """All of `METRICS`, without warnings."""
        return {name: getattr(self, name)() for name in METRICS}


def _warned(values: Mapping[str, NDArray[np.float64]], names: Sequence[str]) -> dict[str, float]:
    undefined = [name.upper() for name in names if np.isnan(values[name])]
    if undefined:
        warnings.warn(
            f"{', '.join(undefined)} not defined (no frames, values not finite, or a constant series): NaN",
            RuntimeWarning,
            stacklevel=3,
        )
    return {name: float(values[name]) for name in names}


def _one(name: str, moments: Moments) -> float:
    return _warned(moments.metrics(), [name])[name]


@checked
def rmse_error(estimate: ArrayLike, target: ArrayLike) -> float:
    """Root mean square error of two (N,) (Eq. 11)."""
    return _one("rmse", Moments.of(estimate, target))


@checked
def cor_score(estimate: ArrayLike, target: ArrayLike) -> float:
    """Pearson's correlation of two (N,) (Eq. 12, read with a product: the printed minus is an erratum)."""
    return _one("cor", Moments.of(estimate, target))


@checked
def ccc_score(estimate: ArrayLike, target: ArrayLike) -> float:
    """Lin's concordance correlation of two (N,) (Eq. 13, as for Eq. 12)."""
    return _one("ccc", Moments.of(estimate, target))


@checked
def icc_score(estimate: ArrayLike, target: ArrayLike) -> float:
    """ICC(3,1), consistency of two raters, 2 cov / (var + var), of two (N,) (Eq. 14, as for Eq. 12)."""
    return _one("icc", Moments.of(estimate, target))


@checked
def sagr_score(estimate: ArrayLike, target: ArrayLike, middle: float = 0.0) -> float:
    """Share of frames whose estimate and label lie on the same side of the scale's middle, two (N,).

    The sign is the literal one of Nicolaou et al. 2011: a label on the middle agrees only with an estimate on it.
    """
    return _one("sagr", Moments.of(estimate, target, middle))


@checked
def metrics(estimate: ArrayLike, target: ArrayLike, middle: float = 0.0) -> dict[str, float]:
    """RMSE, COR, CCC, ICC and SAGR of two (N,), by their names in `METRICS`.

    Raises:
        ValueError: the two are not (N,) of one N.
    """
    return _warned(Moments.of(estimate, target, middle).metrics(), METRICS)
