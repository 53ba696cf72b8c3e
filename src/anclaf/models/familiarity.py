"""How far a face lies from those that a model learnt from, by what its encoder makes of it.

Z, averaged over the squares of a 4x4 grid, is taken as Gaussian over the training faces: its first principal components
and one variance for all the others (probabilistic PCA, Tipping & Bishop 1999). The distance is Mahalanobis' (Lee et al.
2018, A simple unified framework for detecting out-of-distribution samples, without classes). Of what was tried (C's x,
landmarks and how they agree with the detector's, D's features and its real or not, G's reconstruction, neighbours
instead of a Gaussian) this alone told turned, half hidden, blurred and missing faces from plain ones (docs/method.md).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

GRID = 4
COMPONENTS = 64
_TAIL = 4.0
_SHARES = 201


def pooled(z: Tensor) -> Tensor:
    """Z (B, c, p, p) -> (B, 16c) its means over a 4x4 grid."""
    return functional.adaptive_avg_pool2d(z.float(), GRID).flatten(1)


@dataclass(frozen=True)
class Familiarity:
    """Statistics of training faces, and distances of validation people's, whom training has not seen.

    mean: (D,) of `pooled`. axes: (D, k) principal directions. variances: (k,) along them. other: of every direction
    besides. distances: (M,) increasing, of the validation people's faces at these shares (M,) of them, each person
    counting as one and the next person as one more: the last share is K / (K + 1), of K people.
    """

    mean: Tensor
    axes: Tensor
    variances: Tensor
    other: float
    distances: NDArray[np.float64]
    shares: NDArray[np.float64]

    @classmethod
    def fit(cls, train: Tensor, validation: Tensor, weights: NDArray[np.float64]) -> "Familiarity":
        """Of `pooled` faces of training (N, D) and of validation (M, D); weights: (M,) `person_weights` of these."""
        mean, axes, variances, other = _gaussian(train.double().cpu().numpy())
        found = cls(mean, axes, variances, other, np.zeros(1), np.zeros(1))
        distance = found.distance(validation.cpu()).double().numpy()
        order = np.argsort(distance)
        reached = np.cumsum(weights[order])
        shares = np.linspace(0, reached[-1], _SHARES)
        distances = np.interp(shares, np.append(0, reached), np.append(0, distance[order]))
        return cls(mean, axes, variances, other, distances, shares)

    def to(self, device: torch.device | str) -> "Familiarity":
        """With its tensors there."""
        mean, axes, variances = (one.to(device) for one in (self.mean, self.axes, self.variances))
        return replace(self, mean=mean, axes=axes, variances=variances)

    def distance(self, pooled: Tensor) -> Tensor:
        """(B, D) -> (B,) Mahalanobis distance from the training faces."""
        off = pooled - self.mean
        along = off @ self.axes
        besides = (off.square().sum(1) - along.square().sum(1)).clamp_min(0)
        return ((along.square() / self.variances).sum(1) + besides / self.other).sqrt()

    def unfamiliar(self, z: Tensor) -> NDArray[np.float64]:
        """Z (B, c, p, p) -> (B,) in [0, 1): the share of the validation people's faces that lie nearer.

        Beyond all of them it is not known; there it goes on from K / (K + 1) towards 1, so that order is kept.
        """
        distance = self.distance(pooled(z)).double().cpu().numpy()
        last, known = self.distances[-1], self.shares[-1]
        beyond = 1 - (1 - known) * (last / np.maximum(distance, last)) ** _TAIL
        return np.where(distance > last, beyond, np.interp(distance, self.distances, self.shares))

    def to_arrays(self) -> dict[str, Any]:
        """For a safetensors file; `from_arrays` reads it."""
        return {
            "mean": self.mean.float(),
            "axes": self.axes.half().contiguous(),
            "variances": self.variances.float(),
            "other": torch.tensor([self.other]),
            "distances": torch.from_numpy(self.distances),
            "shares": torch.from_numpy(self.shares),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, Tensor]) -> "Familiarity":
        """Of what `to_arrays` gave.

        Raises:
            KeyError: an array is missing. ValueError: they do not fit each other.
        """
        mean, axes, variances = (arrays[name].float() for name in ("mean", "axes", "variances"))
        distances, shares = (arrays[name].double().numpy() for name in ("distances", "shares"))
        if axes.shape != (len(mean), len(variances)) or distances.shape != shares.shape or not len(shares):
            raise ValueError("arrays that do not fit each other")
        return cls(mean, axes, variances, float(arrays["other"][0]), distances, shares)


def _gaussian(faces: NDArray[np.float64]) -> tuple[Tensor, Tensor, Tensor, float]:
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
    mean_t, axes_t, variances_t = (
        torch.from_numpy(np.ascontiguousarray(one)).float() for one in (mean, axes, values[:k] + floor)
    )
    return mean_t, axes_t.half().float(), variances_t, float(other)  # as they are kept in the file
