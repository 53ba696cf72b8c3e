"""OpenCV's cascade of Haar features, the detector that needs no further file."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anclaf.core.errors import DetectorError
from anclaf.faces import align
from anclaf.faces.detect import Face, ReducedFrame, check_detector_settings, largest_first, refuse_argument


def haar_detector(argument: str | None = None) -> "HaarDetector":
    """`haar` of the detectors' registry."""
    refuse_argument("haar", argument)
    return HaarDetector()


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
    rough_points = True
    """They are guessed from the box (`CorrectedDetector`)."""

    def __init__(self, sure_score: float = 0.9, longer_side: int = 640):
        check_detector_settings(sure_score, longer_side)
        self._sure_score, self._longer_side = sure_score, longer_side
        self._faces = _cascade("haarcascade_frontalface_default.xml")
        self._eyes = _cascade("haarcascade_eye.xml")

    def __reduce__(self) -> tuple[type["HaarDetector"], tuple[float, int]]:
        return HaarDetector, (self._sure_score, self._longer_side)  # OpenCV's objects cannot be pickled

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        frame = ReducedFrame.of(image, self._longer_side)
        grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
        least = max(24, min(grey.shape) // 10)
        boxes, _, weights = self._faces.detectMultiScale3(
            cv2.equalizeHist(grey), 1.1, 5, minSize=(least, least), outputRejectLevels=True
        )
        faces = []
        for box, weight in zip(np.asarray(boxes, np.float64), np.ravel(weights), strict=True):
            score = float(1 / (1 + np.exp(-weight)))
            points = frame.points(self._five_points(grey, box))
            faces.append(Face(frame.box(box), points, score, score >= self._sure_score))
        return largest_first(faces)

    def _five_points(self, grey: NDArray, box: NDArray[np.float64]) -> NDArray[np.float64]:
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


def _cascade(name: str) -> cv2.CascadeClassifier:
    # OpenCV 5 dropped the cascades
    folder = getattr(getattr(cv2, "data", None), "haarcascades", None)
    cascade = cv2.CascadeClassifier(str(Path(folder) / name)) if folder else None
    if cascade is None or cascade.empty():
        raise DetectorError(
            f"OpenCV {cv2.__version__} has no {name}. Install opencv-python-headless<5, or use yunet:PATH"
        )
    return cascade
