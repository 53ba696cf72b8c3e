"""The crop recipe: five points, a similarity transform, a canonical square face. The same for training and for use.

And how much a face so cut out can tell: its size, sharpness and frontalness.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from anclaf.config import CropName
from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError

TEMPLATE = np.array([[0.32, 0.36], [0.68, 0.36], [0.50, 0.568], [0.353, 0.776], [0.647, 0.776]])
"""Where the five points go, in units of the crop's side: image-left eye, image-right eye, nose tip, mouth corners."""

_FIVE_OF_68 = (slice(36, 42), slice(42, 48), slice(30, 31), slice(48, 49), slice(54, 55))
_FIVE_OF_49 = (slice(19, 25), slice(25, 31), slice(13, 14), slice(31, 32), slice(37, 38))


@checked
def five_points(landmarks: NDArray) -> NDArray[np.float64]:
    """(68, 2), (49, 2) or (5, 2) landmarks in pixels -> (5, 2): eye centres, nose tip, mouth corners.

    68 is iBUG; 49 is iBUG without the jaw line and the two inner mouth corners (SEWA); 5 is what detectors give.
    """
    landmarks = np.asarray(landmarks, np.float64)
    if landmarks.shape == (5, 2):
        return landmarks
    groups = {68: _FIVE_OF_68, 49: _FIVE_OF_49}.get(len(landmarks)) if landmarks.ndim == 2 else None
    if groups is None:
        raise ConfigError(f"landmarks: got shape {landmarks.shape}; expected (68, 2), (49, 2) or (5, 2)")
    return np.stack([landmarks[group].mean(0) for group in groups])


def five_point_weights(count: int) -> NDArray[np.float64]:
    """(5, P) what each of P landmarks weighs in each of their five points."""
    return np.stack([five_points(np.stack([one, one], 1))[:, 0] for one in np.eye(count)], 1)


@checked
def similarity(source: NDArray, target: NDArray) -> NDArray[np.float64]:
    """(2, 3) matrix of the least-squares rotation, uniform scale and shift from source to target (Umeyama 1991).

    Args:
        source: (N, 2) points.
        target: (N, 2) points.

    Returns a matrix of NaN when the source points coincide.
    """
    source_mean, target_mean = source.mean(0), target.mean(0)
    a, b = source - source_mean, target - target_mean
    spread = (a**2).sum()
    if not spread > 1e-12:
        return np.full((2, 3), np.nan)
    cos = (a * b).sum() / spread
    sin = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / spread
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.concatenate([linear, (target_mean - linear @ source_mean)[:, None]], 1)


@checked
def crop_matrix(
    landmarks: NDArray, size: int, crop: CropName = "five-point", width_height: tuple[int, int] | None = None
):
    """(2, 3) matrix from source pixels to crop pixels.

    Args:
        landmarks: (68 | 49 | 5, 2) pixels. `paper` needs 68 or 49.
        size: side of the crop in pixels.
        crop: `five-point`: similarity to `TEMPLATE`. `paper`: the landmark box widened by 1/8 (68 points) or 1/3 (49)
            of its width and height on each side, clipped to the frame, squashed to the square.
        width_height: size of the source frame, needed by `paper`.
    """
    if crop == "five-point":
        return similarity(five_points(landmarks), TEMPLATE * size)
    if len(landmarks) not in (68, 49) or width_height is None:
        raise ConfigError(f"crop=paper needs the 68 or 49 landmarks of a database; got {len(landmarks)} points")
    margin = 1 / 8 if len(landmarks) == 68 else 1 / 3
    low, high = landmarks.min(0), landmarks.max(0)
    low, high = low - margin * (high - low), high + margin * (high - low)
    low = np.maximum(low, 0)
    high = np.minimum(high, width_height)
    side = high - low
    if not (side > 1e-6).all():
        return np.full((2, 3), np.nan)
    return np.array([[size / side[0], 0, -low[0] * size / side[0]], [0, size / side[1], -low[1] * size / side[1]]])


@checked
def warp(image: NDArray, matrix: NDArray, size: int) -> NDArray[np.uint8]:
    """Cut the (size, size, 3) crop out of an (H, W, 3) uint8 image; what lies outside the image is black.

    A large face is first reduced by area averaging, because the bilinear warp alone would alias.
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    factor = 1
    while scale * factor < 0.5 and min(image.shape[:2]) >= 2:
        # integer pixel averaging keeps pixel centres where (x + 0.5) / factor - 0.5 says
        image = cv2.resize(
            image, (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2)), interpolation=cv2.INTER_AREA
        )
        factor *= 2
    inner = matrix.copy()
    if factor > 1:
        # source = factor * reduced + (factor - 1) / 2
        inner[:, 2] = matrix[:, 2] + matrix[:, :2] @ np.full(2, (factor - 1) / 2)
        inner[:, :2] = matrix[:, :2] * factor
    crop = cv2.warpAffine(image, inner, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(crop, np.uint8)


def apply(matrix: NDArray, points: NDArray) -> NDArray[np.float64]:
    """(2, 3) or (N, 2, 3) matrix on (P, 2) or (N, P, 2) points."""
    return points @ np.swapaxes(matrix[..., :2], -1, -2) + matrix[..., None, :, 2]


_QUALITY_SIDE = 64


@dataclass(frozen=True)
class FaceQuality:
    """size: pixels of the frame along the crop's side. sharpness: see `face_quality`. frontalness: 1 frontal, 0
    profile."""

    size: float
    sharpness: float
    frontalness: float


@checked
def face_quality(frame: NDArray[np.uint8], points: NDArray[np.float64]) -> FaceQuality:
    """Quality of one face.

    Sharpness is the variance of the Laplacian over the variance of the grey five-point crop at 64 pixels, so that
    neither light nor the camera's resolution counts. Real talking faces, compressed, have 0.15 to 0.9; a Gaussian blur
    of 3 % of the crop's side brings them below 0.02.

    Args:
        frame: (H, W, 3) uint8 RGB.
        points: (5, 2) pixels of the frame, not all the same.
    """
    matrix = crop_matrix(points, _QUALITY_SIDE)
    grey = cv2.cvtColor(warp(frame, matrix, _QUALITY_SIDE), cv2.COLOR_RGB2GRAY).astype(np.float32)
    sharpness = float(cv2.Laplacian(grey, cv2.CV_32F).var() / max(float(grey.var()), 1.0))
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    across = points[1] - points[0]
    # how far the nose lies beside the face's middle line, in distances between the eyes
    aside = abs(float((points[2] - (eyes + mouth) / 2) @ across)) / max(float(across @ across), 1e-12)
    size = _QUALITY_SIDE / float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    return FaceQuality(size, sharpness, float(np.clip(1 - 2 * aside, 0, 1)))


def crop_motion(matrices: NDArray, size: int) -> NDArray[np.float64]:
    """How a crop moved since the row before: (T, 4) its centre in x and y, in sides of the crop; log scale; radians.

    The face on the crop no longer shows how the head moves; the crop itself does.

    Args:
        matrices: (T, 2, 3) source pixels -> crop pixels, as `crop_matrix` gives. The first row did not move.
        size: side of the crop in pixels.
    """
    square = np.zeros((len(matrices), 3, 3))
    square[:, :2], square[:, 2, 2] = matrices, 1
    # a point of this crop -> the same place of the source frame -> where that was on the crop before
    relative = np.tile(np.eye(3)[:2], (len(matrices), 1, 1))
    relative[1:] = (square[:-1] @ np.linalg.inv(square[1:]))[:, :2]
    linear, shift = relative[..., :2], relative[..., 2]
    centre = np.full(2, size / 2)
    moved = (linear @ centre + shift - centre) / size
    scale = np.log(np.abs(np.linalg.det(linear))) / 2
    return np.column_stack([moved, scale, np.arctan2(linear[:, 1, 0], linear[:, 0, 0])])


def mirrored_motion(motion: NDArray) -> NDArray:
    """(…, 4) motion of the crop -> that of the mirrored video."""
    return motion * np.array([-1, 1, 1, -1], motion.dtype)
