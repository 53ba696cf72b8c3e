"""A model run by onnxruntime, without torch: the folder that `anclaf export` writes."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anclaf.config import BackendName
from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, ModelError
from anclaf.core.processes import cores
from anclaf.core.telemetry import load_onnxruntime
from anclaf.inference.backend import Encoded
from anclaf.models.calibration import Calibration, load_calibration
from anclaf.models.folder import ENCODER, HEAD, METADATA, METADATA_FORMAT, POINTS, load_spec, spec_of
from anclaf.models.shipped import SHIPPED
from anclaf.models.spec import ModelSpec

_ENCODED = ["x", "q", "pooled"]


def load(folder: Path, device: str = "cpu", threads: int | None = None) -> "OnnxBackend":
    """As `backend.load_backend`.

    Raises:
        ModelError: no such files, damaged ones, or of different models. ConfigError: the package onnxruntime is
            missing, or another device than cpu.
    """
    if device != "cpu":
        raise ConfigError(f"device {device!r}: the onnx backend runs on the CPU. Use device=cpu, or the torch backend")
    for name in (ENCODER, HEAD):
        if not (folder / name).is_file():
            raise ModelError(f"{folder}: no {name} here; `anclaf export {folder} OUT` makes a folder with it")
    spec = load_spec(folder)
    encoder, head = ((folder / name).read_bytes() for name in (ENCODER, HEAD))
    points = (folder / POINTS).read_bytes() if (folder / POINTS).is_file() else None
    try:
        return OnnxBackend(encoder, head, spec, load_calibration(folder, spec), threads, points)
    except ModelError as error:
        raise ModelError(f"{folder}: {error}") from error


class OnnxBackend:
    """A `Backend`.

    Args:
        encoder, head: ONNX files. spec, calibration: of the model. threads: of the CPU; None: one a core.
        points: ONNX file of the finder of five points; None of an export of an earlier version.

    Raises:
        ModelError: damaged, of a later version, or of another model than `spec`.
        ConfigError: the package onnxruntime is missing.
    """

    name: BackendName = "onnx"
    device = "cpu"

    def __init__(
        self,
        encoder: bytes,
        head: bytes,
        spec: ModelSpec,
        calibration: Calibration | None,
        threads: int | None = None,
        points: bytes | None = None,
    ):
        self.spec, self.calibration, self._points = spec, calibration, points
        self._files, self._threads = (encoder, head), threads
        self._open()

    def _open(self) -> None:
        self._encoder, self._head = (
            _session(name, file, self._threads) for name, file in zip((ENCODER, HEAD), self._files, strict=True)
        )
        self._parts: _Parts | None = None
        self.about, other = (_about(*one) for one in ((HEAD, self._head), (ENCODER, self._encoder)))
        if self.about["model"] != other["model"] or spec_of(self.about["spec"], HEAD)[0] != self.spec:
            raise ModelError(f"{ENCODER}, {HEAD} and model.json are of different models; export it again")
        self._reads = [one.name for one in self._head.get_inputs()]

    def __getstate__(self) -> dict[str, Any]:
        """For pickle: all but what onnxruntime has open."""
        return {name: value for name, value in vars(self).items() if name not in ("_encoder", "_head", "_parts")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(repr(self.spec).encode())
        for file in self._files:
            digest.update(file)
        return digest.hexdigest()[:16]

    @property
    def versions(self) -> dict[str, str]:
        return {"onnxruntime": load_onnxruntime().__version__}

    @property
    def lead_in(self) -> int:
        return self.about["lead_in"]

    @property
    def attends(self) -> bool:
        return self.about["attends"]

    @property
    def reach(self) -> int:
        return self.about["reach"]

    def encode(self, crops: NDArray[np.uint8]) -> Encoded:
        crops = np.ascontiguousarray(crops)
        threads = self._threads or cores()
        if threads == 1 or len(crops) < 2 * threads:
            x, q, pooled = self._encoder.run(_ENCODED, {"crops": crops})
        else:
            self._parts = self._parts or _Parts(self._files[0], threads)
            x, q, pooled = self._parts.encode(crops)
        unfamiliar = None if self.calibration is None else self.calibration.familiarity.unfamiliar(pooled)
        return Encoded(x, q, unfamiliar)

    def estimate(
        self, x: NDArray[np.float32], motion: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        if x.shape[1] > self.about["longest"]:  # else the end would be cut off
            raise ValueError(f"got windows of {x.shape[1]} frames; expected {self.about['longest']} at most")
        given = {"x": x, "motion": motion}
        affect, *attention = self._head.run(None, {name: given[name] for name in self._reads})
        return affect, attention[0] if attention else None

    def point_finder(self) -> "OnnxPoints":
        if self._points is None:
            raise ModelError(
                f"no {POINTS} beside {ENCODER}: exported by an earlier version. Export it again, or take the "
                "detector's own points (points=detector)"
            )
        return OnnxPoints(self._points)

    def use_threads(self, threads: int) -> None:
        if threads != self._threads:
            self._threads = threads
            self._open()

    def beside_a_thread(self) -> AbstractContextManager[None]:
        return nullcontext()  # idle threads of a session sleep: they leave the core by themselves


class _Parts:
    """An encoder that has a part of the faces in each thread: sooner by a quarter than all threads at each layer."""

    def __init__(self, file: bytes, threads: int):
        self._session, self._threads = _session(ENCODER, file, 1), threads
        self._pool = ThreadPoolExecutor(threads, "encoder")

    def encode(self, crops: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        parts = np.array_split(crops, self._threads)
        found = self._pool.map(lambda part: self._session.run(_ENCODED, {"crops": part}), parts)
        return [np.concatenate(arrays) for arrays in zip(*found, strict=True)]


class OnnxPoints:
    """A `PointFinder`: what `models.points.StarterPoints` finds, without torch. One thread: it is small."""

    name = SHIPPED

    def __init__(self, file: bytes):
        self._file = file
        self._session = _session(POINTS, file, 1)
        self.image_size: int = self._session.get_inputs()[0].shape[1]

    def __reduce__(self) -> tuple[type["OnnxPoints"], tuple[bytes]]:
        return OnnxPoints, (self._file,)

    @checked
    def find(self, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        return self._session.run(["points"], {"crops": np.ascontiguousarray(crops)})[0].astype(np.float64)


def _session(name: str, file: bytes, threads: int | None) -> Any:
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # it has a class of its own for each way in which a file can be damaged
        raise ModelError(f"{name} cannot be read ({' '.join(str(error).split())}); export it again") from error


def _about(name: str, session: Any) -> dict[str, Any]:
    try:
        about = json.loads(session.get_modelmeta().custom_metadata_map[METADATA])
        version = about["format"]
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(f"{name} has not the metadata of `anclaf export`; export it again") from error
    if version != METADATA_FORMAT:
        raise ModelError(f"{name} is of format {version}; this anclaf reads {METADATA_FORMAT}. Export it again")
    return about
