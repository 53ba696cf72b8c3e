"""The process that has the model: the same tables as `anclaf predict`, and what befalls it befalls one video only."""

import io
import os
import signal
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from anclaf.app.live import MOST_SIDE
from anclaf.app.worker import Analysis, Cancelled, Live, Setup, Worker, WorkerDied
from anclaf.config import OutputOptions, StreamOptions
from anclaf.core.errors import AnclafError, ModelError
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.prediction import predict_source
from anclaf.inference.source import open_source
from anclaf.synthetic.puppet import write_puppet_video
from app_helpers import running, write_video

pytestmark = pytest.mark.slow
OUTPUT = OutputOptions(overlay=False, plot=False, resume=True)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    started = Worker(Setup("starter", "haar"))
    yield started
    started.end()


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn person of half a second."""
    path = tmp_path_factory.mktemp("talk") / "talk.mp4"
    write_puppet_video(path, subject=3, frames=12, size=(320, 240))
    return path


def _analyse(worker: Worker, path: Path, folder: Path, **changes) -> dict:
    options = StreamOptions()
    work = Analysis(path, folder, options, changes.pop("output", OUTPUT), most_frames=changes.pop("most_frames", None))
    tell, unwanted = changes.pop("tell", lambda done, total: None), changes.pop("unwanted", lambda: False)
    return worker.analyse(work, tell, unwanted, changes.pop("stalled_s", 120.0))


def test_the_table_is_predict_s(worker: Worker, talk: Path, tmp_path: Path):
    told: list[tuple[int, int]] = []
    done = _analyse(worker, talk, tmp_path / "app", tell=lambda *progress: told.append(progress))
    assert (done["frames"], done["problem"], told[-1]) == (12, "", (12, 12))
    estimator = AffectEstimator.load("starter", detector="haar")
    predict_source(estimator, open_source(talk), tmp_path / "predict", None, OUTPUT)
    table = (tmp_path / "predict" / "talk.csv").read_bytes()
    assert (tmp_path / "app" / "talk.csv").read_bytes() == table
    assert b",ok," in table, "somebody is seen"
    info = worker.info
    assert (info.variant, info.fingerprint, info.attends) == ("S-8", estimator.fingerprint, False)
    assert "rendered heads" in info.about


def test_no_such_model():
    with pytest.raises(ModelError, match=r"no model\.json here"):
        Worker(Setup("/no/such/model"))


def test_an_error_is_said_and_the_next_video_is_analysed(worker: Worker, talk: Path, tmp_path: Path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(talk.read_bytes()[:200])
    with pytest.raises(AnclafError, match="broken"):
        _analyse(worker, broken, tmp_path)
    assert _analyse(worker, talk, tmp_path)["frames"] == 12


def test_one_that_is_longer_than_it_says(worker: Worker, talk: Path, tmp_path: Path):
    with pytest.raises(AnclafError, match="more than 5 frames; the file is longer than it says"):
        _analyse(worker, talk, tmp_path, most_frames=5)
    assert not list(tmp_path.iterdir())


def test_stopping_leaves_nothing_half(worker: Worker, talk: Path, tmp_path: Path):
    with pytest.raises(Cancelled):
        _analyse(worker, talk, tmp_path, unwanted=lambda: True)
    assert not list(tmp_path.iterdir())
    assert _analyse(worker, talk, tmp_path)["frames"] == 12


@pytest.mark.skipif(os.name == "nt", reason="no such signal there")
def test_a_process_that_is_killed_is_replaced(worker: Worker, talk: Path, tmp_path: Path):
    def kill(done: int, total: int) -> None:
        assert worker._process is not None
        os.kill(worker._process.pid or 0, signal.SIGKILL)

    with pytest.raises(WorkerDied):
        _analyse(worker, talk, tmp_path / "a", tell=kill)
    assert _analyse(worker, talk, tmp_path / "b")["frames"] == 12


@pytest.mark.skipif(os.name == "nt", reason="no such signal there")
def test_a_process_that_stands_still_is_ended_and_replaced(worker: Worker, talk: Path, tmp_path: Path):
    def stop(done: int, total: int) -> None:
        assert worker._process is not None
        os.kill(worker._process.pid or 0, signal.SIGSTOP)

    with pytest.raises(WorkerDied, match="no frame was finished in 1 s"):
        _analyse(worker, talk, tmp_path / "a", tell=stop, stalled_s=1.0)
    assert _analyse(worker, talk, tmp_path / "b")["frames"] == 12


def _jpeg(frame: np.ndarray, time_s: float) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=95)
    return struct.pack("<d", time_s) + file.getvalue()


def test_a_webcam_has_the_numbers_of_a_stream(worker: Worker, talk: Path):
    frames = [frame.image for frame in open_source(talk).read()]
    stream = AffectEstimator.load("starter", detector="haar").stream(10.0)
    worker.begin_live(Live(10.0, StreamOptions(), MOST_SIDE))
    estimated = 0
    for k, frame in enumerate(frames[:6]):
        picture = _jpeg(frame, k / 10)
        rows = worker.live_rows(picture, 60)
        expected = stream.step(np.asarray(Image.open(io.BytesIO(picture[8:]))), k / 10)
        assert [row["status"] for row in rows] == [one.status for one in expected]
        np.testing.assert_allclose([row["valence"] for row in rows], [one.valence for one in expected], atol=1e-5)
        estimated += sum(one.estimated for one in expected)
    worker.end_live()
    assert estimated > 0
    again = threading.Thread(target=worker.begin_live, args=(Live(10.0, StreamOptions(), MOST_SIDE),))
    again.start()
    again.join(30)
    worker.end_live()


@pytest.mark.parametrize("picture", [b"no JPEG", b"\xff\xd8\xff\xe0" + bytes(50), b"GIF89a" + bytes(50)])
def test_a_picture_that_is_none_ends_the_webcam_alone(worker: Worker, talk: Path, tmp_path: Path, picture: bytes):
    worker.begin_live(Live(10.0, StreamOptions(), MOST_SIDE))
    with pytest.raises(AnclafError, match="a picture that is no JPEG, or a damaged one"):
        worker.live_rows(struct.pack("<d", 0.0) + picture, 60)
    worker.begin_live(Live(10.0, StreamOptions(), 64))
    with pytest.raises(AnclafError, match="a picture of 320×240; 64 is the most"):
        worker.live_rows(_jpeg(np.zeros((240, 320, 3), np.uint8), 0.0), 60)
    assert _analyse(worker, talk, tmp_path)["frames"] == 12


def test_eight_clients_at_once_each_get_their_own(worker: Worker, tmp_path: Path):
    """Each table is what `anclaf predict` says of that client's video."""
    clips = [tmp_path / f"clip{k}.mp4" for k in range(8)]
    for k, clip in enumerate(clips):
        write_puppet_video(clip, subject=20 + k, frames=5, size=(320, 240))
    tables: dict[str, bytes] = {}
    with running(worker=worker) as served:

        def client(clip: Path) -> None:
            with httpx.Client(base_url=served.client.base_url, timeout=120) as own:
                id = own.post("/api/videos", params={"name": clip.name}, content=clip.read_bytes()).json()["id"]
                served.wait(id, "done", seconds=240)
                tables[clip.name] = own.get(f"/api/videos/{id}/table").content

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(client, clips))
    estimator = AffectEstimator.load("starter", detector="haar")
    for clip in clips:
        done = predict_source(estimator, open_source(clip), tmp_path / "predict", None, OUTPUT)
        assert tables[clip.name] == done.table.read_bytes(), clip.name
    assert len(set(tables.values())) == 8


def test_the_whole_way_over_http(worker: Worker, talk: Path, tmp_path: Path):
    nobody = write_video(tmp_path / "nobody.mp4").read_bytes()
    with running(worker=worker) as served:
        sent = [served.client.post("/api/videos", content=content).json() for content in (nobody, talk.read_bytes())]
        assert served.wait(sent[0]["id"], "done", seconds=120)["message"] == ""
        video = served.wait(sent[1]["id"], "done", seconds=120)
        assert (video["overlay"], video["plot"]) == (True, True)
        overlay = served.client.get(f"/api/videos/{video['id']}/overlay", headers={"range": "bytes=0-99"})
        assert (overlay.status_code, len(overlay.content)) == (206, 100)
        assert served.client.get(f"/api/videos/{video['id']}/plot").content.startswith(b"\x89PNG")
        table = served.client.get(f"/api/videos/{video['id']}/table").content
        began = time.monotonic()
        rows = served.client.get(f"/api/videos/{video['id']}/rows").json()
        assert time.monotonic() - began < 10
    assert rows["rows"] == table.count(b"\n") - 1
