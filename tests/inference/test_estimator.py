"""Sources to tables, models that cannot be used, and detectors by name."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from anclaf.config import StreamOptions
from anclaf.core.errors import ConfigError, ModelError, VideoError
from anclaf.faces import align
from anclaf.faces.detect import DETECTORS, Face
from anclaf.faces.frames import VideoFrame
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.source import CHUNK, Source, open_source
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
    pd.testing.assert_frame_equal(predicted, make_table(rows, stream.attention_columns), atol=1e-5, rtol=0)
    assert (predicted["status"] == "ok").sum() > 20


def test_the_frames_before_a_damaged_one_are_estimated(
    tmp_path: Path, estimator: Make, comings_and_goings: list[NDArray], folder_of: FolderOf
):
    made = estimator("SA-4")
    folder = folder_of(tmp_path / "video", comings_and_goings[:12])
    (folder / "11.png").write_bytes(b"no picture")
    rows = []
    with pytest.raises(VideoError, match=r"11\.png: not an image"):
        rows.extend(row for _, found in made.run(open_source(folder), made.stream(25)) for row in found)
    expected = [row for found in made.stream(25).steps(comings_and_goings[:11]) for row in found]
    pd.testing.assert_frame_equal(make_table(rows), make_table(expected), atol=1e-5, rtol=0)


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
    assert estimator.detector.name == "corner"
