"""Sources to tables, models that cannot be used, and detectors by name."""

import json
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from anclaf.config import StreamOptions
from anclaf.core.errors import ConfigError, ModelError, VideoError
from anclaf.faces import align
from anclaf.faces.detect import DETECTORS, Face
from anclaf.faces.frames import VideoFrame
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.source import CHUNK, Source
from anclaf.inference.table import make_table

Make = Callable[..., AffectEstimator]
FolderOf = Callable[[Path, Sequence[NDArray]], Path]
Paint = Callable[..., NDArray]

VARIANTS = ("base", "S-4", "SA-4")


@pytest.mark.parametrize("windows", ["sliding", "tumbling"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_predict_equals_step(
    tmp_path: Path, estimator: Make, comings_and_goings: list[NDArray], folder_of: FolderOf, variant: str, windows: Any
):
    made = estimator(variant)
    options = StreamOptions(windows=windows, attention=variant == "SA-4")
    predicted = made.predict(folder_of(tmp_path / "video", comings_and_goings), options)
    stream = made.stream(25, options)
    rows = [row for frame in comings_and_goings for row in stream.step(frame)]
    expected = make_table(rows, stream.attention_columns)
    assert predicted["file"].tolist() == [f"{frame}.png" for frame in predicted["frame"]]
    pd.testing.assert_frame_equal(predicted.drop(columns="file"), expected.drop(columns="file"), atol=1e-5, rtol=0)
    assert (predicted["status"] == "ok").sum() > 20


def test_a_picture_that_cannot_be_read_is_a_row_and_the_others_are_estimated(
    tmp_path: Path, estimator: Make, comings_and_goings: list[NDArray], folder_of: FolderOf
):
    made = estimator("SA-4")
    folder = folder_of(tmp_path / "video", comings_and_goings[:12])
    (folder / "9.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match=r"9\.png: not an image"):
        found = made.predict(folder)
    bad = found[found["status"] == "unreadable"]
    assert bad[["frame", "time_s", "file"]].to_numpy().tolist() == [[9, 0.36, "9.png"]]
    assert bad["track"].isna().all()
    stream = made.stream(25)
    whole = [k for k in range(12) if k != 9]
    rows = [row for k in whole for row in stream.step(comings_and_goings[k], k / 25, k)]
    expected = make_table(rows).drop(columns="file")
    got = found[found["status"] != "unreadable"].drop(columns="file").reset_index(drop=True)
    pd.testing.assert_frame_equal(got, expected, atol=1e-5, rtol=0)
    assert found["file"].tolist() == [f"{frame}.png" for frame in found["frame"]]


def test_pictures_in_memory(tmp_path: Path, estimator: Make, painted: Paint, folder_of: FolderOf):
    made = estimator("SA-4")
    frames = [painted([(1, 30, 20, 60)], k) for k in range(6)]
    expected = made.predict(folder_of(tmp_path / "video", frames)).drop(columns="file")
    assert (expected["status"] == "ok").any()
    for given in (frames, tuple(frames), np.stack(frames), [Image.fromarray(frame) for frame in frames]):
        pd.testing.assert_frame_equal(made.predict(given).drop(columns="file"), expected)
    assert made.predict(frames, image_fps=10)["time_s"].max() == 0.5
    assert made.predict(frames, seconds=0.1)["frame"].nunique() == 3
    still = made.predict(frames[0])
    assert len(still) == 1
    for given in (Image.fromarray(frames[0]), Image.fromarray(frames[0]).convert("RGBA"), frames[0][:, ::-1][:, ::-1]):
        pd.testing.assert_frame_equal(made.predict(given), still)
    assert made.stream(25).step(Image.fromarray(frames[0])) == made.stream(25).step(frames[0])


def test_a_film_in_one_pillow_image_is_refused(tmp_path: Path, estimator: Make):
    pictures = [Image.new("RGB", (64, 64), (80 * k, 0, 0)) for k in range(2)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=40)
    with Image.open(tmp_path / "a.gif") as film:
        with pytest.raises(ConfigError, match=r"frame 0: 2 pictures in one Pillow image; .* Give the file's name"):
            estimator().predict(film)
        assert len(estimator().predict(film.copy())) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "got None"),
        ("", "an empty name"),
        (7, "got 7; expected"),
        (b"talk.mp4", "got b'talk.mp4'; expected"),
        ([], "a list of nothing; expected one source, or a list of frames"),
        (["a.mp4", "b.mp4"], "a list of 'a.mp4'; expected one source, or a list of frames"),
        (
            torch.zeros(3, 4, 4),
            r"a Tensor of shape \(3, 4, 4\); .* tensor.permute\(1, 2, 0\).byte\(\).cpu\(\).numpy\(\)",
        ),
        (np.zeros((4, 4, 3)), r"type float64; .*\(array \* 255\).round\(\).astype\(numpy.uint8\)"),
        (np.zeros((3, 4, 4), np.uint8), r"Channels come last: array.transpose\(1, 2, 0\)"),
        (np.zeros((4, 4, 4), np.uint8), r"Without alpha, .* \[..., 2::-1\] of OpenCV's BGRA"),
        (np.zeros((4, 4), np.uint8), "Of grey: array.reshape"),
        (np.zeros((0, 4, 3), np.uint8), r"of shape \(0, 4, 3\)"),
        (pd.DataFrame({"a": [1]}), "a DataFrame of shape"),
        (Image.new("F", (4, 4)), "floating-point values"),
    ],
)
def test_what_is_no_source_is_refused_in_a_line(estimator: Make, given: Any, said: str):
    with pytest.raises((ConfigError, VideoError), match=said) as error:
        estimator("base").predict(given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("detector", ["haar", "yunet"])
def test_other_processes_can_have_one(model: Callable[..., Path], detector: str, shared: Path):
    name = f"yunet:{shared / 'models' / 'yunet_n_dynamic.onnx'}" if detector == "yunet" else detector
    made = AffectEstimator.load(model("SA-4"), detector=name)
    made.fingerprint  # pyright: ignore[reportUnusedExpression]
    again = pickle.loads(pickle.dumps(made))
    assert again.fingerprint == made.fingerprint
    with Image.open(shared / "realdata" / "images" / "facerec_obama.jpg") as picture:
        expected = made.predict(picture)
        assert expected["valence"].notna().any()
        pd.testing.assert_frame_equal(again.predict(picture), expected)
        if detector == "haar":
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                pd.testing.assert_frame_equal(pool.submit(made.predict, picture.convert("RGB")).result(), expected)


@pytest.mark.parametrize(("path", "chunk"), [(Path("video.mp4"), CHUNK), (None, 1)], ids=["file", "camera"])
def test_frames_are_read_ahead_and_no_further_than_two_chunks(
    estimator: Make, comings_and_goings: list[NDArray], path: Path | None, chunk: int
):
    made = estimator("SA-4")
    read: list[int] = []

    def frames() -> Iterator[VideoFrame]:
        for k, image in enumerate(comings_and_goings):
            read.append(k)
            yield VideoFrame(k, k / 25, image)

    torch.set_num_threads(2)
    running = made.run(Source("video", 25, 40, path, opened=frames()), made.stream(25))
    try:
        for frame, _ in running:
            assert len(read) <= frame.index // chunk * chunk + 2 * chunk
            assert torch.get_num_threads() == 1
            if frame.index == 3:
                break
    finally:
        running.close()
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
    assert threads == 2
    assert len(read) <= 3 + 2 * chunk
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_a_slower_video_is_warned_of(tmp_path: Path, estimator: Make, painted: Paint, folder_of: FolderOf):
    made = estimator("SA-4", fps=25)
    folder = folder_of(tmp_path / "video", [painted([(1, 30, 20, 60)], k) for k in range(6)])
    with pytest.warns(UserWarning, match="10 frames a second, and SA-4 was trained at 25: frames are repeated"):
        rows = made.predict(folder, image_fps=10)
    assert len(rows.attrs["notes"]) == 1
    assert list(rows["status"])[-1] == "ok"
    assert rows.attrs["model_fps"] == 25
    assert rows.attrs["video_fps"] == 10
    assert rows.attrs["detector"] == "mark"
    assert estimator("base", fps=25).predict(folder, image_fps=10).attrs["notes"] == []


def test_what_cannot_be_loaded_is_refused(tmp_path: Path, model: Callable[..., Path]):
    with pytest.raises(ModelError, match=r"no model\.json here"):
        AffectEstimator.load(tmp_path)
    with pytest.raises(ModelError, match="crop=paper needs the 68 or 49 landmarks of a database"):
        AffectEstimator.load(model(crop="paper"), detector="haar")
    with pytest.raises(ConfigError, match="device 'gpu': expected cpu, cuda"):
        AffectEstimator.load(model(), detector="haar", device="gpu")
    with pytest.raises(ConfigError, match="expected one of auto, haar"):
        AffectEstimator.load(model(), detector="mtcnn")


def test_a_model_that_needs_labels_is_refused(model: Callable[..., Path]):
    folder = model("base")
    spec = json.loads((folder / "model.json").read_text())
    spec["model"]["quadrant_source"] = "true"
    (folder / "model.json").write_text(json.dumps(spec))
    with pytest.raises(ModelError, match="quadrant_source=true: this model is given each frame's quadrant"):
        AffectEstimator.load(folder, detector="haar")


def test_a_detector_of_another_package_is_taken_by_its_name(model: Callable[..., Path], painted: Paint):
    class Corner:
        """Finds one face, in the top left corner, of the side that it is told."""

        name = "corner"

        def __init__(self, argument: str | None):
            self.side = float(argument or 0)

        def detect(self, image: NDArray[np.uint8]) -> list[Face]:
            return [Face((0, 0, self.side, self.side), align.TEMPLATE * self.side, 1.0)]

    DETECTORS.register("corner", Corner)
    try:
        estimator = AffectEstimator.load(model("SA-4"), detector="corner:60")
    finally:
        DETECTORS.unregister("corner")
    (found,) = estimator.stream(25).step(painted([(1, 4, 0, 60)]))
    assert (found.x, found.y, found.w, found.h, found.status) == (0, 0, 60, 60, "warming_up")
    assert estimator.detector.name == "corner+starter"
