"""How late raters answer: the shift at which what faces show and what raters said have the most mutual information
(Mariooryad & Busso 2015).

As there, faces become symbols by K-means and labels levels. Deviation: faces are small grey pictures less the video's
mean face, where the paper has tracked landmarks, and one shift is sought for all raters and both dimensions.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from anclaf.core.errors import CorpusError, VideoError
from anclaf.core.progress import Progress, silent
from anclaf.faces import align
from anclaf.faces.detect import make_detector
from anclaf.faces.frames import read_video

LONGEST_S, STEP_S = 6.0, 0.2
"""Shifts that are tried: from 0, by such steps."""
FACES_A_SECOND = 5.0
MOST_FACES = 3000
"""Of all videos together; each gives as many, from its beginning."""
_SIDE = 16
_SYMBOLS, _LEVELS = 8, 5
_FEWEST = 100

Labels = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""(M,) seconds -> (M,) labels, NaN where there is none."""


class Seen(NamedTuple):
    """Faces of a video. time_s: (T,). faces: (T, F) what each looks like."""

    time_s: NDArray[np.float64]
    faces: NDArray[np.float64]


class Lag(NamedTuple):
    """The best shift, the information there and without a shift, in nats, and of how many faces."""

    lag_s: float
    best: float
    without: float
    faces: int


def see(paths: Sequence[Path], detector: str, progress: Progress = silent) -> list[Seen]:
    """The largest face of some frames of each video, small and grey; none of a video that cannot be read."""
    find = make_detector(detector)
    most = -(-MOST_FACES // max(1, len(paths)))
    found = []
    for done, path in enumerate(paths, 1):
        time, faces = [], []
        try:
            for frame in read_video(path):
                if time and frame.time_s < time[-1] + 1 / FACES_A_SECOND - 1e-3:
                    continue
                if there := find.detect(frame.image):
                    height, width = frame.image.shape[:2]
                    matrix = align.crop_matrix(there[0].points, _SIDE, "five-point", (width, height))
                    crop = cv2.cvtColor(align.warp(frame.image, matrix, _SIDE), cv2.COLOR_RGB2GRAY)
                    time.append(frame.time_s)
                    faces.append(crop.ravel() / 255)
                if len(time) == most:
                    break
        except VideoError:
            pass  # reading the clip says why
        found.append(Seen(np.array(time), np.array(faces, np.float64).reshape(-1, _SIDE**2)))
        progress(done, len(paths), "looking for the raters' lag", path.name)
    return found


def best_lag(seen: Sequence[Seen], labels: Sequence[Sequence[Labels]]) -> Lag:
    """The shift from 0 to `LONGEST_S` with the most information, summed over the dimensions.

    Only faces that have labels at all shifts count, so that all shifts are judged by the same ones.

    Args:
        seen: of each video. labels: of each video, one for each dimension.

    Raises:
        CorpusError: too few such faces, labels that never change, or the most information at the longest shift.
    """
    from scipy.cluster.vq import kmeans2

    lags = np.arange(round(LONGEST_S / STEP_S) + 1) * STEP_S
    faces, said = [], []
    for one, dimensions in zip(seen, labels, strict=True):
        values = np.stack([[label(one.time_s + lag) for lag in lags] for label in dimensions])  # (D, L, T)
        rated = np.isfinite(values).all((0, 1))
        if rated.any():
            faces.append(one.faces[rated] - one.faces.mean(0))
            said.append(values[..., rated])
    count = sum(map(len, faces))
    if count < _FEWEST:
        raise CorpusError(
            f"lag auto: {count} faces with ratings up to {LONGEST_S:g} s later; expected {_FEWEST} or more. "
            "State it: --lag SECONDS"
        )
    _, symbols = kmeans2(np.concatenate(faces), _SYMBOLS, iter=100, minit="++", rng=0)
    values = np.concatenate(said, -1)
    information = np.zeros(len(lags))
    for of_dimension in values:
        edges = np.quantile(of_dimension, np.arange(1, _LEVELS) / _LEVELS)
        information += [_information(symbols, np.digitize(row, edges)) for row in of_dimension]
    best = int(information.argmax())
    if not information[best] > 0 or best == len(lags) - 1:
        longest = f"the best shift is the longest, {lags[-1]:g} s"
        what = longest if information[best] > 0 else "labels that never change"
        raise CorpusError(f"lag auto: {what}; nothing can be learnt from that. State it: --lag SECONDS")
    return Lag(float(round(lags[best], 3)), float(information[best]), float(information[0]), count)


def _information(symbols: NDArray[np.int_], levels: NDArray[np.int_]) -> float:
    """Mutual information of two (M,), in nats."""
    joint = np.zeros((_SYMBOLS, _LEVELS))
    np.add.at(joint, (symbols, levels), 1 / len(symbols))
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    some = joint > 0
    return float((joint[some] * np.log(joint[some] / independent[some])).sum())
