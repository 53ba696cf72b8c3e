"""The pictures: what is drawn is what was given, and each says which corpus it is of."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_run import attention
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from anclaf.core.errors import OutputError
from anclaf.metrics.regression import ccc_score, rmse_error
from anclaf.report import figures

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
    figure = figures.prediction_curves(clip, ["base", "S-4", "SA-4"], CORPUS, -10, 10)
    whole, close = figure.axes[2], figure.axes[3]
    truth, own = clip[clip["variant"] == "base"], clip[clip["variant"] == "SA-4"]
    np.testing.assert_array_equal(whole.lines[0].get_ydata(), truth["arousal"])
    np.testing.assert_array_equal(whole.lines[3].get_ydata(), own["arousal_hat"])
    ccc, rmse = (f(own["arousal_hat"], own["arousal"]) for f in (ccc_score, rmse_error))
    assert legend(whole)[0] == "label"
    assert legend(whole)[3].startswith(f"SA-4   RMSE {rmse:.2f}  COR ")
    assert legend(whole)[3].endswith(f"CCC {ccc:.2f}")
    start, stop = figures.closest(truth[["valence", "arousal"]].to_numpy(), figures.close_length(40))
    np.testing.assert_array_equal(close.lines[3].get_ydata(), own["arousal_hat"][start:stop])
    assert CORPUS in words(figure)
    assert "Actor_07" in words(figure)


def test_a_short_clip_has_no_close_up() -> None:
    assert len(figures.prediction_curves(clip_table(12), ["base"], CORPUS, -10, 10).axes) == 2


def test_a_constant_estimate_scores_a_dash() -> None:
    clip = clip_table(12, ("base",)).assign(arousal_hat=1.0)
    figure = figures.prediction_curves(clip, ["base"], CORPUS, -10, 10)
    assert legend(figure.axes[1])[1].endswith("COR –  CCC –")


def test_a_curve_breaks_where_frames_are_missing() -> None:
    figure = figures.prediction_curves(clip_table(gap=True), ["base"], CORPUS, -10, 10)
    drawn = np.asarray(figure.axes[0].lines[0].get_ydata(), float)
    assert np.flatnonzero(np.isnan(drawn)).tolist() == [20]


def test_a_variant_with_fewer_frames_is_drawn_in_its_place() -> None:
    """Windows that do not overlap drop the remainder, so that positions differ between variants; times do not."""
    clip = clip_table()
    clip = clip[(clip["variant"] != "SA-4") | (clip["frame"] % 8 >= 4)]
    figure = figures.prediction_curves(clip, ["base", "SA-4"], CORPUS, -10, 10)
    low, high = figure.axes[1].lines[0].get_xdata()[[0, -1]]  # type: ignore[index]
    shown = np.asarray(figure.axes[1].lines[2].get_xdata(), float)
    assert len(shown)
    assert np.nanmin(shown) >= low
    assert np.nanmax(shown) <= high


def test_liveliest_part() -> None:
    labels = np.zeros((10, 2))
    labels[6:] = 1
    start, stop = figures.closest(labels, 4)
    assert stop - start == 4
    assert start <= 5 < 6 < stop
    assert figures.closest(labels, 10) == figures.closest(labels, 99) == (0, 10)
    assert [figures.close_length(n) for n in (5, 23, 24, 90, 1000)] == [5, 23, 12, 30, 48]


def metrics_of(names: tuple[str, ...]) -> dict[str, Any]:
    def entry(k: int) -> dict[str, Any]:
        numbers = {
            "ccc": 0.1 * k,
            "rmse": 3 - 0.2 * k,
            "ci95": {"ccc": [0.1 * k - 0.05, 0.1 * k + 0.04], "rmse": [None, None]},
        }
        return {"valence": numbers, "arousal": numbers, "mean": numbers}

    baselines = {"mean": {"valence": {"ccc": None, "rmse": 4.0}}, "ridge-1": entry(3)}
    return {"variants": {name: entry(k + 1) for k, name in enumerate(names)}, "baselines": baselines}


def test_metric_against_length() -> None:
    figure = figures.metric_by_length(metrics_of(("base", "S-2", "S-8", "SA-2", "SA-8")), CORPUS)
    lines = {str(line.get_label()): line for line in figure.axes[0].lines}
    np.testing.assert_allclose(np.asarray(lines["S-n"].get_ydata(), float), [0.2, 0.3])
    np.testing.assert_allclose(np.asarray(lines["SA-n"].get_ydata(), float), [0.4, 0.5])
    np.testing.assert_allclose(np.asarray(lines["ridge-1"].get_ydata(), float), 0.3)
    assert "mean" not in lines, "the training mean has no CCC"
    assert "mean" in {str(line.get_label()) for line in figure.axes[3].lines}, "but it has an RMSE"
    bars = figure.axes[0].collections[1].get_segments()  # type: ignore[attr-defined]
    np.testing.assert_allclose([bar[:, 1] for bar in bars], [[0.15, 0.24], [0.25, 0.34]])
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["1", "2", "8"]
    assert CORPUS in words(figure)


def attended(n: int = 4, faces: bool = True) -> figures.Attended:
    rng = np.random.default_rng(0)
    weights = np.array([0.5, 0.3, 0.2, *[0.0] * 40])[: n - 1]
    return figures.Attended("0_0$7", 0.4, weights, rng.integers(0, 255, (n, 8, 8, 3), np.uint8) if faces else None)


def bars_of(ax: Axes) -> dict[int, float]:
    boxes = [p for p in ax.patches if isinstance(p, Rectangle) and p.get_y() == 0]
    return {round(box.get_x() + box.get_width() / 2): box.get_height() for box in boxes}


def test_each_weight_stands_below_its_face() -> None:
    example = attended()
    figure = figures.attention_strips([example], np.tile(example.weights, (5, 1)), "SA-4", CORPUS)
    ax = figure.axes[0]
    height = bars_of(ax)
    assert sorted(height) == [-3, -2, -1]
    assert height[-2] / height[-1] == pytest.approx(0.3 / 0.5)
    assert height[-3] / height[-1] == pytest.approx(0.2 / 0.5)
    assert example.faces is not None
    shown = {round(sum(image.get_extent()[:2]) / 2): np.asarray(image.get_array()) for image in ax.images}
    assert sorted(shown) == [-3, -2, -1, 0]
    for lag, face in enumerate(example.faces):
        np.testing.assert_array_equal(shown[-lag], face)
    assert all(image.get_extent()[2] >= max(height.values()) for image in ax.images), "faces are above the bars"
    assert {"0.50", "0.30", "0.20", "−3", "now"} <= set(words(figure).splitlines())
    assert CORPUS in words(figure)
    assert "clip 0_0$7, 0.40 s, looking back on 3 frames" in words(figure)


def test_strips_without_faces_and_with_frames_missing(tmp_path: Path) -> None:
    weights = np.array([0.6, 0.4, np.nan])
    example = figures.Attended("001", 0.1, weights)
    overall = np.array([[0.6, 0.4, np.nan], [1.0, np.nan, np.nan]])
    figure = figures.attention_strips([example], overall, "SA-4", CORPUS)
    assert not figure.axes[0].images
    assert sorted(bars_of(figure.axes[0])) == [-2, -1], "no bar for a frame that there is not"
    means = bars_of(figure.axes[1])
    assert means[-1] / means[-2] == pytest.approx(0.8 / 0.4), "of the frames that look back so far"
    figures.save(figure, tmp_path / "a.png")


@pytest.mark.parametrize("n", [2, 32])
def test_strips_of_the_shortest_and_the_longest_window(n: int, tmp_path: Path) -> None:
    example = attended(n)
    figure = figures.attention_strips([example], example.weights[None], f"SA-{n}", CORPUS, figures.DARK)
    assert len(figure.axes[0].images) <= figures.FACES
    assert len(bars_of(figure.axes[0])) == n - 1
    figures.save(figure, tmp_path / "a.png")
    assert figure.get_figwidth() == figures.WIDTH


def test_attention_through_a_clip() -> None:
    clip = clip_table(variants=("SA-4",))
    weights = attention(clip, 4, np.random.default_rng(0))
    faces = np.random.default_rng(0).integers(0, 255, (40, 8, 8, 3), np.uint8)
    figure = figures.attention_through_clip(clip, weights, faces, "SA-4", CORPUS, 0.0)
    heat = next(ax for ax in figure.axes if ax.get_ylabel() == "frames back")
    drawn = np.ma.filled(heat.images[0].get_array(), np.nan)  # type: ignore[arg-type]
    np.testing.assert_array_equal(drawn, weights.T)
    top = figure.axes[0]
    assert len(top.images) == 12
    for image in top.images:
        frame = int(round(image.get_extent()[0] + 0.5, 6))
        np.testing.assert_array_equal(np.asarray(image.get_array()), faces[frame])
    assert CORPUS in words(figure)
    without = figures.attention_through_clip(clip, weights, None, "SA-4", CORPUS, 0.0)
    assert len(without.axes) == len(figure.axes) - 1


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
    figure = figures.loss_curves({"S-8": second, "S-2": second, "base": base}, CORPUS)
    assert len(figure.axes) == 8
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [1.5, 1.25])
    assert legend(figure.axes[0]) == ["loss  1.25"]
    assert legend(figure.axes[3]) == ["valence CCC  0.4"]
    assert legend(figure.axes[4]) == ["S-2  1", "S-8  1"]
    assert legend(figure.axes[7]) == ["S-2  0.7", "S-8  0.7"]
    assert "not recorded" in words(figure), "phase C is missing"
    assert CORPUS in words(figure)


def test_examples_go_from_the_most_concentrated_to_the_most_even() -> None:
    weights = np.array([[1, np.nan, np.nan], [0.4, 0.3, 0.3], [1, 0, 0], [0.6, 0.4, 0], [0.34, 0.33, 0.33]])
    assert figures.pick_examples(weights) == [2, 1, 4], "row 0 has no full window, and 3 lies between 2 and 1"
    assert figures.pick_examples(weights[:1]) == []
    assert figures.pick_examples(weights[:0]) == []
    assert figures.pick_examples(weights[1:3], 3) == [1, 0]


def test_saving_is_whole_or_not_at_all(tmp_path: Path) -> None:
    figure = figures.attention_strips([attended()], np.ones((1, 3)) / 3, "SA-4", CORPUS)
    figures.save(figure, tmp_path / "deep" / "a.svg")
    figures.save(figure, tmp_path / "deep" / "a.png")
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["a.png", "a.svg"]
    assert (tmp_path / "deep" / "a.svg").read_text().startswith("<?xml")
    (tmp_path / "taken.svg").mkdir()
    with pytest.raises(OutputError):
        figures.save(figure, tmp_path / "taken.svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "taken.svg"]


def test_no_pyplot() -> None:
    """pyplot has global state and looks for a screen."""
    code = "import sys, anclaf.report.html; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
