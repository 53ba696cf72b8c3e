from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from anclaf.core.errors import OutputError, VideoError
from anclaf.inference.analyse import analyse
from anclaf.inference.estimate import COLUMNS
from anclaf.inference.estimator import AffectEstimator, StreamOptions
from anclaf.inference.source import open_source

Make = Callable[..., AffectEstimator]
FolderOf = Callable[[Path, Sequence[NDArray]], Path]


@pytest.fixture
def video(tmp_path: Path, comings_and_goings: list[NDArray], folder_of: FolderOf) -> Path:
    return folder_of(tmp_path / "talk", comings_and_goings)


def test_the_table_and_the_video(tmp_path: Path, estimator: Make, video: Path):
    made = estimator("SA-4")
    done = analyse(made, video, tmp_path / "out", StreamOptions(attention=True))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["talk.csv", "talk.overlay.mp4"]
    expected = made.predict(video, StreamOptions(attention=True))
    written = pd.read_csv(done.table)
    assert list(written.columns) == list(expected.columns)
    for name in expected.select_dtypes("float64"):
        np.testing.assert_allclose(written[name], expected[name], atol=1e-6, err_msg=name)
    assert list(written["status"]) == list(expected["status"])
    assert list(written["track"].astype("Int64")) == list(expected["track"])
    assert (done.frames, done.rows, done.tracks, done.problem) == (40, len(expected), 2, "")
    assert done.estimated == expected["status"].isin(["ok", "warming_up"]).sum()
    assert done.detector == "mark"
    assert done.overlay is not None
    assert open_source(done.overlay).frames == 40


def test_the_overlay_can_be_left_out(tmp_path: Path, estimator: Make, video: Path):
    done = analyse(estimator("base"), video, tmp_path / "out", overlay=False)
    assert done.overlay is None
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["talk.csv"]
    assert tuple(pd.read_csv(done.table).columns) == COLUMNS


def test_what_exists_is_not_overwritten_unless_asked(tmp_path: Path, estimator: Make, video: Path):
    (tmp_path / "talk.csv").write_text("mine")
    with pytest.raises(OutputError, match=r"talk\.csv exists; use --overwrite, or another folder"):
        analyse(estimator("base"), video, tmp_path)
    assert (tmp_path / "talk.csv").read_text() == "mine"
    analyse(estimator("base"), video, tmp_path, overwrite=True)
    assert (tmp_path / "talk.csv").read_text().startswith("frame,time_s,track")


def test_what_was_readable_of_a_damaged_source_is_kept(tmp_path: Path, estimator: Make, video: Path):
    (video / "25.png").write_bytes((video / "25.png").read_bytes()[:100])
    done = analyse(estimator("S-4"), video, tmp_path / "out")
    assert done.frames == 25
    assert "25.png: damaged image" in done.problem
    assert pd.read_csv(done.table)["frame"].max() == 24
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["talk.csv", "talk.overlay.mp4"]


def test_a_source_of_which_nothing_can_be_read_leaves_nothing(tmp_path: Path, estimator: Make, video: Path):
    (video / "0.png").write_bytes(b"no picture")
    with pytest.raises(VideoError, match="not an image of a known format"):
        analyse(estimator("S-4"), video, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_ctrl_c_keeps_what_is_done(tmp_path: Path, estimator: Make, video: Path):
    def interrupt(done: int, total: int, what: str) -> None:
        assert (total, what) == (40, "talk")
        if done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        analyse(estimator("S-4"), video, tmp_path / "out", progress=interrupt)
    assert pd.read_csv(tmp_path / "out" / "talk.csv")["frame"].max() == 11
    assert open_source(tmp_path / "out" / "talk.overlay.mp4").frames == 12


def test_rows_are_on_disk_as_they_come(tmp_path: Path, estimator: Make, video: Path):
    seen = []

    def look(done: int, total: int, what: str) -> None:
        text = (tmp_path / "out" / "talk.csv.part").read_text()
        assert text.endswith("\n")
        seen.append(int(text.splitlines()[-1].split(",")[0]))

    analyse(estimator("S-4"), video, tmp_path / "out", overlay=False, progress=look)
    assert seen == list(range(40))


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, estimator: Make, video: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        analyse(estimator("base"), video, tmp_path / "file")
