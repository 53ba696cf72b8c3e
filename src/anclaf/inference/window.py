"""A track's last frames, at the pace that its model knows."""

from collections import deque
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anclaf.config import WindowMode
from anclaf.core.windows import MAX_GAP

_SNAP = 0.15
"""Containers round times. A time that is off the frame rate's own grid by less than this part of a frame is put on it,
so that the choice of frames is the same whether times come from a container or from a frame count."""
_LATER = 1e-3
"""Of two frames equally near, the later one counts: instants are read this part of a frame late."""


class TrackFrame(NamedTuple):
    """What is kept of a frame. feature: (F,). matrix: (2, 3) frame pixels -> crop pixels."""

    feature: NDArray[np.float32]
    matrix: NDArray[np.float64]


class FeatureWindow:
    """Keeps the frames of one track and gives the window that ends at the newest.

    The window has n frames one period of the model's frame rate apart; each is the one nearest in time,
    so that a faster video is thinned out, and in a slower one, or where frames are missing, frames stand for their
    neighbours. After a gap of more than `core.windows.MAX_GAP` periods the window starts anew, as it does in training.

    Args:
        n: frames in a full window; a window of 1 is the newest frame, whatever the frame rates.
        lead_in: frames before the window that are given too, as far as there are any (`Head.lead_in`).
        model_fps: frame rate the model was trained at; 0 takes frames as they come.
        video_fps: frame rate of what is added, above 0.
        windows: `sliding`: every frame ends a window. `tumbling`: a full window is followed by an empty one, as in the
            paper's evaluation, so that a window's frames have seen 1 to n frames, and the lead-in.
    """

    def __init__(self, n: int, model_fps: float, video_fps: float, windows: WindowMode = "sliding", lead_in: int = 0):
        self._n, self._lead_in, self._windows, self._fps = n, lead_in, windows, video_fps
        self._period = 1 / model_fps if model_fps > 0 and n > 1 else 0.0
        self._gap = MAX_GAP / (min(model_fps, video_fps) if model_fps > 0 else video_fps)
        self._items: deque[tuple[float, TrackFrame]] = deque()
        self._began_s = 0.0
        self._full = False

    @property
    def full(self) -> bool:
        """Whether the last window had all its n frames, the lead-in not counted; any number is all when tumbling."""
        return self._full or self._windows == "tumbling"

    def add(self, time_s: float, frame: TrackFrame) -> list[TrackFrame]:
        """Keep a frame and give the window that ends at it, oldest first: 1 to n frames, after the lead-in."""
        items = self._items
        grid = round(time_s * self._fps)
        if abs(time_s * self._fps - grid) < _SNAP:
            time_s = grid / self._fps
        over = self._windows == "tumbling" and self._full
        if items and (time_s - items[-1][0] > self._gap or (over and not self._lead_in)):
            items.clear()
        if over or not items:
            self._began_s = time_s
        items.append((time_s, frame))
        return self._pick(time_s)

    def state(self) -> dict[str, Any]:
        """All that it keeps, for `restore`. Only of a window to which a frame was added."""
        times, frames = zip(*self._items, strict=True)
        features, matrices = zip(*frames, strict=True)
        kept = {"features": np.stack(features), "matrices": np.stack(matrices)}
        return {"times_s": times, **kept, "full": self._full, "began_s": self._began_s}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        frames = map(TrackFrame, state["features"], state["matrices"])
        self._items = deque(zip(state["times_s"], frames, strict=True))
        self._full, self._began_s = state["full"], state["began_s"]

    def _pick(self, now: float) -> list[TrackFrame]:
        items, period, most = self._items, self._period, self._n + self._lead_in
        if not period:
            while len(items) > most:
                items.popleft()
            length = self._length(len(items), sum(time >= self._began_s for time, _ in items))
            return [frame for _, frame in items][-length:]
        while len(items) > 1 and items[1][0] < now - most * period:
            items.popleft()
        times = np.array([time for time, _ in items])
        instants = now - period * np.arange(most) + _LATER / self._fps
        since = [int((instants >= first - period / 2).sum()) for first in (times[0], self._began_s)]
        nearest = np.abs(times[None] - instants[: self._length(*since), None]).argmin(1)
        return [items[i][1] for i in nearest[::-1].tolist()]

    def _length(self, there: int, own: int) -> int:
        """Of what is given. there: frames kept; own: those since the window began."""
        self._full = own >= self._n
        return min(there, self._n + self._lead_in if self._windows == "sliding" else own + self._lead_in)
