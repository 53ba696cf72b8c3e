import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from anclaf.faces import align
from anclaf.faces.corrected import CorrectedDetector, rounds
from anclaf.faces.detect import Face
from anclaf.faces.haar import HaarDetector
from anclaf.faces.images import read_image
from anclaf.faces.yunet import YuNetDetector
from anclaf.models.points import StarterPoints

SIDE = 48
TRUE = align.TEMPLATE * 90 + (60, 40)
"""Where the five dots of `picture` are."""


class Dots:
    """Finds five bright dots in a crop, each in the part of it where its point belongs."""

    name = "dots"
    image_size = SIDE
    asked = 0

    def find(self, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        self.asked += 1
        y, x = np.mgrid[:SIDE, :SIDE]
        found = []
        for crop in crops[..., 0].astype(np.float64):
            for near in align.TEMPLATE * SIDE:
                weight = crop * (np.hypot(x - near[0], y - near[1]) < 7)
                found.append([(weight * axis).sum() / max(weight.sum(), 1e-9) for axis in (x, y)])
        return np.array(found).reshape(-1, 5, 2)


class Rough:
    """Faces of known points; box: whether it says that it guesses them from a box."""

    name = "rough"

    def __init__(self, *points: NDArray, box: bool = False):
        self.points, self.rough_points = points, box

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        return [Face((1, 2, 3, 4), one, 0.7, sure=k == 0) for k, one in enumerate(self.points)]


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    grey = np.zeros((200, 240), np.float32)
    y, x = np.mgrid[:200, :240]
    for point in TRUE:
        grey += 255 * np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / 18)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, 2)


def off(points: NDArray, true: NDArray) -> float:
    return float(np.linalg.norm(points - true, axis=1).max())


def test_points_are_those_that_the_finder_sees_and_all_else_is_the_detectors(picture: NDArray[np.uint8]):
    rough = TRUE + (4, -3)
    (face,) = CorrectedDetector(Rough(rough), Dots()).detect(picture)
    assert off(face.points, TRUE) < 1 < off(rough, TRUE) - 3
    assert (face.box, face.score, face.sure) == ((1, 2, 3, 4), 0.7, True)


def test_a_box_detectors_points_are_looked_at_twice(picture: NDArray[np.uint8]):
    for box, times in ((True, 2), (False, 1)):
        dots = Dots()
        detector = CorrectedDetector(Rough(TRUE + 3, box=box), dots)
        detector.detect(picture)
        assert (dots.asked, detector.name) == (times, "rough+dots")
    assert [rounds(one) for one in (HaarDetector(), Rough())] == [2, 1]


def test_what_no_face_could_be_leaves_the_detectors_points(picture: NDArray[np.uint8]):
    blank = align.TEMPLATE * 30 + (205, 165)  # at the dark corner: the dots' weights say nothing of a face
    one_place = np.full((5, 2), 50.0)
    faces = CorrectedDetector(Rough(blank, one_place, TRUE + 2), Dots()).detect(picture)
    np.testing.assert_array_equal(faces[0].points, blank)
    np.testing.assert_array_equal(faces[1].points, one_place)
    assert off(faces[2].points, TRUE) < 1
    assert [face.sure for face in faces] == [True, False, False]


def test_no_face_asks_for_nothing(picture: NDArray[np.uint8]):
    dots = Dots()
    assert CorrectedDetector(Rough(), dots).detect(picture) == []
    assert dots.asked == 0


def test_the_starters_finder_can_be_pickled_and_takes_faces_one_by_one_or_together():
    finder = StarterPoints()
    crops = np.random.default_rng(0).integers(0, 256, (3, finder.image_size, finder.image_size, 3), np.uint8)
    together = finder.find(crops)
    assert together.shape == (3, 5, 2)
    again = pickle.loads(pickle.dumps(finder))
    for crop, points in zip(crops, together, strict=True):
        np.testing.assert_allclose(again.find(crop[None])[0], points, atol=1e-3)


@pytest.mark.realdata
@pytest.mark.parametrize("kind", ["yunet", "haar"])
def test_on_a_real_face_rough_points_come_back_to_one_place(shared: Path, yunet: Path, kind: str):
    image = read_image(shared / "realdata" / "images" / "pyfeat_single_face.jpg")
    detector = YuNetDetector(yunet) if kind == "yunet" else HaarDetector()
    (rough,) = detector.detect(image)[:1]
    side = np.linalg.norm(rough.points[1] - rough.points[0])
    finder, rng = StarterPoints(), np.random.default_rng(0)
    beside = [rough.points]
    for _ in range(6):
        turn, scale = rng.uniform(-8, 8), rng.uniform(0.9, 1.1)
        matrix = cv2.getRotationMatrix2D(rough.points.mean(0).tolist(), turn, scale)
        beside.append(align.apply(matrix, rough.points) + rng.uniform(-0.12, 0.12, 2) * side)
    faces = CorrectedDetector(Rough(*beside, box=True), finder).detect(image)
    found = np.array([face.points for face in faces])
    before = np.linalg.norm(np.array(beside) - np.mean(beside, 0), axis=2).mean() / side
    after = np.linalg.norm(found - found.mean(0), axis=2).mean() / side
    assert after < 0.3 * before
    assert np.linalg.norm(found.mean(0) - rough.points, axis=1).max() < 0.25 * side
