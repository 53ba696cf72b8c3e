"""Window arithmetic: which frames a temporal model sees for each estimate.

A *segment* is a stretch of consecutive frames of one clip without a gap. Windows never leave their segment.
"""

import numpy as np
from numpy.typing import NDArray

MAX_GAP = 3.5
"""A segment ends where the next frame is more than this many frame periods away."""


def segments(clip: NDArray, time_s: NDArray, fps: float) -> list[tuple[int, int]]:
    """Half-open row ranges (start, stop) of frames that follow each other in one clip.

    Args:
        clip: (N,) clip identity per row, rows of one clip adjacent and in time order.
        time_s: (N,) seconds.
        fps: frames a second; 0 or NaN for stills, each of which is its own clip.
    """
    if len(clip) == 0:
        return []
    breaks = clip[1:] != clip[:-1]
    if fps and np.isfinite(fps):
        breaks = breaks | (np.diff(time_s) * fps > MAX_GAP)
    edges = np.flatnonzero(breaks) + 1
    return list(zip([0, *edges.tolist()], [*edges.tolist(), len(clip)], strict=True))


def tumbling(length: int, n: int) -> NDArray[np.int64]:
    """Starts of the windows of n frames that do not overlap; the remainder is dropped, as the paper's authors do."""
    return np.arange(0, length - n + 1, n, dtype=np.int64)


def trailing_mean(values: NDArray[np.floating], n: int) -> NDArray[np.float64]:
    """(T, F) -> (T, F) mean of the last n rows up to each, of fewer at the start."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, 0)])
    stop = np.arange(1, len(values) + 1)
    start = np.maximum(stop - n, 0)
    return (total[stop] - total[start]) / (stop - start)[:, None]
