"""YuNet, a small network that finds faces: the detector, and its file, downloaded once and checked."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.core.download import cache_folder, download
from anclaf.core.errors import DetectorError
from anclaf.faces.detect import Detector, Face, ReducedFrame, check_detector_settings, largest_first, refuse_argument
from anclaf.faces.haar import HaarDetector
from anclaf.faces.yunet_network import LEAST, load_network

YUNET_FILE = "face_detection_yunet.onnx"
"""What it is called in the cache folder."""
YUNET_URL = "https://raw.githubusercontent.com/ShiqiYu/libfacedetection.train/master/onnx/yunet_n_dynamic.onnx"
YUNET_SHA256 = "104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12"
YUNET_BYTES = 322_906

_INSTEAD = "Try again, or get the file by other means and name it with yunet:PATH, or use detector=haar"

MIN_SCORE, LONGER_SIDE = 0.6, 640
"""The least score of a face; larger frames are reduced to this many pixels first."""


def auto_detector(argument: str | None = None) -> Detector:
    """`auto` of the detectors' registry: YuNet where it was downloaded before, else Haar. It does not download."""
    refuse_argument("auto", argument)
    return YuNetDetector(yunet_file()) if yunet_file().is_file() else HaarDetector()


def yunet_detector(argument: str | None = None) -> "YuNetDetector":
    """`yunet` or `yunet:PATH` of the detectors' registry. Without a path its file is downloaded unless it is there.

    Raises:
        DetectorError: as `YuNetDetector` and `download_yunet`. OutputError: the downloaded file cannot be kept.
    """
    return YuNetDetector(yunet_path(argument))


def yunet_path(argument: str | None = None) -> Path:
    """Where the file of `yunet` or `yunet:PATH` lies, which is downloaded as `yunet_detector` says."""
    if argument is not None:
        return Path(argument)
    file = yunet_file()
    return file if file.is_file() else download_yunet(file.parent)


def yunet_file() -> Path:
    """Where a downloaded YuNet lies."""
    return cache_folder() / YUNET_FILE


class YuNetDetector:
    """YuNet (Wu et al. 2023, Machine Intelligence Research), by onnxruntime where that is installed, else by OpenCV.

    Args:
        path: its ONNX file, the one of dynamic input size or one of a fixed size; any frame size is taken with either.
        min_score: faces below are not given.
        longer_side: larger frames are reduced to this many pixels first, so that time is bounded; of what is left,
            faces under about 10 pixels are missed: in a frame 7680 pixels wide those under about 120.

    Raises:
        DetectorError: the file is missing, or OpenCV cannot load it as a YuNet.
    """

    name = "yunet"

    def __init__(self, path: Path | str, min_score: float = MIN_SCORE, longer_side: int = LONGER_SIDE):
        path = Path(path)
        check_detector_settings(min_score, longer_side)
        if not path.is_file():
            raise DetectorError(
                f"{path}: no such file; expected the ONNX file of YuNet. Use detector=haar, or download it"
            )
        self._longer_side = longer_side
        self._made_of = (path.absolute(), min_score, longer_side)
        try:
            self._network = load_network(path.read_bytes(), min_score)
        except cv2.error as error:
            raise DetectorError(
                f"{path}: OpenCV {cv2.__version__} cannot use it as a YuNet ({error.err}). Get it again"
            ) from error

    def __reduce__(self) -> tuple[type["YuNetDetector"], tuple[Path, float, int]]:
        return YuNetDetector, self._made_of  # OpenCV's objects cannot be pickled

    @property
    def versions(self) -> dict[str, str]:
        """Of the packages that run it beside OpenCV, name -> version: faces are the same with and without them but for
        rounding."""
        return self._network.versions

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        frame = ReducedFrame.of(image, self._longer_side)
        below, beside = (max(0, LEAST - side) for side in frame.image.shape[:2])
        small = cv2.copyMakeBorder(frame.image, 0, below, 0, beside, cv2.BORDER_CONSTANT)
        rows = self._network(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2BGR), np.uint8))
        return largest_first([Face(frame.box(r[:4]), frame.points(r[4:14].reshape(5, 2)), float(r[14])) for r in rows])


@checked
def download_yunet(
    folder: Path, url: str = YUNET_URL, sha256: str = YUNET_SHA256, size: int = YUNET_BYTES, timeout_s: float = 30.0
) -> Path:
    """The file in `folder`, downloaded unless it is already there and whole.

    Args:
        folder: the cache folder; made where it is missing.
        url: http or https.
        sha256: of the file, hexadecimal. size: of the file in bytes.
        timeout_s: for the whole download.

    Raises:
        DetectorError: no connection, an answer other than the file, too slow, cut short, or other content than known.
        OutputError: the folder cannot be written.
    """
    return download(Path(folder) / YUNET_FILE, url, sha256, size, timeout_s, _INSTEAD, DetectorError)
