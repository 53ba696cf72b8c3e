"""A server on a port of its own, whose worker does what a test says; small videos; results of them."""

import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
import uvicorn

from anclaf.app.jobs import Queue
from anclaf.app.library import Library
from anclaf.app.limits import Limits
from anclaf.app.live import Webcams
from anclaf.app.server import make_app
from anclaf.app.worker import Analysis, Cancelled, ModelInfo, Setup
from anclaf.config import OutputOptions
from anclaf.core.files import write_json
from anclaf.core.labels import LabelScale
from anclaf.inference.outputs import OutputFiles
from anclaf.inference.table import CsvTable, FaceEstimate

SCALE = LabelScale(-10, 10)
INFO = ModelInfo("S-4", "0123456789abcdef", 25.0, -10, 10, "mark", "no intervals", False, "")


def estimates(frames: int = 12, attention: int = 0) -> list[list[FaceEstimate]]:
    """Of two people, of whom the second comes at frame 4; nobody at frame 6."""
    found = []
    for k in range(frames):
        if k == 6:
            found.append([FaceEstimate(k, k / 25)])
            continue
        weights = tuple(1 / attention for _ in range(attention))
        first = FaceEstimate(
            k, k / 25, 0, 10.0, 20.0, 30.0, 40.0, 0.9, k / 3, -k / 7, "V+A-", 0.1, 0.2, 0.3, 0.4, "ok", 50.0, 0.1, 0.9,
            weights,
            valence_low=-10.0, valence_high=10.0, arousal_low=-9.25, arousal_high=9.125, unfamiliar=0.25,
        )  # fmt: skip
        second = FaceEstimate(
            k, k / 25, 1, 50.0, 20.0, 20.0, 20.0, status="too_small", attention=(float("nan"),) * attention
        )
        found.append([first, second] if k >= 4 else [first])
    return found


def write_results(folder: Path, stem: str, frames: int = 12, attention: int = 0, complete: bool = True) -> Path:
    """`STEM.csv` and `STEM.json` as `anclaf predict` writes them, by the model `INFO`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = OutputFiles(folder, stem, OutputOptions(overlay=False, plot=False))
    table = CsvTable(files.table, attention)
    for rows in estimates(frames, attention):
        table.append(rows)
    table.close()
    made_with = {"model": {"variant": "S-4", "fingerprint": INFO.fingerprint}}
    result = {"frames": frames}
    about = files.content_of_about(result, made_with, complete, ["a note"], "no intervals", scale=SCALE)
    write_json(files.about, about)
    return files.table


def write_video(
    path: Path,
    frames: int = 12,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: int = 25,
) -> Path:
    """A moving gradient."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        for k in range(frames):
            image = np.broadcast_to(np.arange(size[0])[None, :, None] + 5 * k, (size[1], size[0], 3))
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image % 256, np.uint8), format="rgb24"))
            )
        container.mux(stream.encode())
    return path


def _zip_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.mp4", bytes(50_000_000))
    return file.getvalue()


HOSTILE = {
    "a playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",
    "a list of files": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "a session": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n",
    "a page": b"<html><script>alert(1)</script></html>",
    "a drawing": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(200),
    "a program": b"\x7fELF" + bytes(200),
    "a zip bomb": _zip_bomb(),
    "nothing": b"",
    "zeros": bytes(5000),
    "a head alone": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2",
    "a head and noise": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + bytes(range(256)) * 50,
    "a head and a playlist": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2#EXTM3U\nhttp://127.0.0.1:9/x.ts\n",
    "EBML and noise": b"\x1a\x45\xdf\xa3" + bytes(range(256)) * 50,
    "a box that says it is huge": b"\x00\x00\x00\x01moov\xff\xff\xff\xff\xff\xff\xff\xf0" + bytes(2000),
}
"""Files that are no video, whatever they are called."""


@dataclass
class FakeWorker:
    """Takes `steps` steps for a video, one at each `go`, or all at once where `free`; then writes results."""

    info: ModelInfo = INFO
    free: bool = True
    steps: int = 5
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    fail: dict[str, Exception] = field(default_factory=dict)
    seen: list[Analysis] = field(default_factory=list)

    def analyse(self, work: Analysis, tell: Callable, unwanted: Callable[[], bool], stalled_s: float) -> dict[str, Any]:
        self.seen.append(work)
        for k in range(self.steps):
            while not self.free and not self.go.acquire(timeout=0.02):
                if unwanted():
                    raise Cancelled
            if unwanted():
                raise Cancelled
            tell(k + 1, self.steps)
        if (error := self.fail.get(work.path.name)) is not None:
            raise error
        write_results(work.folder, work.path.stem)
        return {"problem": ""}

    def end(self) -> None:
        pass


@dataclass
class Served:
    """A server that runs. client: of it."""

    client: httpx.Client
    port: int
    library: Library
    queue: Queue
    worker: FakeWorker

    def wait(self, id: str, *states: str, seconds: float = 20.0) -> dict[str, Any]:
        """The video once it is in one of these states."""
        until = time.monotonic() + seconds
        while (video := self.client.get(f"/api/videos/{id}").json())["state"] not in states:
            assert time.monotonic() < until, f"{video} after {seconds} s; expected {states}"
            time.sleep(0.02)
        return video

    def named(self, name: str) -> dict[str, Any]:
        (found,) = [one for one in self.client.get("/api/videos").json() if one["name"] == name]
        return found


class _Kept(Queue):
    """One whose worker lives on for the next test."""

    def close(self) -> None:
        self._workers.clear()
        super().close()


@contextmanager
def running(
    folder: Path | None = None,
    limits: Limits | None = None,
    worker: Any = None,
    key: str | None = None,
    live: Webcams | None = None,
) -> Iterator[Served]:
    """A server with a worker that a test steers."""
    worker = worker or FakeWorker()
    library = Library(folder, None, limits or Limits())
    queue, webcams = _Kept(library, Setup("none"), worker), live or Webcams(Setup("none"), 1)
    ending = threading.Event()
    app = make_app(library, queue, webcams, "127.0.0.1", key, ending.is_set)
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="error", ws="websockets-sansio", timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield Served(client, port, library, queue, worker)
    finally:
        ending.set()
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
        assert not library.temporary.exists(), "uploads are removed when the server ends"


def _with_two_videos(tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / "videos"
    write_video(folder / "first.mp4")
    write_video(folder / "second.mp4")
    write_results(folder / "results", "first")
    with running(folder) as server:
        yield server


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A server of a folder `videos` with two videos, the first of which is analysed already."""
    yield from _with_two_videos(tmp_path)


@pytest.fixture(scope="session")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """As `served`, for tests that must not change anything, and would be seen to."""
    yield from _with_two_videos(tmp_path_factory.mktemp("steady"))
