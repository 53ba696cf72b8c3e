"""Frames a second of a page of `anclaf web` in a headless Chromium.

    anclaf web page
    PYTHONPATH=tests python benchmarks/web_page.py page talk.mp4

The page gets the video's frames as pictures, reduced to what a webcam gives. Rates are by the clock, and by the
processor's time of all of Chromium's processes together, which is what one core does that does nothing else: decoding
the pictures, detection, networks, reading and drawing. Frames before the measured ones make the programs warm. Linux.
"""

import argparse
import os
import tempfile
import time
from contextlib import suppress
from itertools import islice
from pathlib import Path

from backends import processor
from PIL import Image
from processes import family, processor_time

from anclaf.faces.detect import ReducedFrame
from anclaf.inference.source import open_source
from chromium import chromium, serving, until


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("video", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--warm", type=int, default=30, help="frames before them")
    parser.add_argument("--side", type=int, default=640, help="the longer one of the pictures, in pixels")
    arguments = parser.parse_args()
    print(f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    with tempfile.TemporaryDirectory() as folder:
        pictures = write_pictures(arguments.video, Path(folder), arguments.side, arguments.warm + arguments.frames)
        with chromium() as browser, serving(arguments.page) as (address, _):
            page = browser.new_page()
            page.goto(address)
            until(page, "!document.getElementById('file').disabled", 300)
            for some in (pictures[: arguments.warm], pictures[arguments.warm :]):
                began, used = time.perf_counter(), _processor_time()
                page.set_input_files("#file", some)
                until(page, "!document.getElementById('work').hidden")
                until(page, "document.getElementById('work').hidden", 600)
                took, used = time.perf_counter() - began, _processor_time() - used
            people = page.get_by_role("radio").count()
            version = browser.version
    count = len(pictures) - arguments.warm
    print(f"Chromium {version}; {count} pictures at most {arguments.side} pixels wide, {people} people in them")
    print(f"by the clock {count / took:.1f} a second; by the processor's time {count / used:.1f} a second")


def write_pictures(video: Path, folder: Path, side: int, count: int) -> list[Path]:
    """The first frames of a video; a shorter one begins again."""
    frames = [ReducedFrame.of(frame.image, side).image for frame in islice(open_source(video).read(), count)]
    paths = [folder / f"{k:04d}.jpg" for k in range(count)]
    for k, path in enumerate(paths):
        Image.fromarray(frames[k % len(frames)]).save(path, quality=95)
    return paths


def _processor_time() -> float:
    """Seconds of all processes that descend from this one, without its own."""
    used = 0.0
    for process in set(family(os.getpid())) - {os.getpid()}:
        with suppress(OSError):  # it has ended
            used += processor_time(process)
    return used


if __name__ == "__main__":
    main()
