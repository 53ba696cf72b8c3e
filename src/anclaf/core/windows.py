"""Window arithmetic: which frames a temporal model sees for each estimate.

A *segment* is a stretch of consecutive frames of one clip without a gap. Windows never leave their segment.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MAX_GAP = 3.5
"""A segment ends where the next frame is more than this many frame periods away."""


def segments(
    clip: NDArray, time_s: NDArray, fps: float, number: NDArray[np.int64] | None = None
) -> list[tuple[int, int]]:
    """Half-open row ranges (start, stop) of frames that follow each other in one clip.

    Args:
        clip: (N,) clip identity per row, rows of one clip adjacent and in time order.
        time_s: (N,) seconds.
        fps: frames a second; 0 or NaN for stills, each of which is its own clip.
        number: (N,) of each frame in its clip, where only frames with consecutive numbers follow each other.
    """
    if len(clip) == 0:
        return []
    breaks = clip[1:] != clip[:-1]
    if fps and np.isfinite(fps):
        breaks = breaks | (np.diff(time_s) * fps > MAX_GAP)
    if number is not None:
        breaks = breaks | (np.diff(number) != 1)
    edges = np.flatnonzero(breaks) + 1
    return list(zip([0, *edges.tolist()], [*edges.tolist(), len(clip)], strict=True))


def tumbling(length: int, n: int) -> NDArray[np.int64]:
    """Starts of the windows of n frames that do not overlap; the remainder is dropped, as the paper's authors do."""
    return np.arange(0, length - n + 1, n, dtype=np.int64)


def with_lead_in(
    windows: NDArray[np.int64], scored: NDArray[np.bool_], segments: Sequence[NDArray[np.int64]], lead_in: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Windows with the frames before them, as many as there are of up to `lead_in`, in the same segment.

    Those that have fewer are as long as the others all the same: their last frame is repeated at their end, where a
    model that sees no later frame does not see it.

    Args:
        windows: (W, n) positions. scored: (W, n) bool, a mark of any kind. segments: positions of every segment.

    Returns:
        (W, lead_in + n) positions, and the marks where their frames are now.
    """
    first = np.zeros(1 + max(int(segment[-1]) for segment in segments), np.int64)
    for segment in segments:
        first[segment] = segment[0]
    start, n = windows[:, :1], windows.shape[1]
    before = np.minimum(lead_in, start - first[start])
    place = np.arange(lead_in + n) - before
    inside = np.take_along_axis(windows, place.clip(0, n - 1), 1)
    marks = np.take_along_axis(scored, place.clip(0, n - 1), 1) & (place >= 0) & (place < n)
    return np.where(place < 0, start + place, inside), marks


def trailing_mean(values: NDArray[np.floating], n: int) -> NDArray[np.float64]:
    """(T, F) -> (T, F) mean of the last n rows up to each, of fewer at the start."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, 0)])
    stop = np.arange(1, len(values) + 1)
    start = np.maximum(stop - n, 0)
    return (total[stop] - total[start]) / (stop - start)[:, None]
