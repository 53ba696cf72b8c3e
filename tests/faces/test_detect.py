import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from anclaf.core.errors import ConfigError, DetectorError
from anclaf.faces.align import TEMPLATE
from anclaf.faces.detect import DETECTORS, Detector, Face, ReducedFrame, make_detector
from anclaf.faces.frames import read_video
from anclaf.faces.haar import HaarDetector
from anclaf.faces.images import read_image
from anclaf.faces.yunet import YuNetDetector, yunet_file
from anclaf.faces.yunet_network import _fixed_size

EYES = ((203, 104), (247, 104))
"""Of the astronaut, by eye."""


@pytest.fixture
def astronaut(shared: Path) -> np.ndarray:
    return read_image(shared / "realdata" / "images" / "skimage_astronaut.png")


@pytest.fixture(params=["yunet", "haar"])
def detector(request: pytest.FixtureRequest, yunet: Path) -> Detector:
    return YuNetDetector(yunet) if request.param == "yunet" else HaarDetector()


@pytest.mark.realdata
def test_points_are_in_the_agreed_order_and_place(detector: Detector, astronaut: np.ndarray):
    face = detector.detect(astronaut)[0]
    left, right, nose, left_mouth, right_mouth = face.points
    np.testing.assert_allclose([left, right], EYES, atol=8)
    assert left[0] < nose[0] < right[0]
    assert left[1] < nose[1] < left_mouth[1]
    assert left_mouth[0] < right_mouth[0]
    x, y, w, h = face.box
    assert ((face.points > (x, y)) & (face.points < (x + w, y + h))).all()
    assert 0.5 < face.score <= 1


@pytest.mark.realdata
def test_faces_come_largest_first(yunet: Path, shared: Path):
    faces = YuNetDetector(yunet).detect(read_image(shared / "realdata" / "images" / "facerec_two_people.jpg"))
    assert len(faces) == 2
    assert faces[0].area >= faces[1].area


@pytest.mark.realdata
@pytest.mark.parametrize("kind", ["yunet", "haar"])
def test_a_large_frame_is_reduced_and_coordinates_come_back(kind: str, yunet: Path, astronaut: np.ndarray):
    detector = YuNetDetector(yunet, longer_side=480) if kind == "yunet" else HaarDetector(longer_side=480)
    small = astronaut[:480, :480]
    large = small.repeat(5, 0).repeat(5, 1)
    expected, got = detector.detect(small)[0], detector.detect(large)[0]
    np.testing.assert_allclose(got.box, np.array(expected.box) * 5, rtol=1e-3)
    np.testing.assert_allclose(got.points, (expected.points + 0.5) * 5 - 0.5, rtol=1e-3)


@pytest.mark.realdata
def test_equal_frames_give_equal_faces_whatever_came_between(detector: Detector, astronaut: np.ndarray):
    first = detector.detect(astronaut)
    for shape in ((30, 700, 3), (64, 64, 3), (200, 90, 3)):
        assert detector.detect(np.zeros(shape, np.uint8)) == []
    again = detector.detect(astronaut)
    assert [face.box for face in again] == [face.box for face in first]
    np.testing.assert_array_equal(again[0].points, first[0].points)


@pytest.mark.realdata
@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 5, 3), (1, 700, 3), (31, 640, 3), (640, 31, 3), (4320, 7680, 3)])
def test_odd_sizes_have_no_face(detector: Detector, shape: tuple[int, int, int]):
    assert detector.detect(np.full(shape, 90, np.uint8)) == []


@pytest.mark.realdata
@pytest.mark.parametrize("angle", [-12, 12])
def test_a_leaning_head_is_followed(detector: Detector, shared: Path, angle: int):
    turns = []
    for name in ("bbaf2n", "brbk7n", "lbbc2a", "pwij3p", "sbia1a"):
        image = next(read_video(shared / "realdata" / "videos" / "grid" / f"{name}.mpg")).image
        matrix = cv2.getRotationMatrix2D((180, 150), angle, 1)
        leaning = np.asarray(cv2.warpAffine(image, matrix, (360, 288)), np.uint8)
        turns.append(_lean(detector, leaning) - _lean(detector, image))
    assert np.mean(turns) == pytest.approx(angle, abs=2.5)
    assert np.std(turns) < 4


def _lean(detector: Detector, image: np.ndarray) -> float:
    """Degrees, counter-clockwise, of the line between the eyes."""
    x, y = np.diff(detector.detect(image)[0].points[:2], axis=0)[0]
    return float(np.degrees(np.arctan2(-y, x)))


@pytest.mark.realdata
def test_yunet_on_pictures(yunet: Path, shared: Path):
    ones = (
        "facerec_biden facerec_obama facerec_obama_partial_face facerec_obama_small fer_justin mtcnn_ivan pillow_hopper"
    )
    faces = dict.fromkeys((f"{name}.jpg" for name in ones.split()), 1)
    faces |= {"facerec_two_people.jpg": 2, "facealign_grass_noface.jpg": 0, "skimage_astronaut.png": 1}
    detector = YuNetDetector(yunet)
    found = {name: len(detector.detect(read_image(shared / "realdata" / "images" / name))) for name in faces}
    assert found == faces


@pytest.mark.realdata
def test_talking_faces_are_found_in_every_frame(detector: Detector, shared: Path):
    centres = []
    for frame in read_video(shared / "realdata" / "videos" / "grid" / "lbbc2a.mpg"):
        if frame.index % 5 == 0:
            faces = detector.detect(frame.image)
            assert len(faces) == 1, frame.index
            centres.append(faces[0].points.mean(0))
    assert np.ptp(centres, axis=0).max() < 30


@pytest.mark.realdata
def test_what_haar_takes_for_a_face_is_not_sure(shared: Path):
    """Of the frame's two boxes one is a face and one is hair."""
    video = read_video(shared / "realdata" / "videos" / "pyfeat_WolfgangLanger_Pexels.mp4")
    image = next(frame.image for frame in video if frame.index == 38)
    real, false = HaarDetector().detect(image)
    assert false.score < 0.9 < real.score
    assert (real.sure, false.sure) == (True, False)
    assert [face.sure for face in HaarDetector(sure_score=0).detect(image)] == [True, True]


@pytest.mark.realdata
def test_haar_agrees_with_yunet(yunet: Path, shared: Path):
    errors = []
    exact, rough = YuNetDetector(yunet), HaarDetector()
    for name in ("bbaf2n", "lbax4n", "pwij3p", "swiz3n"):
        image = next(read_video(shared / "realdata" / "videos" / "grid" / f"{name}.mpg")).image
        truth, guess = exact.detect(image)[0].points, rough.detect(image)[0].points
        errors.append(np.linalg.norm(guess - truth, axis=1).mean() / np.linalg.norm(truth[1] - truth[0]))
    assert np.mean(errors) < 0.12, "of the distance between the eyes; the docstring says 0.08 on average"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, and so a cache, of its own."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    return tmp_path / "home"


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name", ["facerec_two_people", "facerec_obama_small", "skimage_astronaut", "facealign_grass_noface"]
)
def test_yunet_finds_the_same_with_and_without_onnxruntime(
    yunet: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    pytest.importorskip("onnxruntime")
    (path,) = (shared / "realdata" / "images").glob(f"{name}.*")
    image, by_runtime = read_image(path)[:-3, :-5], YuNetDetector(yunet)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    by_opencv = YuNetDetector(yunet)
    assert by_runtime.versions
    assert not by_opencv.versions
    for longer_side in (image.shape[1], 90, 40):  # some are of less than a network's least plane
        small = ReducedFrame.of(image, longer_side).image
        found, expected = by_runtime.detect(small), by_opencv.detect(small)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose([*one.box, one.score], [*other.box, other.score], atol=1e-3)
            np.testing.assert_allclose(one.points, other.points, atol=1e-3)


@pytest.mark.realdata
def test_a_yunet_of_fixed_size_is_run_by_opencv(yunet: Path, tmp_path: Path, astronaut: np.ndarray):
    (fixed := tmp_path / "fixed.onnx").write_bytes(_fixed_size(yunet.read_bytes()))
    detector = YuNetDetector(fixed)
    assert not detector.versions
    assert len(detector.detect(astronaut)) == len(YuNetDetector(yunet).detect(astronaut)) == 1


def test_auto_takes_yunet_only_where_it_is(home: Path):
    assert make_detector("auto").name == "haar"
    assert make_detector("haar").name == "haar"
    assert not home.exists(), "auto does not download"
    yunet_file().parent.mkdir(parents=True)
    yunet_file().write_bytes(b"not a network")
    with pytest.raises(DetectorError, match="cannot use it as a YuNet"):
        make_detector("auto")  # no silent fallback


@pytest.mark.realdata
def test_auto_says_that_it_took_yunet(home: Path, yunet: Path):
    assert make_detector(f"yunet:{yunet}").name == "yunet"
    yunet_file().parent.mkdir(parents=True)
    yunet_file().symlink_to(yunet)
    assert make_detector("auto").name == "yunet"
    assert make_detector("yunet").name == "yunet"


def test_the_file_lies_below_the_home_folder():
    assert yunet_file().is_relative_to(Path.home())
    assert yunet_file().name == "face_detection_yunet.onnx"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "detector '': expected one of auto, haar, yunet"),
        ("Auto", "detector 'Auto': expected one of auto, haar, yunet"),
        ("mtcnn", "detector 'mtcnn': expected one of auto, haar, yunet"),
        ("yunet:", "detector 'yunet:': nothing follows the colon; expected NAME or NAME:ARGUMENT"),
        ("haar:x", "detector haar:x: haar takes no argument; expected haar alone"),
        ("auto:x", "detector auto:x: auto takes no argument; expected auto alone"),
    ],
)
def test_an_unknown_detector_is_refused(spec: str, message: str):
    with pytest.raises(ConfigError) as caught:
        make_detector(spec)
    assert str(caught.value) == message


class WholeFrame:
    """Takes the whole frame for a face, as sure as it is told."""

    name = "whole"

    def __init__(self, argument: str | None):
        self.score = float(argument or 1)

    def detect(self, image: np.ndarray) -> list[Face]:
        height, width = image.shape[:2]
        return [Face((0, 0, width, height), TEMPLATE * (width, height), self.score)]


def test_a_detector_of_another_package_is_made_by_its_name():
    DETECTORS.register("whole", WholeFrame)
    try:
        detector = make_detector("whole:0.5")
        assert detector.detect(np.zeros((4, 6, 3), np.uint8))[0].score == 0.5
        assert make_detector("whole").detect(np.zeros((4, 6, 3), np.uint8))[0].score == 1
    finally:
        DETECTORS.unregister("whole")


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(DetectorError, match=r"none\.onnx: no such file; expected the ONNX file of YuNet"):
        make_detector(f"yunet:{tmp_path / 'none.onnx'}")


@pytest.mark.parametrize(("score", "side", "message"), [(1.5, 640, "least score 1.5"), (0.6, 8, "longer_side")])
def test_settings_out_of_range_are_refused(tmp_path: Path, score: float, side: int, message: str):
    with pytest.raises(ConfigError, match=message):
        YuNetDetector(tmp_path, score, side)
