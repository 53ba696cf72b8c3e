"""From frames to valence and arousal of every person in them.

`predict` and `step` both go through `AffectStream.describe`, so a video on disk and a camera give the same numbers.
"""

import hashlib
import warnings
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from anclaf.core.errors import ConfigError, ModelError
from anclaf.core.labels import QUADRANTS, label_quadrant
from anclaf.core.progress import Progress, silent
from anclaf.faces import align
from anclaf.faces.align import FaceQuality, face_quality
from anclaf.faces.detect import Detector, Face, make_detector
from anclaf.faces.frames import VideoFrame
from anclaf.inference.estimate import NAN, FaceEstimate, Status, table
from anclaf.inference.pipeline import CHUNK, ahead, chunks, one_thread_less
from anclaf.inference.source import Source, open_source
from anclaf.inference.tracks import Sighting, Track, Tracker, look
from anclaf.inference.window import FeatureWindow, Windows
from anclaf.models.io import load_model
from anclaf.models.network import AffectNetwork, to_input
from anclaf.models.spec import ModelSpec

Faces = Literal["all", "largest"]

_BATCH = 16
"""Faces that the networks see at once at most; more are not faster and take memory."""


@dataclass(frozen=True)
class StreamOptions:
    """How frames are analysed.

    faces: `all`, or `largest`: in each frame only the person whose face is largest.
    windows: see `FeatureWindow`. attention: whether the weights of SA models are given.
    min_size: a crop that covers fewer pixels of the frame along its side is `too_small`; 32 is a face of about 20.
    min_sharpness: a crop of less is `blurred`; see `faces.align.face_quality`.
    max_gap_s: a person who is not seen for longer gets a new track.
    """

    faces: Faces = "all"
    windows: Windows = "sliding"
    attention: bool = False
    min_size: float = 32.0
    min_sharpness: float = 0.012
    max_gap_s: float = 1.0

    def __post_init__(self) -> None:
        if self.faces not in ("all", "largest"):
            raise ConfigError(f"faces {self.faces!r}: expected all or largest")
        if self.windows not in ("sliding", "tumbling"):
            raise ConfigError(f"windows {self.windows!r}: expected sliding or tumbling")
        if not (self.min_size >= 0 and self.min_sharpness >= 0):
            raise ConfigError(f"min_size {self.min_size}, min_sharpness {self.min_sharpness}: expected 0 or more")


class AffectEstimator:
    """A trained model and a face detector.

    Example:
        >>> estimator = AffectEstimator.load("run/fold0/SA-8")        # doctest: +SKIP
        >>> table = estimator.predict("interview.mp4")                # doctest: +SKIP
        >>> stream = estimator.stream(fps=25)                         # doctest: +SKIP
        >>> faces = stream.step(frame_rgb)                            # doctest: +SKIP
    """

    def __init__(self, network: AffectNetwork, spec: ModelSpec, detector: Detector, device: torch.device | str = "cpu"):
        if spec.crop != "five-point":
            raise ModelError(
                f"crop={spec.crop} needs the 68 or 49 landmarks of a database, and detectors give five points. "
                "Use a model that was trained with crop=five-point"
            )
        if spec.sizes.needs_labels:
            raise ModelError(
                f"quadrant={spec.sizes.quadrant}: this model is told each frame's quadrant, which a video does not "
                "say. It is for comparison on a labelled corpus only"
            )
        self.network, self.spec, self.detector, self.device = network.eval(), spec, detector, torch.device(device)
        self._detecting = Lock()

    @classmethod
    def load(cls, folder: Path | str, *, detector: str | Detector = "auto", device: str = "cpu") -> "AffectEstimator":
        """Load a model's folder.

        Args:
            folder: holds `model.safetensors` and `model.json`.
            detector: as `make_detector`, or a detector. `.detector.name` says which `auto` took.
            device: `cpu`, `cuda`, `cuda:1`, …

        Raises:
            ModelError: no model, a damaged one, or one whose crops a detector cannot make.
            DetectorError: the detector cannot be had. ConfigError: no such device or detector.
        """
        place = _device(device)
        network, spec = load_model(Path(folder), place)
        return cls(network, spec, make_detector(detector) if isinstance(detector, str) else detector, place)

    @property
    def attention_columns(self) -> int:
        """How many attention weights a row has when they are asked for: n - 1 for SA-n."""
        variant = self.spec.parsed_variant
        return variant.n - 1 if variant.kind == "SA" else 0

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of the model's spec and weights."""
        digest = hashlib.sha256(repr(self.spec).encode())
        for name, value in sorted(self.network.state_dict().items()):
            digest.update(name.encode() + value.cpu().numpy().tobytes())
        return digest.hexdigest()[:16]

    def detect(self, frame: NDArray[np.uint8]) -> list[Face]:
        """The detector's faces of a frame. Threads take turns."""
        with self._detecting:
            return self.detector.detect(frame)

    def stream(self, fps: float, options: StreamOptions | None = None) -> "AffectStream":
        """Begin with a new video or camera, of so many frames a second."""
        return AffectStream(self, fps, options or StreamOptions())

    def predict(
        self,
        path: Path | str,
        options: StreamOptions | None = None,
        *,
        image_fps: float = 25.0,
        seconds: float | None = None,
        progress: Progress = silent,
    ) -> pd.DataFrame:
        """The table of a source: a video, an image, a folder of images that are the frames of a video, a camera or
        network stream; see `open_source` for their names. A camera has no end but `seconds`.

        Every frame has a row for each track, and one row with `status` where there is none; see `FaceEstimate` for
        the columns. `attrs` says the model's variant, the detector, both frame rates, and `notes`.

        A video of another frame rate than the model's is resampled in time: each window holds the features of the
        frames nearest to the model's own instants. A video much slower than the model repeats frames, which is warned
        of, because fast motion is then not in it.

        Raises:
            VideoError: the source cannot be read, or not to its end.
        """
        options = options or StreamOptions()
        source = open_source(path, image_fps, seconds)
        stream = self.stream(source.fps, options)
        for note in stream.notes:
            warnings.warn(f"{path}: {note}", stacklevel=2)
        rows = [row for _, found in self.run(source, stream, progress) for row in found]
        result = table(rows, stream.attention_columns)
        result.attrs = {
            "model": self.spec.variant,
            "model_fps": self.spec.fps,
            "video_fps": source.fps,
            "detector": self.detector.name,
            "notes": list(stream.notes),
        }
        return result

    def run(
        self, source: Source, stream: "AffectStream", progress: Progress = silent
    ) -> Generator[tuple[VideoFrame, list[FaceEstimate]]]:
        """Frame by frame, keeping nothing: the frames of a source and what the stream says of them.

        While the networks work on a chunk of frames, another thread reads the next one and finds its faces. Where the
        source turns out to be damaged, all frames before that come first.
        """
        seen = ((frame, stream.see(frame.image)) for frame in source.read())
        most = CHUNK if source.path is not None else 1  # a camera's frames are not waited for
        with one_thread_less():
            for chunk in ahead(chunks(seen, lambda item: item[0].image.nbytes, most)):
                found = stream.describe([faces for _, faces in chunk], [frame.time_s for frame, _ in chunk])
                for (frame, _), estimates in zip(chunk, found, strict=True):
                    yield frame, estimates
                    progress(frame.index + 1, source.frames or 0, source.name)


class AffectStream:
    """One video or camera: tracks, and for each its window of features. Its memory does not grow with time."""

    def __init__(self, estimator: AffectEstimator, fps: float, options: StreamOptions):
        if not (np.isfinite(fps) and fps > 0):
            raise ConfigError(f"fps {fps}: expected frames a second, above 0")
        if options.attention and not estimator.attention_columns:
            raise ConfigError(f"attention: the model is {estimator.spec.variant}; only SA models attend. Leave it out")
        self._estimator, self._fps, self._options = estimator, float(fps), options
        self._tracker = Tracker(options.max_gap_s)
        self._windows: dict[int, FeatureWindow] = {}
        self._frame, self._time_s = -1, -np.inf
        self._largest: int | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers must know."""
        spec = self._estimator.spec
        if spec.parsed_variant.kind != "base" and 0 < self._fps < 0.9 * spec.fps:
            return (
                f"{self._fps:g} frames a second, and {spec.variant} was trained at {spec.fps:g}: frames are repeated "
                "to fill its windows, and arousal may be underestimated. Record at the model's frame rate",
            )
        return ()

    def step(self, frame: NDArray[np.uint8], time_s: float | None = None) -> list[FaceEstimate]:
        """Analyse the next frame.

        Args:
            frame: (H, W, 3) uint8 RGB, upright.
            time_s: when it was taken, never before the previous one; default: the frame's number over the frame rate.

        Returns:
            One estimate for each track present, by track; a track that is out of sight for at most `max_gap_s` is
            there with status `no_face`. Where there is no track, one estimate with track None and status `no_face`.
        """
        return self.steps([frame], None if time_s is None else [time_s])[0]

    def steps(
        self, frames: Sequence[NDArray[np.uint8]], times_s: Sequence[float] | None = None
    ) -> list[list[FaceEstimate]]:
        """`step` for each of the next frames, at once and therefore faster."""
        return self.describe([self.see(frame) for frame in frames], times_s)

    @property
    def attention_columns(self) -> int:
        """How many attention weights each of its estimates has."""
        return self._estimator.attention_columns if self._options.attention else 0

    @property
    def frames(self) -> int:
        """How many frames were analysed."""
        return self._frame + 1

    def state(self) -> dict[str, Any]:
        """All that the next estimates depend on, for `restore`: numbers, arrays, and lists and dicts of them."""
        return {
            "frame": self._frame,
            "time_s": self._time_s,
            "largest": self._largest,
            "tracker": self._tracker.state(),
            "windows": [[track, window.state()] for track, window in self._windows.items()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken from a stream of the same model, frame rate and options."""
        self._frame, self._time_s, self._largest = state["frame"], state["time_s"], state["largest"]
        self._tracker.restore(state["tracker"])
        for track, window in state["windows"]:
            features = window["features"].to(self._estimator.device)
            self._window(track).restore(window | {"features": features})

    def see(self, frame: NDArray[np.uint8]) -> "list[SeenFace]":
        """The faces of a frame. The stream does not change, so that another thread may look ahead."""
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or 0 in frame.shape:
            raise ConfigError(f"frame of shape {frame.shape} and type {frame.dtype}; expected (H, W, 3) uint8 RGB")
        size = self._estimator.spec.sizes.image_size
        seen = []
        for face in self._estimator.detect(frame):
            matrix = align.crop_matrix(face.points, size)
            if np.isfinite(matrix).all():  # else the five points are one: not a face
                crop = align.warp(frame, matrix, size)
                sighting = Sighting(face.box, look(crop), face.sure)
                seen.append(SeenFace(face, crop, face_quality(frame, face.points), sighting))
        return seen

    def describe(
        self, frames: "Sequence[Sequence[SeenFace]]", times_s: Sequence[float] | None = None
    ) -> list[list[FaceEstimate]]:
        """`steps` for frames whose faces were seen before."""
        first = self._frame + 1
        if times_s is None:
            times_s = [(first + k) / self._fps for k in range(len(frames))]
        for before, time_s in pairwise([self._time_s, *times_s]):
            if not time_s >= before:
                raise ConfigError(f"time_s {time_s}: expected seconds not before the previous frame's, {before}")
        moments = [(first + k, float(time_s)) for k, time_s in enumerate(times_s)]
        present = [self._follow(*moment, seen) for moment, seen in zip(moments, frames, strict=True)]
        clear = [person for people in present for person in people if person.status == "ok"]
        affects = iter([a for i in range(0, len(clear), _BATCH) for a in self._affect(clear[i : i + _BATCH])])
        for gone in self._windows.keys() - {track.id for track in self._tracker.tracks}:
            del self._windows[gone]
        return [
            [self._row(person, next(affects) if person.status == "ok" else None) for person in people]
            or [FaceEstimate(*moment)]
            for moment, people in zip(moments, present, strict=True)
        ]

    def _follow(self, frame: int, time_s: float, seen: "Sequence[SeenFace]") -> "list[_Present]":
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

    def _status(self, face: "SeenFace | None") -> Status:
        if face is None:
            return "no_face"
        if face.quality.size < self._options.min_size:
            return "too_small"
        return "blurred" if face.quality.sharpness < self._options.min_sharpness else "ok"

    @torch.inference_mode()
    def _affect(self, clear: "Sequence[_Present]") -> "list[_Affect]":
        """Run the networks once on faces, and the recurrent part on the windows that end at each."""
        network, spec, device = self._estimator.network, self._estimator.spec, self._estimator.device
        crops = np.stack([person.face.crop for person in clear if person.face is not None])
        latent = network.latents(to_input(torch.from_numpy(crops).to(device)))
        x = network.features(latent)
        quadrants = latent.quadrant.cpu().numpy()
        if spec.parsed_variant.kind == "base":
            return [
                _Affect(*value, True, ()) for value in zip(network.estimate(x).cpu().numpy(), quadrants, strict=True)
            ]
        windows, full = [], []
        for person, feature in zip(clear, x, strict=True):
            window = self._window(person.track)
            windows.append(window.add(person.time_s, feature))
            full.append(window.full)
        found: dict[int, _Affect] = {}
        for length in set(map(len, windows)):
            # windows of one length together: the weights are read once for all of them
            rows = [i for i, window in enumerate(windows) if len(window) == length]
            got = network.recur(torch.stack([torch.stack(windows[i]) for i in rows]))
            values = got.affect[:, -1].cpu().numpy()
            weights = [()] * len(rows)
            if self._options.attention and got.attention is not None:
                missing = [NAN] * (self._estimator.attention_columns - length + 1)
                weights = [(*past, *missing) for past in got.attention[:, -1, :-1].flip(1).cpu().tolist()]
            for k, i in enumerate(rows):
                found[i] = _Affect(values[k], quadrants[i], full[i], weights[k])
        return [found[i] for i in range(len(clear))]

    def _window(self, track: int) -> FeatureWindow:
        if track not in self._windows:
            spec = self._estimator.spec
            self._windows[track] = FeatureWindow(spec.parsed_variant.n, spec.fps, self._fps, self._options.windows)
        return self._windows[track]

    def _row(self, person: "_Present", affect: "_Affect | None") -> FaceEstimate:
        blank = (NAN,) * self.attention_columns
        status = person.status
        if person.face is None:
            return FaceEstimate(person.frame, person.time_s, person.track, status=status, attention=blank)
        x, y, w, h = person.face.face.box
        about = person.face.quality
        valence = arousal = q1 = q2 = q3 = q4 = NAN
        named = None
        if affect is not None:
            valence, arousal = self._estimator.spec.scale.restore(affect.value).tolist()
            q1, q2, q3, q4 = affect.quadrant.tolist()
            named = QUADRANTS[int(label_quadrant(*affect.value))]
            status, blank = "ok" if affect.full else "warming_up", affect.attention
        return FaceEstimate(
            person.frame, person.time_s, person.track, x, y, w, h, person.face.face.score, valence, arousal, named,
            q1, q2, q3, q4, status, about.size, about.sharpness, about.frontalness, blank,
        )  # fmt: skip


@dataclass(frozen=True)
class SeenFace:
    """A detected face of one frame. crop: (S, S, 3) uint8 RGB."""

    face: Face
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
    """value: (2,) valence and arousal in [-1, 1] units. quadrant: (4,). full: from a full window."""

    value: NDArray[np.float32]
    quadrant: NDArray[np.float32]
    full: bool
    attention: tuple[float, ...]


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"device {name!r}: expected cpu, cuda, cuda:1, …") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device {name!r}: this PyTorch sees no CUDA device. Use device=cpu")
    return device
