"""A trained model with a face detector: from a source to valence and arousal of every person in it."""

import warnings
from collections.abc import Generator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.config import BackendName, PointsName, StreamOptions
from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, ModelError
from anclaf.core.files import fingerprint
from anclaf.core.progress import Progress, silent
from anclaf.faces.corrected import CorrectedDetector
from anclaf.faces.detect import Detector, Face, make_detector
from anclaf.faces.frames import VideoFrame
from anclaf.inference.backend import Backend, load_backend
from anclaf.inference.baseline import EXPECTED, Baseline, Rest, from_rest, is_table, read_rests, whole_rests
from anclaf.inference.pictures import in_memory
from anclaf.inference.source import CHUNK, Source, ahead, chunks, open_source
from anclaf.inference.stream import AffectStream
from anclaf.inference.table import FaceEstimate, make_table
from anclaf.metrics.conformal import least_people
from anclaf.models.folder import model_folder
from anclaf.models.shipped import ABOUT, SHIPPED, StarterWarning, is_shipped

_TOLD: dict[Any, Any] = {}
"""What was said already."""


class AffectEstimator:
    """A trained model and a face detector.

    Example:
        >>> estimator = AffectEstimator.load("run/fold0/SA-8")        # doctest: +SKIP
        >>> table = estimator.predict("interview.mp4")                # doctest: +SKIP
        >>> stream = estimator.stream(fps=25)                         # doctest: +SKIP
        >>> faces = stream.step(frame_rgb)                            # doctest: +SKIP
    """

    def __init__(self, backend: Backend, detector: Detector):
        spec = backend.spec
        if spec.crop != "five-point":
            raise ModelError(
                f"crop={spec.crop} needs the 68 or 49 landmarks of a database, and detectors give five points. "
                "Use a model that was trained with crop=five-point"
            )
        if spec.model.needs_labels:
            raise ModelError(
                f"quadrant_source={spec.model.quadrant_source}: this model is given each frame's quadrant, which a "
                "video does not tell. It is for comparison on a labelled corpus only"
            )
        self.backend, self.spec, self.detector = backend, spec, detector
        self._detecting = Lock()

    @classmethod
    @checked
    def load(
        cls,
        model: Path | str = SHIPPED,
        *,
        detector: str | Detector = "auto",
        points: PointsName = "starter",
        device: str = "cpu",
        backend: BackendName = "auto",
        threads: int | None = None,
    ) -> "AffectEstimator":
        """Load a model.

        Args:
            model: its folder, which holds `model.safetensors` and `model.json`, or the name of one that comes with the
                package (`models.shipped`). The starter model says once in a process what it is, by `StarterWarning`.
            detector: as `make_detector`, or a detector, which is taken as it is. `.detector.name` says what was taken.
            points: where the five points are from, by which faces of a detector that is named are cut out: looked for
                in the face by the starter model (`CorrectedDetector`), or the detector's own.
            device: `cpu`, `cuda`, `cuda:1`, …
            backend: what runs the networks; `auto`: the one whose files the folder has.
            threads: CPU threads of the networks; None: as many as the backend takes by itself. Torch's are for all of
                it in this process.

        Raises:
            ModelError: no model, a damaged one, or one whose crops a detector cannot make.
            DetectorError: the detector cannot be had. ConfigError: no such device or detector, or fewer than 1 thread.
        """
        folder = model_folder(model)
        loaded = load_backend(folder, backend, device, threads)
        found = make_detector(detector) if isinstance(detector, str) else detector
        if isinstance(detector, str) and points == "starter":
            found = CorrectedDetector(found, loaded.point_finder())
        if is_shipped(folder):
            warnings.warn_explicit(f"this is {ABOUT}", StarterWarning, __file__, 0, registry=_TOLD)
        return cls(loaded, found)

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of the model's spec and weights, and of its calibration if it has one."""
        own, calibration = self.backend.fingerprint, self.backend.calibration
        return own if calibration is None else fingerprint([own, calibration.digest])

    @property
    def sureness(self) -> str:
        """One line: what the intervals are worth, or why there are none."""
        found = self.backend.calibration
        if found is None:
            why = "trained by an earlier version, or on the people who validated"
            return f"no intervals and no unfamiliarity: the model has no calibration ({why})"
        people = "1 person" if found.people == 1 else f"{found.people} people"
        level = f"{100 * found.level:g} %"
        if not np.isfinite(found.reach).all():
            return f"intervals of {level} are the whole scale: by {people}, and they take {least_people(found.level)}"
        return f"intervals of {level} by {people} whom the model did not train on: they hold for people like these"

    def __getstate__(self) -> dict[str, Any]:
        """For pickle, so that other processes can have one: all but the lock."""
        return {name: value for name, value in vars(self).items() if name != "_detecting"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._detecting = Lock()

    def detect(self, frame: NDArray[np.uint8]) -> list[Face]:
        """The detector's faces of a frame. Threads take turns."""
        with self._detecting:
            return self.detector.detect(frame)

    @checked
    def stream(
        self,
        fps: float,
        options: StreamOptions | None = None,
        baseline: str | Path | Baseline | None = None,
        *,
        name: str = "",
    ) -> AffectStream:
        """Begin with a new video or camera, of so many frames a second.

        Args:
            baseline: as `baseline`, but for `median`, which the end alone can tell. name: of the source, for a table of
                rests.

        Raises:
            ConfigError, TableError, VideoError: as `AffectStream` and `baseline`.
        """
        rest = self.baseline(baseline, options)
        options = options or StreamOptions()
        detector = self.detector
        if isinstance(detector, CorrectedDetector):
            find, look = detector.detector.detect, detector.corrected
        else:
            find, look = detector.detect, None

        def detect(frame: NDArray[np.uint8]) -> list[Face]:
            with self._detecting:
                return find(frame)

        return AffectStream(self.backend, detect, fps, options, rest, name, look)

    @checked
    def baseline(self, baseline: str | Path | Baseline | None, options: StreamOptions | None = None) -> Baseline | None:
        """How each person's resting face is known, to be taken off.

        Args:
            baseline: `first:SECONDS`: of each track, the medians of its estimates in so many seconds from its first
                one. `median`: of all of its estimates. A table: `read_rests`. A video or picture of a resting face: the
                medians of all estimates of its largest face, for every track.
            options: with which the video or picture is analysed.

        Raises:
            ConfigError: none of these, or nobody is seen in the video or picture. TableError: as `read_rests`.
            VideoError: the video or picture cannot be read.
        """
        if baseline is None or isinstance(baseline, Baseline):
            return baseline
        if (found := Baseline.parse(str(baseline))) is not None:
            return found
        path = Path(baseline)
        if is_table(path):
            return read_rests(path, self.spec.scale)
        source = open_source(path) if path.exists() else None
        if source is None or source.path is None:
            raise ConfigError(f"baseline {baseline}: no such file; {EXPECTED}")
        options = replace(options or StreamOptions(), faces="largest", attention=False)
        found = self.run(source, self.stream(source.fps, options))
        estimates = [(row.valence, row.arousal) for _, rows in found for row in rows if row.estimated]
        if not estimates:
            raise ConfigError(f"baseline {baseline}: no estimate in it; expected a video or picture of a resting face")
        return Baseline.of(Rest(*np.median(estimates, 0).tolist()))

    @checked
    def predict(
        self,
        source: Any,
        options: StreamOptions | None = None,
        *,
        baseline: str | Path | Baseline | None = None,
        image_fps: float = 25.0,
        seconds: float | None = None,
        progress: Progress = silent,
    ) -> pd.DataFrame:
        """The table of a source: a video, an image, a folder of images that are the frames of a video, a camera or
        network stream; see `open_source` for their names. A camera has no end but `seconds`.

        Or of pictures in memory, (H, W, 3) uint8 in the order RGB, which OpenCV's are not, or Pillow's images: one, or
        a list of the frames of a video, or (T, H, W, 3), of `image_fps` frames a second (`in_memory`).

        Every frame has a row for each track, and one row with `status` where there is none; see `FaceEstimate` for
        the columns. With a `baseline` (`AffectEstimator.baseline`) each person's resting face is taken off, in columns
        beside. `attrs` says the model's variant, the detector, both frame rates, `sureness` and
        `notes`.

        A video of another frame rate than the model's is resampled in time: each window holds the features of the
        frames nearest to the model's own instants. A video much slower than the model repeats frames, which is warned
        of, because fast motion is then not in it.

        Raises:
            VideoError: the source cannot be read, or not to its end. Images of a folder that cannot be read are rows
                with the status `unreadable`, and are warned of.
            ConfigError: a setting out of range, or a picture in memory of another kind. Or as `baseline`.
        """
        options = options or StreamOptions()
        name = source
        source = in_memory(name, image_fps, seconds) or open_source(name, image_fps, seconds)
        rest = self.baseline(baseline, options)
        whole = rest is not None and rest.whole
        stream = self.stream(source.fps, options, None if whole else rest, name=source.name)
        rows = [row for _, found in self.run(source, stream, progress) for row in found]
        if whole:
            rests = whole_rests(make_table(rows))
            rows = [from_rest(row, rests[row.track]) if row.track in rests else row for row in rows]
        notes = [*stream.notes, *source.notes, *([stream.rest_note] if stream.rest_note else [])]
        for note in [*(f"{source.name}: {note}" for note in notes), *source.problems]:
            warnings.warn(note, stacklevel=3)  # beyond the check of the arguments
        result = make_table(rows, stream.attention_columns)
        result.attrs = {
            "model": self.spec.variant,
            "model_fps": self.spec.fps,
            "video_fps": source.fps,
            "detector": self.detector.name,
            "sureness": self.sureness,
            "notes": notes,
        }
        return result

    @checked
    def run(
        self, source: Source, stream: AffectStream, progress: Progress = silent
    ) -> Generator[tuple[VideoFrame, list[FaceEstimate]]]:
        """Frame by frame, keeping nothing: the frames of a source and what the stream says of them.

        While the networks work on a chunk of frames, another thread reads the next one and detects its faces. Where the
        source turns out to be damaged, all frames before that come first.
        """
        found = ((frame, None if frame.problem else stream.find(frame.image)) for frame in source.read())
        most = CHUNK if source.path is not None else 1  # a camera's frames are not waited for
        with self.backend.beside_a_thread():
            for chunk in ahead(chunks(found, lambda item: item[0].image.nbytes, most)):
                whole = [frame for frame, faces in chunk if faces is not None]
                seen = [stream.look(faces) for _, faces in chunk if faces is not None]
                said = iter(stream.describe(seen, [frame.time_s for frame in whole], [frame.index for frame in whole]))
                for frame, faces in chunk:
                    if faces is None:
                        estimates = [FaceEstimate(frame.index, frame.time_s, status="unreadable")]
                    else:
                        estimates = next(said)
                    yield frame, [replace(estimate, file=frame.file) for estimate in estimates]
                    progress(frame.index + 1, source.frames or 0, source.name)
