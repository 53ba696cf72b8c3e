"""Face detectors behind one protocol: a box, five points and a score for every face of a frame."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from anclaf.core.errors import ConfigError, DetectorError
from anclaf.faces import align

YUNET_FILE = "face_detection_yunet.onnx"
"""What a downloaded YuNet is called in a cache folder."""

_LEAST = 64


@dataclass(frozen=True)
class Face:
    """One detected face, in pixels of the frame that was given.

    box: x, y, width, height; it may reach over the frame's border. points: (5, 2) float64, image-left eye, image-right
    eye, nose tip, image-left mouth corner, image-right mouth corner of an upright face. score: in [0, 1], comparable
    within one detector only. sure: whether this face alone is proof of a person. One that is not sure counts where a
    person is known to be (Zhang et al. 2022, ByteTrack).
    """

    box: tuple[float, float, float, float]
    points: NDArray[np.float64]
    score: float
    sure: bool = True

    @property
    def area(self) -> float:
        return self.box[2] * self.box[3]


class Detector(Protocol):
    """Finds faces. Holds no state from frame to frame: equal frames give equal faces."""

    @property
    def name(self) -> str: ...

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """(H, W, 3) uint8 RGB -> the faces, largest first."""
        ...


class YuNetDetector:
    """YuNet (Wu et al. 2023, Machine Intelligence Research) through OpenCV.

    Args:
        path: its ONNX file, the one of dynamic input size or one of a fixed size; any frame size is taken with either.
        min_score: faces below are not given.
        longer_side: larger frames are reduced to this many pixels first, so that time is bounded; of what is left,
            faces under about 10 pixels are missed: in a frame 7680 pixels wide those under about 120.

    Raises:
        DetectorError: the file is missing, or OpenCV cannot load it as a YuNet.
    """

    name = "yunet"

    def __init__(self, path: Path | str, min_score: float = 0.6, longer_side: int = 640):
        path = Path(path)
        _check(min_score, longer_side)
        if not path.is_file():
            raise DetectorError(
                f"{path}: no such file; expected the ONNX file of YuNet. Use detector=haar, or download it"
            )
        self._longer_side = longer_side
        content = np.frombuffer(_fixed_size(path.read_bytes()), np.uint8)
        try:
            self._net = cv2.FaceDetectorYN.create(
                "onnx", content, np.zeros(0, np.uint8), (_LEAST, _LEAST), min_score, 0.3, 5000
            )
            self._net.detect(np.zeros((_LEAST, _LEAST, 3), np.uint8))
        except cv2.error as error:
            raise DetectorError(
                f"{path}: OpenCV {cv2.__version__} cannot use it as a YuNet ({error.err}). Get it again"
            ) from error

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        small, scale = _reduced(image, self._longer_side)
        # on planes of 32 pixels OpenCV's network gives noise; checked against another ONNX runtime
        below, beside = (max(0, _LEAST - side) for side in small.shape[:2])
        small = cv2.copyMakeBorder(small, 0, below, 0, beside, cv2.BORDER_CONSTANT)
        self._net.setInputSize((small.shape[1], small.shape[0]))
        _, found = self._net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        if found is None:
            return []
        rows = np.asarray(found, np.float64)
        return _largest_first(
            [Face(_box(r[:4], scale), _points(r[4:14].reshape(5, 2), scale), float(r[14])) for r in rows]
        )


class HaarDetector:
    """OpenCV's cascade of Haar features (Viola and Jones 2001), which needs no further file.

    It finds upright frontal faces and gives a box only. The five points are put into the box at their mean places and,
    where the eye cascade finds both eyes, turned, scaled and moved onto them. On real talking faces they lie on
    average 8 % of the distance between the eyes from YuNet's, 9 % with the head leant by 15 degrees, and jump more
    from frame to frame. The score is the logistic of the cascade's last stage sum.

    Args:
        sure_score: faces below are not `sure`. Most real faces are above the default all the time and all of them at
            times; of 203 cases in which something else was taken for a face, 6 were.
        longer_side: larger frames are reduced to this many pixels first; faces under 24 pixels, or under a tenth of
            the shorter side, are then missed.
    """

    name = "haar"

    def __init__(self, sure_score: float = 0.9, longer_side: int = 640):
        _check(sure_score, longer_side)
        self._sure_score, self._longer_side = sure_score, longer_side
        self._faces = _cascade("haarcascade_frontalface_default.xml")
        self._eyes = _cascade("haarcascade_eye.xml")

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        small, scale = _reduced(image, self._longer_side)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        least = max(24, min(grey.shape) // 10)
        boxes, _, weights = self._faces.detectMultiScale3(
            cv2.equalizeHist(grey), 1.1, 5, minSize=(least, least), outputRejectLevels=True
        )
        faces = []
        for box, weight in zip(np.asarray(boxes, np.float64), np.ravel(weights), strict=True):
            score = float(1 / (1 + np.exp(-weight)))
            points = _points(self._place(grey, box), scale)
            faces.append(Face(_box(box, scale), points, score, score >= self._sure_score))
        return _largest_first(faces)

    def _place(self, grey: NDArray, box: NDArray[np.float64]) -> NDArray[np.float64]:
        """Five points in a face's box."""
        points = box[:2] + _IN_BOX * box[2:]
        left, right = self._eye(grey, box, 0.08), self._eye(grey, box, 0.5)
        if left is None or right is None:
            return points
        matrix = align.similarity(points[:2], np.stack([left, right]))
        size, turn = float(np.hypot(*matrix[:, 0])), float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
        believable = 0.75 < size < 1.33 and abs(turn) < 30
        return align.apply(matrix, points) if believable else points

    def _eye(self, grey: NDArray, box: NDArray[np.float64], left: float) -> NDArray[np.float64] | None:
        """Centre of the likeliest eye in the half of the box that begins at `left`."""
        x, y, side, _ = box
        corner = np.maximum(np.array([x + left * side, y + 0.18 * side]).astype(int), 0)
        part = grey[corner[1] : int(y + 0.58 * side), corner[0] : int(x + (left + 0.42) * side)]
        least, most = int(0.15 * side), int(0.4 * side)
        found, _, weights = self._eyes.detectMultiScale3(
            part, 1.05, 3, minSize=(least, least), maxSize=(most, most), outputRejectLevels=True
        )
        if len(found) == 0:
            return None
        best = np.asarray(found, np.float64)[int(np.argmax(weights))]
        return corner + best[:2] + best[2:] / 2


_IN_BOX = np.array([[0.32, 0.384], [0.68, 0.384], [0.5, 0.611], [0.333, 0.764], [0.667, 0.764]])
"""Mean places of YuNet's five points in the cascade's box, measured on 16 videos of 12 people and made symmetric."""


def default_search() -> tuple[Path, ...]:
    """Where `auto` looks for YuNet when it is told nothing: the cache folder of the platform, below the home folder."""
    cache = {"darwin": "Library/Caches", "win32": "AppData/Local"}.get(sys.platform, ".cache")
    return (Path.home() / cache / "anclaf" / YUNET_FILE,)


def make_detector(spec: str = "auto", search: Sequence[Path] | None = None) -> Detector:
    """The detector that a setting names.

    Args:
        spec: `auto` is YuNet when one of the files of `search` is there, else Haar, and the detector's `name` says
            which; `haar`; `yunet` is as `auto`, but where no file is there it is downloaded to the first place;
            `yunet:PATH`.
        search: files to look for, in order; default `default_search()`.

    Raises:
        ConfigError: another spec. DetectorError: the named file is missing or no YuNet, or cannot be downloaded.
        OutputError: the downloaded file cannot be kept.
    """
    kind, colon, path = spec.partition(":")
    if spec == "haar":
        return HaarDetector()
    if kind == "yunet" and colon and path:
        return YuNetDetector(path)
    if spec not in ("auto", "yunet"):
        raise ConfigError(f"detector {spec!r}: expected auto, haar, yunet or yunet:PATH")
    places = default_search() if search is None else search
    found = next((place for place in places if place.is_file()), None)
    if found is not None:
        return YuNetDetector(found)
    if spec == "auto":
        return HaarDetector()
    from anclaf.faces.yunet_download import download_yunet  # which imports this file

    return YuNetDetector(download_yunet(places[0].parent))


def _cascade(name: str) -> cv2.CascadeClassifier:
    # OpenCV 5 dropped the cascades
    folder = getattr(getattr(cv2, "data", None), "haarcascades", None)
    cascade = cv2.CascadeClassifier(str(Path(folder) / name)) if folder else None
    if cascade is None or cascade.empty():
        raise DetectorError(
            f"OpenCV {cv2.__version__} has no {name}. Install opencv-python-headless<5, or use yunet:PATH"
        )
    return cascade


def _check(score: float, longer_side: int) -> None:
    if not 0 <= score <= 1:
        raise ConfigError(f"least score {score}: expected 0 to 1")
    if longer_side < 32:
        raise ConfigError(f"longer_side {longer_side}: expected 32 pixels or more")


def _reduced(image: NDArray[np.uint8], longer_side: int) -> tuple[NDArray, NDArray[np.float64]]:
    """The image at most `longer_side` long, and (x, y) factors from its pixels back to the image's."""
    height, width = image.shape[:2]
    factor = longer_side / max(height, width)
    if factor >= 1:
        return image, np.ones(2)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.array([width / size[0], height / size[1]])


def _box(box: NDArray[np.float64], scale: NDArray[np.float64]) -> tuple[float, float, float, float]:
    x, y, width, height = (box * np.tile(scale, 2)).tolist()
    return x, y, width, height


def _points(points: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points on the reduced image -> points on the image; pixel centres lie at whole numbers in both."""
    return (points + 0.5) * scale - 0.5


def _largest_first(faces: list[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: -face.area)


def _fixed_size(onnx: bytes) -> bytes:
    """The ONNX file with its free batch, height and width set to 1, 640 and 640.

    OpenCV 4 refuses free sizes, and takes any frame all the same once they are fixed. Each name of a free size becomes
    a number of equally many bytes (a padded varint), so that no length written in the file changes.
    """
    for name, size in ((b"batch", 1), (b"height", 640), (b"width", 640)):
        digits = [size >> 7 * i & 0x7F | 0x80 for i in range(len(name))]
        onnx = onnx.replace(b"\x12" + bytes([len(name)]) + name, b"\x08" + bytes([*digits, 0]))
    return onnx
