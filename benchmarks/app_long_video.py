"""How soon `anclaf app` shows a long video that is analysed, and how soon it is where one clicks.

    PYTHONPATH=tests python benchmarks/app_long_video.py VIDEO --minutes 20

The video is VIDEO at 640x360, over and over, H.264, 25 frames a second; its table, with estimates in every frame, is
made up, for it is its size that counts. A headless Chromium opens the page, chooses the video, and clicks into the
timeline at nine places; every round has a browser of its own. Timed are the click on the video's name until the
timeline is drawn and the picture is there, and the click into the timeline until that picture is. Linux.
"""

import argparse
import itertools
import os
import statistics
import tempfile
import time
from pathlib import Path

from app_clients import FPS, server, write_film
from backends import processor
from predict_speed import HEIGHT, WIDTH, fitted

from anclaf.faces.frames import read_video
from app_helpers import write_results
from browsing import READY, coloured
from chromium import chromium, until

_VALENCE = (0x17, 0x5A, 0x96)
_PLACES = (0.9, 0.1, 0.5, 0.3, 0.7, 0.2, 0.8, 0.4, 0.6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    frames = round(arguments.minutes * 60 * FPS)
    print(f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        size = write_long(arguments.video, folder / "videos" / "long.mp4", frames)
        write_results(folder / "videos" / "results", "long", frames)
        opened, sought = [], []
        with server(folder / "tmp", [str(folder / "videos"), "--detector", "haar"]) as (_, address):
            for _ in range(arguments.rounds):
                seconds, clicks = visit(address)
                opened.append(seconds)
                sought += clicks
    print(f"{frames} frames, {size / 2**20:.0f} MiB; {arguments.rounds} rounds")
    print(f"opened in {statistics.median(opened):.2f} s ({min(opened):.2f} to {max(opened):.2f})")
    print(f"where one clicks in {statistics.median(sought):.2f} s ({min(sought):.2f} to {max(sought):.2f})")


def write_long(video: Path, path: Path, frames: int) -> int:
    """Bytes of the file."""
    path.parent.mkdir()
    images = [fitted(frame.image, WIDTH, HEIGHT) for frame in read_video(video)]
    write_film(path, itertools.islice(itertools.cycle(images), frames), "ultrafast")
    return path.stat().st_size


def visit(address: str) -> tuple[float, list[float]]:
    """Seconds until the video is shown, and until it is at each of the places."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1200})
        page.goto(address)
        until(page, "document.querySelector('#videos li[data-state=done]')", 60)
        began = time.perf_counter()
        page.get_by_role("button", name="long.mp4", exact=True).click()
        until(page, f"document.getElementById('title').textContent === 'long.mp4' && {READY}")
        while not coloured(page, "timeline", _VALENCE):
            pass
        opened = time.perf_counter() - began
        box = page.locator("#timeline").bounding_box()
        assert box is not None
        length, clicks = page.evaluate("document.getElementById('video').duration"), list[float]()
        for place in _PLACES:
            began = time.perf_counter()
            page.mouse.click(box["x"] + box["width"] * place, box["y"] + box["height"] / 3)
            near = f"Math.abs(document.getElementById('video').currentTime / {length} - {place}) < 0.06"
            until(page, f"{near} && !document.getElementById('video').seeking && {READY}")
            clicks.append(time.perf_counter() - began)
        return opened, clicks


if __name__ == "__main__":
    main()
