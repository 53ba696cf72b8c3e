"""Clients that all send a clip to `anclaf app` at once: time, memory, whether each gets its own answer, what is left.

    python benchmarks/app_clients.py VIDEO… --yunet FILE
    PYTHONPATH=tests python benchmarks/app_clients.py VIDEO… --yunet FILE --browsers

Each client has a clip of its own, cut from the videos at another place, 640x360, H.264; a video that is too short is
repeated. Its table has to be that of `anclaf predict` by the byte, which analyses the same clips before.
With `--browsers` clients are pages of a headless Chromium, each with storage of its own, that choose the file, wait for
the timeline and download the table; otherwise HTTP clients. Memory is of the server and all its processes together:
resident sets added up, in which what processes share counts for each, and the proportional ones, in which it counts
once; Chromium's is not in it. Processor's time is of the same processes. Linux.
"""

import argparse
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import av
import httpx
import numpy as np
from av.video.stream import VideoStream
from backends import processor
from numpy.typing import NDArray
from predict_speed import HEIGHT, WIDTH, fitted
from processes import family, memory, processor_time

from anclaf.faces.frames import read_video

FPS = 25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--yunet", type=Path, help="YuNet's ONNX file; default: the detector is Haar")
    parser.add_argument("--model", default="starter/S-8")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--jobs", type=int, default=1, help="videos that the server analyses at once")
    parser.add_argument("--threads", type=int, default=1, help="of each")
    parser.add_argument("--browsers", action="store_true")
    arguments = parser.parse_args()
    detector = f"yunet:{arguments.yunet}" if arguments.yunet else "haar"
    words = ["--model", arguments.model, "--detector", detector, "--threads", str(arguments.threads)]
    print(f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = cut(arguments.videos, folder, arguments.clients, round(arguments.seconds * FPS))
        began = time.perf_counter()
        predict = [sys.executable, "-m", "anclaf", "predict", *map(str, clips), "--out", str(folder / "out"), *words]
        predict += ["--no-overlay", "--no-plot"]
        subprocess.run(predict, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        alone = time.perf_counter() - began
        (folder / "tmp").mkdir()
        with (
            server(folder / "tmp", [*words, "--jobs", str(arguments.jobs)]) as (process, address),
            Watch(process) as watch,
        ):
            idle, began = watch.now(), time.perf_counter()
            answers = (in_browsers if arguments.browsers else by_http)(address, clips)
            took, used = time.perf_counter() - began, watch.used() - idle[2]
            with httpx.Client(base_url=address, timeout=60) as client:
                for video in client.get("/api/videos").json():
                    client.delete(f"/api/videos/{video['id']}").raise_for_status()
            kept = [path for path in (folder / "tmp").rglob("*") if path.is_file()]
        right = sum(
            answer == (folder / "out" / f"{clip.stem}.csv").read_bytes()
            for clip, (answer, _) in zip(clips, answers, strict=True)
        )
        different = len({answer for answer, _ in answers})
        left = list((folder / "tmp").iterdir())
    waits = sorted(seconds for _, seconds in answers)
    print(
        f"{len(clips)} clients, clips of {arguments.seconds:g} s, {arguments.jobs} analysed at once by {detector[:5]}"
    )
    print(f"answers: {right} of {len(clips)} are predict's by the byte, {different} different ones")
    print(f"all answered in {took:.1f} s, the first in {waits[0]:.1f} s; predict took {alone:.1f} s,")
    print("  with its start, without overlay and plot, which the server makes too")
    print(f"processor's time of the server {used:.1f} s")
    for what, before, most in zip(("resident", "proportional"), idle, watch.most, strict=False):
        print(f"memory, {what}: {before:.0f} MiB before, {most:.0f} MiB at most")
    print(f"files left when the videos were removed: {len(kept)}; entries when the server had ended: {len(left)}")
    print(f"load {os.getloadavg()[0]:.1f} after")
    if right < len(clips) or different < len(clips) or kept or left:
        sys.exit("not as it should be")


def cut(videos: list[Path], folder: Path, count: int, frames: int) -> list[Path]:
    """A clip for each client, from the videos in turn, each beginning at another frame."""
    found, images = [], {path: [fitted(frame.image, WIDTH, HEIGHT) for frame in read_video(path)] for path in videos}
    for k in range(count):
        own, path = images[videos[k % len(videos)]], folder / f"clip{k}.mp4"
        first = k // len(videos) * 7
        write_film(path, itertools.islice(itertools.cycle(own), first, first + frames))
        found.append(path)
    return found


def write_film(path: Path, images: Iterable[NDArray[np.uint8]], preset: str = "veryfast") -> None:
    """H.264 of pictures of WIDTH and HEIGHT."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": preset})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@contextmanager
def server(temporary: Path, words: list[str]) -> Iterator[tuple[int, str]]:
    """Its process and address; it is ended as a user ends it."""
    command = [sys.executable, "-m", "anclaf", "app", "--port", "0", "--no-browser", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=os.environ | {"TMPDIR": str(temporary)},
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            yield process.pid, process.stdout.readline().strip()
            process.send_signal(signal.SIGTERM)
            if process.wait(60):
                sys.exit(f"the server ended with {process.returncode}")
        finally:
            process.kill()


Answer = tuple[bytes, float]
"""A table, and the seconds until it was there."""


def by_http(address: str, clips: list[Path]) -> list[Answer]:
    """Each client in a thread of its own."""

    def one(clip: Path) -> Answer:
        began = time.perf_counter()
        with httpx.Client(base_url=address, timeout=600) as client:
            sent = client.post("/api/videos", params={"name": clip.name}, content=clip.read_bytes()).raise_for_status()
            video = f"/api/videos/{sent.json()['id']}"
            while (state := client.get(video).json()["state"]) in ("waiting", "running"):
                time.sleep(0.5)
            if state != "done":
                sys.exit(f"{clip.name}: {client.get(video).json()['message']}")
            table = client.get(f"{video}/table", params={"format": "csv"}).raise_for_status().content
        return table, time.perf_counter() - began

    with ThreadPoolExecutor(len(clips)) as pool:
        return list(pool.map(one, clips))


def in_browsers(address: str, clips: list[Path]) -> list[Answer]:
    """Each client is a page with storage of its own; all have sent their clip before the first is waited for."""
    from chromium import chromium, until

    found = []
    with chromium() as browser:
        pages = [browser.new_context(accept_downloads=True).new_page() for _ in clips]
        for page in pages:
            page.goto(address)
            until(page, "document.getElementById('model').textContent", 120)
        began = time.perf_counter()
        for page, clip in zip(pages, clips, strict=True):
            page.set_input_files("#file", clip)
        for page, clip in zip(pages, clips, strict=True):
            until(page, f"document.getElementById('title').textContent === '{clip.name}'", 1200)
            with page.expect_download() as saved:
                page.get_by_role("link", name="CSV").click()
            found.append((saved.value.path().read_bytes(), time.perf_counter() - began))
    return found


class Watch:
    """Looks at a process and all that descend from it, every half second."""

    def __init__(self, process: int):
        self._process, self._end = process, threading.Event()
        self.most, self._used = [0.0, 0.0], dict[int, float]()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Watch":
        self.now()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.5):
            self.now()

    def used(self) -> float:
        """Seconds of the processor, of those that have ended too."""
        self.now()
        return sum(self._used.values())

    def now(self) -> tuple[float, float, float]:
        """Resident and proportional MiB, and seconds of the processor."""
        found = [0.0, 0.0]
        for process in family(self._process):
            try:
                found = [before + own for before, own in zip(found, memory(process), strict=True)]
                self._used[process] = processor_time(process)
            except OSError:  # it has ended
                continue
        self.most = [max(pair) for pair in zip(self.most, found, strict=True)]
        return found[0], found[1], sum(self._used.values())


if __name__ == "__main__":
    main()
