"""Real faces through the whole of inference, with a small model of random weights."""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from anclaf.faces.frames import read_video
from anclaf.faces.haar import HaarDetector
from anclaf.faces.images import read_image
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.prediction import predict_source
from anclaf.inference.source import open_source
from anclaf.inference.table import make_table

pytestmark = pytest.mark.realdata

GRID = (
    "bbaf2n",
    "brbk7n",
    "id2_vcd_swwp2s",
    "lbax4n",
    "lbbc2a",
    "lrwp9a",
    "lwbsza",
    "pwij3p",
    "sbia1a",
    "sbwe5n",
    "swiz3n",
)
SOME = ("brbk7n", "swiz3n")


@pytest.fixture(scope="module")
def videos(shared: Path) -> Path:
    return shared / "realdata" / "videos"


@pytest.fixture(scope="module")
def yunet(shared: Path) -> str:
    return f"yunet:{shared / 'models' / 'yunet_n_dynamic.onnx'}"


@pytest.fixture(scope="module")
def estimator(model: Callable[..., Path], yunet: str) -> AffectEstimator:
    return AffectEstimator.load(model("SA-4", fps=25), detector=yunet)


def check_one_face_throughout(rows: pd.DataFrame, frames: int) -> None:
    assert list(rows["frame"]) == list(range(frames))
    assert set(rows["track"]) == {0}
    assert set(rows["status"]) <= {"ok", "warming_up"}
    assert list(rows["status"][:4]) == ["warming_up"] * 3 + ["ok"]
    assert np.isfinite(rows[["valence", "arousal", "x", "detection"]]).all(axis=None)
    assert rows["sharpness"].min() > 0.1
    assert rows["frontalness"].min() > 0.3


@pytest.mark.parametrize(
    "clip", [name if name in SOME else pytest.param(name, marks=pytest.mark.thorough) for name in GRID]
)
def test_a_talking_face_is_one_track_with_an_estimate_in_every_frame(
    estimator: AffectEstimator, videos: Path, clip: str
):
    check_one_face_throughout(estimator.predict(videos / "grid" / f"{clip}.mpg"), 75)


@pytest.mark.thorough
def test_a_changing_close_face_is_one_track(estimator: AffectEstimator, videos: Path):
    check_one_face_throughout(estimator.predict(videos / "pyfeat_WolfgangLanger_Pexels.mp4"), 472)


@pytest.mark.parametrize(
    ("name", "with_face"),
    [
        ("pyfeat_face_noface.mov", range(72)),
        pytest.param("pyfeat_noface_face.mov", range(96, 168), marks=pytest.mark.thorough),
    ],
)
def test_no_face_is_said_exactly_while_there_is_none(
    estimator: AffectEstimator, videos: Path, name: str, with_face: range
):
    rows = estimator.predict(videos / name)
    assert list(rows["frame"]) == list(range(169))
    assert set(rows["track"].dropna()) == {0}
    assert set(rows["frame"][rows["status"] != "no_face"]) == set(with_face)
    assert list(rows["valence"].notna()) == list(rows["status"] != "no_face")


def test_a_video_without_a_face_has_no_estimate(estimator: AffectEstimator, videos: Path):
    rows = estimator.predict(videos / "pyfeat_no_face.mp4")
    assert list(rows["frame"]) == list(range(95))
    assert set(rows["status"]) == {"no_face"}
    assert rows[["track", "valence", "arousal"]].isna().all(axis=None)


def test_predict_equals_step_on_a_video(estimator: AffectEstimator, videos: Path):
    path = videos / "grid" / "lbbc2a.mpg"
    stream = estimator.stream(fps=25)
    stepped = make_table(row for frame in read_video(path) for row in stream.step(frame.image))
    predicted = estimator.predict(path)
    for name in ("time_s", "valence", "arousal", "q1", "x", "w"):
        np.testing.assert_allclose(predicted[name], stepped[name], rtol=1e-5, atol=1e-5, err_msg=name)


def test_the_exif_variants_of_a_picture_agree(estimator: AffectEstimator, shared: Path):
    images = shared / "realdata" / "images"
    upright = estimator.predict(images / "pillow_hopper.jpg").iloc[0]
    assert upright["status"] == "warming_up"
    for orientation in range(2, 9):
        turned = estimator.predict(images / f"pillow_hopper_orientation_{orientation}.jpg").iloc[0]
        np.testing.assert_allclose(
            turned[["x", "y", "w", "h"]].astype(float), upright[["x", "y", "w", "h"]].astype(float), atol=3
        )
        np.testing.assert_allclose(
            turned[["valence", "arousal"]].astype(float), upright[["valence", "arousal"]].astype(float), atol=2
        )


def test_grey_and_transparent_pictures_are_taken(estimator: AffectEstimator, shared: Path, tmp_path: Path):
    images = shared / "realdata" / "images"
    Image.open(images / "pillow_hopper.jpg").convert("RGBA").save(tmp_path / "clear.png")
    for path in (images / "pillow_hopper_gray.jpg", tmp_path / "clear.png"):
        assert np.isfinite(estimator.predict(path)["valence"]).all()


def test_two_people_are_two_tracks(estimator: AffectEstimator, shared: Path):
    rows = estimator.predict(shared / "realdata" / "images" / "facerec_two_people.jpg")
    assert list(rows["track"]) == [0, 1]
    assert rows["valence"].notna().all()


def test_haar_too_gives_a_row_for_every_frame(model: Callable[..., Path], videos: Path):
    estimator = AffectEstimator.load(model("SA-4"), detector=HaarDetector())
    rows = estimator.predict(videos / "grid" / "sbia1a.mpg")
    check_one_face_throughout(rows, 75)
    assert rows.attrs["detector"] == "haar"


@pytest.mark.thorough
def test_haar_keeps_one_person_one_track(model: Callable[..., Path], videos: Path):
    """Of this video's five false detections one begins a track; it is seen in one frame."""
    estimator = AffectEstimator.load(model("base"), detector=HaarDetector())
    rows = estimator.predict(videos / "pyfeat_WolfgangLanger_Pexels.mp4")
    seen = rows[rows["status"] == "ok"].groupby("track").size()
    assert seen[0] > 440
    assert seen[1:].sum() <= 1


def test_a_face_in_an_8k_frame(estimator: AffectEstimator, shared: Path):
    astronaut = read_image(shared / "realdata" / "images" / "skimage_astronaut.png")
    small = np.zeros((540, 960, 3), np.uint8)
    small[:512, :512] = astronaut
    large = cv2.resize(small, (7680, 4320))
    began = time.perf_counter()
    found = estimator.stream(25).step(np.asarray(large, np.uint8))
    assert time.perf_counter() - began < 5
    (expected,) = estimator.stream(25).step(small)
    assert np.isfinite(found[0].valence)
    assert len(found) == 1
    np.testing.assert_allclose([found[0].x, found[0].w], [8 * expected.x, 8 * expected.w], rtol=0.05)


def compose(frames: list[list[NDArray]], places: Callable[[float, int], float], k: int) -> tuple[NDArray, list[float]]:
    """Frame k of two people who move as told, the second before the first, and the middle of each."""
    picture, middles = np.full((300, 640, 3), 110, np.uint8), []
    for who, clip in enumerate(frames):
        x = int(places(k / (len(clip) - 1), who))
        part = clip[k][: 300 - 60, : 640 - x]
        picture[60 : 60 + part.shape[0], x : x + part.shape[1]] = part
        middles.append(x + clip[k].shape[1] / 2)
    return picture, middles


MOVES: dict[str, Callable[[float, int], float]] = {
    "cross": lambda t, who: 20 + 440 * (t if who == 0 else 1 - t),
    "meet and turn back": lambda t, who: 20 + 440 * (abs(0.5 - abs(t - 0.5)) if who == 0 else 1 - (0.5 - abs(t - 0.5))),
    "cross fast": lambda t, who: 20 + 440 * (min(max(3 * t - 1, 0), 1) if who == 0 else 1 - min(max(3 * t - 1, 0), 1)),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize(
    "people", [("bbaf2n", "lrwp9a"), pytest.param(("brbk7n", "lbbc2a"), marks=pytest.mark.thorough)]
)
def test_people_who_cross_keep_their_ids(estimator: AffectEstimator, videos: Path, people: tuple[str, str], move: str):
    """The two are covered by one another for about a second."""
    clips = []
    for name in people:
        whole = [frame.image for frame in read_video(videos / "grid" / f"{name}.mpg")]
        x, y, w, h = estimator.detector.detect(whole[0])[0].box
        left, top = int(max(0, x + w / 2 - 80)), int(max(0, y + h / 2 - 100))
        clips.append([image[top : top + 200, left : left + 160] for image in whole])
    stream = estimator.stream(fps=25)
    owners: dict[int, set[int]] = {}
    for k in range(75):
        picture, middles = compose(clips, MOVES[move], k)
        for row in stream.step(picture):
            if row.track is not None and np.isfinite(row.x) and abs(middles[0] - middles[1]) > 60:
                away = [abs(row.x + row.w / 2 - middle) for middle in middles]
                owners.setdefault(row.track, set()).add(int(np.argmin(away)))
    assert sorted(owners) == [0, 1]
    assert owners[0] | owners[1] == {0, 1}
    assert all(len(who) == 1 for who in owners.values()), "two people share an id"


def test_the_files_of_a_real_video(estimator: AffectEstimator, videos: Path, tmp_path: Path):
    done = predict_source(estimator, open_source(videos / "pyfeat_single_face.mp4"), tmp_path)
    assert (done.frames, done.rows, done.estimated, done.tracks) == (72, 72, 72, 1)
    check_one_face_throughout(pd.read_csv(done.table), 72)
    assert done.overlay is not None
    drawn = list(read_video(done.overlay))
    assert len(drawn) == 72
    original = next(read_video(videos / "pyfeat_single_face.mp4")).image
    picture = drawn[0].image[:360]
    assert picture.shape == original.shape
    likeness = np.corrcoef(cv2.resize(picture, (64, 36)).ravel(), cv2.resize(original, (64, 36)).ravel())[0, 1]
    assert likeness > 0.9


def test_a_cut_video_gives_what_was_readable(estimator: AffectEstimator, videos: Path, tmp_path: Path):
    content = (videos / "grid" / "swiz3n.mpg").read_bytes()
    (tmp_path / "cut.mpg").write_bytes(content[: len(content) * 6 // 10])
    done = predict_source(estimator, open_source(tmp_path / "cut.mpg"), tmp_path / "out")
    assert 30 < done.frames < 60
    assert "damaged" in done.problem
    assert len(pd.read_csv(done.table)) == done.frames
