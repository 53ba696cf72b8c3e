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
