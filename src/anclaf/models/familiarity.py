"""How far a face lies from those that a model learnt from, by what its encoder makes of it.

Z, averaged over the squares of a 4x4 grid, is taken as Gaussian over the training faces: its first principal components
and one variance for all the others (probabilistic PCA, Tipping & Bishop 1999). The distance is Mahalanobis' (Lee et al.
2018, A simple unified framework for detecting out-of-distribution samples, without classes). Of what was tried (C's x,
landmarks and how they agree with the detector's, D's features and its real or not, G's reconstruction, neighbours
instead of a Gaussian) this alone told turned, half hidden, blurred and missing faces from plain ones (docs/method.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GRID = 4
"""Squares along a side."""
COMPONENTS = 64
_TAIL = 4.0
_SHARES = 201


@dataclass(frozen=True)
class Familiarity:
    """Statistics of training faces, and distances of validation people's, whom training has not seen.

    mean: (D,) of `models.network.pooled`. axes: (D, k) principal directions. variances: (k,) along them. other: of
    every direction besides. distances: (M,) increasing, of the validation people's faces at these shares (M,) of them,
    each person counting as one and the next person as one more: the last share is K / (K + 1), of K people.
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    variances: NDArray[np.float32]
    other: float
    distances: NDArray[np.float64]
    shares: NDArray[np.float64]

    @classmethod
    def fit(
        cls, train: NDArray[np.floating], validation: NDArray[np.floating], weights: NDArray[np.float64]
    ) -> "Familiarity":
        """Of `pooled` faces of training (N, D) and of validation (M, D); weights: (M,) `person_weights` of these."""
        mean, axes, variances, other = _gaussian(np.asarray(train, np.float64))
        found = cls(mean, axes, variances, other, np.zeros(1), np.zeros(1))
        distance = found.distance(validation)
        order = np.argsort(distance)
        reached = np.cumsum(weights[order])
        shares = np.linspace(0, reached[-1], _SHARES)
        distances = np.interp(shares, np.append(0, reached), np.append(0, distance[order]))
        return cls(mean, axes, variances, other, distances, shares)

    def distance(self, pooled: NDArray[np.floating]) -> NDArray[np.float64]:
        """(B, D) -> (B,) Mahalanobis distance from the training faces."""
        off = np.asarray(pooled, np.float64) - self.mean
        along = off @ self.axes
        besides = np.maximum((off**2).sum(1) - (along**2).sum(1), 0)
        return np.sqrt((along**2 / self.variances).sum(1) + besides / self.other)

    def unfamiliar(self, pooled: NDArray[np.floating]) -> NDArray[np.float64]:
        """(B, D) -> (B,) in [0, 1): the share of the validation people's faces that lie nearer.

        Beyond all of them it is not known; there it goes on from K / (K + 1) towards 1, so that order is kept.
        """
        distance = self.distance(pooled)
        last, known = self.distances[-1], self.shares[-1]
        beyond = 1 - (1 - known) * (last / np.maximum(distance, last)) ** _TAIL
        return np.where(distance > last, beyond, np.interp(distance, self.distances, self.shares))

    def to_arrays(self) -> dict[str, NDArray[np.floating]]:
        """For a safetensors file; `from_arrays` reads it."""
        return {
            "mean": self.mean,
            "axes": self.axes.astype(np.float16),
            "variances": self.variances,
            "other": np.array([self.other], np.float32),
            "distances": self.distances,
            "shares": self.shares,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.floating]]) -> "Familiarity":
        """Of what `to_arrays` gave.

        Raises:
            KeyError: an array is missing. ValueError: they do not fit each other.
        """
        mean, axes, variances = (arrays[name].astype(np.float32) for name in ("mean", "axes", "variances"))
        distances, shares = (arrays[name].astype(np.float64) for name in ("distances", "shares"))
        if axes.shape != (len(mean), len(variances)) or distances.shape != shares.shape or not len(shares):
            raise ValueError("arrays that do not fit each other")
        return cls(mean, axes, variances, float(arrays["other"][0]), distances, shares)


def _gaussian(faces: NDArray[np.float64]) -> tuple[NDArray, NDArray, NDArray, float]:
    """Mean, axes, their variances and that of all other directions, of (N, D)."""
    mean = faces.mean(0)
    off = faces - mean
    count, size = off.shape
    # the smaller of the two products has the same values
    small = off @ off.T if count < size else off.T @ off
    values, vectors = np.linalg.eigh(small / count)
    values, vectors = values[::-1].clip(min=0), vectors[:, ::-1]
    total = values.sum()
    k = min(COMPONENTS, int((values > 1e-9 * max(total, 1e-12)).sum()), size - 1)
    axes = vectors[:, :k]
    if count < size:
        axes = off.T @ axes
        axes /= np.linalg.norm(axes, axis=0)
    # few faces say little of the smallest variances
    floor = max(0.01 * total / size, 1e-12)
    other = max((total - values[:k].sum()) / (size - k), floor)
    # as they are kept in the file
    axes = np.ascontiguousarray(axes, np.float32).astype(np.float16).astype(np.float32)
    return mean.astype(np.float32), axes, (values[:k] + floor).astype(np.float32), float(np.float32(other))
