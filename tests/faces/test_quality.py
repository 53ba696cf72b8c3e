from pathlib import Path

import cv2
import numpy as np
import pytest

from anclaf.faces import align
from anclaf.faces.detect import YuNetDetector
from anclaf.faces.quality import quality
from anclaf.faces.video import read_video


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


POINTS = align.TEMPLATE * 64
NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)


def test_size_is_what_the_crop_covers():
    assert quality(NOISE, np.array([[0.5, 0, 3.0], [0, 0.5, 1.0]]), POINTS).size == pytest.approx(128)


def test_blur_lowers_sharpness_and_contrast_does_not_change_it():
    matrix = np.eye(2, 3)
    sharp = quality(NOISE, matrix, POINTS).sharpness
    assert quality(blurred(NOISE, 3), matrix, POINTS).sharpness < 0.02 * sharp
    dim = (NOISE.astype(float) * 0.3 + 60).astype(np.uint8)
    assert quality(dim, matrix, POINTS).sharpness == pytest.approx(sharp, rel=0.02)


def test_a_plain_crop_is_not_sharp():
    assert quality(np.full((64, 64, 3), 90, np.uint8), np.eye(2, 3), POINTS).sharpness == 0


def test_a_nose_aside_is_not_frontal():
    assert quality(NOISE, np.eye(2, 3), POINTS).frontalness == pytest.approx(1)
    aside = POINTS.copy()
    aside[2, 0] += 0.25 * (POINTS[1, 0] - POINTS[0, 0])
    assert quality(NOISE, np.eye(2, 3), aside).frontalness == pytest.approx(0.5)
    aside[2, 0] += 100
    assert quality(NOISE, np.eye(2, 3), aside).frontalness == 0


@pytest.mark.realdata
def test_real_faces_are_far_from_blurred(yunet: Path, shared: Path):
    frame = next(read_video(shared / "realdata" / "videos" / "grid" / "brbk7n.mpg")).image
    face = YuNetDetector(yunet).detect(frame)[0]
    matrix = align.crop_matrix(face.points, 128)
    crop = align.warp(frame, matrix, 128)
    assert quality(crop, matrix, face.points).sharpness > 0.15
    assert quality(blurred(crop, 5), matrix, face.points).sharpness < 0.012
