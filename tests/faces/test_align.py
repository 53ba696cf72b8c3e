from pathlib import Path

import cv2
import numpy as np
import pytest

from anclaf.faces import align
from anclaf.faces.align import face_quality
from anclaf.faces.frames import read_video
from anclaf.faces.yunet import YuNetDetector


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


POINTS = align.TEMPLATE * 64
NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)


def test_size_is_what_the_crop_covers():
    assert face_quality(NOISE, POINTS).size == pytest.approx(64)
    assert face_quality(NOISE, POINTS * 2 + 7).size == pytest.approx(128)


def test_blur_lowers_sharpness_and_light_and_resolution_do_not():
    sharp = face_quality(NOISE, POINTS).sharpness
    assert face_quality(blurred(NOISE, 3), POINTS).sharpness < 0.02 * sharp
    dim = (NOISE.astype(float) * 0.3 + 60).astype(np.uint8)
    assert face_quality(dim, POINTS).sharpness == pytest.approx(sharp, rel=0.02)
    large = NOISE.repeat(4, 0).repeat(4, 1)
    assert face_quality(large, (POINTS + 0.5) * 4 - 0.5).sharpness == pytest.approx(sharp, rel=0.02)


def test_a_plain_face_is_not_sharp():
    assert face_quality(np.full((64, 64, 3), 90, np.uint8), POINTS).sharpness == 0


def test_a_nose_aside_is_not_frontal():
    assert face_quality(NOISE, POINTS).frontalness == pytest.approx(1)
    aside = POINTS.copy()
    aside[2, 0] += 0.25 * (POINTS[1, 0] - POINTS[0, 0])
    assert face_quality(NOISE, aside).frontalness == pytest.approx(0.5)
    aside[2, 0] += 100
    assert face_quality(NOISE, aside).frontalness == 0


@pytest.mark.realdata
def test_real_faces_are_far_from_blurred(yunet: Path, shared: Path):
    frame = next(read_video(shared / "realdata" / "videos" / "grid" / "brbk7n.mpg")).image
    points = YuNetDetector(yunet).detect(frame)[0].points
    assert face_quality(frame, points).sharpness > 0.15
    assert face_quality(blurred(frame, 6), points).sharpness < 0.012


def _crop(x: float = 0.0, y: float = 0.0, scale: float = 1.0, angle: float = 0.0) -> np.ndarray:
    """(2, 3) matrix of the crop of a face of 100 pixels a side, moved, larger and turned about its middle."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (align.TEMPLATE - 0.5) @ turn.T * 100 * scale + [200 + x, 150 + y]
    return align.crop_matrix(points, 64)


def test_crop_motion_is_in_sides_of_the_crop_log_scale_and_radians():
    # 5 px to the right and 10 up, then 10 % larger, then a turn, then nothing
    there = {"x": 5.0, "y": -10.0, "scale": 1.1, "angle": 0.2}
    steps = [{}, {"x": 5.0, "y": -10.0}, {"x": 5.0, "y": -10.0, "scale": 1.1}, there, there]
    matrices = np.stack([_crop(**step) for step in steps])
    expected = [[0, 0, 0, 0], [0.05, -0.1, 0, 0], [0, 0, np.log(1.1), 0], [0, 0, 0, 0.2], [0, 0, 0, 0]]
    np.testing.assert_allclose(align.crop_motion(matrices, 64), expected, atol=1e-9)
    np.testing.assert_array_equal(align.crop_motion(matrices[2:3], 64), 0)


def test_mirrored_motion_is_that_of_the_mirrored_video():
    """Both the frame and the crop are mirrored."""
    rng = np.random.default_rng(0)
    drawn = zip(rng.normal(0, 5, 6), rng.normal(0, 5, 6), rng.uniform(0.9, 1.1, 6), rng.normal(0, 0.1, 6), strict=True)
    matrices = np.stack([_crop(x, y, scale, angle) for x, y, scale, angle in drawn])
    square = np.concatenate([matrices, np.tile([[[0.0, 0, 1]]], (6, 1, 1))], 1)
    of_frame, of_crop = (np.array([[-1.0, 0, width], [0, 1, 0], [0, 0, 1]]) for width in (640, 64))
    mirrored = (of_crop @ square @ of_frame)[:, :2]
    moved = align.crop_motion(matrices, 64)
    np.testing.assert_allclose(align.mirrored_motion(moved), align.crop_motion(mirrored, 64), atol=1e-9)
    assert np.abs(moved[1:]).min() > 1e-4


@pytest.mark.parametrize("count", [5, 49, 68])
def test_five_point_weights_give_the_five_points(count: int):
    landmarks = np.random.default_rng(0).normal(size=(count, 2))
    np.testing.assert_allclose(align.five_point_weights(count) @ landmarks, align.five_points(landmarks), atol=1e-12)
