"""One video or camera, frame after frame: who is in it, and what the networks say of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anclaf.config import StreamOptions
from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError
from anclaf.core.labels import QUADRANTS, label_quadrant
from anclaf.faces import align
from anclaf.faces.align import FaceQuality, face_quality
from anclaf.faces.detect import Face
from anclaf.inference.backend import Backend
from anclaf.inference.baseline import Baseline, Rests
from anclaf.inference.pictures import as_frame
from anclaf.inference.table import NAN, FaceEstimate, Status
from anclaf.inference.tracks import Sighting, Track, Tracker, appearance_descriptor
from anclaf.inference.window import FeatureWindow, TrackFrame

_BATCH = 16
"""Faces that the networks see at once at most; more are not faster and take memory."""


@dataclass(frozen=True)
class Found:
    """A frame, (H, W, 3) uint8 RGB, and what was detected in it."""

    frame: NDArray[np.uint8]
    faces: list[Face]


Look = Callable[[NDArray[np.uint8], list[Face]], list[Face]]
"""A second look at the faces that were detected in a frame."""


@dataclass(frozen=True)
class SeenFace:
    """A detected face of one frame. matrix: (2, 3) frame pixels -> crop pixels. crop: (S, S, 3) uint8 RGB."""

    face: Face
    matrix: NDArray[np.float64]
    crop: NDArray[np.uint8]
    quality: FaceQuality
    sighting: Sighting


@dataclass(frozen=True)
class _Present:
    """A track in one frame. status: `ok` where its face can be estimated. face: None where it is not seen."""

    frame: int
    time_s: float
    track: int
    status: Status
    face: SeenFace | None


@dataclass(frozen=True)
class _Affect:
    """value: (2,) valence and arousal in [-1, 1] units. quadrant: (4,). full: from a full window. unfamiliar: as in
    `FaceEstimate`."""

    value: NDArray[np.float32]
    quadrant: NDArray[np.float32]
    full: bool
    attention: tuple[float, ...]
    unfamiliar: float


class AffectStream:
    """One video or camera: tracks, and for each its window of features. Its memory does not grow with time.

    `AffectEstimator.stream` makes it. A video on disk and a camera both go through `describe`, so that they give the
    same numbers.

    Args:
        backend: the model. detect: finds the faces of an (H, W, 3) uint8 RGB frame. look: what makes them better; None
            where nothing does.
        fps: frames a second, of the video or camera. baseline: how rests are known, which are then taken off.
        name: of the source, as tables of rests have it.

    Raises:
        ConfigError: no such frame rate, the attention of a model without, or a baseline that the end alone can tell.
    """

    def __init__(
        self,
        backend: Backend,
        detect: Callable[[NDArray[np.uint8]], list[Face]],
        fps: float,
        options: StreamOptions,
        baseline: Baseline | None = None,
        name: str = "",
        look: Look | None = None,
    ):
        spec = backend.spec
        if not (np.isfinite(fps) and fps > 0):
            raise ConfigError(f"fps {fps}: expected frames a second, above 0")
        if options.attention and not backend.attends:
            raise ConfigError(f"attention: the model is {spec.variant}, which has none; SA models do. Leave it out")
        self._backend, self._spec, self._calibration = backend, spec, backend.calibration
        if baseline is not None and baseline.whole:
            raise ConfigError(
                "baseline median: known when a source is over only; `predict` has it. Frame by frame: first:SECONDS, "
                "or a file"
            )
        self._detect, self._look = detect, look
        self._rests = None if baseline is None else Rests(baseline, name)
        self._fps, self._options = float(fps), options
        self._tracker = Tracker(options.max_gap_s)
        self._windows: dict[int, FeatureWindow] = {}
        self._frame, self._analysed, self._time_s = -1, 0, -np.inf
        self._largest: int | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers must know."""
        spec, notes = self._spec, list[str]()
        if spec.parsed_variant.n > 1 and 0 < self._fps < 0.9 * spec.fps:
            notes.append(
                f"{self._fps:g} frames a second, and {spec.variant} was trained at {spec.fps:g}: frames are repeated "
                "to fill its windows, and arousal may be underestimated. Record at the model's frame rate"
            )
        if self._calibration is not None and self._calibration.windows != self._options.windows:
            notes.append(f"no intervals: the model was calibrated with {self._calibration.windows} windows")
        return tuple(notes)

    def step(self, frame: Any, time_s: float | None = None, number: int | None = None) -> list[FaceEstimate]:
        """Analyse the next frame.

        Args:
            frame: (H, W, 3) uint8, upright, in the order RGB, not OpenCV's BGR; or a Pillow image.
            time_s: when it was taken, never before the previous one; default: the frame's number over the frame rate.
            number: its place in the video, after the previous one's; default: one more. Frames that could not be
                decoded leave holes.

        Returns:
            One estimate for each track present, by track; a track that is out of sight for at most `max_gap_s` is
            there with status `no_face`. Where there is no track, one estimate with track None and status `no_face`.
        """
        return self.steps([frame], None if time_s is None else [time_s], None if number is None else [number])[0]

    @checked
    def steps(
        self,
        frames: Sequence[Any],
        times_s: Sequence[float] | None = None,
        numbers: Sequence[int] | None = None,
    ) -> list[list[FaceEstimate]]:
        """`step` for each of the next frames, at once and therefore faster."""
        return self.describe([self.see(frame) for frame in frames], times_s, numbers)

    @property
    def attention_columns(self) -> int:
        """How many attention weights each of its estimates has: one a state (`Backend.reach`) if they are asked for."""
        return self._backend.reach if self._options.attention else 0

    @property
    def rest_note(self) -> str:
        """What is missing of the differences from rest, once the source is over; or nothing."""
        return "" if self._rests is None else self._rests.note

    @property
    def frames(self) -> int:
        """How many frames were analysed."""
        return self._analysed

    @property
    def last(self) -> tuple[int, float]:
        """The last frame's number, -1 before the first, and time."""
        return self._frame, self._time_s

    def state(self) -> dict[str, Any]:
        """All that the next estimates depend on, for `restore`: numbers, arrays, and lists and dicts of them."""
        return {
            "frame": self._frame,
            "analysed": self._analysed,
            "time_s": self._time_s,
            "largest": self._largest,
            "tracker": self._tracker.state(),
            "windows": [[track, window.state()] for track, window in self._windows.items()],
            "rests": None if self._rests is None else self._rests.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken from a stream of the same model, frame rate and options."""
        self._frame, self._time_s, self._largest = state["frame"], state["time_s"], state["largest"]
        self._analysed = state.get("analysed", self._frame + 1)  # before frames were numbered by their place
        self._tracker.restore(state["tracker"])
        for track, window in state["windows"]:
            self._window(track).restore(window)
        if self._rests is not None:
            self._rests.restore(state["rests"])

    def see(self, frame: Any) -> list[SeenFace]:
        """The faces of a frame."""
        return self.look(self.find(frame))

    def find(self, frame: Any) -> Found:
        """Detect the faces of a frame. The stream does not change, so that another thread may find the next ones."""
        frame = as_frame(frame)
        return Found(frame, self._detect(frame))

    def look(self, found: Found) -> list[SeenFace]:
        """Cut out faces that were found. The stream does not change."""
        frame, size = found.frame, self._spec.model.image_size
        seen = []
        for face in found.faces if self._look is None else self._look(frame, found.faces):
            matrix = align.crop_matrix(face.points, size)
            if np.isfinite(matrix).all():  # else the five points are one: not a face
                crop = align.warp(frame, matrix, size)
                sighting = Sighting(face.box, appearance_descriptor(crop), face.sure)
                seen.append(SeenFace(face, matrix, crop, face_quality(frame, face.points), sighting))
        return seen

    def describe(
        self,
        frames: Sequence[Sequence[SeenFace]],
        times_s: Sequence[float] | None = None,
        numbers: Sequence[int] | None = None,
    ) -> list[list[FaceEstimate]]:
        """`steps` for frames whose faces were seen before."""
        if numbers is None:
            numbers = range(self._frame + 1, self._frame + 1 + len(frames))
        for last, number in pairwise([self._frame, *numbers]):
            if not number > last:
                raise ConfigError(f"number {number}: expected more than the previous frame's, {last}")
        if times_s is None:
            times_s = [number / self._fps for number in numbers]
        for before, time_s in pairwise([self._time_s, *times_s]):
            if not time_s >= before:
                raise ConfigError(f"time_s {time_s}: expected seconds not before the previous frame's, {before}")
        moments = [(number, float(time_s)) for number, time_s in zip(numbers, times_s, strict=True)]
        self._analysed += len(frames)
        present = [self._follow(*moment, seen) for moment, seen in zip(moments, frames, strict=True)]
        clear = [person for people in present for person in people if person.status == "ok"]
        affects = iter([a for i in range(0, len(clear), _BATCH) for a in self._affect(clear[i : i + _BATCH])])
        for gone in self._windows.keys() - {track.id for track in self._tracker.tracks}:
            del self._windows[gone]
        rows = [
            [self._row(person, next(affects) if person.status == "ok" else None) for person in people]
            or [FaceEstimate(*moment)]
            for moment, people in zip(moments, present, strict=True)
        ]
        if self._rests is not None:
            rows = [[self._rests.corrected(row) for row in of_frame] for of_frame in rows]
            self._rests.keep([track.id for track in self._tracker.tracks])
        return rows

    def _follow(self, frame: int, time_s: float, seen: Sequence[SeenFace]) -> list[_Present]:
        """The tracks that get a row in a frame."""
        self._frame, self._time_s = frame, time_s
        tracks = self._tracker.update([face.sighting for face in seen], time_s)
        if self._options.faces == "largest":
            tracks = self._only_largest(tracks)
        faces = [(track.id, None if track.seen is None else seen[track.seen]) for track in tracks]
        return [_Present(frame, time_s, track, self._status(face), face) for track, face in faces]

    def _only_largest(self, tracks: list[Track]) -> list[Track]:
        present = [track for track in tracks if track.seen is not None]
        if present:
            self._largest = max(present, key=lambda track: track.side).id
        return [track for track in tracks if track.id == self._largest]

    def _status(self, face: SeenFace | None) -> Status:
        if face is None:
            return "no_face"
        if face.quality.size < self._options.min_size:
            return "too_small"
        return "blurred" if face.quality.sharpness < self._options.min_sharpness else "ok"

    def _affect(self, clear: Sequence[_Present]) -> list[_Affect]:
        """Run the networks once on faces, and the head on the windows that end at each."""
        faces = [person.face for person in clear if person.face is not None]
        crops = np.stack([face.crop for face in faces])
        encoded = self._backend.encode(crops)
        windows, full = list[list[TrackFrame]](), list[bool]()
        for person, face, x in zip(clear, faces, encoded.x, strict=True):
            window = self._window(person.track)
            windows.append(window.add(person.time_s, TrackFrame(x, face.matrix)))
            full.append(window.full)
        unfamiliar = [NAN] * len(clear) if encoded.unfamiliar is None else encoded.unfamiliar.tolist()
        found: dict[int, _Affect] = {}
        for length in set(map(len, windows)):
            # windows of one length together: the weights are read once for all of them
            rows = [i for i, window in enumerate(windows) if len(window) == length]
            x = np.stack([[frame.feature for frame in windows[i]] for i in rows])
            affect, attention = self._backend.estimate(x, self._motion([windows[i] for i in rows]))
            weights = [()] * len(rows)
            if self._options.attention and attention is not None:
                first = max(0, length - 1 - self.attention_columns)
                missing = [NAN] * (self.attention_columns - (length - 1 - first))
                weights = [(*past, *missing) for past in attention[:, -1, first:-1][:, ::-1].tolist()]
            for k, i in enumerate(rows):
                found[i] = _Affect(affect[k, -1], encoded.q[i], full[i], weights[k], unfamiliar[i])
        return [found[i] for i in range(len(clear))]

    def _motion(self, windows: Sequence[Sequence[TrackFrame]]) -> NDArray[np.float32]:
        """(B, T, 4) how the crops of these windows, of one length, moved from frame to frame."""
        size = self._spec.model.image_size
        moved = [align.crop_motion(np.stack([frame.matrix for frame in window]), size) for window in windows]
        return np.stack(moved).astype(np.float32)

    def _window(self, track: int) -> FeatureWindow:
        if track not in self._windows:
            spec, lead_in = self._spec, self._backend.lead_in
            self._windows[track] = FeatureWindow(
                spec.parsed_variant.n, spec.fps, self._fps, self._options.windows, lead_in
            )
        return self._windows[track]

    def _row(self, person: _Present, affect: _Affect | None) -> FaceEstimate:
        blank = (NAN,) * self.attention_columns
        status = person.status
        if person.face is None:
            return FaceEstimate(person.frame, person.time_s, person.track, status=status, attention=blank)
        x, y, w, h = person.face.face.box
        about = person.face.quality
        valence = arousal = q1 = q2 = q3 = q4 = unfamiliar = NAN
        v_low = v_high = a_low = a_high = NAN
        named = None
        if affect is not None:
            valence, arousal = self._spec.scale.restore(affect.value).tolist()
            q1, q2, q3, q4 = affect.quadrant.tolist()
            unfamiliar, (v_low, v_high, a_low, a_high) = affect.unfamiliar, self._bounds(affect.value)
            named = QUADRANTS[int(label_quadrant(*affect.value))]
            status, blank = "ok" if affect.full else "warming_up", affect.attention
        return FaceEstimate(
            person.frame, person.time_s, person.track, x, y, w, h, person.face.face.score, valence, arousal, named,
            q1, q2, q3, q4, status, about.size, about.sharpness, about.frontalness, blank, unfamiliar=unfamiliar,
            valence_low=v_low, valence_high=v_high, arousal_low=a_low, arousal_high=a_high,
        )  # fmt: skip

    def _bounds(self, value: NDArray[np.float32]) -> tuple[float, float, float, float]:
        """Ends of the intervals: of valence, low and high, and of arousal."""
        if self._calibration is None or self._calibration.windows != self._options.windows:
            return NAN, NAN, NAN, NAN
        low, high = (self._spec.scale.restore(ends) for ends in self._calibration.intervals(value))
        return float(low[0]), float(high[0]), float(low[1]), float(high[1])
