"""How much a detected face can tell: its size, sharpness and frontalness."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anclaf.faces import align

_SIDE = 64


@dataclass(frozen=True)
class Quality:
    """size: pixels of the frame along the crop's side. sharpness: see `quality`. frontalness: 1 frontal, 0 profile."""

    size: float
    sharpness: float
    frontalness: float


def quality(frame: NDArray[np.uint8], points: NDArray[np.float64]) -> Quality:
    """Quality of one face.

    Sharpness is the variance of the Laplacian over the variance of the grey five-point crop at 64 pixels, so that
    neither light nor the camera's resolution counts. Real talking faces, compressed, have 0.15 to 0.9; a Gaussian blur
    of 3 % of the crop's side brings them below 0.02.

    Args:
        frame: (H, W, 3) uint8 RGB.
        points: (5, 2) pixels of the frame, not all the same.
    """
    matrix = align.crop_matrix(points, _SIDE)
    grey = cv2.cvtColor(align.warp(frame, matrix, _SIDE), cv2.COLOR_RGB2GRAY).astype(np.float32)
    sharpness = float(cv2.Laplacian(grey, cv2.CV_32F).var() / max(float(grey.var()), 1.0))
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    across = points[1] - points[0]
    # how far the nose lies beside the face's middle line, in distances between the eyes
    aside = abs(float((points[2] - (eyes + mouth) / 2) @ across)) / max(float(across @ across), 1e-12)
    size = _SIDE / float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    return Quality(size, sharpness, float(np.clip(1 - 2 * aside, 0, 1)))
