"""A process that holds the model: it analyses one video, or one webcam, at a time, and is told over a pipe.

`Worker` is its other end. A process that dies, stalls or does not stop when it is told to is ended and replaced.
"""

import io
import signal
import struct
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anclaf.app.limits import RefusedError
from anclaf.app.room import limit_memory
from anclaf.config import OutputOptions, PointsName, StreamOptions
from anclaf.core.errors import AnclafError, ModelError

if TYPE_CHECKING:
    from anclaf.inference.estimator import AffectEstimator

START_S = 300.0
"""Seconds that a model may take to load."""
_STOP_S = 3.0
"""Seconds that a process has to stop what it was doing."""
_TELL_EVERY = 5
"""Frames between two words of progress."""


@dataclass(frozen=True)
class Setup:
    """What a process is started with. memory_mb: `Limits`."""

    model: str
    detector: str = "auto"
    device: str = "cpu"
    threads: int = 1
    memory_mb: float = 8192.0
    points: PointsName = "starter"


@dataclass(frozen=True)
class ModelInfo:
    """What the page says of the model. low, high: of its scale. attends: whether it has attention to give."""

    variant: str
    fingerprint: str
    fps: float
    low: float
    high: float
    detector: str
    sureness: str
    attends: bool
    about: str


@dataclass(frozen=True)
class Analysis:
    """A video to analyse, as `predict_source` does. most_frames: of more it is given up; None for any number."""

    path: Path
    folder: Path
    options: StreamOptions
    output: OutputOptions
    baseline: str | None = None
    most_frames: int | None = None


@dataclass(frozen=True)
class Live:
    """A webcam to follow."""

    fps: float
    options: StreamOptions
    most_side: int


class Cancelled(Exception):
    """Nobody wants the work any more."""


class WorkerDied(Exception):
    """The process ended, or had to be ended, before its work did."""


# the process


def _serve(pipe: Connection, cancel: Event, setup: Setup) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone
        try:
            estimator, info = _load(setup)
        except AnclafError as error:
            pipe.send(("refused", str(error)))
            return
        if setup.device == "cpu":  # elsewhere a driver asks for room that it does not use
            limit_memory(setup.memory_mb)
        pipe.send(("ready", info))
        while (work := pipe.recv()) is not None:
            pipe.send(("begun", None))
            try:
                if isinstance(work, Live):
                    _follow(pipe, estimator, work)
                else:
                    pipe.send(("done", _analyse(pipe, cancel, estimator, work)))
            except Cancelled:
                pipe.send(("cancelled", None))
            except AnclafError as error:
                pipe.send(("failed", str(error)))
            except MemoryError:
                pipe.send(("failed", f"it asks for more memory than one video may have ({setup.memory_mb:g} MB)"))


def _load(setup: Setup) -> "tuple[AffectEstimator, ModelInfo]":
    import torch

    from anclaf.core.errors import ConfigError
    from anclaf.inference.estimator import AffectEstimator
    from anclaf.models.io import model_folder
    from anclaf.models.shipped import ABOUT, StarterWarning, is_shipped

    torch.set_num_threads(setup.threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StarterWarning)  # the page says it
        estimator = AffectEstimator.load(setup.model, detector=setup.detector, points=setup.points, device=setup.device)
    spec = estimator.spec
    try:
        attends = estimator.stream(spec.fps or 25.0, StreamOptions(attention=True)).attention_columns > 0
    except ConfigError:
        attends = False
    about = ABOUT if is_shipped(model_folder(setup.model)) else ""
    return estimator, ModelInfo(
        spec.variant, estimator.fingerprint, spec.fps, spec.low, spec.high, estimator.detector.name,
        estimator.sureness, attends, about,
    )  # fmt: skip


def _analyse(pipe: Connection, cancel: Event, estimator: "AffectEstimator", work: Analysis) -> dict[str, Any]:
    from anclaf.inference.prediction import predict_source
    from anclaf.inference.source import open_source

    def progress(done: int, total: int, *_: str) -> None:
        if cancel.is_set():
            raise Cancelled
        if work.most_frames is not None and done > work.most_frames:
            raise RefusedError(415, f"more than {work.most_frames:,} frames; the file is longer than it says")
        if done % _TELL_EVERY == 0 or done == total:
            pipe.send(("progress", (done, total)))

    source = open_source(work.path)
    done = predict_source(estimator, source, work.folder, work.options, work.output, progress, work.baseline)
    return {"frames": done.frames, "tracks": done.tracks, "problem": done.problem, "notes": list(done.notes)}


def _follow(pipe: Connection, estimator: "AffectEstimator", work: Live) -> None:
    """Answer each picture of a webcam, a time and a JPEG, with its rows, until there is an empty one."""
    import numpy as np
    from PIL import Image

    stream = estimator.stream(work.fps, work.options)
    time_s = 0.0
    while message := pipe.recv_bytes():
        (told,) = struct.unpack_from("<d", message)
        try:
            picture = Image.open(io.BytesIO(message[8:]), formats=["JPEG"])
            if max(picture.size) > work.most_side or min(picture.size) < 16:
                raise RefusedError(400, f"a picture of {picture.width}×{picture.height}; {work.most_side} is the most")
            frame = np.asarray(picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError) as error:
            raise RefusedError(400, "a picture that is no JPEG, or a damaged one") from error
        time_s = max(time_s, told) if told == told and abs(told) < 1e9 else time_s
        rows = [estimate.row() for estimate in stream.step(frame, time_s)]
        pipe.send(("rows", rows))
    pipe.send(("done", None))


# its other end


class Worker:
    """One such process. One thread uses it at a time; `cancel` and `end` may come from any.

    Raises:
        ModelError: the model, the detector or the device cannot be had.
    """

    def __init__(self, setup: Setup):
        self._setup = setup
        self._context = get_context("spawn")  # a fork of a process that has threads may hang
        self._cancel = self._context.Event()
        self._process = None
        self._pipe: Connection | None = None
        self.info: ModelInfo = self._start()

    def _start(self) -> ModelInfo:
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(
            target=_serve, args=(theirs, self._cancel, self._setup), name="anclaf-worker", daemon=True
        )
        self._process.start()
        theirs.close()
        kind, told = self._hear(START_S)
        if kind == "refused":
            self.end()
            raise ModelError(told)
        return told

    def _hear(self, seconds: float) -> tuple[str, Any]:
        """What the process says next.

        Raises:
            WorkerDied: it is gone, or says nothing for so long; it is ended.
        """
        assert self._pipe is not None
        try:
            if self._pipe.poll(seconds):
                return self._pipe.recv()
        except (EOFError, OSError):
            self.end()
            raise WorkerDied("the process that decoded it ended") from None
        self.end()
        raise WorkerDied(f"no frame was finished in {seconds:g} s")

    def _begin(self, work: Analysis | Live) -> None:
        if self._process is None or not self._process.is_alive():
            self._start()
        assert self._pipe is not None
        self._cancel.clear()
        try:
            self._pipe.send(work)
        except OSError:
            self.end()
            raise WorkerDied("the process that decodes ended") from None
        while self._hear(START_S)[0] != "begun":
            pass

    def analyse(
        self, work: Analysis, tell: Callable[[int, int], None], unwanted: Callable[[], bool], stalled_s: float
    ) -> dict[str, Any]:
        """Analyse a video. tell: of frames done and their number, 0 where unknown. unwanted: asked between frames.

        Raises:
            AnclafError: what `predict_source` says. Cancelled: nobody wants it. WorkerDied: the process broke off.
        """
        self._begin(work)
        silent_s, cancelled_s = 0.0, 0.0
        while True:
            assert self._pipe is not None
            if not self._ready():
                silent_s += 0.1
                if unwanted():
                    self._cancel.set()
                    cancelled_s += 0.1
                if cancelled_s > _STOP_S:
                    self.end()
                    raise Cancelled
                if silent_s <= stalled_s:
                    continue
                self.end()
                raise WorkerDied(f"no frame was finished in {stalled_s:g} s")
            silent_s = 0.0
            kind, told = self._hear(stalled_s)
            match kind:
                case "progress":
                    tell(*told)
                    if unwanted():
                        self._cancel.set()
                case "done":
                    return told
                case "cancelled":
                    raise Cancelled
                case "failed":
                    raise AnclafError(told)

    def _ready(self) -> bool:
        assert self._pipe is not None
        try:
            return self._pipe.poll(0.1)
        except OSError:  # it was ended by another thread
            raise WorkerDied("the process that decoded it was ended") from None

    def begin_live(self, work: Live) -> None:
        """Begin with a webcam."""
        self._begin(work)

    def live_rows(self, picture: bytes, seconds: float) -> list[dict[str, Any]]:
        """The rows of the next picture: its time as a little-endian double, and a JPEG.

        Raises:
            AnclafError: a picture that is none; the webcam is over then. WorkerDied: no answer in so many seconds.
        """
        assert self._pipe is not None
        try:
            self._pipe.send_bytes(picture)
        except OSError:
            self.end()
            raise WorkerDied("the process that decodes ended") from None
        kind, told = self._hear(seconds)
        if kind == "failed":
            raise AnclafError(told)
        return told

    def end_live(self) -> None:
        """The webcam is over."""
        with suppress(OSError, WorkerDied):
            assert self._pipe is not None
            self._pipe.send_bytes(b"")
            self._hear(_STOP_S)

    def end(self) -> None:
        """End the process, at once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join(10)
        if self._pipe is not None:
            with suppress(OSError):
                self._pipe.close()
