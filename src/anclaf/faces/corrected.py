"""Five points where a face has them, not where a detector puts them: looked for in the face itself."""

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.faces.align import apply, crop_matrix, similarity, warp
from anclaf.faces.detect import Detector, Face

MOST_SCALE, MOST_TURN, MOST_SHIFT = 1.5, 30.0, 0.25
"""What is believed of a correction: by how much it makes a face larger or smaller, turns it (degrees) and moves it (in
sides of the crop). Beyond that nothing like a face was looked at."""


def rounds(detector: Detector) -> int:
    """How often a detector's points are corrected: twice where it says itself, by an attribute `rough_points`, that
    they were not seen. Of Haar's a second look still moves those of one face in twenty by 4 % of its side, of YuNet's
    by 2 %."""
    return 2 if getattr(detector, "rough_points", False) else 1


class PointFinder(Protocol):
    """Finds five points in faces that are cut out roughly. It can be pickled.

    name: of the detector's points that it corrects, `DETECTOR+NAME`. image_size: side S of the faces in pixels.
    """

    @property
    def name(self) -> str: ...

    @property
    def image_size(self) -> int: ...

    def find(self, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(B, S, S, 3) RGB -> (B, 5, 2) pixels of the crop, in the order of `Face.points`."""
        ...


class CorrectedDetector:
    """A detector whose faces have the points that a finder sees in them; all else is the detector's.

    Crops in training follow landmarks. A detector's points lie beside those, by some three hundredths of the crop's
    side, each detector's in a way of its own, and a network takes the difference for an expression (docs/method.md).
    """

    @checked
    def __init__(self, detector: Detector, finder: PointFinder):
        self.detector, self.finder = detector, finder

    @property
    def name(self) -> str:
        return f"{self.detector.name}+{self.finder.name}"

    @property
    def versions(self) -> dict[str, str]:
        """Of the detector's packages."""
        return getattr(self.detector, "versions", {})

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        return self.corrected(image, self.detector.detect(image))

    def corrected(self, image: NDArray[np.uint8], faces: list[Face]) -> list[Face]:
        """The detector's faces of an image, with the finder's points. It holds nothing, so that another thread may
        detect meanwhile."""
        if not faces:
            return faces
        points = np.stack([face.points for face in faces])
        for _ in range(rounds(self.detector)):
            points = self._looked(image, points)
        return [Face(face.box, found, face.score, face.sure) for face, found in zip(faces, points, strict=True)]

    def _looked(self, image: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 5, 2) -> (N, 5, 2); those that are not believed stay as they are."""
        size, found = self.finder.image_size, points.copy()
        matrices = [crop_matrix(one, size) for one in points]
        good = [k for k, matrix in enumerate(matrices) if np.isfinite(matrix).all()]
        if not good:
            return found
        crops = np.stack([warp(image, matrices[k], size) for k in good])
        for k, seen in zip(good, self.finder.find(crops), strict=True):
            if _believed(apply(matrices[k], points[k]), seen, size):
                found[k] = apply(cv2.invertAffineTransform(matrices[k]), seen)
        return found


def _believed(given: NDArray[np.float64], seen: NDArray[np.float64], size: int) -> bool:
    """Whether five points in a crop may be those of the face that was given."""
    move = similarity(given, seen)
    scale, turn = float(np.hypot(*move[:, 0])), float(np.degrees(np.arctan2(move[1, 0], move[0, 0])))
    shift = float(np.linalg.norm(seen.mean(0) - given.mean(0))) / size
    return 1 / MOST_SCALE < scale < MOST_SCALE and abs(turn) < MOST_TURN and shift < MOST_SHIFT
