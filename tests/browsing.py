"""A real browser for tests of the page, and what they ask of it."""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from anclaf.inference.source import open_source
from anclaf.synthetic.puppet import write_puppet_video
from app_helpers import Served
from chromium import chromium, until, webcam

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DONE = "#videos li[data-state=done]"
READY = "document.getElementById('video').readyState >= 2"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Browser]":
    """Headless, with a webcam that shows a drawn person."""
    film = tmp_path_factory.mktemp("webcam") / "person.mp4"
    write_puppet_video(film, subject=5, frames=40, size=(320, 240))
    shown = [frame.image for frame in open_source(film).read()]
    with chromium(*webcam(film.with_suffix(".mjpeg"), shown)) as started:
        yield started


@pytest.fixture
def visit(browser: "Browser") -> "Iterator[Callable[..., Page]]":
    """`visit(served, width)`: a page. No request may leave the server, no script may fail, and nothing be refused."""
    open_pages, wrong = [], list[str]()

    def visit(served: Served, width: int = 1280, height: int = 1000) -> "Page":
        page = browser.new_page(viewport={"width": width, "height": height}, accept_downloads=True)
        base = f"http://127.0.0.1:{served.port}/"

        def check(request: Any) -> None:
            if not request.url.startswith((base, "blob:", f"ws://127.0.0.1:{served.port}/")):
                wrong.append(f"request to {request.url}")

        page.on("request", check)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security" in said.text else None)
        page.goto(base)
        open_pages.append(page)
        return page

    yield visit
    for page in open_pages:
        page.close()
    assert wrong == []


def open_video(page: "Page", name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    until(page, f"document.getElementById('title').textContent === {json.dumps(name)}")


def coloured(page: "Page", id: str, colour: tuple[int, int, int], near: int = 12) -> int:
    """How many pixels of a canvas have a colour."""
    return page.evaluate(
        """([id, colour, near]) => {
            const canvas = document.getElementById(id);
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            let count = 0;
            for (let k = 0; k < data.length; k += 4)
                count += data[k + 3] > 200 && [0, 1, 2].every((c) => Math.abs(data[k + c] - colour[c]) <= near);
            return count;
        }""",
        [id, list(colour), near],
    )


def serious(page: "Page") -> list[Any]:
    """Findings of axe that are serious or critical."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    return [
        (one["id"], [node["html"] for node in one["nodes"]])
        for one in axe.run(page).response["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def too_wide(page: "Page") -> list[str]:
    """What reaches beyond the window."""
    return page.evaluate(
        """[...document.querySelectorAll("button, canvas, input, select, video, a")]
            .filter((one) => one.offsetParent && one.id !== "file")
            .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
            .map((one) => one.outerHTML)"""
    )
