"""How far off estimates may be, by conformal prediction for people who are seen in many frames each.

Frames of one person are alike, so that it is people who are exchangeable, not frames. Every calibration person counts
as one, however many frames they have, and the person who is not there yet counts as one too, whose scores are infinite
(Lee, Barber & Willett 2023, Distribution-free inference with hierarchical data, arXiv:2306.06342; the pooled CDFs of
Dunn, Wasserman & Ramdas 2018, arXiv:1809.07441, lack that person, and cover less where people are few).
"""

import math

import numpy as np
from numpy.typing import NDArray

from anclaf.core.errors import ConfigError

LEVEL = 0.9


def person_weights(people: NDArray) -> NDArray[np.float64]:
    """(N,) 1 / ((K + 1) n) of each frame: K people are there, n frames are its person's. Their sum is K / (K + 1).

    Args:
        people: (N,) whose each frame is.
    """
    _, which, frames = np.unique(people, return_inverse=True, return_counts=True)
    return 1 / ((len(frames) + 1) * frames[which])


def person_quantile(scores: NDArray[np.floating], people: NDArray, level: float = LEVEL) -> float:
    """The least q so that the score of a frame of another such person is at most q with probability `level` or more.

    The quantile of the weighted scores and of 1 / (K + 1) at infinity (Lee et al. 2023, HCP). It holds for whatever
    distribution, on the average over people and over draws of the K people, where the people are exchangeable with the
    new one. Infinite where K is under `least_people`.

    Example:
        >>> person_quantile(np.arange(40) % 20 / 10, np.arange(40) // 2, 0.9)
        1.9

    Args:
        scores: (N,) how far off, such as |label - estimate|. people: (N,) whose each is. level: in (0, 1).

    Raises:
        ConfigError: no score, one that is not a number, as many people as scores are not given, or no such level.
    """
    if not 0 < level < 1:
        raise ConfigError(f"level {level}: expected a share above 0 and below 1, such as {LEVEL}")
    if len(scores) != len(people) or not len(scores) or np.isnan(scores).any():
        raise ConfigError(f"{len(scores)} scores of {len(people)} frames: expected one number for each, of one or more")
    order = np.argsort(scores)
    reached = np.cumsum(person_weights(people)[order])
    at = int(np.searchsorted(reached, level - _ROUNDING))
    return float(scores[order][at]) if at < len(scores) else math.inf


_ROUNDING = 1e-12


def least_people(level: float = LEVEL) -> int:
    """How many calibration people a finite `person_quantile` takes: 9 for 90 %, 19 for 95 %.

    Example:
        >>> least_people(0.9), least_people(0.95)
        (9, 19)
    """
    return math.ceil(level / (1 - level) - 1e-9)
