"""The browser that tests of pages drive, and folders served to it."""

import functools
import http.server
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")


@contextmanager
def chromium(*flags: str) -> "Iterator[Browser]":
    """Headless."""
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *flags])
        yield started
        started.close()


def webcam(film: Path, images: Sequence[NDArray[np.uint8]]) -> tuple[str, str, str]:
    """Flags of a Chromium whose webcam shows these pictures, one size, 25 a second, without asking anybody.

    film: the file to write, `.mjpeg`.
    """
    with av.open(str(film), "w", format="mjpeg") as container:
        stream: Any = container.add_stream("mjpeg", rate=25, options={"qscale": "2"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuvj420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return (
        "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )  # fmt: skip


def until(page: "Page", expression: str, seconds: float = 30.0) -> None:
    """Wait; Playwright's own way evaluates texts in the page, which the page's policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"not in {seconds} s: {expression}"
        page.wait_for_timeout(30)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    asked: list[str]

    def log_message(self, format: str, *args: object) -> None:
        self.asked.append(self.path)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Address of a server of a folder's files, and what it was asked for."""
    handler: Any = type("Handler", (_Quiet,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=folder)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", handler.asked
        server.shutdown()
