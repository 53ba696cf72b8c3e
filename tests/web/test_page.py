"""The whole page in a browser, with the networks: its numbers are Python's, and nothing leaves it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from anclaf.config import StreamOptions
from anclaf.faces.images import read_image
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.source import open_source
from anclaf.synthetic.puppet import write_puppet_video
from anclaf.web.build import write_page
from anclaf.web.runtime import Runtime
from chromium import chromium, needs_chromium, serving
from web_page import Visit, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium]
NEAR, NEAR_PIXELS = 0.01, 0.05
"""Points that agree to rounding make crops that differ by a grey level in places; and points that are then looked for
in those differ by hundredths of a pixel."""
_PIXELS = ("x", "y", "w", "h", "size")


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def visit(
    browser: "Browser", tmp_path_factory: pytest.TempPathFactory, yunet: Path, runtime: Runtime
) -> Iterator[Callable[..., Visit]]:
    """`visit(model)`: a page of it."""
    pages: dict[str, Path] = {}
    with visiting(browser) as visit:

        def of_model(model: str = "starter") -> Visit:
            if model not in pages:
                pages[model] = tmp_path_factory.mktemp("page")
                write_page(model, pages[model], yunet, runtime)
            return visit(pages[model])

        yield of_model


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[NDArray[np.uint8]]:
    """A drawn person, who is away for some frames."""
    film = tmp_path_factory.mktemp("drawn") / "person.mp4"
    write_puppet_video(film, subject=5, frames=24, size=(320, 240))
    frames = [frame.image for frame in open_source(film).read()]
    for k in (9, 10):
        frames[k] = np.full_like(frames[k], 90)
    return frames


def _pictures(frames: list[NDArray[np.uint8]], folder: Path) -> list[Path]:
    paths = [folder / f"{k}.png" for k in range(len(frames))]
    for path, frame in zip(paths, frames, strict=True):
        cv2.imwrite(str(path), frame[..., ::-1])
    return paths


def _estimator(model: str, yunet: Path) -> AffectEstimator:
    return AffectEstimator.load(model, detector=f"yunet:{yunet}", threads=1)


def _differences(found: pd.DataFrame, expected: pd.DataFrame) -> dict[str, float]:
    """Greatest differences of the numbers of two tables that otherwise are the same."""
    assert [*found] == [*expected]
    assert len(found) == len(expected)
    for name in ("frame", "track", "quadrant", "status"):
        one, other = (table[name].astype("string").str.removesuffix(".0").fillna("") for table in (found, expected))
        assert one.tolist() == other.tolist(), name
    numbers = [name for name in expected if name not in ("frame", "track", "quadrant", "status", "file")]
    worst = {}
    for name in numbers:
        one, other = found[name].to_numpy(float), expected[name].to_numpy(float)
        assert np.array_equal(np.isnan(one), np.isnan(other)), name
        worst[name] = float(np.nanmax(np.abs(one - other), initial=0))
    return worst


def _check(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    worst = _differences(found, expected)
    print({name: f"{value:.1e}" for name, value in worst.items()})
    far = {name: value for name, value in worst.items() if value > (NEAR_PIXELS if name in _PIXELS else NEAR)}
    assert far == {}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", ["starter", "starter/SA-8", "starter/base"])
def test_the_numbers_are_those_of_python(
    visit: Callable[..., Visit], drawn: list[NDArray[np.uint8]], yunet: Path, tmp_path: Path, model: str
):
    """On the same pixels; `step` and `predict` say the same."""
    there = visit(model)
    options = StreamOptions(attention=model == "starter/SA-8")
    if options.attention:
        there.page.check("#attention")
    there.analyse(_pictures(drawn, tmp_path))
    expected = _estimator(model, yunet).predict(drawn, options)
    assert (expected["status"] == "no_face").sum() == 2
    assert expected["valence"].notna().sum() == 22
    _check(there.table(), expected)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.realdata
def test_the_numbers_of_real_people(visit: Callable[..., Visit], shared: Path, yunet: Path, tmp_path: Path):
    """Two at once, of whom one leaves, in frames that are reduced for the detector."""
    two = read_image(shared / "realdata" / "images" / "facerec_two_people.jpg")
    frames = [np.ascontiguousarray(np.roll(two, (2 * k, 3 * k), (0, 1))) for k in range(8)]
    for frame in frames[5:]:
        frame[:, : frame.shape[1] // 2] = 128
    there = visit()
    there.analyse(_pictures(frames, tmp_path))
    expected = _estimator("starter", yunet).predict(frames)
    assert expected["track"].nunique() >= 2
    _check(there.table(), expected)
    there.page.check("#largest")
    there.analyse(_pictures(frames, tmp_path))
    _check(there.table(), _estimator("starter", yunet).predict(frames, StreamOptions(faces="largest")))


@pytest.mark.realdata
def test_faces_and_their_points_are_those_of_python(visit: Callable[..., Visit], shared: Path, yunet: Path):
    page = visit().page
    detector = _estimator("starter", yunet).detector
    images = [
        read_image(path) for path in sorted((shared / "realdata" / "images").glob("*.*")) if "gray" not in path.name
    ]
    images += [images[0][:40, :50], np.zeros((700, 33, 3), np.uint8)]
    program = """async (picture) => {
        const { load } = await import("/js/model.js");
        const { detector } = (window.loaded ??= await load());
        picture.data = Uint8Array.from(atob(picture.base64), (letter) => letter.charCodeAt(0));
        return detector.detect(picture);
    }"""
    count = 0
    for image in images:
        found = page.evaluate(program, _encoded(image))
        expected = detector.detect(image)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert np.allclose(one["box"], other.box, atol=0.01 * max(image.shape) / 640 + 0.01)
            assert np.allclose(one["points"], other.points, atol=0.01 * max(image.shape) / 640 + 0.01)
            assert one["score"] == pytest.approx(other.score, abs=1e-4)
        count += len(expected)
    assert count >= 15


def _encoded(image: NDArray[np.uint8]) -> dict[str, Any]:
    from base64 import b64encode

    height, width = image.shape[:2]
    return {"base64": b64encode(image.tobytes()).decode(), "width": width, "height": height, "channels": 3}


def test_neither_the_page_nor_its_thread_can_reach_another_server(visit: Callable[..., Visit], tmp_path: Path):
    (tmp_path / "page.json").write_text("{}")
    there = visit()
    (thread,) = there.page.workers
    with serving(tmp_path) as (elsewhere, asked):
        for one in (there.page, thread):
            said = one.evaluate(
                """(address) => Promise.any([
                    fetch(address, { method: "POST", body: "picture", mode: "no-cors" }),
                    import(address),
                ]).then(() => "sent", () => "refused")""",
                elsewhere + "page.json",
            )
            assert said == "refused"
        assert asked == []
    refused = [said for said in there.wrong if "Content Security Policy" in said]
    assert len(refused) >= 2
    assert refused == there.wrong, "the policy refuses it before the browser asks"
    there.wrong.clear()
