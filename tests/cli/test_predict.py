"""`anclaf predict` as a user types it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from anclaf.cli import main as cli
from anclaf.config import LstmConfig, ModelConfig
from anclaf.core.files import versions
from anclaf.core.people import digests
from anclaf.faces import yunet
from anclaf.inference.source import Source, open_source
from anclaf.models.io import save_model
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import ModelSpec, Variant

CAMERA = "lavfi:testsrc=size=64x48:rate=25"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sizes = ModelConfig(image_size=32, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(hidden_size=8))
    folder = tmp_path_factory.mktemp("model")
    spec = ModelSpec("S-4", sizes, -10, 10, "five-point", 25.0, ("test",), digests(["p1"]), "strict", 0, {}, versions())
    torch.manual_seed(0)
    save_model(folder, AffectNetwork(sizes, Variant.parse("S-4")), spec)
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, and so a cache, of its own."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    return tmp_path / "home"


def pictures(folder: Path, number: int = 3) -> Path:
    folder.mkdir(parents=True)
    for k in range(number):
        Image.new("RGB", (64, 48), (10 * k, 80, 80)).save(folder / f"{k}.png")
    return folder


def predict(model: Path, out: Path, *words: str | Path, detector: str = "haar") -> int:
    options = ["--model", str(model), "--out", str(out), "--detector", detector, "--threads", "1"]
    return cli.main(["predict", *map(str, words), *options])


def test_help_says_what_a_source_is(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        cli.main(["predict", "--help"])
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for part in (
        "'talks/*.mp4'",
        "rtsp://HOST/PATH",
        "v4l2:/dev/video0",
        "--format {csv,parquet}",
        "--resume",
        "--seconds",
    ):
        assert part in text


def test_a_source_that_fails_does_not_stop_the_others(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    good, cut, text = pictures(tmp_path / "good"), pictures(tmp_path / "cut"), tmp_path / "text.mp4"
    (cut / "2.png").write_bytes((cut / "2.png").read_bytes()[:60])
    (tmp_path / "zero.mp4").touch()
    (tmp_path / "empty").mkdir()
    text.write_text("no video\n" * 100)
    sources = [tmp_path / "zero.mp4", text, tmp_path / "empty", tmp_path / "none*.mp4", cut, good]
    assert predict(model, tmp_path / "out", *sources) == 2
    said = capsys.readouterr()
    for line in (
        "zero.mp4: zero bytes; expected a video",
        "text.mp4: cannot be opened as a video",
        "empty: a folder without images",
        "none*.mp4: no file or folder matches this pattern",
        "2.png: damaged image",
    ):
        assert line in said.err
    assert said.err.strip().splitlines()[-1] == "anclaf: 5 of 6 sources failed: zero, text, empty, none*, cut"
    assert said.out.split() == [str(tmp_path / "out" / "cut.csv"), str(tmp_path / "out" / "good.csv")]
    assert list(pd.read_csv(tmp_path / "out" / "cut.csv")["status"]) == ["no_face", "no_face", "unreadable"]
    assert len(pd.read_csv(tmp_path / "out" / "good.csv")) == 3


def test_a_resting_face_is_taken_off(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source, out, rests = pictures(tmp_path / "talk"), tmp_path / "out", tmp_path / "rests.csv"
    for wrong, said in (
        ("first:never", "baseline first:never: expected first:SECONDS with seconds above 0"),
        (tmp_path / "none.png", "none.png: no such file; expected first:SECONDS, median, or a file"),
        (source, "talk: no estimate in it; expected a video or picture of a resting face"),
    ):
        assert predict(model, out, source, "--baseline", wrong) == 2
        assert said in capsys.readouterr().err
        assert not out.exists(), "nothing was analysed before"
    rests.write_text("source,valence,arousal\ntalk,1,-2\n")
    assert predict(model, out, source, "--baseline", rests, "--no-overlay") == 0
    made_with = json.loads((out / "talk.json").read_text())["made_with"]
    assert made_with["baseline"] == {"first_s": 0.0, "whole": False, "known": [["talk", None, 1.0, -2.0]]}


def test_patterns_are_expanded(model: Path, tmp_path: Path):
    pictures(tmp_path / "talks" / "b")
    pictures(tmp_path / "talks" / "a")
    assert predict(model, tmp_path / "out", f"{tmp_path}/talks/*", "--format", "parquet", "--no-overlay") == 0
    assert sorted(p.name for p in (tmp_path / "out").glob("*.parquet")) == ["a.parquet", "b.parquet"]


def test_ten_thousand_videos_are_listed_at_once(tmp_path: Path):
    for k in range(10_000):
        (tmp_path / f"{k}.mp4").touch()
    took = []
    for pattern in ("?.mp4", "*.mp4"):  # the first one imports
        began = time.process_time()
        found = cli.parse(["predict", f"{tmp_path}/{pattern}", "--out", str(tmp_path / "out")])._sources()
        took.append(time.process_time() - began)
    assert list(found) == sorted(map(str, range(10_000)), key=lambda name: f"{name}.mp4")
    assert took[-1] < 2


def test_of_many_failures_some_are_named(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert predict(model, tmp_path / "out", *(tmp_path / f"{k}.mp4" for k in range(22))) == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("18, 19, and 2 more")


def test_resume_does_what_is_missing(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    a, b, out = pictures(tmp_path / "a"), pictures(tmp_path / "b"), tmp_path / "out"
    assert predict(model, out, a) == 0
    assert predict(model, out, a, b) == 2
    assert "a.csv exists; use --overwrite, --resume, or another folder" in capsys.readouterr().err
    (out / "b.csv").unlink()
    assert predict(model, out, a, b, "--resume") == 0
    assert capsys.readouterr().err.count("complete already") == 1
    assert len(pd.read_csv(out / "b.csv")) == 3


def test_contradictions_are_refused(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    one, other, out = pictures(tmp_path / "x" / "a"), pictures(tmp_path / "y" / "a"), tmp_path / "out"
    assert predict(model, out, one, "--resume", "--overwrite") == 2
    assert "resume and overwrite contradict each other" in capsys.readouterr().err
    assert predict(model, out, one, other) == 2
    assert "two sources would both write a.csv" in capsys.readouterr().err
    assert predict(model, out, CAMERA, "--resume") == 2
    assert "a camera or network stream cannot be resumed" in capsys.readouterr().err
    for words, wrong in (
        (("--jobs", "0"), "jobs 0: expected 1 or more"),
        (("--jobs", "2", "--engine", "ray"), "jobs has no effect with engine ray"),
        (("--address", "auto"), "address has no effect without engine ray"),
        (("--gpus", "1"), "gpus has no effect without engine ray"),
    ):
        assert predict(model, out, one, *words) == 2
        assert wrong in capsys.readouterr().err
    assert not out.exists()


def test_places_that_cannot_be_used(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = pictures(tmp_path / "a")
    assert predict(tmp_path, tmp_path / "out", source) == 2
    assert "no model.json here; expected a model folder" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert predict(model, tmp_path / "file" / "out", source) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert predict(model, Path("/proc/out"), source) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_camera_for_a_second(model: Path, tmp_path: Path):
    assert predict(model, tmp_path, CAMERA, "--seconds", "1") == 0
    rows = pd.read_csv(tmp_path / "lavfi_testsrc_size_64x48_rate_25.csv")
    np.testing.assert_allclose(rows["time_s"], np.arange(25) / 25)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Processes begun here hear Ctrl-C, even if these tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("jobs", [pytest.param(1, marks=pytest.mark.thorough), 2])
def test_ctrl_c_ends_cameras(model: Path, tmp_path: Path, jobs: int):
    """All at once, with whole files; a terminal sends it to the workers too."""
    cameras = [CAMERA, CAMERA.replace("testsrc", "testsrc2")][:jobs]
    tables = [tmp_path / f"lavfi_{name}_size_64x48_rate_25.csv" for name in ("testsrc", "testsrc2")][:jobs]
    words = [*cameras, "--model", model, "--out", tmp_path, "--detector", "haar", "--threads", 1, "--jobs", jobs]
    command = subprocess.Popen(
        [sys.executable, "-m", "anclaf", "predict", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    parts = [table.with_name(table.name + ".part") for table in tables]
    deadline = time.monotonic() + 120
    while not all(part.exists() and part.stat().st_size > 3000 for part in parts) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(command.pid, signal.SIGINT)
    try:
        _, said = command.communicate(timeout=60)
    finally:
        command.kill()
    assert command.returncode == 130
    assert "anclaf: stopped; what is done is in" in said
    assert "Traceback" not in said
    for table in tables:
        rows = pd.read_csv(table)
        assert len(rows) > 20
        assert list(rows["frame"]) == list(range(len(rows)))
        assert table.with_suffix(".overlay.mp4").stat().st_size > 1000
    assert not list(tmp_path.glob("*.part"))


def test_several_jobs_say_what_one_says(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """On standard output the same; on the other the same of each source, in the same order."""
    sources = [pictures(tmp_path / name) for name in ("b", "a")]
    sources.insert(1, tmp_path / "none.mp4")
    said = []
    for jobs in (1, 2):
        assert predict(model, tmp_path / "out", *sources, "--no-plot", "--overwrite", "--jobs", str(jobs)) == 2
        out, err = capsys.readouterr()
        # lines of progress say when a source begins and how long it took
        said.append((out, [line for line in err.splitlines() if not line.startswith(("a  ", "b  ", "sources  "))]))
    assert said[0] == said[1]
    assert said[1][1][-1] == "anclaf: 1 of 3 sources failed: none"


def test_a_fault_at_one_source_stops_no_other(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def faulty(source: Path | str, *rest: float) -> Source:
        _ = 1 // str(source).count("b")
        return open_source(source, *rest)

    monkeypatch.setattr("anclaf.grid.sources.open_source", faulty)
    monkeypatch.chdir(tmp_path)
    a, b = (pictures(Path(name)) for name in "ab")
    assert predict(model, Path("out"), a, b, "--no-plot") == 1
    said = capsys.readouterr()
    assert said.out == "out/b.csv\n"
    assert f"anclaf: {a}: unexpected ZeroDivisionError (" in said.err
    assert "This is a fault of anclaf: please report it" in said.err
    assert "Traceback" not in said.err
    monkeypatch.setenv("ANCLAF_TRACEBACK", "1")
    assert predict(model, Path("out"), a, "--no-plot") == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.fixture
def yunet_server(shared: Path) -> Iterator[str]:
    """The address of a server of YuNet's file at /yunet, and of another file elsewhere."""
    content = (shared / "models" / "yunet_n_dynamic.onnx").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if self.path == "/yunet" else content[::-1])

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()


def _download_from(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    fetch = partial(yunet.download_yunet, url=url)
    monkeypatch.setattr(yunet, "download_yunet", fetch)


@pytest.mark.realdata
def test_yunet_is_downloaded_once_and_then_taken(
    model: Path, tmp_path: Path, home: Path, yunet_server: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    source = pictures(tmp_path / "a")
    assert predict(model, tmp_path / "1", source, detector="auto") == 0
    assert "detector: haar+starter\n  --detector yunet finds more faces" in capsys.readouterr().err
    assert not home.exists(), "auto does not use the network"
    _download_from(monkeypatch, f"{yunet_server}/yunet")
    assert predict(model, tmp_path / "2", source, detector="yunet") == 0
    assert "detector: yunet+starter" in capsys.readouterr().err
    assert yunet.yunet_file().is_relative_to(home)
    assert yunet.yunet_file().stat().st_size == yunet.YUNET_BYTES
    _download_from(monkeypatch, "http://127.0.0.1:1/gone")
    for number, detector in ((3, "yunet"), (4, "auto")):
        assert predict(model, tmp_path / str(number), source, detector=detector) == 0
        assert "detector: yunet+starter" in capsys.readouterr().err


@pytest.mark.realdata
def test_a_download_that_fails_is_one_line(
    model: Path, tmp_path: Path, home: Path, yunet_server: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    source = pictures(tmp_path / "a")
    for url, reason in ((f"{yunet_server}/other", "sha256"), ("http://127.0.0.1:1/gone", "cannot be downloaded")):
        with monkeypatch.context() as patch:
            _download_from(patch, url)
            assert predict(model, tmp_path / "out", source, detector="yunet") == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.startswith(f"anclaf: {url}: ")
        assert reason in line
        assert "use detector=haar" in line
    assert not yunet.yunet_file().exists()
    assert not (tmp_path / "out").exists()
