"""YuNet's network on a frame: run by onnxruntime where that is installed, else by OpenCV.

The faces are the same but for rounding; onnxruntime takes about a third of the time.
"""

from importlib import metadata
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from anclaf.core.extras import installed
from anclaf.core.telemetry import load_onnxruntime

_STRIDES = (8, 16, 32)
OVERLAP = 0.3
"""Of two boxes that overlap by more than this share (intersection over union) the better one counts."""
_MOST = 5000
LEAST = 64
"""On planes of 32 pixels OpenCV's network gives noise; checked against onnxruntime."""


class YuNetNetwork(Protocol):
    """(H, W, 3) uint8 BGR, sides of `LEAST` pixels or more -> (N, 15): x, y, width, height, five points, score.

    versions: of the packages that run it beside OpenCV.
    """

    @property
    def versions(self) -> dict[str, str]: ...

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float64]: ...


def load_network(onnx: bytes, min_score: float) -> YuNetNetwork:
    """Of a file's content. A file of a fixed size is run by OpenCV, because onnxruntime holds it to that size.

    Raises:
        cv2.error: OpenCV cannot load it, and onnxruntime is not there or cannot either.
    """
    session = _session(onnx)
    return _ByOpenCV(onnx, min_score) if session is None else _ByOnnxRuntime(session, min_score)


def _session(onnx: bytes) -> Any:
    """None where onnxruntime is not installed, or the file is not a YuNet of free size."""
    if not installed("onnxruntime"):
        return None
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the other cores have the networks, or other frames
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except (
        Exception
    ):  # it has a class of its own for each way in which a file can be damaged; OpenCV says what is wrong
        return None
    wanted = {f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in _STRIDES}
    there = {output.name for output in session.get_outputs()}
    shapes = [given.shape for given in session.get_inputs()]
    free = len(shapes) == 1 and len(shapes[0]) == 4 and not any(isinstance(side, int) for side in shapes[0][2:])
    return session if free and wanted <= there else None


class _ByOnnxRuntime:
    def __init__(self, session: Any, min_score: float):
        self._session, self._min_score = session, min_score
        self._name = session.get_inputs()[0].name
        self.versions = {"onnxruntime": metadata.version("onnxruntime")}
        self._outputs = [f"{kind}_{stride}" for stride in _STRIDES for kind in ("cls", "obj", "bbox", "kps")]

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        height, width = image.shape[:2]
        below, beside = -height % _STRIDES[-1], -width % _STRIDES[-1]
        padded = cv2.copyMakeBorder(image, 0, below, 0, beside, cv2.BORDER_CONSTANT)
        found = self._session.run(self._outputs, {self._name: cv2.dnn.blobFromImage(padded)})
        rows = [
            self._above(stride, (width + beside) // stride, *found[4 * k : 4 * k + 4])
            for k, stride in enumerate(_STRIDES)
        ]
        faces = np.concatenate(rows)
        if len(faces) > 1:
            # as OpenCV's own, on whole pixels
            boxes = np.trunc(faces[:, :4]).tolist()
            kept = cv2.dnn.NMSBoxes(boxes, faces[:, 14].tolist(), self._min_score, OVERLAP, 1.0, _MOST)
            faces = faces[np.asarray(kept, np.int64)]
        return faces.astype(np.float64)

    def _above(
        self, stride: int, columns: int, cls: NDArray, obj: NDArray, boxes: NDArray, points: NDArray
    ) -> NDArray[np.floating]:
        """The faces of one stride above the least score (Wu et al. 2023, and OpenCV's face_detect.cpp)."""
        scores = np.sqrt(np.clip(cls, 0, 1) * np.clip(obj, 0, 1)).ravel()
        at = np.flatnonzero(scores >= self._min_score)
        place = np.stack([at % columns, at // columns], 1).astype(np.float32)
        boxes, points = boxes.reshape(-1, 4)[at], points.reshape(-1, 5, 2)[at]
        size = np.exp(boxes[:, 2:]) * stride
        corner = (place + boxes[:, :2]) * stride - size / 2
        return np.column_stack([corner, size, ((points + place[:, None]) * stride).reshape(-1, 10), scores[at]])


class _ByOpenCV:
    def __init__(self, onnx: bytes, min_score: float):
        self.versions: dict[str, str] = {}
        content = np.frombuffer(_fixed_size(onnx), np.uint8)
        nothing = np.zeros(0, np.uint8)
        self._net = cv2.FaceDetectorYN.create("onnx", content, nothing, (LEAST, LEAST), min_score, OVERLAP, _MOST)
        self._net.detect(np.zeros((LEAST, LEAST, 3), np.uint8))

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        self._net.setInputSize((image.shape[1], image.shape[0]))
        _, found = self._net.detect(image)
        return np.zeros((0, 15)) if found is None else np.asarray(found, np.float64)


def _fixed_size(onnx: bytes) -> bytes:
    """The ONNX file with its free batch, height and width set to 1, 640 and 640.

    OpenCV 4 refuses free sizes, and takes any frame all the same once they are fixed. Each name of a free size becomes
    a number of equally many bytes (a padded varint), so that no length written in the file changes.
    """
    for name, size in ((b"batch", 1), (b"height", 640), (b"width", 640)):
        digits = [size >> 7 * i & 0x7F | 0x80 for i in range(len(name))]
        onnx = onnx.replace(b"\x12" + bytes([len(name)]) + name, b"\x08" + bytes([*digits, 0]))
    return onnx
