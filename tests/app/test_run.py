"""`anclaf app` as a user starts and ends it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from anclaf.cli import main as cli
from app_helpers import write_video


@contextmanager
def _started(tmp_path: Path, *words: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the address that it printed."""
    (tmp_path / "tmp").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "anclaf", "app", *words, "--port", "0", "--no-browser", "--detector", "haar"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | environment | {"TMPDIR": str(tmp_path / "tmp")},
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def _children(pid: int) -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == pid:
            found |= {int(path.parent.name)} | _children(int(path.parent.name))
    return found


def _left(children: set[int]) -> list[int]:
    """Those that are still there after some seconds."""
    until = time.monotonic() + 30
    while (left := [pid for pid in children if (Path("/proc") / str(pid)).exists()]) and time.monotonic() < until:
        time.sleep(0.1)
    return left


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
@pytest.mark.parametrize("kind", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)])
def test_it_ends_cleanly_while_it_works(tmp_path: Path, kind: signal.Signals):
    """No process, no upload, no traceback is left; also with telemetry asked for by the environment."""
    environment = {"FASTAPI_OTEL_AUTO_CONFIGURE": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    content = write_video(tmp_path / "long.mp4", frames=2000, size=(320, 240)).read_bytes()
    with _started(tmp_path, **environment) as (process, address):
        with httpx.Client(base_url=address, timeout=60) as client:
            assert client.post("/api/videos", content=content).status_code == 201
            with client.stream("GET", "/api/events") as events:
                assert next(events.iter_lines()).startswith("data: ")
                until = time.monotonic() + 60
                while httpx.get(f"{address}api/videos").json()[0]["state"] != "running":
                    assert time.monotonic() < until
                    time.sleep(0.1)
                children = _children(process.pid)
                assert children
                process.send_signal(kind)
                assert process.wait(30) == 0
        assert process.stderr is not None
        said = process.stderr.read()
    assert "Traceback" not in said
    assert said.splitlines()[-1] == "Ctrl-C ends it"
    assert not list((tmp_path / "tmp").iterdir())
    assert _left(children) == []


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
def test_what_it_started_ends_when_it_is_killed(tmp_path: Path):
    with _started(tmp_path) as (process, _):
        children = _children(process.pid)
        process.kill()
        process.wait(10)
    assert _left(children) == []


@pytest.mark.slow
def test_where_others_can_reach_it_the_address_has_a_key(tmp_path: Path):
    with _started(tmp_path, "--host", "0.0.0.0") as (_, address):
        assert re.fullmatch(r"http://localhost:\d+/\?key=[\w-]{24}", address)
        bare = address.partition("?")[0]
        assert httpx.get(f"{bare}api/videos").status_code == 401
        assert httpx.get(address).status_code == 303


def _fails(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.main(["app", "--no-browser", *words]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    return said


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"127.0.0.1:{port}: cannot be listened at" in _fails(capsys, "--port", str(port))
    assert "--port 70000: expected 0" in _fails(capsys, "--port", "70000")
    assert "--host no.such.host.invalid: no such address" in _fails(capsys, "--host", "no.such.host.invalid")


def test_what_cannot_be_started(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert "no such folder" in _fails(capsys, str(tmp_path / "none"), "--port", "0")
    assert "--threads 0: expected 1 or more" in _fails(capsys, "--threads", "0", "--port", "0")
    assert "limits.jobs: got 0" in _fails(capsys, "--jobs", "0", "--port", "0")


def test_without_its_libraries_it_says_which(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "anclaf.app.run", raising=False)
    assert "uvicorn is not installed: pip install 'anclaf[app]'" in _fails(capsys)
