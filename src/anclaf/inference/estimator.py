"""From frames to valence and arousal of every person in them.

`predict` is a loop over `step`, so a video on disk and a camera give the same numbers.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from anclaf.core.errors import ConfigError, ModelError
from anclaf.core.progress import Progress, silent
from anclaf.core.quadrants import QUADRANTS, quadrant
from anclaf.faces import align
from anclaf.faces.detect import Detector, Face, make_detector
from anclaf.faces.quality import Quality, quality
from anclaf.faces.video import VideoFrame
from anclaf.inference.estimate import NAN, FaceEstimate, Status, table
from anclaf.inference.source import Source, open_source
from anclaf.inference.tracks import Sighting, Track, Tracker, look
from anclaf.inference.window import FeatureWindow, Windows
from anclaf.models.folder import load_model
from anclaf.models.network import AffectNetwork, to_input
from anclaf.models.spec import ModelSpec

Faces = Literal["all", "largest"]


@dataclass(frozen=True)
class StreamOptions:
    """How frames are analysed.

    faces: `all`, or `largest`: in each frame only the person whose face is largest.
    windows: see `FeatureWindow`. attention: whether the weights of SA models are given.
    min_size: a crop that covers fewer pixels of the frame along its side is `too_small`; 32 is a face of about 20.
    min_sharpness: a crop of less is `blurred`; see `faces.quality`.
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
        self.network, self.spec, self.detector, self.device = network.eval(), spec, detector, torch.device(device)

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

    def stream(self, fps: float, options: StreamOptions | None = None) -> "AffectStream":
        """Begin with a new video or camera, of so many frames a second."""
        return AffectStream(self, fps, options or StreamOptions())

    def predict(
        self,
        path: Path | str,
        options: StreamOptions | None = None,
        *,
        image_fps: float = 25.0,
        progress: Progress = silent,
    ) -> pd.DataFrame:
        """The table of a video, an image, or a folder of images that are the frames of a video.

        Every frame has a row for each track, and one row with `status` where there is none; see `FaceEstimate` for
        the columns. `attrs` says the model's variant, the detector, both frame rates, and `notes`.

        A video of another frame rate than the model's is resampled in time: each window holds the features of the
        frames nearest to the model's own instants. A video much slower than the model repeats frames, which is warned
        of, because fast motion is then not in it.

        Raises:
            VideoError: the source cannot be read, or not to its end.
        """
        options = options or StreamOptions()
        source = open_source(path, image_fps)
        stream = self.stream(source.fps, options)
        for note in stream.notes:
            warnings.warn(f"{path}: {note}", stacklevel=2)
        rows = [row for _, found in self.run(source, stream, progress) for row in found]
        result = table(rows, self.attention_columns if options.attention else 0)
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
    ) -> Iterator[tuple[VideoFrame, list[FaceEstimate]]]:
        """Frame by frame, keeping nothing: the frames of a source and what the stream says of them."""
        for frame in source.read():
            yield frame, stream.step(frame.image, frame.time_s)
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
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or 0 in frame.shape:
            raise ConfigError(f"frame of shape {frame.shape} and type {frame.dtype}; expected (H, W, 3) uint8 RGB")
        self._frame += 1
        time_s = self._frame / self._fps if time_s is None else float(time_s)
        if not time_s >= self._time_s:
            raise ConfigError(f"time_s {time_s}: expected seconds not before the previous frame's, {self._time_s}")
        self._time_s = time_s
        seen = [s for face in self._estimator.detector.detect(frame) if (s := self._see(frame, face)) is not None]
        tracks = self._tracker.update([s.sighting for s in seen], time_s)
        for gone in self._windows.keys() - {track.id for track in tracks}:
            del self._windows[gone]
        if self._options.faces == "largest":
            tracks = self._only_largest(tracks)
        if not tracks:
            return [FaceEstimate(self._frame, time_s)]
        return self._describe(tracks, seen)

    def _see(self, frame: NDArray[np.uint8], face: Face) -> "_Seen | None":
        size = self._estimator.spec.sizes.image_size
        matrix = align.crop_matrix(face.points, size)
        if not np.isfinite(matrix).all():  # the five points are one: not a face
            return None
        crop = align.warp(frame, matrix, size)
        return _Seen(face, crop, quality(frame, face.points), Sighting(face.box, look(crop)))

    def _only_largest(self, tracks: list[Track]) -> list[Track]:
        present = [track for track in tracks if track.seen is not None]
        if present:
            self._largest = max(present, key=lambda track: track.side).id
        return [track for track in tracks if track.id == self._largest]

    def _describe(self, tracks: list[Track], seen: "Sequence[_Seen]") -> list[FaceEstimate]:
        status: list[Status] = [self._hindrance(seen[t.seen]) if t.seen is not None else "no_face" for t in tracks]
        clear = [(t.id, seen[t.seen]) for t, s in zip(tracks, status, strict=True) if s == "ok" and t.seen is not None]
        affect = dict(zip((track for track, _ in clear), self._affect(clear), strict=True))
        rows = []
        for track, state in zip(tracks, status, strict=True):
            here = seen[track.seen] if track.seen is not None else None
            rows.append(self._row(track.id, state, here, affect.get(track.id)))
        return rows

    def _hindrance(self, seen: "_Seen") -> Status:
        if seen.quality.size < self._options.min_size:
            return "too_small"
        return "blurred" if seen.quality.sharpness < self._options.min_sharpness else "ok"

    @torch.inference_mode()
    def _affect(self, clear: "Sequence[tuple[int, _Seen]]") -> "list[_Affect]":
        """Run the networks once on the faces of a frame, and the recurrent part on their tracks' windows."""
        if not clear:
            return []
        network, spec, device = self._estimator.network, self._estimator.spec, self._estimator.device
        latent = network.latents(to_input(torch.from_numpy(np.stack([s.crop for _, s in clear])).to(device)))
        x = network.features(latent)
        quadrants = latent.quadrant.cpu().numpy()
        if spec.parsed_variant.kind == "base":
            values = network.estimate(x).cpu().numpy()
            return [_Affect(values[i], quadrants[i], True, ()) for i in range(len(clear))]
        found = []
        for i, (track, _) in enumerate(clear):
            window = self._window(track)
            got = network.recur(torch.stack(window.add(self._time_s, x[i]))[None])
            weights: tuple[float, ...] = ()
            if self._options.attention and got.attention is not None:
                past = got.attention[0, -1, :-1].flip(0).cpu().tolist()
                weights = (*past, *[NAN] * (self._estimator.attention_columns - len(past)))
            found.append(_Affect(got.affect[0, -1].cpu().numpy(), quadrants[i], window.full, weights))
        return found

    def _window(self, track: int) -> FeatureWindow:
        if track not in self._windows:
            spec = self._estimator.spec
            self._windows[track] = FeatureWindow(spec.parsed_variant.n, spec.fps, self._fps, self._options.windows)
        return self._windows[track]

    def _row(self, track: int, status: Status, seen: "_Seen | None", affect: "_Affect | None") -> FaceEstimate:
        blank = (NAN,) * self._estimator.attention_columns if self._options.attention else ()
        if seen is None:
            return FaceEstimate(self._frame, self._time_s, track, status=status, attention=blank)
        x, y, w, h = seen.face.box
        about = seen.quality
        valence = arousal = q1 = q2 = q3 = q4 = NAN
        named = None
        if affect is not None:
            valence, arousal = self._estimator.spec.scale.restore(affect.value).tolist()
            q1, q2, q3, q4 = affect.quadrant.tolist()
            named = QUADRANTS[int(quadrant(*affect.value))]
            status, blank = "ok" if affect.full else "warming_up", affect.attention
        return FaceEstimate(
            self._frame, self._time_s, track, x, y, w, h, seen.face.score, valence, arousal, named, q1, q2, q3, q4,
            status, about.size, about.sharpness, about.frontalness, blank,
        )  # fmt: skip


@dataclass(frozen=True)
class _Seen:
    """A face of the present frame. crop: (S, S, 3) uint8 RGB."""

    face: Face
    crop: NDArray[np.uint8]
    quality: Quality
    sighting: Sighting


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
