"""Rating in a real browser: `make test-browser`. A clip's saved ratings are what was given at its own times."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import numpy as np
import pytest

from anclaf.app.rating.log import Log
from anclaf.corpora.rating_files import RATING_FORMATS
from app_helpers import Served, running, write_results, write_video
from browsing import coloured, serious, too_wide
from chromium import needs_chromium, until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium]
PLAYS = "!document.getElementById('rating-video').paused"
SAVED = "document.getElementById('rating-note').textContent.includes('is saved in')"
NOW = "document.getElementById('rating-video').currentTime"


def _rate(page: "Page", name: str, rater: str = "Ann", what: str = "both", **fields: str) -> None:
    """Begin a rating."""
    page.get_by_role("button", name=f"Rate: {name}").click()
    page.get_by_label("Rater", exact=True).first.fill(rater)
    page.get_by_label("What").select_option(what)
    for field, value in fields.items():
        page.locator(f"#rating-{field}").fill(value)
    until(page, "!document.getElementById('rating-start').disabled")
    page.locator("#rating-start").click()


def _said(path: Path) -> tuple[list[float], list[float]]:
    (ratings,) = RATING_FORMATS.get("carma").read(path)
    return ratings.stop.tolist(), ratings.value.tolist()


def _times(log: Path) -> np.ndarray:
    """Of a rating's samples, 20 a second; but where the page itself stood still for more than a second, as it may on a
    machine with much other work, there is a gap."""
    times = np.array([sample[0] for sample in Log.read(log).samples])
    np.testing.assert_allclose(times * 20, np.round(times * 20))
    steps = np.diff(times)
    assert np.all((np.abs(steps - 0.05) < 1e-6) | (steps > 1)), times
    return times


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A folder with a clip of four seconds, which has results."""
    write_video(tmp_path / "clip.mp4", frames=100, size=(160, 120))
    write_results(tmp_path / "results", "clip", frames=100)
    return tmp_path


def test_by_keyboard(visit: "Callable[..., Page]", film: Path):
    with running(film) as served:
        page = visit(served)
        _rate(page, "clip.mp4", what="valence", bin="0.1")
        page.wait_for_selector("#countdown:not([hidden])")
        assert page.evaluate(f"{NOW}") == 0
        until(page, PLAYS)
        until(page, f"{NOW} > 1.0")
        down = page.evaluate(NOW)
        page.keyboard.down("ArrowRight")
        until(page, f"{NOW} > 1.8")
        page.keyboard.up("ArrowRight")
        up = page.evaluate(NOW)
        page.keyboard.press("Space")
        until(page, f"!({PLAYS})")
        assert "Go on" in page.inner_text("#rating-pause")
        paused = page.evaluate(NOW)
        page.wait_for_timeout(700)
        assert page.evaluate(NOW) == paused
        page.keyboard.press("Space")
        until(page, SAVED)
        assert page.locator("#rating-all").get_attribute("open") is not None
        until(page, "!document.getElementById('rating-curves').hidden")
        page.wait_for_timeout(200)
        assert coloured(page, "rating-curves", (0x0B, 0x5C, 0xAD), 40) > 100
    ends, value = _said(film / "ratings" / "clip.mp4" / "valence.Ann.csv")
    assert ends == pytest.approx(np.arange(1, 41) / 10)
    # an event takes a little to arrive, in a browser that has much else to do
    before = [v for t, v in zip(ends, value, strict=True) if t <= down]
    after = [v for t, v in zip(ends, value, strict=True) if t - 0.1 >= up + 0.3]
    assert before == [0.0] * len(before)
    assert len(before) >= 9
    assert len(after) >= 5
    assert after == [after[-1]] * len(after)
    assert after[-1] == pytest.approx(200 / 2.5 * (up - down), rel=0.5)
    assert (np.diff(value) >= -1e-9).all(), "it was only ever moved up"
    (log,) = (film / "ratings" / "clip.mp4" / "kept").iterdir()
    times = _times(log)
    assert (times[0], times[-1]) == (0, 3.95), "a pause or not"


def test_by_mouse_on_the_plane(visit: "Callable[..., Page]", film: Path):
    with running(film) as served:
        page = visit(served)
        _rate(page, "clip.mp4", "Bo", bin="0.1")
        page.wait_for_selector("#countdown:not([hidden])")
        box = page.locator("#pad").bounding_box()
        assert box is not None
        inner = box["width"] - 36 - 2  # its border

        def point(valence: float, arousal: float) -> tuple[float, float]:
            """When it was not moved yet, and when it was."""
            earlier = page.evaluate(NOW)
            page.mouse.move(
                box["x"] + 19 + inner * (valence + 1) / 2, box["y"] + 19 + (box["height"] - 38) * (1 - arousal) / 2
            )
            return earlier, page.evaluate(NOW)

        point(-0.5, 0.25)
        until(page, f"{NOW} > 1.4")
        earlier, later = point(0.75, -0.5)
        until(page, SAVED)
    folder = film / "ratings" / "clip.mp4"
    for name, first, second in (("valence", -50, 75), ("arousal", 25, -50)):
        ends, value = _said(folder / f"{name}.Bo.csv")
        assert len(ends) == 40
        before = [v for t, v in zip(ends, value, strict=True) if t <= earlier]
        after = [v for t, v in zip(ends, value, strict=True) if t - 0.1 >= later + 0.3]
        assert before == pytest.approx([first] * len(before), abs=2)
        assert after == pytest.approx([second] * len(after), abs=2)
        assert min(len(before), len(after)) >= 4


def test_by_a_gamepad_s_stick(visit: "Callable[..., Page]", film: Path):
    """Of which up, a negative number there, is more."""
    with running(film) as served:
        page = visit(served)
        page.add_init_script("navigator.getGamepads = () => [null, { axes: [0.5, 0.25] }]")
        page.reload()
        page.get_by_role("button", name="Rate: clip.mp4").click()
        page.locator("#rating-by").select_option("gamepad")
        page.get_by_label("Rater", exact=True).first.fill("Gus")
        page.locator("#rating-start").click()
        until(page, SAVED)
    for name, value in (("valence", 50), ("arousal", -25)):
        said = np.array(_said(film / "ratings" / "clip.mp4" / f"{name}.Gus.csv")[1])
        there = said[np.isfinite(said)]  # not in a gap (`_times`)
        assert len(there) >= 8
        assert set(there) == {value}


def test_a_closed_tab_loses_a_second_and_the_rating_goes_on(visit: "Callable[..., Page]", film: Path):
    with running(film) as served:
        page = visit(served)
        _rate(page, "clip.mp4", what="arousal")
        until(page, f"{PLAYS} && {NOW} > 1.5")
        page.close()
        log = film / "ratings" / "clip.mp4" / "unfinished.Ann.jsonl"
        page = visit(served)
        page.get_by_role("button", name="Rate: clip.mp4").click()
        page.get_by_role("button", name="Go on").click()
        page.wait_for_selector("#countdown:not([hidden])")
        samples = Log.read(log).samples  # the last may have come after the tab was closed
        assert samples[-1][0] > 0.5
        assert page.evaluate(NOW) == pytest.approx(samples[-1][0] + 0.05, abs=0.02)
        until(page, SAVED)
    assert len(_said(log.with_name("arousal.Ann.csv"))[1]) == 16
    (kept,) = (log.parent / "kept").iterdir()
    times = _times(kept)
    assert (times[0], times[-1]) == (0, 3.95)


def test_a_server_that_does_not_answer_stops_the_video(visit: "Callable[..., Page]", tmp_path: Path):
    """What it did not take waits, and is sent when it is back."""
    write_video(tmp_path / "clip.mp4", frames=250, size=(160, 120))
    with running(tmp_path) as served:
        page = visit(served)
        _rate(page, "clip.mp4", what="arousal")
        until(page, f"{PLAYS} && {NOW} > 0.5")
        page.context.set_offline(True)
        until(page, f"!({PLAYS})")
        assert "The server does not answer" in page.inner_text("#rating-note")
        assert page.evaluate(NOW) < 9
        page.context.set_offline(False)
        page.locator("#rating-finish").click()
        until(page, SAVED)
    (kept,) = (tmp_path / "ratings" / "clip.mp4" / "kept").iterdir()
    times = _times(kept)
    assert times[0] == 0
    assert times[-1] > 3


def test_rating_again_is_asked_for(visit: "Callable[..., Page]", film: Path):
    folder = film / "ratings" / "clip.mp4"
    with running(film) as served:
        _by_http(served, "Ann")
        old = (folder / "valence.Ann.csv").read_bytes()
        page = visit(served)
        _rate(page, "clip.mp4", what="valence")
        page.wait_for_selector("#rating-sure[open]")
        assert "Ann has rated valence of this video" in page.inner_text("#rating-asked")
        page.locator("#rating-no").click()
        assert (folder / "valence.Ann.csv").read_bytes() == old
        page.locator("#rating-start").click()
        page.locator("#rating-yes").click()
        until(page, f"{PLAYS} && {NOW} > 0.5")
        page.locator("#rating-pause").click()
        assert serious(page) == []
        page.locator("#rating-finish").click()
        until(page, SAVED)
        assert (folder / "valence.Ann.csv").read_bytes() != old
        assert old in [path.read_bytes() for path in (folder / "kept").glob("*.csv")]


def _by_http(served: Served, *raters: str) -> None:
    id = served.named("clip.mp4")["id"]
    for k, rater in enumerate(raters):
        asked = {"rater": rater, "dimensions": ["valence", "arousal"]}
        session = served.client.post(f"/api/videos/{id}/ratings", json=asked).json()["session"]
        samples = [[t / 20, 50 * float(np.sin(t / 6 + k / 4)), 3 * (t % 20) - 40 + k] for t in range(60)]
        said: dict[str, Any] = {"rater": rater, "session": session}
        served.client.post(f"/api/videos/{id}/ratings/samples", json=said | {"first": 0, "samples": samples})
        assert served.client.post(f"/api/videos/{id}/ratings/finish", json=said).status_code == 200


@pytest.mark.parametrize("width", [360, 1280])
def test_all_raters_together(visit: "Callable[..., Page]", film: Path, width: int):
    """Curves, agreement and the model are shown, on a phone too, and axe has no serious finding."""
    with running(film) as served:
        _by_http(served, "Ann", "Bo", "Cy")
        page = visit(served, width)
        page.get_by_role("button", name="Rate: clip.mp4").click()
        page.wait_for_selector("#rating-title")
        assert serious(page) == []
        page.locator("#rating-all > summary").click()
        until(page, "document.querySelectorAll('#agreement tbody tr').length === 2")
        page.locator("#rating-import > summary").click()
        assert "ICC(A,1)" in page.inner_text("#agreement")
        assert "joined" in page.inner_text("#model-scores")
        assert "anclaf prepare table" in page.inner_text("#rating-commands")
        page.get_by_label("Raters' lag").fill("0.3")
        page.get_by_label("Raters' lag").press("Enter")
        until(page, "document.getElementById('rating-commands').textContent.includes('--lag 0.3')")
        page.get_by_label("Person in the video").fill("Eva")
        page.get_by_label("Person in the video").press("Enter")
        table = film / "ratings" / "ratings.csv"
        until(page, "document.getElementById('rating-subject').value === 'Eva'")
        page.wait_for_timeout(500)
        assert "clip.mp4,Eva,Ann," in table.read_text()
        assert json.loads((film / "ratings" / "settings.json").read_text())["lag_s"] == 0.3
        assert too_wide(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious(page) == []


def test_an_upload_is_rated_and_its_ratings_are_saved(visit: "Callable[..., Page]", tmp_path: Path):
    """It goes only with ratings that were saved, or when that is said."""
    film = write_video(tmp_path / "talk.mp4", frames=50, size=(160, 120))
    with running() as served:
        page = visit(served)
        page.set_input_files("#file", film)
        until(page, "document.querySelector('#videos li[data-state=done]')")
        page.get_by_role("button", name="Rate: talk.mp4").click()
        until(page, "document.getElementById('rating-note').textContent.includes('its ratings with it')")
        _rate(page, "talk.mp4", what="valence")
        until(page, "document.getElementById('rating-note').textContent.includes('rating is complete')")
        until(page, "document.getElementById('rating-all').open")
        assert page.locator("#rating-own").is_hidden()
        page.get_by_role("button", name="Remove: talk.mp4").click()
        page.wait_for_selector("#remove-sure[open]")
        assert serious(page) == []
        page.get_by_role("button", name="Keep").click()
        assert served.named("talk.mp4")["uploaded"]
        with page.expect_download() as saved:
            page.locator("#rating-archive").click()
        assert saved.value.suggested_filename == "talk.ratings.zip"
        with ZipFile(saved.value.path()) as file:
            file.extractall(tmp_path)
        page.get_by_role("button", name="Remove: talk.mp4").click()
        until(page, "!document.querySelector('#videos li')")
        assert page.locator("#rating").is_hidden()
    assert len(_said(tmp_path / "ratings" / "talk.mp4" / "valence.Ann.csv")[1]) == 8


def test_a_file_of_another_tool(visit: "Callable[..., Page]", film: Path):
    head = "Magnitude,1000,,\nSecond,X,Y,Button\n%%%%%%,,,\n"
    (film / "stick.csv").write_text(head + "".join(f"{k / 2},{100 * k},{-100 * k},0\n" for k in range(1, 7)))
    with running(film) as served:
        page = visit(served)
        page.get_by_role("button", name="Rate: clip.mp4").click()
        page.locator("#rating-import > summary").click()
        page.get_by_label("Tool").select_option("darma")
        page.set_input_files("#import-files", film / "stick.csv")
        page.get_by_role("button", name="Read", exact=True).click()
        page.wait_for_selector("#problem:not([hidden])")
        assert "stick.csv: does not say who rated; name the rater" in page.inner_text("#problem")
        page.locator("#import-rater").fill("Stick")
        page.get_by_role("button", name="Read", exact=True).click()
        until(page, "document.getElementById('rating-list').textContent.includes('Stick')")
    assert _said(film / "ratings" / "clip.mp4" / "arousal.Stick.csv")[1] == [-100, -200, -300, -400, -500, -600]
