"""What is made of intervals and of unfamiliar faces: summary, plot, overlay."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anclaf.core.labels import LabelScale
from anclaf.inference.overlay import OverlayVideo
from anclaf.inference.plot import source_figure
from anclaf.inference.summary import summarize
from anclaf.inference.table import BOUNDS, LATER, UNFAMILIAR, FaceEstimate, make_table

SCALE = LabelScale(-10, 10)


def face(frame: int, unfamiliar: float = 0.5, **more: Any) -> FaceEstimate:
    return FaceEstimate(
        frame, frame / 25, 0, 200, 100, 120, 160, 0.9, valence=5.0, arousal=-2.0, quadrant="V+A-", status="ok",
        valence_low=1.0, valence_high=9.0, arousal_low=-8.0, arousal_high=4.0, unfamiliar=unfamiliar, **more,
    )  # fmt: skip


def rows(count: int = 40) -> pd.DataFrame:
    """The second half are unfamiliar faces; between, two frames without a face."""
    found = [face(k, 0.99 if k >= count / 2 else 0.3) for k in range(count)]
    found[10:12] = [FaceEstimate(k, k / 25, 0) for k in (10, 11)]
    return make_table(found)


def test_the_summary():
    row = summarize(rows()).iloc[0]
    assert [row[f"{name}_mean"] for name in BOUNDS] == pytest.approx([1.0, 9.0, -8.0, 4.0])
    assert row["unfamiliar_share"] == pytest.approx(20 / 38)
    assert row["unfamiliar_median"] == 0.99
    plain = summarize(rows().drop(columns=list(LATER))).iloc[0]
    assert plain[[*(f"{name}_mean" for name in BOUNDS), "unfamiliar_share", "unfamiliar_median"]].isna().all()
    assert plain["valence_mean"] == row["valence_mean"]


def test_the_plot_has_a_band_and_pale_lines():
    figure = source_figure(rows(), SCALE, "talk")
    ax = next(ax for ax in figure.axes if ax.get_ylabel() == "valence")
    (band,) = [one for one in ax.collections if one.get_alpha() == 0.12]
    assert (band.get_datalim(ax.transData).ymin, band.get_datalim(ax.transData).ymax) == (1.0, 9.0)
    (pale,) = [line for line in ax.lines if line.get_gid() == "unfamiliar"]
    (strong,) = [line for line in ax.lines if line.get_alpha() is None and len(np.asarray(line.get_xdata())) == 40]
    assert np.isfinite(np.asarray(pale.get_ydata())).sum() == 38
    np.testing.assert_array_equal(
        np.isfinite(np.asarray(strong.get_ydata())).nonzero()[0], [*range(10), *range(12, 20)]
    )
    (notes,) = [text.get_text() for text in figure.texts if "band: intervals" in text.get_text()]
    assert "pale: unfamiliar face" in notes


def test_without_a_calibration_the_plot_is_as_it_was():
    figure = source_figure(rows().assign(**dict.fromkeys(LATER, np.nan)), SCALE, "talk")
    ax = next(ax for ax in figure.axes if ax.get_ylabel() == "valence")
    assert not [line for line in ax.lines if line.get_gid() == "unfamiliar"]
    assert not [one for one in ax.collections if one.get_alpha() == 0.12]
    assert not any("band" in text.get_text() or "pale: " in text.get_text() for text in figure.texts)


def test_a_single_picture_has_its_interval():
    figure = source_figure(rows().iloc[:1], SCALE, "talk")
    ax = next(ax for ax in figure.axes if ax.get_ylabel() == "valence")
    (bar,) = [one for one in ax.collections if one.get_alpha() == 0.4]
    assert bar.get_datalim(ax.transData).ymax == 9.0


def drawn(folder: Path, frames: list[FaceEstimate]) -> np.ndarray:
    image = np.full((360, 640, 3), 90, np.uint8)
    with OverlayVideo(folder / "a.mp4", 25, SCALE) as video:
        for estimate in frames:
            video.add(estimate.time_s, image, [estimate])
        assert video._held is not None
        return video._held


def test_the_overlay_greys_what_is_unfamiliar_and_draws_intervals(tmp_path: Path):
    blank: dict[str, Any] = dict.fromkeys(BOUNDS, np.nan)
    plain = drawn(tmp_path, [replace(face(k), **blank) for k in range(9)])
    sure = drawn(tmp_path, [face(k) for k in range(9)])
    odd = drawn(tmp_path, [face(k, 0.99) for k in range(9)])
    colour, grey = (255, 214, 90), (96, 100, 108)
    box = (100, 260)  # y, x: on the upper edge of the face's box
    assert tuple(plain[box]) == tuple(sure[box]) == colour
    assert tuple(odd[box]) == grey
    strip = slice(360, None)
    assert ((sure[strip] == (44, 48, 54)).all(-1)).sum() > 100, "a band beside the lines"
    assert not (plain[strip] == (44, 48, 54)).all(-1).any()
    assert (sure[:360] != plain[:360]).any(), "a cross on the dial"


def test_where_faces_begin_to_be_unfamiliar():
    assert summarize(make_table([face(0, UNFAMILIAR)])).iloc[0]["unfamiliar_share"] == 0
    assert summarize(make_table([face(0, UNFAMILIAR + 1e-6)])).iloc[0]["unfamiliar_share"] == 1
