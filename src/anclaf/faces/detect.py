"""Face detectors behind one protocol: a box, five points and a score for every face of a frame."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError
from anclaf.core.registry import Registry


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


DetectorFactory = Callable[[str | None], Detector]
"""Makes a detector from what follows its name and a colon in a setting; None where nothing does."""

DETECTORS: Registry[DetectorFactory] = Registry(
    "detector",
    "anclaf.detectors",
    {
        "auto": "anclaf.faces.yunet:auto_detector",
        "haar": "anclaf.faces.haar:haar_detector",
        "yunet": "anclaf.faces.yunet:yunet_detector",
    },
)


@checked
def make_detector(spec: str = "auto") -> Detector:
    """The detector that a setting names.

    Args:
        spec: `NAME` or `NAME:ARGUMENT`, with a name of `DETECTORS`. `auto` is YuNet where it was downloaded before,
            else Haar, and the detector's `name` says which; `yunet` is downloaded where it was not yet; `yunet:PATH`
            is its ONNX file; `haar` needs no file.

    Raises:
        ConfigError: no such detector, or an argument that it does not take. DetectorError: the named file is missing or
        no YuNet, or cannot be downloaded. OutputError: the downloaded file cannot be kept.
    """
    name, colon, argument = spec.partition(":")
    if colon and not argument:
        raise ConfigError(f"detector {spec!r}: nothing follows the colon; expected NAME or NAME:ARGUMENT")
    return DETECTORS.get(name)(argument or None)


def refuse_argument(name: str, argument: str | None) -> None:
    """For detectors that take none.

    Raises:
        ConfigError: there is one.
    """
    if argument is not None:
        raise ConfigError(f"detector {name}:{argument}: {name} takes no argument; expected {name} alone")


@dataclass(frozen=True)
class ReducedFrame:
    """A frame of bounded size to detect in. scale: (x, y) factors from its pixels back to those of the frame."""

    image: NDArray[np.uint8]
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, image: NDArray[np.uint8], longer_side: int) -> "ReducedFrame":
        """(H, W, 3) reduced to at most `longer_side` pixels; a smaller one as it is."""
        height, width = image.shape[:2]
        factor = longer_side / max(height, width)
        if factor >= 1:
            return cls(image, np.ones(2))
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        return cls(small, np.array([width / size[0], height / size[1]]))

    def box(self, box: NDArray[np.float64]) -> tuple[float, float, float, float]:
        """x, y, width, height in pixels of the frame."""
        x, y, width, height = (box * np.tile(self.scale, 2)).tolist()
        return x, y, width, height

    def points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) in pixels of the frame; pixel centres lie at whole numbers in both."""
        return (points + 0.5) * self.scale - 0.5


def check_detector_settings(score: float, longer_side: int) -> None:
    """Raises ConfigError where a least score or a frame's longer side is out of range."""
    if not 0 <= score <= 1:
        raise ConfigError(f"least score {score}: expected 0 to 1")
    if longer_side < 32:
        raise ConfigError(f"longer_side {longer_side}: expected 32 pixels or more")


def largest_first(faces: list[Face]) -> list[Face]:
    """By area."""
    return sorted(faces, key=lambda face: -face.area)
