"""The pictures: what is drawn is what was given, and each says which corpus it is of."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from anclaf.comparators.registry import label_of
from anclaf.core.errors import OutputError
from anclaf.evaluation.attention_motion import OFFSETS, Correlation
from anclaf.metrics.regression import ccc_score, rmse_error
from anclaf.report.figures import attention, curves, theme
from anclaf.report.figures.losses import loss_curves
from anclaf.report.figures.motion import attention_and_motion
from anclaf.report.figures.window import metric_by_length
from fake_run import attention as random_weights

CORPUS = "corpus people_1 (puppet), $5 fingerprint"


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))


def clip_table(
    frames: int = 40, variants: tuple[str, ...] = ("base", "S-4", "SA-4"), gap: bool = False
) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = np.arange(frames) + (np.arange(frames) >= frames // 2) * (20 if gap else 0)
    labels = np.cumsum(rng.normal(size=(frames, 2)), 0)
    tables = [
        pd.DataFrame(
            {
                "variant": variant,
                "clip": "007",
                "subject": "Actor_07",
                "frame": frame,
                "time_s": frame / 25,
                "valence": labels[:, 0],
                "arousal": labels[:, 1],
                "valence_hat": labels[:, 0] + rng.normal(size=frames),
                "arousal_hat": labels[:, 1] + rng.normal(size=frames),
            }
        )
        for variant in variants
    ]
    return pd.concat(tables, ignore_index=True)


def legend(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]  # type: ignore[union-attr]


def test_curves_draw_labels_and_estimates_and_score_the_clip() -> None:
    clip = clip_table()
    figure = curves.prediction_curves(clip, ["base", "S-4", "SA-4"], CORPUS, -10, 10)
    whole, close = figure.axes[2], figure.axes[3]
    truth, own = clip[clip["variant"] == "base"], clip[clip["variant"] == "SA-4"]
    np.testing.assert_array_equal(whole.lines[0].get_ydata(), truth["arousal"])
    np.testing.assert_array_equal(whole.lines[3].get_ydata(), own["arousal_hat"])
    ccc, rmse = (f(own["arousal_hat"], own["arousal"]) for f in (ccc_score, rmse_error))
    assert legend(whole)[0] == "label"
    assert legend(whole)[3].startswith(f"SA-4   RMSE {rmse:.2f}  COR ")
    assert legend(whole)[3].endswith(f"CCC {ccc:.2f}")
    start, stop = curves.closest(truth[["valence", "arousal"]].to_numpy(), curves.close_length(40))
    np.testing.assert_array_equal(close.lines[3].get_ydata(), own["arousal_hat"][start:stop])
    assert CORPUS in words(figure)
    assert "Actor_07" in words(figure)


def test_a_short_clip_has_no_close_up() -> None:
    assert len(curves.prediction_curves(clip_table(12), ["base"], CORPUS, -10, 10).axes) == 2


def test_a_constant_estimate_scores_a_dash() -> None:
    clip = clip_table(12, ("base",)).assign(arousal_hat=1.0)
    figure = curves.prediction_curves(clip, ["base"], CORPUS, -10, 10)
    assert legend(figure.axes[1])[1].endswith("COR –  CCC –")


def test_a_curve_breaks_where_frames_are_missing() -> None:
    figure = curves.prediction_curves(clip_table(gap=True), ["base"], CORPUS, -10, 10)
    drawn = np.asarray(figure.axes[0].lines[0].get_ydata(), float)
    assert np.flatnonzero(np.isnan(drawn)).tolist() == [20]


def test_a_variant_with_fewer_frames_is_drawn_in_its_place() -> None:
    """Windows that do not overlap drop the remainder, so that positions differ between variants; times do not."""
    clip = clip_table()
    clip = clip[(clip["variant"] != "SA-4") | (clip["frame"] % 8 >= 4)]
    figure = curves.prediction_curves(clip, ["base", "SA-4"], CORPUS, -10, 10)
    low, high = figure.axes[1].lines[0].get_xdata()[[0, -1]]  # type: ignore[index]
    shown = np.asarray(figure.axes[1].lines[2].get_xdata(), float)
    assert len(shown)
    assert np.nanmin(shown) >= low
    assert np.nanmax(shown) <= high


def test_liveliest_part() -> None:
    labels = np.zeros((10, 2))
    labels[6:] = 1
    start, stop = curves.closest(labels, 4)
    assert stop - start == 4
    assert start <= 5 < 6 < stop
    assert curves.closest(labels, 10) == curves.closest(labels, 99) == (0, 10)
    assert [curves.close_length(n) for n in (5, 23, 24, 90, 1000)] == [5, 23, 12, 30, 48]


def metrics_of(names: tuple[str, ...]) -> dict[str, Any]:
    def entry(k: int) -> dict[str, Any]:
        numbers = {
            "ccc": 0.1 * k,
            "rmse": 3 - 0.2 * k,
            "ci95": {"ccc": [0.1 * k - 0.05, 0.1 * k + 0.04], "rmse": [None, None]},
        }
        return {"valence": numbers, "arousal": numbers, "mean": numbers}

    ridge = {"label": "ridge on landmarks, 1 frame", **entry(3)}
    comparators = {"mean": {"label": "training mean", "valence": {"ccc": None, "rmse": 4.0}}, "ridge-1": ridge}
    return {"variants": {name: entry(k + 1) for k, name in enumerate(names)}, "comparators": comparators}


def test_metric_against_length() -> None:
    figure = metric_by_length(metrics_of(("base", "S-2", "S-8", "SA-2", "SA-8")), CORPUS, 50.0)
    lines = {str(line.get_label()): line for line in figure.axes[0].lines}
    np.testing.assert_allclose(np.asarray(lines["S-n"].get_ydata(), float), [0.2, 0.3])
    np.testing.assert_allclose(np.asarray(lines["SA-n"].get_ydata(), float), [0.4, 0.5])
    np.testing.assert_allclose(np.asarray(lines["ridge on landmarks, 1 frame"].get_ydata(), float), 0.3)
    assert "training mean" not in lines, "the training mean has no CCC"
    assert "training mean" in {str(line.get_label()) for line in figure.axes[3].lines}, "but it has an RMSE"
    bars = figure.axes[0].collections[1].get_segments()  # type: ignore[attr-defined]
    np.testing.assert_allclose([bar[:, 1] for bar in bars], [[0.15, 0.24], [0.25, 0.34]])
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["1", "2", "8"]
    assert CORPUS in words(figure)


def test_milliseconds_stand_above_the_frames() -> None:
    """At 50 frames a second the paper's 8 frames are 160 ms."""
    figure = metric_by_length(metrics_of(("base", "S-2", "S-8")), CORPUS, 50.0)
    figure.draw_without_rendering()
    (top,) = figure.axes[0].child_axes
    assert [tick.get_text() for tick in top.get_xticklabels()] == ["20", "40", "160"]
    below = [figure.axes[0].transData.transform((n, 0))[0] for n in (1, 2, 8)]
    above = [top.transData.transform((ms, 0))[0] for ms in (20, 40, 160)]
    np.testing.assert_allclose(above, below, atol=0.5)
    assert "50 frames a second" in words(figure)
    assert not metric_by_length(metrics_of(("base", "S-2")), CORPUS, float("nan")).axes[0].child_axes


def test_best_length_is_ringed() -> None:
    figure = metric_by_length(metrics_of(("base", "S-2", "S-8")), CORPUS, 50.0)
    rings = [line for line in figure.axes[0].lines if line.get_markersize() == 12]
    assert [float(np.asarray(ring.get_ydata()).item()) for ring in rings] == pytest.approx([0.3])


def test_only_the_best_comparators_are_drawn() -> None:
    metrics = metrics_of(("base", "S-2"))
    entry = {"ccc": 0.1, "rmse": 2.0}
    metrics["comparators"] = {
        name: {"label": label_of(name)} | {d: entry | {"ccc": value} for d in ("valence", "arousal", "mean")}
        for name, value in (("cnn", 0.1), ("svr", 0.4), ("tucker", None), ("aeg-cd", 0.3), ("coherence", 0.2))
    }
    drawn = {str(line.get_label()) for line in metric_by_length(metrics, CORPUS, 25.0).axes[0].lines}
    assert {"SVR on landmarks and appearance", "AEG-CD", "CNN with temporal coherence"} <= drawn
    assert not {"CNN, frame by frame", "Tucker tensor regression"} & drawn


def window_of(n: int = 4, faces: bool = True) -> attention.Window:
    rng = np.random.default_rng(0)
    weights = np.array([0.5, 0.3, 0.2, *[0.0] * 40])[: n - 1]
    return attention.Window("lively $7", 20, weights, rng.integers(0, 255, (n, 8, 8, 3), np.uint8) if faces else None)


def bars_of(ax: Axes) -> dict[int, float]:
    boxes = [p for p in ax.patches if isinstance(p, Rectangle) and p.get_y() == 0]
    return {round(box.get_x() + box.get_width() / 2): box.get_height() for box in boxes}


def test_each_weight_stands_below_its_face() -> None:
    window = window_of()
    figure = attention.attention_against_plain(clip_table(), "S-4", "SA-4", [window], CORPUS, 0.0)
    ax = figure.axes[2]
    height = bars_of(ax)
    assert sorted(height) == [-3, -2, -1]
    assert height[-2] / height[-1] == pytest.approx(0.3 / 0.5)
    assert height[-3] / height[-1] == pytest.approx(0.2 / 0.5)
    assert window.faces is not None
    shown = {round(sum(image.get_extent()[:2]) / 2): np.asarray(image.get_array()) for image in ax.images}
    assert sorted(shown) == [-3, -2, -1, 0]
    for lag, face in enumerate(window.faces):
        np.testing.assert_array_equal(shown[-lag], face)
    assert all(image.get_extent()[2] >= max(height.values()) for image in ax.images), "faces are above the bars"
    assert {"0.50", "0.30", "0.20", "−3", "now", "a: lively $7"} <= set(words(figure).splitlines())
    assert CORPUS in words(figure)


def test_plain_and_attending_are_drawn_with_their_scores() -> None:
    clip = clip_table()
    figure = attention.attention_against_plain(clip, "S-4", "SA-4", [window_of()], CORPUS, 0.0)
    own = clip[clip["variant"] == "SA-4"]
    np.testing.assert_array_equal(figure.axes[1].lines[2].get_ydata(), own["arousal_hat"])
    assert legend(figure.axes[1])[2].endswith(f"CCC {ccc_score(own['arousal_hat'], own['arousal']):.2f}")


def test_strip_without_faces_and_with_frames_missing(tmp_path: Path) -> None:
    window = attention.Window("early", 2, np.array([0.6, 0.4, np.nan]))
    figure = attention.attention_against_plain(clip_table(), "S-4", "SA-4", [window], CORPUS, 0.0)
    assert not figure.axes[2].images
    assert sorted(bars_of(figure.axes[2])) == [-2, -1], "no bar for a frame that there is not"
    theme.save(figure, tmp_path / "a.png")


def test_strip_of_the_longest_window(tmp_path: Path) -> None:
    clip = clip_table(variants=("S-32", "SA-32"))
    window = attention.Window("all", 35, window_of(32).weights, window_of(32).faces)
    figure = attention.attention_against_plain(clip, "S-32", "SA-32", [window], CORPUS, 0.0, theme.DARK)
    assert len(figure.axes[2].images) <= attention.FACES
    assert len(bars_of(figure.axes[2])) == 31
    theme.save(figure, tmp_path / "a.png")
    assert figure.get_figwidth() == theme.WIDTH


def test_windows_lie_side_by_side() -> None:
    weights = np.full((20, 3), 1 / 3)
    assert attention.window_ends(weights, 4, 16) == [15, 11, 7]
    weights[15, 2] = np.nan
    assert attention.window_ends(weights, 4, 16) == [14, 10], "an end without a full window is passed over"
    assert attention.window_ends(weights, 4, 7) == []


def test_all_lengths_over_one_stretch() -> None:
    names = ("SA-2", "SA-4")
    clip = clip_table(variants=names)
    one = clip[clip["variant"] == "SA-2"]
    weights = {name: random_weights(one, int(name[3:]), np.random.default_rng(0)) for name in names}
    faces = np.random.default_rng(0).integers(0, 255, (8, 8, 8, 3), np.uint8)
    motion = np.arange(40.0)
    metrics = metrics_of(names)
    figure = attention.attention_by_length(clip, weights, (20, 28), faces, motion, metrics, CORPUS)
    strip = next(ax for ax in figure.axes if ax.images)
    assert len(strip.images) == 8
    for frame, image in enumerate(strip.images):
        np.testing.assert_array_equal(np.asarray(image.get_array()), faces[frame])
    heights = {ax.get_ylabel(): bars_of(ax) for ax in figure.axes}
    assert heights["motion"] == {frame: motion[frame] for frame in range(20, 28)}
    expected = {end - 1 - j: weights["SA-4"][end, j] for end in (27, 23) for j in range(3)}
    assert heights["SA-4"] == pytest.approx(expected)
    assert {"0.200", "2.600", "on all test frames"} <= set(words(figure).splitlines())
    assert CORPUS in words(figure)
    without = attention.attention_by_length(clip, weights, (20, 28), None, None, metrics, CORPUS)
    assert len(without.axes) == len(figure.axes) - 2


def test_attention_and_motion() -> None:
    found = [Correlation(0.2, 0.1, 0.3, 50, 4), Correlation(-0.1, -0.2, 0.1, 40, 4)]
    offsets = {name: [Correlation(0.1 * k, 0, 0, 9, 2) for k in OFFSETS] for name in ("SA-4", "SA-8")}
    lags = {"SA-4": np.array([0.5, 0.3, 0.2]), "SA-8": np.full(7, 1 / 7)}
    figure = attention_and_motion(lags, found, found[::-1], offsets, CORPUS)
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), lags["SA-4"])
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_ydata(), [0.2, -0.1])
    bars = figure.axes[1].collections[0].get_segments()  # type: ignore[attr-defined]
    np.testing.assert_allclose([bar[:, 1] for bar in bars], [[0.1, 0.3], [-0.2, 0.1]])
    np.testing.assert_allclose(np.asarray(figure.axes[2].lines[0].get_ydata(), float), 0.1 * np.array(OFFSETS))
    assert CORPUS in words(figure)


def history(*rows: tuple[int, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame([*rows], columns=pd.Index(["step", "phase", "name", "value"]))


def test_loss_curves() -> None:
    base = history(
        (25, "D", "loss", 1.5),
        (50, "D", "loss", 1.25),
        (50, "G", "quadrant", 0.5),
        (50, "validation", "valence_ccc", 0.4),
    )
    second = history((25, "train", "loss", 2.0), (50, "train", "loss", 1.0), (50, "validation", "arousal_ccc", 0.7))
    figure = loss_curves({"S-8": second, "S-2": second, "base": base}, CORPUS)
    assert len(figure.axes) == 8
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [1.5, 1.25])
    assert legend(figure.axes[0]) == ["loss  1.25"]
    assert legend(figure.axes[3]) == ["valence CCC  0.4"]
    assert legend(figure.axes[4]) == ["S-2  1", "S-8  1"]
    assert legend(figure.axes[7]) == ["S-2  0.7", "S-8  0.7"]
    assert "not recorded" in words(figure), "phase C is missing"
    assert CORPUS in words(figure)


def test_saving_is_whole_or_not_at_all(tmp_path: Path) -> None:
    figure = curves.prediction_curves(clip_table(12), ["base"], CORPUS, -10, 10)
    theme.save(figure, tmp_path / "deep" / "a.svg")
    theme.save(figure, tmp_path / "deep" / "a.png")
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["a.png", "a.svg"]
    assert (tmp_path / "deep" / "a.svg").read_text().startswith("<?xml")
    (tmp_path / "taken.svg").mkdir()
    with pytest.raises(OutputError):
        theme.save(figure, tmp_path / "taken.svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "taken.svg"]


def test_no_pyplot() -> None:
    """pyplot has global state and looks for a screen."""
    code = "import sys, anclaf.report.grid_report; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
