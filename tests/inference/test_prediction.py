import errno
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from anclaf.config import OutputOptions, StreamOptions, TableFormat
from anclaf.core.errors import ConfigError, OutputError, StaleError, VideoError
from anclaf.core.files import output_error
from anclaf.core.progress import Progress, silent
from anclaf.faces.frames import VideoFrame, read_video
from anclaf.faces.haar import HaarDetector
from anclaf.inference import prediction
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.prediction import SourceResult, predict_source
from anclaf.inference.source import open_source
from anclaf.inference.summary import summarize
from anclaf.inference.table import COLUMNS
from numbered_video import Film, damage_packet, zeros

Make = Callable[..., AffectEstimator]
FolderOf = Callable[[Path, Sequence[NDArray]], Path]
PLAIN: dict[str, Any] = {"overlay": False, "plot": False}


def analyse(
    estimator: AffectEstimator,
    path: Path | str,
    out: Path,
    options: StreamOptions | None = None,
    *,
    seconds: float | None = None,
    progress: Progress = silent,
    **output: Any,
) -> SourceResult:
    """`predict_source` of what lies at a path, with the fields of `OutputOptions` as arguments."""
    return predict_source(
        estimator, open_source(path, seconds=seconds), out, options, OutputOptions(**output), progress
    )


@pytest.fixture
def video(tmp_path: Path, comings_and_goings: list[NDArray], folder_of: FolderOf) -> Path:
    return folder_of(tmp_path / "talk", comings_and_goings)


def test_the_table_and_the_video(tmp_path: Path, estimator: Make, video: Path):
    made = estimator("SA-4")
    done = analyse(made, video, tmp_path / "out", StreamOptions(attention=True))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "talk.csv",
        "talk.json",
        "talk.overlay.mp4",
        "talk.plot.png",
    ]
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
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["talk.csv", "talk.json", "talk.plot.png"]
    assert tuple(pd.read_csv(done.table).columns) == COLUMNS


def test_what_exists_is_not_overwritten_unless_asked(tmp_path: Path, estimator: Make, video: Path):
    (tmp_path / "talk.csv").write_text("mine")
    with pytest.raises(OutputError, match=r"talk\.csv exists; use --overwrite, --resume, or another folder"):
        analyse(estimator("base"), video, tmp_path)
    assert (tmp_path / "talk.csv").read_text() == "mine"
    analyse(estimator("base"), video, tmp_path, overwrite=True)
    assert (tmp_path / "talk.csv").read_text().startswith("frame,time_s,track")


def test_what_was_readable_of_a_damaged_source_is_kept(tmp_path: Path, estimator: Make, video: Path):
    (video / "25.png").write_bytes((video / "25.png").read_bytes()[:100])
    (video / "3.png").write_bytes(b"")
    done = analyse(estimator("S-4"), video, tmp_path / "out")
    assert done.frames == 40
    assert done.problem == f"{video / '3.png'}: zero bytes; expected an image. Copy the file again, and 1 more picture"
    rows = pd.read_csv(done.table)
    assert rows["frame"].unique().tolist() == list(range(40))
    assert rows.loc[rows["status"] == "unreadable", "file"].tolist() == ["3.png", "25.png"]
    assert rows.loc[rows["frame"] == 24, "file"].tolist() == ["24.png"] * (rows["frame"] == 24).sum()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "talk.csv",
        "talk.json",
        "talk.overlay.mp4",
        "talk.plot.png",
    ]
    assert summarize(done.table)["unreadable_share"].iloc[-1] > 0


def test_a_frame_that_cannot_be_decoded_leaves_a_hole_and_keeps_the_numbers(tmp_path: Path, estimator: Make):
    path = Film("mjpeg", 20).write(tmp_path / "a.mp4")
    damage_packet(path, 7, zeros)
    made = estimator("S-4")
    done = analyse(made, path, tmp_path / "out", overlay=False, plot=False)
    kept = [k for k in range(20) if k != 7]
    table = pd.read_csv(done.table)
    assert (done.frames, list(table["frame"])) == (19, kept)
    np.testing.assert_allclose(table["time_s"], np.array(kept) / 25, atol=1e-6)
    assert "damaged: frame 7 cannot be decoded" in done.problem
    stream = made.stream(25)
    stepped = [row for f in readable(path) for row in stream.step(f.image, f.time_s, f.index)]
    assert [(row.frame, row.status) for row in stepped] == list(zip(table["frame"], table["status"], strict=True))
    with pytest.raises(ConfigError, match="number 19: expected more than the previous frame's, 19"):
        stream.step(np.zeros((8, 8, 3), np.uint8), 2.0, 19)


def readable(path: Path) -> Iterator[VideoFrame]:
    with suppress(VideoError):
        yield from read_video(path)


def test_an_analysis_with_a_hole_goes_on_to_the_same_table(
    tmp_path: Path, estimator: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(prediction, "CHECKPOINT_EVERY", 8)
    path = Film("mjpeg", 40).write(tmp_path / "a.mp4")
    damage_packet(path, 3, zeros)

    def stop(done: int, total: int, task: str, note: str = "") -> None:
        if done == 22:
            raise KeyboardInterrupt

    made, out = estimator("S-4"), PLAIN
    whole = analyse(made, path, tmp_path / "whole", **out)
    with pytest.raises(KeyboardInterrupt):
        analyse(made, path, tmp_path / "out", progress=stop, **out)
    done = analyse(made, path, tmp_path / "out", resume=True, **out)
    assert (done.kept, done.frames) == (16, 39)
    assert done.table.read_bytes() == whole.table.read_bytes()


def test_what_was_begun_with_other_times_is_not_resumed(
    tmp_path: Path, estimator: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(prediction, "CHECKPOINT_EVERY", 8)
    path = Film("mjpeg", 20).write(tmp_path / "a.mp4")

    def other(path: Path, start: int = 0, notes: list[str] | None = None) -> Iterator[VideoFrame]:
        for frame in read_video(path, start, notes):
            if frame.index == 12:
                raise KeyboardInterrupt
            yield replace(frame, time_s=frame.time_s * 1.5)

    made, out = estimator("S-4"), PLAIN
    with monkeypatch.context() as earlier:
        earlier.setattr("anclaf.inference.source.read_video", other)
        with pytest.raises(KeyboardInterrupt):
            analyse(made, path, tmp_path / "out", **out)
    with pytest.raises(StaleError, match=r"a\.csv: cannot be resumed, this version numbers or times the frames of a "):
        analyse(made, path, tmp_path / "out", resume=True, **out)


def test_notes_on_the_clock_are_beside_the_table(tmp_path: Path, estimator: Make):
    one, two = (Film("mpeg2video", 10, first=k).write(tmp_path / f"{k}.ts").read_bytes() for k in (0, 10))
    (tmp_path / "a.ts").write_bytes(one + two)
    made, out = estimator("base"), PLAIN
    done = analyse(made, tmp_path / "a.ts", tmp_path / "out", **out)
    assert (done.frames, done.problem) == (20, "")
    (note,) = done.notes
    assert "starts again or runs backwards at frame 10" in note
    assert json.loads((tmp_path / "out" / "a.json").read_text())["notes"] == [note]
    assert analyse(made, tmp_path / "a.ts", tmp_path / "out", resume=True, **out).notes == (note,)
    with pytest.warns(UserWarning, match="starts again or runs backwards at frame 10"):
        table = made.predict(tmp_path / "a.ts")
    assert table.attrs["notes"] == [note]
    np.testing.assert_allclose(table["time_s"], np.arange(20) / 25, atol=1e-6)


def test_a_source_of_which_nothing_can_be_read_leaves_nothing(tmp_path: Path, estimator: Make, video: Path):
    for path in video.iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(VideoError, match=r"0\.png: not an image of a known format"):
        analyse(estimator("S-4"), video, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("overlay", [True, False])
def test_an_analysis_goes_on_beside_pictures_that_are_missing_or_bad(
    tmp_path: Path, estimator: Make, video: Path, monkeypatch: pytest.MonkeyPatch, overlay: bool
):
    monkeypatch.setattr(prediction, "CHECKPOINT_EVERY", 4)
    for k in (4, 5, 20):
        (video / f"{k}.png").unlink()
    for k in (7, 8, 23, 24):
        (video / f"{k}.png").write_bytes(b"no picture")
    made = estimator("S-4")
    whole = analyse(made, video, tmp_path / "whole", overlay=overlay)

    def interrupt(done: int, total: int, task: str, note: str = "") -> None:
        if done == 26:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        analyse(made, video, tmp_path / "out", progress=interrupt, overlay=overlay)
    done = analyse(made, video, tmp_path / "out", resume=True, overlay=overlay)
    assert 0 < done.kept < 37 == done.frames
    assert done.table.read_bytes() == whole.table.read_bytes()


def test_ctrl_c_keeps_what_is_done(tmp_path: Path, estimator: Make, video: Path):
    def interrupt(done: int, total: int, task: str, note: str = "") -> None:
        assert (total, task) == (40, "talk")
        if done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        analyse(estimator("S-4"), video, tmp_path / "out", progress=interrupt)
    assert pd.read_csv(tmp_path / "out" / "talk.csv")["frame"].max() == 11
    assert open_source(tmp_path / "out" / "talk.overlay.mp4").frames == 12


@pytest.mark.parametrize("where", ["anclaf.inference.outputs.write_json", "anclaf.inference.table.CsvTable.close"])
def test_ctrl_c_beside_a_full_disk_is_still_ctrl_c(
    tmp_path: Path, estimator: Make, video: Path, monkeypatch: pytest.MonkeyPatch, where: str
):
    def interrupt(done: int, total: int, task: str, note: str = "") -> None:
        if done == 12:
            raise KeyboardInterrupt

    def full(*_: object) -> None:
        raise output_error(tmp_path, OSError(errno.ENOSPC, ""))

    monkeypatch.setattr(where, full)
    with pytest.raises(KeyboardInterrupt, match="the disk is full"):
        analyse(estimator("S-4"), video, tmp_path, progress=interrupt)
    assert not list(tmp_path.glob("talk.*")), "there is no checkpoint to go on from"


def test_rows_are_on_disk_as_they_come(tmp_path: Path, estimator: Make, video: Path):
    seen = []

    def look(done: int, total: int, task: str, note: str = "") -> None:
        text = (tmp_path / "out" / "talk.csv.part").read_text()
        assert text.endswith("\n")
        seen.append(int(text.splitlines()[-1].split(",")[0]))

    analyse(estimator("S-4"), video, tmp_path / "out", overlay=False, progress=look)
    assert seen == list(range(40))


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, estimator: Make, video: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        analyse(estimator("base"), video, tmp_path / "file")


def test_how_it_was_made_is_beside_the_table(tmp_path: Path, estimator: Make, video: Path):
    made = estimator("S-4")
    done = analyse(made, video, tmp_path / "out", overlay=False)
    about = json.loads((tmp_path / "out" / "talk.json").read_text())
    assert about["complete"]
    assert about["files"] == ["talk.csv", "talk.plot.png"]
    expected = {"frames": 40, "rows": done.rows, "estimated": done.estimated, "tracks": 2, "problem": ""}
    assert about["result"] == expected
    assert about["made_with"]["model"] == {"variant": "S-4", "fingerprint": made.fingerprint}
    assert about["made_with"]["options"]["faces"] == "all"


def test_parquet_is_the_table_that_predict_gives(tmp_path: Path, estimator: Make, video: Path):
    made, options = estimator("SA-4"), StreamOptions(attention=True)
    done = analyse(made, video, tmp_path / "out", options, format="parquet", overlay=False)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["talk.json", "talk.parquet", "talk.plot.png"]
    written, expected = pd.read_parquet(done.table), made.predict(video, options)
    pd.testing.assert_frame_equal(written, expected, atol=1e-6, rtol=0)


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
import torch
from conftest import MarkDetector
from anclaf.inference import prediction
from anclaf.config import StreamOptions
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.source import open_source
model, video, out, frame, attention, faces, windows = sys.argv[1:]
torch.set_num_threads(1)
prediction.CHECKPOINT_EVERY = 8
def kill(done, total, task, note=''):
    if done == int(frame):
        os.kill(os.getpid(), signal.SIGKILL)
options = StreamOptions(faces=faces, windows=windows, attention=attention == "True")
estimator = AffectEstimator.load(model, detector=MarkDetector())
prediction.predict_source(estimator, open_source(video), out, options, progress=kill)
"""


@pytest.mark.parametrize(
    ("options", "frame"),
    [(StreamOptions(attention=True), 30), (StreamOptions("largest", "tumbling"), 21)],
)
def test_a_killed_analysis_goes_on_to_the_same_table(
    tmp_path: Path, model: Callable[..., Path], estimator: Make, video: Path, options: StreamOptions, frame: int
):
    whole, broken, made = tmp_path / "whole", tmp_path / "broken", estimator("SA-4")
    expected = analyse(made, video, whole, options)
    words = [model("SA-4"), video, broken, frame, options.attention, options.faces, options.windows]
    killed = subprocess.run([sys.executable, "-c", INTERRUPTED, *map(str, words)], cwd=Path(__file__).parent)
    assert killed.returncode == -9
    assert sorted(p.name for p in broken.iterdir()) == ["talk.bookmark", "talk.csv.part", "talk.overlay.mp4.part"]
    with open(broken / "talk.csv.part", "a") as rows:
        rows.write("half a ro")
    with pytest.raises(OutputError, match=r"talk\.csv\.part: an analysis that did not end; use --resume, --overwrite"):
        analyse(made, video, broken, options)
    seen = []
    done = analyse(
        made, video, broken, options, resume=True, progress=lambda done, total, task, note="": seen.append(done)
    )
    assert seen == list(range(done.kept + 1, 41)), "frames before the checkpoint were analysed again"
    assert done.kept == frame // 8 * 8
    assert (broken / "talk.csv").read_bytes() == (whole / "talk.csv").read_bytes()
    assert (done.frames, done.rows, done.estimated) == (40, expected.rows, expected.estimated)
    assert done.tracks == expected.tracks
    assert sorted(p.name for p in broken.iterdir()) == ["talk.csv", "talk.json", "talk.overlay.mp4", "talk.plot.png"]
    frames = [[f.image for f in open_source(folder / "talk.overlay.mp4").read()] for folder in (whole, broken)]
    assert len(frames[1]) == 40
    for whole_frame, resumed_frame in zip(*frames, strict=True):
        assert np.abs(whole_frame.astype(int) - resumed_frame).mean() < 2


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_what_ctrl_c_stopped_goes_on(
    tmp_path: Path, estimator: Make, video: Path, monkeypatch: pytest.MonkeyPatch, format: TableFormat
):
    def interrupt(done: int, total: int, task: str, note: str = "") -> None:
        if done == 19:
            raise KeyboardInterrupt

    monkeypatch.setattr(prediction, "CHECKPOINT_EVERY", 8)
    made, out = estimator("S-4"), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        analyse(made, video, out, format=format, overlay=False, progress=interrupt)
    read = pd.read_csv if format == "csv" else pd.read_parquet
    assert read(out / f"talk.{format}")["frame"].max() == 18
    assert not json.loads((out / "talk.json").read_text())["complete"]
    with pytest.raises(OutputError, match="exists; use --overwrite, --resume"):
        analyse(made, video, out, format=format, overlay=False)
    done = analyse(made, video, out, format=format, overlay=False, resume=True)
    assert (done.kept, done.frames) == (16, 40)
    analyse(made, video, tmp_path / "whole", format=format, overlay=False)
    pd.testing.assert_frame_equal(read(done.table), read(tmp_path / "whole" / f"talk.{format}"))
    assert sorted(p.name for p in out.iterdir()) == sorted([f"talk.{format}", "talk.json", "talk.plot.png"])


def test_what_ctrl_c_stopped_before_the_first_checkpoint_begins_anew(tmp_path: Path, estimator: Make, video: Path):
    def interrupt(done: int, total: int, task: str, note: str = "") -> None:
        if done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        analyse(estimator("S-4"), video, tmp_path / "out", progress=interrupt)
    done = analyse(estimator("S-4"), video, tmp_path / "out", resume=True)
    assert (done.kept, done.frames) == (0, 40)


def test_what_is_complete_is_left_alone(tmp_path: Path, estimator: Make, video: Path):
    made = estimator("S-4")
    first = analyse(made, video, tmp_path / "out")
    stamp = first.table.stat().st_mtime_ns
    again = analyse(made, video, tmp_path / "out", resume=True)
    assert again.kept == again.frames == 40
    assert (again.rows, again.estimated, again.tracks) == (first.rows, first.estimated, first.tracks)
    assert first.table.stat().st_mtime_ns == stamp


def test_only_the_same_analysis_is_resumed(tmp_path: Path, estimator: Make, video: Path):
    made, out = estimator("S-4"), tmp_path / "out"
    analyse(made, video, out, overlay=False)
    with pytest.raises(StaleError, match=r"talk\.csv: cannot be resumed, it was begun with other model\. Use the same"):
        analyse(estimator("SA-4"), video, out, overlay=False, resume=True)
    with pytest.raises(StaleError, match="other options"):
        analyse(made, video, out, StreamOptions(faces="largest"), overlay=False, resume=True)
    with pytest.raises(StaleError, match="other options"):
        analyse(made, video, out, overlay=False, resume=True, seconds=1)
    os.utime(video / "3.png", (1, 1))
    with pytest.raises(StaleError, match="other source"):
        analyse(made, video, out, overlay=False, resume=True)
    (out / "talk.json").unlink()
    with pytest.raises(OutputError, match=r"talk\.csv exists without talk\.json"):
        analyse(made, video, out, overlay=False, resume=True)


def test_contradictions_are_refused(tmp_path: Path, estimator: Make, video: Path):
    with pytest.raises(ConfigError, match="resume and overwrite contradict each other"):
        analyse(estimator("base"), video, tmp_path / "out", resume=True, overwrite=True)
    with pytest.raises(ConfigError, match="a camera or network stream cannot be resumed"):
        analyse(estimator("base"), "lavfi:testsrc", tmp_path / "out", resume=True)
    assert not (tmp_path / "out").exists()


def test_a_damaged_checkpoint_is_refused(tmp_path: Path, estimator: Make, video: Path):
    (tmp_path / "talk.bookmark").write_bytes(b"nothing")
    (tmp_path / "talk.csv.part").touch()
    with pytest.raises(OutputError, match=r"talk\.bookmark: damaged"):
        analyse(estimator("base"), video, tmp_path, resume=True)
    assert analyse(estimator("base"), video, tmp_path, overwrite=True).frames == 40
    assert not (tmp_path / "talk.bookmark").exists()


def test_a_full_disk_keeps_what_is_done(tmp_path: Path, estimator: Make, video: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prediction, "CHECKPOINT_EVERY", 8)
    made = estimator("S-4")
    whole = analyse(made, video, tmp_path / "whole", overlay=False).table.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) - 50, before[1]))
    try:
        with pytest.raises(OutputError, match=r"talk\..*File too large.*What is done is kept; --resume goes on"):
            analyse(made, video, tmp_path / "out", overlay=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    done = analyse(made, video, tmp_path / "out", overlay=False, resume=True)
    assert done.kept > 0
    assert done.table.read_bytes() == whole


def test_a_disk_that_is_full_from_the_start(tmp_path: Path, estimator: Make, video: Path):
    (tmp_path / "talk.csv.part").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="the disk is full"):
        analyse(estimator("base"), video, tmp_path, overlay=False, overwrite=True)
    assert [p.name for p in tmp_path.iterdir() if p != video] == []


@pytest.mark.parametrize("size", [(1, 1), (7680, 4320)])
def test_pictures_of_any_size(tmp_path: Path, model: Callable[..., Path], size: tuple[int, int]):
    Image.new("RGB", size, (90, 80, 70)).save(tmp_path / "talk.bmp")
    estimator = AffectEstimator.load(model("S-4"), detector=HaarDetector())
    done = analyse(estimator, tmp_path / "talk.bmp", tmp_path / "out")
    assert list(pd.read_csv(done.table)["status"]) == ["no_face"]
    assert done.overlay is not None
    assert open_source(done.overlay).frames == 1


def test_a_camera_is_analysed_for_so_many_seconds(tmp_path: Path, estimator: Make):
    camera = "lavfi:testsrc=size=64x48:rate=25"
    done = analyse(estimator("S-4"), camera, tmp_path, seconds=0.8)
    assert done.table.name == "lavfi_testsrc_size_64x48_rate_25.csv"
    np.testing.assert_allclose(pd.read_csv(done.table)["time_s"], np.arange(20) / 25)
    assert len(estimator("S-4").predict(camera, seconds=0.4)) == 10
