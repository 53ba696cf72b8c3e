"""A video with what was estimated drawn into it: box, identity, a dial of valence and arousal, and both over time.

What is said of an unfamiliar face is grey. A cross on the dial and a band below show the intervals.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.error import FFmpegError
from av.video.stream import VideoStream
from numpy.typing import NDArray

from anclaf.core.errors import OutputError
from anclaf.core.files import output_error
from anclaf.core.labels import LabelScale
from anclaf.inference.table import UNFAMILIAR, FaceEstimate

TIMELINE_S = 10.0
LONGEST_SIDE = 1280

_INK, _PAPER, _PALE, _BAND = (235, 235, 235), (24, 26, 30), (96, 100, 108), (44, 48, 54)
_VALENCE, _AROUSAL = (120, 200, 255), (255, 160, 90)
_TRACKS = ((255, 214, 90), (120, 220, 140), (220, 140, 255), (255, 130, 130), (110, 210, 230), (200, 200, 120))
_FONT = cv2.FONT_HERSHEY_SIMPLEX


class OverlayVideo:
    """Writes frames as they come, at a constant frame rate: H.264, or MPEG-4 part 2 where FFmpeg lacks libx264.

    Where the source's frame rate varies, frames are repeated or left out so that times stay right. Frames with a side
    over `LONGEST_SIDE` are reduced. A strip below the picture holds the last `TIMELINE_S` seconds.

    Use as a context manager; the file is whole when the block ends.

    Args:
        path: of the video, .mp4. It is overwritten.
        fps: frames a second.
        scale: of the estimates, to draw them.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, path: Path, fps: float, scale: LabelScale):
        self._path, self._scale = Path(path), scale
        self._fps = Fraction(fps).limit_denominator(1001)
        self._history: deque[tuple[float, list[FaceEstimate]]] = deque()
        self._written, self._held = 0, None
        self._size: tuple[int, int] | None = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self._path), "w", format="mp4")
        except OSError as error:
            raise output_error(self._path, error) from error
        self._stream: VideoStream | None = None

    def add(self, time_s: float, frame: NDArray[np.uint8], estimates: list[FaceEstimate]) -> None:
        """The next frame, (H, W, 3) uint8 RGB, and what was said of it."""
        self._history.append((time_s, estimates))
        while self._history[0][0] < time_s - TIMELINE_S:
            self._history.popleft()
        # the frame before this one is shown until now
        self._show_until(time_s)
        self._held = self._draw(time_s, frame, estimates)

    def _show_until(self, time_s: float) -> None:
        while self._held is not None and (self._written + 0.5) / self._fps <= time_s:
            self._write(self._held)

    def close(self) -> None:
        """Write the last frame and finish the file. A video without frames leaves no file."""
        if self._held is not None:
            self._write(self._held)
        with self._failing(), self._container:
            if self._stream is not None:
                self._container.mux(self._stream.encode())
        if self._stream is None:
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> "OverlayVideo":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not isinstance(error, OutputError):
            self.close()
            return
        with suppress(OSError, FFmpegError):  # it would fail again, and the first reason is the true one
            self._container.close()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, FFmpegError) as error:
            raise output_error(self._path, OSError(error.errno, error.strerror)) from error

    def _write(self, picture: NDArray[np.uint8]) -> None:
        with self._failing():
            if self._stream is None:
                self._stream = self._start(picture)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = self._written, 1 / self._fps
            self._container.mux(self._stream.encode(frame))
        self._written += 1

    def _start(self, picture: NDArray[np.uint8]) -> VideoStream:
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        options = {"preset": "veryfast", "crf": "23"} if codec == "libx264" else {"qscale": "4"}
        stream = self._container.add_stream(codec, rate=self._fps, options=options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        return stream

    def _draw(self, time_s: float, frame: NDArray[np.uint8], estimates: list[FaceEstimate]) -> NDArray[np.uint8]:
        height, width = frame.shape[:2]
        if self._size is None:
            factor = min(1.0, LONGEST_SIDE / max(height, width))
            # small pictures are enlarged, for the text's sake
            factor = max(factor, 480 / max(height, width))
            self._size = (max(240, round(width * factor / 2) * 2), max(16, round(height * factor / 2) * 2))
        picture = np.ascontiguousarray(cv2.resize(frame, self._size, interpolation=cv2.INTER_AREA))
        to_picture = np.array(self._size) / (width, height)
        unit = max(self._size[0] / 640, 0.6)
        for estimate in estimates:
            if np.isfinite(estimate.x):
                self._face(picture, estimate, to_picture, unit)
        reason = next((e.status for e in estimates if e.status == "no_face"), None)
        if reason and not any(np.isfinite(e.x) for e in estimates):
            _text(picture, reason, (int(8 * unit), int(20 * unit)), unit, _INK)
        strip = np.full((round(self._size[0] * 0.11) * 2, self._size[0], 3), _PAPER, np.uint8)
        self._timelines(strip, time_s, unit)
        return np.concatenate([picture, strip]).astype(np.uint8)

    def _face(self, picture: NDArray, estimate: FaceEstimate, to_picture: NDArray, unit: float) -> None:
        odd = estimate.unfamiliar > UNFAMILIAR
        colour = _PALE if odd else _colour(estimate.track)
        corner = np.round(np.array([estimate.x, estimate.y]) * to_picture).astype(int)
        far = np.round(np.array([estimate.x + estimate.w, estimate.y + estimate.h]) * to_picture).astype(int)
        line = max(1, round(1.5 * unit))
        cv2.rectangle(picture, corner.tolist(), far.tolist(), colour, line, cv2.LINE_AA)
        about = [estimate.status] * (estimate.status != "ok") + ["unfamiliar"] * odd
        label = " ".join([str(estimate.track), *about])
        _text(picture, label, (int(corner[0]), max(int(14 * unit), int(corner[1] - 5 * unit))), unit, colour)
        if not estimate.estimated:
            return
        radius = int(np.clip((far[1] - corner[1]) * 0.3, 22 * unit, 60 * unit))
        room_right = far[0] + 2 * radius + 8 * unit <= picture.shape[1]
        x = far[0] + radius + 6 * unit if room_right else corner[0] - radius - 6 * unit
        x = np.clip(x, radius + 1, max(radius + 1, picture.shape[1] - radius - 1))
        y = np.clip((corner[1] + far[1]) / 2, radius + 1, max(radius + 1, picture.shape[0] - radius - 1))
        self._dial(picture, estimate, (int(x), int(y)), radius, colour, unit)

    def _dial(
        self, picture: NDArray, estimate: FaceEstimate, centre: tuple[int, int], radius: int, colour: tuple, unit: float
    ) -> None:
        """The circumplex: valence to the right, arousal up. The line begins at the person's rest, if that is known,
        else in the middle."""
        x, y = centre
        shade = picture.copy()
        cv2.circle(shade, centre, radius, _PAPER, -1, cv2.LINE_AA)
        cv2.addWeighted(shade, 0.6, picture, 0.4, 0, dst=picture)
        cv2.circle(picture, centre, radius, _INK, 1, cv2.LINE_AA)
        cv2.line(picture, (x - radius, y), (x + radius, y), _PALE, 1, cv2.LINE_AA)
        cv2.line(picture, (x, y - radius), (x, y + radius), _PALE, 1, cv2.LINE_AA)
        _text(picture, "V", (x + radius - int(9 * unit), y - int(3 * unit)), unit * 0.8, _VALENCE)
        _text(picture, "A", (x + int(3 * unit), y - radius + int(12 * unit)), unit * 0.8, _AROUSAL)
        dot = self._on_dial(estimate.valence, estimate.arousal, centre, radius)
        rest = centre
        if np.isfinite(estimate.valence_from_rest):
            resting = estimate.valence - estimate.valence_from_rest, estimate.arousal - estimate.arousal_from_rest
            rest = self._on_dial(*resting, centre, radius)
            cv2.circle(picture, rest, max(3, round(4 * unit)), colour, 1, cv2.LINE_AA)
        cv2.line(picture, rest, dot, colour, 1, cv2.LINE_AA)
        self._interval(picture, estimate, dot, centre, radius)
        cv2.circle(picture, dot, max(3, round(4 * unit)), colour, -1, cv2.LINE_AA)

    def _interval(
        self, picture: NDArray, estimate: FaceEstimate, dot: tuple[int, int], centre: tuple[int, int], radius: int
    ) -> None:
        """A cross of how far valence and arousal may be off."""
        low, high = (estimate.valence_low, estimate.arousal_low), (estimate.valence_high, estimate.arousal_high)
        if not np.isfinite([*low, *high]).all():
            return
        (left, bottom), (right, top) = (
            np.clip(self._scale.normalise(ends), -1, 1) * radius * (1, -1) + centre for ends in (low, high)
        )
        cv2.line(picture, (int(left), dot[1]), (int(right), dot[1]), _VALENCE, 1, cv2.LINE_AA)
        cv2.line(picture, (dot[0], int(bottom)), (dot[0], int(top)), _AROUSAL, 1, cv2.LINE_AA)

    def _on_dial(self, valence: float, arousal: float, centre: tuple[int, int], radius: int) -> tuple[int, int]:
        point = np.clip(self._scale.normalise([valence, arousal]), -1, 1)
        point = point / max(1.0, float(np.hypot(*point)))  # corners of the square lie outside the circle
        return int(centre[0] + point[0] * radius), int(centre[1] - point[1] * radius)

    def _timelines(self, strip: NDArray, time_s: float, unit: float) -> None:
        height, width = strip.shape[:2]
        left, half = int(88 * unit), height // 2
        for name, top, ink in (("valence", 0, _VALENCE), ("arousal", half, _AROUSAL)):
            middle = top + half // 2
            cv2.line(strip, (left, middle), (width, middle), _PALE, 1)
            _text(strip, name, (int(8 * unit), middle - int(2 * unit)), unit, ink)
            lines = self._lines(name)
            for values in lines.values():
                xs, ys, joined = self._placed(values, time_s, left, width, middle, half)
                for i in joined:
                    band = np.array([[xs[i - 1], ys[i - 1, 1]], [xs[i], ys[i, 1]], [xs[i], ys[i, 2]],
                                     [xs[i - 1], ys[i - 1, 2]]])  # fmt: skip
                    if np.isfinite(band).all():
                        cv2.fillConvexPoly(strip, band.astype(np.int32), _BAND)
            for track, values in lines.items():
                xs, ys, joined = self._placed(values, time_s, left, width, middle, half)
                for i in joined:
                    a, b = (int(xs[i - 1]), int(ys[i - 1, 0])), (int(xs[i]), int(ys[i, 0]))
                    colour = _PALE if values[i][4] > UNFAMILIAR else _colour(track)
                    cv2.line(strip, a, b, colour, max(1, round(unit)), cv2.LINE_AA)
            shown = [e for e in self._history[-1][1] if e.estimated]
            if shown:
                largest = max(shown, key=lambda e: e.w * e.h)
                value = f"{getattr(largest, name):+.2f}"
                _text(strip, value, (int(8 * unit), middle + int(13 * unit)), unit, _colour(largest.track))

    def _placed(
        self, values: list[tuple[float, ...]], time_s: float, left: int, width: int, middle: int, half: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], list[int]]:
        """Where values, lows and highs lie on the strip, (N,) and (N, 3), and which are joined to the one before."""
        table = np.array(values)
        xs = width - 4 - (time_s - table[:, 0]) / TIMELINE_S * (width - left - 4)
        ys = middle - np.clip(self._scale.normalise(table[:, 1:4]), -1, 1) * (half / 2 - 3)
        # a longer gap stays open
        return xs, ys, (np.flatnonzero(np.diff(table[:, 0]) < 0.5) + 1).tolist()

    def _lines(self, name: str) -> dict[int, list[tuple[float, ...]]]:
        """Track -> time, value, its interval's ends, unfamiliar."""
        columns = (name, f"{name}_low", f"{name}_high", "unfamiliar")
        lines: dict[int, list[tuple[float, ...]]] = {}
        for time_s, estimates in self._history:
            for estimate in estimates:
                if estimate.estimated and estimate.track is not None:
                    values = (getattr(estimate, column) for column in columns)
                    lines.setdefault(estimate.track, []).append((time_s, *values))
        return lines


def _colour(track: int | None) -> tuple[int, int, int]:
    return _TRACKS[track % len(_TRACKS)] if track is not None else _INK


def _text(picture: NDArray, text: str, at: tuple[int, int], unit: float, colour: tuple) -> None:
    cv2.putText(picture, text, at, _FONT, 0.45 * unit, _PAPER, max(2, round(3 * unit)), cv2.LINE_AA)
    cv2.putText(picture, text, at, _FONT, 0.45 * unit, colour, max(1, round(unit)), cv2.LINE_AA)
