"""Which windows each step of stage 2 takes, and which of their frames are in its loss.

Both ways are functions of the seed, the window's length and the step alone: models of one length see the same windows
at the same step, whatever their kind, and a killed training goes on with the windows that it would have had.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from anclaf.config import LossFrames, Stage2Config, WindowMode
from anclaf.core.seeds import Purpose, shuffled


class Windows(NamedTuple):
    """positions: (W, n) of the frames of W windows, in time order. scored: (W, n) whether a frame is in the loss."""

    positions: NDArray[np.int64]
    scored: NDArray[np.bool_]


class WindowDraw(Protocol):
    """The windows of each step."""

    def at(self, step: int) -> Windows: ...


def loss_frames(choice: LossFrames, windows: WindowMode) -> LossFrames:
    """last or all: what `tested` stands for where windows are tested in this way."""
    if choice != "tested":
        return choice
    return "last" if windows == "sliding" else "all"


def window_draw(
    segments: Sequence[NDArray[np.int64]], n: int, frames: LossFrames, config: Stage2Config, seed: int
) -> WindowDraw:
    """The draw of training windows.

    Args:
        segments: positions of each segment of consecutive frames; one of them has n frames or more.
        frames: last or all.
    """
    if frames == "last":
        return EveryEnd(segments, n, config.windows_per_step, seed)
    return Tiles(segments, n, max(2, config.frames_per_step // n), seed)


class EveryEnd:
    """Windows as sliding ones are tested: each frame of a segment ends one, and it alone is in the loss.

    An epoch is a shuffle of all frames, so that each is in the loss equally often. Near a segment's start there are
    fewer than n frames: such a window begins at the segment's first frame, as in testing. Its last frame is repeated
    after it up to n, which the estimate of that frame, of it and those before it, does not see.
    """

    def __init__(self, segments: Sequence[NDArray[np.int64]], n: int, size: int, seed: int):
        self._n, self._size, self._seed = n, size, seed
        self._frames = np.concatenate(segments)
        place = np.concatenate([np.arange(len(segment)) for segment in segments])
        self._lengths = np.minimum(place + 1, n)

    def at(self, step: int) -> Windows:
        ends = shuffled(len(self._frames), self._size, step, self._seed, Purpose.STAGE2_ORDER, self._n)[:, None]
        last, place = self._lengths[ends] - 1, np.arange(self._n)
        return Windows(self._frames[ends - np.maximum(last - place, 0)], place == last)


class Tiles:
    """Windows as tumbling ones are tested: in an epoch they do not overlap, and all of their frames are in the loss.

    Args:
        size: windows a step.
    """

    def __init__(self, segments: Sequence[NDArray[np.int64]], n: int, size: int, seed: int):
        self._segments, self._n, self._size, self._seed = segments, n, size, seed
        self._steps: list[NDArray[np.int64]] = []
        self._epochs = 0

    def at(self, step: int) -> Windows:
        while len(self._steps) <= step:
            rng = np.random.default_rng((self._seed, int(Purpose.STAGE2_ORDER), self._n, self._epochs))
            windows = epoch_windows(self._segments, self._n, rng)
            # the last batch is left out when it is small, for its correlations would be noise
            count = max(1, round(len(windows) / self._size))
            self._steps += [windows[i * self._size : (i + 1) * self._size] for i in range(count)]
            self._epochs += 1
        positions = self._steps[step]
        return Windows(positions, np.ones(positions.shape, bool))


def epoch_windows(segments: Sequence[NDArray[np.int64]], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(W, n) positions: windows that do not overlap, from a random start in each segment, in random order.

    So no frame is computed twice in an epoch, and every frame comes to every position of a window over the epochs.
    """
    found = []
    for segment in segments:
        if len(segment) >= n:
            start = int(rng.integers(0, min(n, len(segment) - n + 1)))
            found += [segment[i : i + n] for i in range(start, len(segment) - n + 1, n)]
    if not found:
        return np.empty((0, n), np.int64)
    return np.stack(found)[rng.permutation(len(found))]
