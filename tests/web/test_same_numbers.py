"""The page's programs beside Python's, part by part, in a browser; the networks are not needed."""

import csv as python_csv
import io
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from anclaf.faces import align
from anclaf.inference.table import COLUMNS, CsvTable, FaceEstimate
from anclaf.inference.tracks import Sighting, Tracker, appearance_descriptor
from anclaf.inference.window import FeatureWindow, TrackFrame
from anclaf.models.calibration import CALIBRATION, load_calibration
from anclaf.models.folder import load_spec
from anclaf.models.shipped import shipped_model
from anclaf.web.build import page_files
from chromium import chromium, needs_chromium, serving

pytestmark = [pytest.mark.browser, needs_chromium]
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """`ask(module, program, value)`: what a program, `(module, value) => …`, says in the page."""
    folder = tmp_path_factory.mktemp("page")
    for name, content in page_files().items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    starter = shipped_model("starter")
    assert starter is not None
    (folder / "models").mkdir()
    (folder / "models" / CALIBRATION).write_bytes((starter / CALIBRATION).read_bytes())
    (folder / "empty.html").write_text("<!doctype html><title>empty</title>")
    with chromium() as browser, serving(folder) as (address, _):
        page = browser.new_page()
        page.goto(address + "empty.html")

        def ask(module: str, program: str, value: Any = None) -> Any:
            given = f"""async ([module, value]) => {{
                for (const one of [value, ...(Array.isArray(value) ? value : [])])
                    if (one?.base64) one.data = Uint8Array.from(atob(one.base64), (letter) => letter.charCodeAt(0));
                return ({program})(await import(module), value);
            }}"""
            return page.evaluate(given, [f"{address}js/{module}.js", value])

        yield ask


def _picture(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.2).astype(np.float64)
    return ((smooth - smooth.min()) * 255 / np.ptp(smooth)).astype(np.uint8)


def _given(image: NDArray[np.uint8]) -> dict[str, Any]:
    """As a canvas gives it: red, green, blue, and what is no colour."""
    full = np.concatenate([image, np.full((*image.shape[:2], 1), 77, np.uint8)], 2)
    return {
        "base64": b64encode(full.tobytes()).decode(),
        "width": image.shape[1],
        "height": image.shape[0],
        "channels": 4,
    }


def _rgb(answer: list[int], height: int, width: int) -> NDArray[np.uint8]:
    return np.array(answer, np.uint8).reshape(height, width, 3)


@pytest.mark.parametrize("size", [(130, 100), (65, 50), (64, 64), (129, 99), (16, 16), (33, 97)])
def test_area_averages_are_those_of_opencv(ask: Ask, size: tuple[int, int]):
    image = _picture(260, 200)
    program = "(m, [picture, w, h]) => Array.from(m.reduced(picture, w, h).data)"
    got = _rgb(ask("pixels", program, [_given(image), *size]), size[1], size[0])
    assert np.array_equal(got, cv2.resize(image, size, interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("scale", [2.3, 0.9, 0.51, 0.3, 0.11])
def test_faces_are_cut_out_as_in_python(ask: Ask, scale: float):
    """From any size of face, turned, and over the picture's border."""
    rng = np.random.default_rng(int(100 * scale))
    image, size = _picture(261, 203), 64
    for _ in range(2):
        angle, shift = rng.normal(0, 0.5), rng.uniform(-10, 10, 2)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = rng.uniform(20, 180, 2)
        matrix = np.concatenate([turn, (size / 2 - turn @ centre + shift)[:, None]], 1)
        program = "(m, [picture, matrix, size]) => Array.from(m.warp(picture, matrix, size).data)"
        got = _rgb(ask("align", program, [_given(image), matrix.ravel().tolist(), size]), size, size)
        assert np.array_equal(got, align.warp(image, matrix, size))


def test_crops_quality_and_appearance(ask: Ask):
    rng = np.random.default_rng(3)
    image = _picture(320, 240)
    program = """async (m, [picture, points, size]) => {
        const { appearance } = await import("/js/tracks.js");
        const matrix = m.cropMatrix(points, size);
        return [matrix, m.faceQuality(picture, points), Array.from(appearance(m.warp(picture, matrix, size)))];
    }"""
    for size in (64, 128, 48):
        points = align.TEMPLATE * rng.uniform(40, 150) + rng.uniform(20, 100, 2) + rng.normal(0, 3, (5, 2))
        matrix, quality, appearance = ask("align", program, [_given(image), points.tolist(), size])
        expected = align.crop_matrix(points, size)
        assert np.allclose(np.reshape(matrix, (2, 3)), expected, rtol=1e-9, atol=1e-9)
        found = align.face_quality(image, points)
        for name in ("size", "sharpness", "frontalness"):
            assert quality[name] == pytest.approx(getattr(found, name), rel=1e-5), name
        assert np.allclose(appearance, appearance_descriptor(align.warp(image, expected, size)), atol=1e-6)
    assert ask("align", "(m) => m.cropMatrix(Array(5).fill([3, 4]), 64)") is None


def test_grey_is_that_of_opencv(ask: Ask):
    image = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    got = ask("pixels", "(m, picture) => Array.from(m.grey(picture))", _given(image))
    assert np.array_equal(np.reshape(got, (60, 80)), cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


def test_how_a_crop_moved(ask: Ask):
    rng = np.random.default_rng(2)
    points = align.TEMPLATE * 90 + 40 + np.cumsum(rng.normal(0, 3, (9, 5, 2)), 0)
    matrices = np.stack([align.crop_matrix(one, 64) for one in points])
    program = "(m, matrices) => Array.from(m.cropMotion(matrices, 64))"
    got = ask("align", program, matrices.reshape(9, 6).tolist())
    assert np.allclose(np.reshape(got, (9, 4)), align.crop_motion(matrices, 64), atol=1e-6)


@pytest.mark.parametrize(
    ("n", "lead_in", "model_fps", "fps"),
    [(8, 0, 25, 25), (8, 7, 25, 30000 / 1001), (4, 0, 25, 10), (16, 15, 25, 60), (1, 0, 25, 25), (5, 2, 0, 25)],
)
def test_windows_have_the_same_frames(ask: Ask, n: int, lead_in: int, model_fps: float, fps: float):
    rng = np.random.default_rng(n)
    steps = rng.choice([1, 1, 1, 1, 1, 2, 3, 4, 9], 120)
    times = (np.cumsum(steps) / fps + rng.normal(0, 0.1 / fps, 120) * (rng.random(120) < 0.5)).tolist()
    window, expected = FeatureWindow(n, model_fps, fps, lead_in=lead_in), []
    for k, time_s in enumerate(times):
        picked = window.add(time_s, TrackFrame(np.array([k], np.float32), np.zeros((2, 3))))
        expected.append([[int(frame.feature[0]) for frame in picked], window.full])
    program = """(m, [about, fps, times]) => {
        const window = new m.FeatureWindow(about, fps);
        return times.map((time, k) => [window.add(time, k), window.full]);
    }"""
    about = {"n": n, "lead_in": lead_in, "fps": model_fps, "max_gap": 3.5}
    assert ask("window", program, [about, fps, times]) == expected


def test_people_keep_the_same_numbers(ask: Ask):
    """Who walk past each other, are lost, and come back; and what is no person."""
    rng = np.random.default_rng(7)
    looks = rng.normal(0, 1, (4, 64))
    places, pace = rng.uniform(50, 500, (4, 2)), rng.normal(0, 6, (4, 2))
    frames = []
    for k in range(100):
        places = places + pace + rng.normal(0, 1, (4, 2))
        pace = np.where((places < 0) | (places > 600), -pace, pace)
        seen = []
        for place, look in zip(places, looks, strict=True):
            if rng.random() < 0.1 or ((k // 25) % 3 == 2 and look is looks[1]):
                continue
            look = look + rng.normal(0, 0.3, 64)
            seen.append([[*place, 60 + rng.normal(0, 2), 70.0], (look / np.linalg.norm(look)).tolist()])
        if rng.random() < 0.1:
            look = rng.normal(0, 1, 64)
            seen.append([[*rng.uniform(0, 600, 2), 40.0, 40.0], (look / np.linalg.norm(look)).tolist()])
        frames.append([seen, k / 25])
    tracker, expected = Tracker(1.0), []
    for seen, time_s in frames:
        sightings = [Sighting(tuple(box), np.array(look, np.float32)) for box, look in seen]
        expected.append([[track.id, track.seen, track.crowded] for track in tracker.update(sightings, time_s)])
    program = """(m, frames) => {
        const tracker = new m.Tracker(1.0);
        return frames.map(([seen, time]) => tracker
            .update(seen.map(([box, look]) => ({ box, appearance: Float32Array.from(look) })), time)
            .map(({ id, seen, crowded }) => [id, seen, crowded]));
    }"""
    assert ask("tracks", program, frames) == expected
    assert max(track for rows in expected for track, *_ in rows) > 5
    assert any(crowded for rows in expected for *_, crowded in rows)


def test_the_cheapest_assignment(ask: Ask):
    rng = np.random.default_rng(4)
    tables = [rng.random(shape) for shape in ((1, 1), (3, 3), (2, 5), (6, 2), (5, 5))]
    for costs in tables:
        costs[rng.random(costs.shape) < 0.3] = 1e6
        got = ask("tracks", "(m, costs) => m.assignment(costs)", costs.tolist())
        rows, columns = zip(*got, strict=True)
        best = costs[linear_sum_assignment(costs)].sum()
        assert costs[list(rows), list(columns)].sum() == pytest.approx(best)
        assert len(set(rows)) == len(set(columns)) == min(costs.shape)
    assert ask("tracks", "(m) => [m.assignment([]), m.assignment([[], []])]") == [[], []]


def test_unfamiliar_and_intervals(ask: Ask):
    folder = shipped_model("starter")
    assert folder is not None
    calibration = load_calibration(folder, load_spec(folder))
    assert calibration is not None
    familiarity = calibration.familiarity
    off = np.random.default_rng(5).normal(0, 1, (12, len(familiarity.mean))) * np.geomspace(0.01, 10, 12)[:, None]
    pooled = (familiarity.mean + off * np.sqrt(familiarity.other)).astype(np.float32)
    affect = [[0.1, -0.4], [0.95, -0.99]]
    program = f"""async (m, [pooled, affect, reach]) => {{
        const buffer = await (await fetch("models/{CALIBRATION}")).arrayBuffer();
        const found = new m.Calibration(buffer, reach);
        return [pooled.map((one) => found.unfamiliar(one)), affect.map((one) => found.intervals(one))];
    }}"""
    reach = [float(value) for value in calibration.reach]
    unfamiliar, ends = ask("calibration", program, [pooled.astype(float).tolist(), affect, reach])
    assert np.allclose(unfamiliar, familiarity.unfamiliar(pooled), atol=1e-9)
    assert np.ptp(unfamiliar) > 0.9
    low, high = calibration.intervals(np.array(affect))
    assert np.allclose(ends, np.stack([low, high], -1))
    unbounded = ask("calibration", program, [[], affect[:1], [None, None]])[1]
    assert unbounded == [[[-1, 1], [-1, 1]]]


def test_the_table_is_the_one_of_predict(ask: Ask, tmp_path: Path):
    rows = [
        FaceEstimate(
            3, 0.12, 1, 1 / 3, 2.0, 1e-7, 4e8, 0.5, -0.123456789, 0.5, "V-A+", status="ok", size=32.25, unfamiliar=0.0
        ),
        FaceEstimate(4, 0.16),
    ]
    table = CsvTable(tmp_path / "table.csv", attention=2)
    columns = [*COLUMNS, "attention_1", "attention_2"]
    for row in rows:
        table.append([row])
    table.close()
    given = [{name: value for name, value in row.row().items() if value == value} for row in rows]
    text = ask("csv", "(m, [rows, columns]) => m.csv(rows, columns)", [given, columns])
    expected = (tmp_path / "table.csv").read_text()
    assert text.splitlines()[0] == expected.splitlines()[0]
    for one, other in zip(*(python_csv.DictReader(io.StringIO(t)) for t in (text, expected)), strict=True):
        assert {k: _value(v) for k, v in one.items()} == {k: _value(v) for k, v in other.items()}


def _value(cell: str) -> Any:
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def test_rounding(ask: Ask):
    values = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4999, 7.0, -3.2, 1e6 + 0.5]
    assert ask("pixels", "(m, values) => values.map((one) => m.even(one))", values) == [round(one) for one in values]
