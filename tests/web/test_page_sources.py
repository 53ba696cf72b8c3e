"""What the page makes of a video file and of a webcam; on a phone; and what it says where there is nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.source import open_source
from anclaf.inference.table import read_table
from anclaf.synthetic.puppet import write_puppet_video
from anclaf.web.build import write_page
from anclaf.web.runtime import Runtime
from app_helpers import write_video
from chromium import chromium, needs_chromium, until, webcam
from web_page import DONE, Visit, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium, pytest.mark.filterwarnings("ignore")]
STATE = "document.getElementById('state').textContent"
NUMBERS = "document.getElementById('numbers').textContent"


@pytest.fixture(scope="module")
def browser(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Browser]":
    """With a webcam that shows a real person for two seconds, and nobody for three."""
    frames = [frame.image for frame in open_source(shared / "realdata" / "videos" / "pyfeat_single_face.mp4").read()]
    frames = [*frames[:50], *[np.full_like(frames[0], 100)] * 75]
    with chromium(*webcam(tmp_path_factory.mktemp("webcam") / "person.mjpeg", frames)) as started:
        yield started


@pytest.fixture(scope="module")
def visit(
    browser: "Browser", tmp_path_factory: pytest.TempPathFactory, yunet: Path, runtime: Runtime
) -> Iterator[Callable[..., Visit]]:
    """`visit(width)`: a page of the starter model."""
    folder = tmp_path_factory.mktemp("page")
    write_page("starter", folder, yunet, runtime)
    with visiting(browser) as visit:
        yield lambda width=1280: visit(folder, width)


def test_a_video_file_is_analysed_frame_by_frame(visit: Callable[..., Visit], yunet: Path, tmp_path: Path):
    """All its frames, with their own times; pixels are those of the browser's decoder, which makes other colours."""
    film = tmp_path / "person.mp4"
    write_puppet_video(film, subject=5, frames=40, size=(320, 240))
    there = visit()
    there.analyse([film])
    found = there.table()
    expected = AffectEstimator.load("starter", detector=f"yunet:{yunet}", threads=1).predict(film)
    assert found["frame"].tolist() == expected["frame"].tolist()
    assert np.allclose(found["time_s"], expected["time_s"], atol=1e-5)
    assert found["status"].tolist() == expected["status"].astype(str).tolist()
    off = {name: np.abs(found[name] - expected[name].to_numpy(float)) for name in ("x", "valence", "arousal")}
    print({name: (float(np.median(one)), float(one.max())) for name, one in off.items()})
    assert np.median(off["x"]) < 0.5
    assert np.median(off["valence"]) < 0.02
    assert np.median(off["arousal"]) < 0.02
    page = there.page
    until(page, "document.getElementById('video').readyState >= 2")
    page.locator("#timeline").focus()
    page.keyboard.press("ArrowRight")
    until(page, "document.getElementById('clock').textContent.startsWith('frame 1,')")
    assert page.get_by_role("radio").count() == expected["track"].nunique()


def test_the_webcam_is_followed_and_saved(visit: Callable[..., Visit], tmp_path: Path):
    there = visit()
    page = there.page
    page.get_by_role("button", name="Webcam").click()
    until(page, f"{NUMBERS}.includes('estimated')", 180)
    until(page, f"{STATE}.includes('no face is found')", 180)
    until(page, f"{NUMBERS}.includes('estimated')", 180)
    page.get_by_role("button", name="Webcam off").click()
    until(page, DONE)
    assert "The webcam's pictures were " in page.inner_text("#note")
    assert not page.evaluate("document.getElementById('video').srcObject")
    found = there.table()
    found.to_csv(tmp_path / "webcam.csv", index=False)
    assert len(read_table(tmp_path / "webcam.csv")) == len(found)
    assert (np.diff(found["time_s"]) >= 0).all()
    assert found["valence"].notna().sum() > 3
    assert {"ok", "warming_up"} & {*found["status"]}
    assert found["status"].eq("no_face").any()
    assert found.loc[found["valence"].notna(), ["valence_low", "arousal_high", "unfamiliar"]].notna().all(axis=None)


def test_one_source_follows_the_other(visit: Callable[..., Visit], tmp_path: Path):
    """A video takes the webcam's place, and Stop ends it; its rows stay."""
    film = tmp_path / "person.mp4"
    write_puppet_video(film, subject=5, frames=200, size=(320, 240))
    there = visit()
    page = there.page
    page.get_by_role("button", name="Webcam").click()
    until(page, f"{STATE}.includes('frames')", 180)
    page.set_input_files("#file", film)
    until(page, f"document.getElementById('title').textContent === 'person.mp4' && {STATE}.includes('frames')", 180)
    page.get_by_role("button", name="Stop").click()
    until(page, DONE, 60)
    assert page.inner_text("#problem") == ""
    found = there.table()
    assert 0 < len(found) < 200
    assert found["frame"].tolist() == [*range(len(found))]


def test_where_nobody_is_or_nothing_can_be_read_a_line_says_so(visit: Callable[..., Visit], tmp_path: Path):
    there = visit()
    page = there.page
    empty = _picture(tmp_path / "empty.png", np.full((120, 160, 3), 90, np.uint8))
    there.analyse([empty])
    assert "No face was found." in page.inner_text("#people")
    assert there.table()["status"].tolist() == ["no_face"]
    broken, text = tmp_path / "broken.png", tmp_path / "page.mp4"
    broken.write_bytes(empty.read_bytes()[:40])
    text.write_text("<html>" * 500)
    wrong = {
        "broken.png: cannot be read as a picture": [broken],
        "cannot play the video's format": [text],
        "format.": [write_video(tmp_path / "old.avi", codec="mpeg4")],
        "One video at a time": [text, write_video(tmp_path / "film.mp4")],
    }
    for line, files in wrong.items():
        page.set_input_files("#file", files)
        until(page, f"document.getElementById('problem').textContent.includes({line!r})", 60)
        until(page, "document.getElementById('work').hidden")
    there.analyse([empty])


def _picture(path: Path, image: NDArray[np.uint8]) -> Path:
    from PIL import Image

    Image.fromarray(image).save(path)
    return path


@pytest.mark.parametrize("when", ["before", "live", "after"])
def test_on_a_phone_nothing_is_cut_off(visit: Callable[..., Visit], when: str):
    there = visit(360)
    page = there.page
    if when != "before":
        page.get_by_role("button", name="Webcam").click()
        until(page, f"{NUMBERS}.includes('estimated')", 180)
    if when == "after":
        page.get_by_role("button", name="Webcam off").click()
        until(page, DONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    wide = page.evaluate(
        """[...document.querySelectorAll("button, canvas, input, select, video, a")]
            .filter((one) => one.offsetParent && one.id !== "file")
            .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
            .map((one) => one.outerHTML)"""
    )
    assert wide == []


def test_it_can_be_used_by_everybody(visit: Callable[..., Visit]):
    """No serious or critical finding of axe, before and while it works."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit().page
    for live in (False, True):
        if live:
            page.get_by_role("button", name="Webcam").click()
            until(page, f"{NUMBERS}.includes('estimated')", 180)
        found = axe.run(page).response["violations"]
        assert [(one["id"], one["nodes"]) for one in found if one["impact"] in ("serious", "critical")] == []
