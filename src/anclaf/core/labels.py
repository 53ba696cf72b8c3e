"""Labels of valence and arousal: a corpus's range, conversion to [-1, 1] and back, and the four quadrants."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anclaf.core.errors import ConfigError

QUADRANTS = ("V+A+", "V-A+", "V-A-", "V+A-")
"""The quadrants of the circumplex (Russell 1980), numbered as the paper's authors do."""


def label_quadrant(valence: ArrayLike, arousal: ArrayLike) -> NDArray[np.int64]:
    """Index into `QUADRANTS` of normalised labels ([-1, 1], threshold 0, the middle counts as positive)."""
    positive_v = np.asarray(valence) >= 0
    positive_a = np.asarray(arousal) >= 0
    return np.where(positive_a, np.where(positive_v, 0, 1), np.where(positive_v, 3, 2)).astype(np.int64)


@dataclass(frozen=True)
class LabelScale:
    """The corpus's own units: AFEW-VA -10..10, SEWA 0..1. The networks work in [-1, 1]."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise ConfigError(f"label scale: got low={self.low}, high={self.high}; expected two numbers, low < high")

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    def normalise(self, value: ArrayLike) -> NDArray[np.float64]:
        """Corpus units -> [-1, 1], any shape."""
        return (np.asarray(value, np.float64) - self.middle) * (2 / (self.high - self.low))

    def restore(self, value: ArrayLike) -> NDArray[np.float64]:
        """[-1, 1] -> corpus units, any shape."""
        return np.asarray(value, np.float64) * ((self.high - self.low) / 2) + self.middle

    def contains(self, value: ArrayLike, tolerance: float = 1e-6) -> NDArray[np.bool_]:
        """Whether each value is a number within the range (NaN is not)."""
        value = np.asarray(value, np.float64)
        return (value >= self.low - tolerance) & (value <= self.high + tolerance)
