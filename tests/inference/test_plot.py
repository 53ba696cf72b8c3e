"""What is in the picture, read from matplotlib's objects, and that each kind of source gives a file."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from anclaf.core.errors import OutputError, TableError
from anclaf.core.labels import QUADRANTS, LabelScale, label_quadrant
from anclaf.inference import plot
from anclaf.inference.plot import plot_source, source_figure
from anclaf.inference.table import FaceEstimate, Status, make_table

SCALE = LabelScale(-10, 10)


def estimate(frame: int, valence: float, arousal: float, track: int = 0, fps: float = 25) -> FaceEstimate:
    name = QUADRANTS[int(label_quadrant(valence, arousal))]
    return FaceEstimate(frame, frame / fps, track, valence=valence, arousal=arousal, quadrant=name, status="ok")


def wave(frames: int = 75, track: int = 0, start: int = 0, height: float = 8.0) -> pd.DataFrame:
    return make_table(
        estimate(k, height * np.sin(k / 9 + track), height * np.cos(k / 13 + track), track)
        for k in range(start, start + frames)
    )


def blank(rows: pd.DataFrame, first: int, stop: int, status: Status) -> pd.DataFrame:
    gone = rows["frame"].between(first, stop - 1)
    rows = rows.copy()
    rows.loc[gone, ["valence", "arousal"]] = np.nan
    rows.loc[gone, "quadrant"] = pd.NA
    rows.loc[gone, "status"] = status
    return rows


def panels(figure: Figure, row: int = 0) -> dict:
    return dict(zip(("valence", "arousal", "strip", "circumplex"), figure.axes[4 * row : 4 * row + 4], strict=True))


def colours(figure: Figure, *times: float, row: int = 0) -> list[str]:
    """Of the strip at these times, in the middle of its height; "" where it is blank."""
    areas = panels(figure, row)["strip"].collections
    here = [[to_hex(a.get_facecolor()[0]) for a in areas if a.get_paths()[0].contains_point((t, 0.5))] for t in times]
    return ["".join(found) for found in here]


def words(figure: Figure) -> str:
    texts = [text.get_text() for text in (*figure.texts, *(text for ax in figure.axes for text in ax.texts))]
    return " | ".join(texts + [ax.get_title("left") for ax in figure.axes])


def statuses(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_line_is_what_was_estimated():
    rows = wave()
    shown = panels(source_figure(rows, SCALE, "clip"))
    for name in ("valence", "arousal"):
        line = shown[name].lines[1].get_xydata()
        np.testing.assert_allclose(line, rows[["time_s", name]].to_numpy(np.float64))
    assert shown["valence"].get_xlim() == pytest.approx((0, 3))


def test_a_gap_breaks_the_line_and_the_strip_says_why():
    rows = blank(blank(wave(), 20, 30, "no_face"), 50, 55, "blurred")
    figure = source_figure(rows, SCALE, "clip")
    gone = np.isnan(panels(figure)["valence"].lines[1].get_ydata())
    assert np.flatnonzero(gone).tolist() == [*range(20, 30), *range(50, 55)]
    assert statuses(figure) == ["estimate", "no face", "face blurred"]
    assert colours(figure, 0.01, 0.79, 0.81, 1.19, 1.21, 2.01, 2.99) == [
        *("#d3d9e0", "#d3d9e0", "#4a5462", "#4a5462", "#d3d9e0", "#cc79a7", "#d3d9e0")
    ]
    assert "80 % of its frames have an estimate" in words(figure)


def test_a_lone_estimate_is_seen():
    rows = blank(blank(wave(), 0, 40, "too_small"), 41, 75, "too_small")
    dots = panels(source_figure(rows, SCALE, "clip"))["arousal"].lines[2]
    assert dots.get_marker() == "o"
    np.testing.assert_allclose(dots.get_xydata(), rows.loc[[40], ["time_s", "arousal"]].to_numpy(np.float64))


def test_a_hole_in_the_recording_breaks_the_line_and_the_strip():
    rows = wave(40)
    rows["time_s"] += np.where(rows["frame"] < 20, 0, 5.0)
    figure = source_figure(rows, SCALE, "clip")
    values = panels(figure)["valence"].lines[1].get_ydata()
    assert np.flatnonzero(np.isnan(values)).tolist() == [20]
    assert colours(figure, 0.79, 0.81, 5.79, 5.81) == ["#d3d9e0", "", "", "#d3d9e0"]


def test_a_long_video_is_averaged_and_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("anclaf.inference.table._READ_ROWS", 10)
    rows = wave(950)
    monkeypatch.setattr(plot, "POINTS", 100)
    figure = source_figure(blank(rows, 100, 125, "no_face"), SCALE, "interview")
    line = panels(figure)["valence"].lines[1].get_xydata()
    assert len(line) == 95
    expected = blank(rows, 100, 125, "no_face")["valence"].to_numpy(np.float64).reshape(95, 10)
    known = ~np.isnan(expected).all(1)
    np.testing.assert_allclose(line[known, 1], np.nanmean(expected[known], 1))
    assert np.isnan(line[~known, 1]).all()
    assert "each point is the mean of 10 frames, 0.4 s" in words(figure)
    mean = panels(figure)["circumplex"].lines[-1].get_xydata()[0]  # of all frames alike, not of the points
    np.testing.assert_allclose(mean[0], np.nanmean(expected))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_gives_the_picture_of_the_table(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("anclaf.inference.table._READ_ROWS", 13)
    rows = pd.concat([blank(wave(60), 20, 25, "blurred"), wave(60, 1), make_table([FaceEstimate(60, 2.4)])])
    rows = rows.round(6)
    path = tmp_path / f"a.{suffix}"
    rows.to_csv(path, index=False) if suffix == "csv" else rows.to_parquet(path)
    plot_source(rows, tmp_path / "table.png", SCALE, "a")
    plot_source(path, tmp_path / "file.png", SCALE, "a")
    assert (tmp_path / "table.png").read_bytes() == (tmp_path / "file.png").read_bytes()


def test_each_track_has_its_colour_and_sees_the_means_of_the_others():
    figure = source_figure(pd.concat([wave(track=k) for k in range(plot.TRACKS)]), SCALE, "group")
    rows = [panels(figure, row) for row in range(plot.TRACKS)]
    inks = [to_hex(row["valence"].lines[1].get_color()) for row in rows]
    assert len(set(inks)) == plot.TRACKS
    own = [row["circumplex"].lines[-1].get_xydata()[0].tolist() for row in rows]
    others = [line.get_xydata()[0].tolist() for line in rows[0]["circumplex"].lines[-plot.TRACKS : -1]]
    assert others == own[1:]


def test_of_many_tracks_those_with_the_most_estimates_are_shown():
    rows = pd.concat([wave(30 - k, track=k) for k in range(13)])
    figure = source_figure(rows, SCALE, "crowd")
    assert len(figure.axes) == 4 * plot.TRACKS
    assert "3 more tracks, with fewer estimates, are not shown" in words(figure)
    assert "track 9:" in words(figure)
    assert "track 10:" not in words(figure)


def test_a_track_that_is_not_there_is_blank_where_others_are_and_has_no_face_where_nobody_is():
    nobody = make_table(FaceEstimate(k, k / 25) for k in range(40, 50))
    figure = source_figure(pd.concat([wave(40), wave(20, track=1, start=50), nobody]), SCALE, "clip")
    assert colours(figure, 0.01, 1.59, 1.61, 1.99, 2.01, 2.79) == ["#d3d9e0", "#d3d9e0", *["#4a5462"] * 2, "", ""]
    assert colours(figure, 0.01, 1.59, 1.61, 1.99, 2.01, 2.79, row=1) == ["", "", *["#4a5462"] * 2, *["#d3d9e0"] * 2]
    assert "100 % of its frames" in words(figure)


def test_the_path_goes_through_the_circumplex_in_time():
    rows = blank(wave(), 20, 30, "no_face")
    (path,) = (c for c in panels(source_figure(rows, SCALE, "clip"))["circumplex"].collections)
    assert isinstance(path, LineCollection)
    segments = np.array(
        [segment for segment in path.get_segments() if len(segment) == 2 and np.isfinite(segment).all()]
    )
    assert len(segments) == 74 - 11
    np.testing.assert_allclose(segments[0], rows.loc[[0, 1], ["valence", "arousal"]].to_numpy(np.float64))
    order = path.get_array()
    assert order is not None
    assert (np.diff(order) > 0).all()


@pytest.mark.parametrize(
    ("height", "scale", "low", "said"),
    [
        (8.0, SCALE, -10, ""),
        (4.0, SCALE, -5, "axes show −5 … 5 of −10 … 10"),
        (0.5, SCALE, -2.5, "axes show −2.5 … 2.5 of −10 … 10"),
        (12.0, SCALE, -10, ""),
        (0.4, LabelScale(-1, 1), -0.5, "axes show −0.5 … 0.5 of −1 … 1"),
    ],
)
def test_axes_are_the_scale_or_its_middle(height: float, scale: LabelScale, low: float, said: str):
    figure = source_figure(wave(height=height), scale, "clip")
    assert ("axes show" in words(figure)) == bool(said)
    assert said in words(figure)
    for name, ax in panels(figure).items():
        if name != "strip":
            assert ax.get_yticks()[0] == pytest.approx(low)
            assert ax.get_ylim()[1] >= height


def test_the_middle_of_a_scale_that_does_not_begin_below_zero():
    rows = wave()
    rows[["valence", "arousal"]] = rows[["valence", "arousal"]] / 20 + 0.5
    ax = panels(source_figure(rows, LabelScale(0, 1), "clip"))["circumplex"]
    assert ax.get_xticks().tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert np.mean(ax.get_xlim()) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("seconds", "name", "labels"),
    [
        (3, "time, seconds", ["0", "0.5", "1"]),
        (600, "time, minutes:seconds", ["0:00", "2:00", "4:00"]),
        (7200, "time, hours:minutes", ["0:00", "0:20", "0:40"]),
    ],
)
def test_time_is_written_as_people_write_it(seconds: int, name: str, labels: list[str]):
    rows = make_table(estimate(k, 1, 2, fps=50 / seconds) for k in range(50))
    ax = panels(source_figure(rows, SCALE, "clip"))["strip"]
    assert ax.get_xlabel() == name
    low, high = ax.get_xlim()
    ticks = [tick for tick in ax.get_xticks() if low <= tick <= high]
    assert [ax.xaxis.get_major_formatter()(tick, 0) for tick in ticks][:3] == labels


def test_every_status_has_a_colour_and_words():
    assert set(plot._REASONS) == set(get_args(Status))


def _nobody() -> pd.DataFrame:
    return make_table(FaceEstimate(k, k / 25) for k in range(75))


def _too_small() -> pd.DataFrame:
    return make_table(FaceEstimate(k, k / 25, k % 2, status="too_small" if k < 30 else "blurred") for k in range(60))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_nobody, "no face 100 % | no estimate in this source"),
        (_too_small, "face too small 50 %, face blurred 50 % | no estimate in this source"),
    ],
)
def test_a_source_without_estimates_says_so(make: Callable[[], pd.DataFrame], said: str, tmp_path: Path):
    found = words(source_figure(make(), SCALE, "empty"))
    for part in said.split(" | "):
        assert part in found
    plot_source(make(), tmp_path / "a.png", SCALE, "empty")
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_one_picture_is_a_point(tmp_path: Path):
    rows = make_table([estimate(0, 3, -4)])
    figure = source_figure(rows, SCALE, "photo", "SA-8")
    shown = panels(figure)
    assert shown["valence"].lines[2].get_ydata().tolist() == [3]
    assert shown["circumplex"].lines[-1].get_xydata().tolist() == [[3, -4]]
    assert shown["strip"].get_xlabel() == "a single picture"
    assert "path" not in words(figure)
    plot_source(rows, tmp_path / "a.png", SCALE, "photo")
    assert Image.open(tmp_path / "a.png").size[0] == 1650


def test_names_are_not_formulas_and_long_ones_leave_room(tmp_path: Path):
    figure = source_figure(wave(), SCALE, "$x_{$ interview " + "with a long name " * 20, "SA-8 of $run$")
    assert len(figure.texts[0].get_text()) <= 60
    plot_source(wave(), tmp_path / "a.png", SCALE, "$x_{$", "$")
    assert (tmp_path / "a.png").exists()


def test_what_cannot_be_drawn_or_written(tmp_path: Path):
    with pytest.raises(TableError, match="without rows"):
        plot_source(wave().head(0), tmp_path / "a.png", SCALE, "clip")
    with pytest.raises(TableError, match="no such file"):
        plot_source(tmp_path / "none.csv", tmp_path / "a.png", SCALE, "clip")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        plot_source(wave(), tmp_path / "file" / "a.png", SCALE, "clip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
