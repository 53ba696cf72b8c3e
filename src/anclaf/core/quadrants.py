"""The four quadrants of the circumplex (Russell 1980), numbered as the paper's authors do."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

QUADRANTS = ("V+A+", "V-A+", "V-A-", "V+A-")


def quadrant(valence: ArrayLike, arousal: ArrayLike) -> NDArray[np.int64]:
    """Index into `QUADRANTS` of normalised labels ([-1, 1], threshold 0, the middle counts as positive)."""
    positive_v = np.asarray(valence) >= 0
    positive_a = np.asarray(arousal) >= 0
    return np.where(positive_a, np.where(positive_v, 0, 1), np.where(positive_v, 3, 2)).astype(np.int64)
