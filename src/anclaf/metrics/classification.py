"""How well four probabilities of a frame's quadrant follow its label: accuracy, balanced accuracy, cross-entropy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anclaf.core.labels import QUADRANTS

LEAST = 1e-6
"""A quadrant that was said to be impossible counts as this probable, so that one frame cannot make a mean infinite."""


@dataclass(frozen=True)
class QuadrantScores:
    """accuracy: share of frames whose most probable quadrant is the label's. balanced_accuracy: its mean over the
    quadrants that occur among the labels. cross_entropy: mean of -log of the label's probability. frames: how many.

    NaN where there are no frames.
    """

    accuracy: float
    balanced_accuracy: float
    cross_entropy: float
    frames: int

    @classmethod
    def of(cls, probabilities: ArrayLike, quadrant: ArrayLike) -> "QuadrantScores":
        """Scores of (N, 4) probabilities against (N,) indices into `QUADRANTS`.

        Raises:
            ValueError: shapes that are not (N, 4) and (N,), or a label that is no quadrant.
        """
        q, label = np.asarray(probabilities, np.float64), np.asarray(quadrant, np.int64)
        count = len(QUADRANTS)
        if q.shape != (*label.shape, count) or label.ndim != 1:
            raise ValueError(f"got probabilities {q.shape} and labels {label.shape}; expected (N, {count}) and (N,)")
        if ((label < 0) | (label >= count)).any():
            raise ValueError(f"got a label that is not one of 0 to {count - 1}")
        if len(label) == 0:
            return cls(np.nan, np.nan, np.nan, 0)
        right = q.argmax(1) == label
        recalls = [right[label == one].mean() for one in np.unique(label)]
        said = q[np.arange(len(label)), label].clip(LEAST)
        return cls(float(right.mean()), float(np.mean(recalls)), float(-np.log(said).mean()), len(label))
