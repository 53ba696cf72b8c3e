"""Attention weights: S-n against SA-n with the weights under the faces, and all SA-n over a stretch of frames.

Both figures are laid out by hand, in inches from the top, so that a weight stands under the face it belongs to.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from anclaf.core.words import number, number_text
from anclaf.models.spec import Variant
from anclaf.report.figures.curves import clip_scores, curve
from anclaf.report.figures.theme import LIGHT, WIDTH, Theme, legend, style, words
from anclaf.report.tables import heading

FACES = 16
"""At most so many faces stand side by side in a strip."""
_LEFT, _RIGHT = 0.85, 0.25
"""Inches beside the panels."""


@dataclass(frozen=True)
class Window:
    """One window of an SA model.

    Args:
        title: in a few words.
        end: position of its last frame in the clip.
        weights: (K,), of the state j + 1 frames before, NaN where there is none.
        faces: (K + 1, S, S, 3) uint8 RGB, j frames before the last (so [0] is the last), or None.
    """

    title: str
    end: int
    weights: NDArray[np.floating]
    faces: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class _Strip:
    """Heights of the parts of a strip in inches, and its width."""

    title: float = 0.34
    bars: float = 0.8
    lags: float = 0.34
    width: float = 6.9


_STRIP = _Strip()


def attention_against_plain(
    clip: pd.DataFrame,
    plain: str,
    attending: str,
    windows: Sequence[Window],
    corpus: str,
    middle: float,
    theme: Theme = LIGHT,
) -> Figure:
    """S-n against SA-n through a clip; below, windows of SA-n: faces, the weights under them, the curves beside them.

    Args:
        clip: rows of one clip of predictions.parquet, both models among them.
        middle: of the label scale, corpus units.
    """  # fmt: skip
    n, colour = len(windows[0].weights) + 1, theme.of(attending)
    slots = max(n, 8)
    unit = _STRIP.width / slots  # inches that a frame is wide
    stride = math.ceil(n / FACES)
    face = 0.96 * stride * unit if any(window.faces is not None for window in windows) else 0.0
    tall = _STRIP.title + face + _STRIP.bars + _STRIP.lags
    height = 0.45 + 2 * 1.55 + 0.35 + len(windows) * (tall + 0.15) + 0.3
    figure = Figure(figsize=(WIDTH, height), facecolor=theme.paper)
    words(figure, f"{plain} and {attending} through clip {clip['clip'].iloc[0]}", corpus, theme)
    truth = clip[clip["variant"] == attending].reset_index(drop=True)
    time = truth["time_s"].to_numpy(np.float64)
    spans = [(time[max(0, window.end - n + 1)], time[window.end]) for window in windows]
    top = 0.45
    for dimension in ("valence", "arousal"):
        ax = _panel(figure, top + 0.3, 1.15)
        _pair_of_curves(ax, clip, plain, attending, dimension, middle, theme)
        for i, (first, last) in enumerate(spans):
            ax.axvspan(first, last, color=theme.line, zorder=0, linewidth=0)
            ax.text((first + last) / 2, 0.98, _letter(i), transform=ax.get_xaxis_transform(), ha="center", va="top",
                    fontsize=8, color=theme.soft)  # fmt: skip
        legend(ax, theme, ncols=3)
        ax.tick_params(labelbottom=dimension == "arousal")
        top += 1.55
    ax.set_xlabel("seconds", color=theme.soft, fontsize=9)
    top += 0.35
    peak = max(min(1.0, 2 / (n - 1)), *(float(np.nanmax(window.weights)) for window in windows))
    for i, (window, (first, last)) in enumerate(zip(windows, spans, strict=True)):
        ax = _panel(figure, top, tall, 0.3, _STRIP.width)
        ax.axis("off")
        ax.set(xlim=(-n + 0.5, -n + 0.5 + slots), ylim=(-_STRIP.lags, tall - _STRIP.lags))
        if window.faces is not None:
            _faces(ax, window.faces, stride, unit, colour)
        _bars(ax, window.weights, peak, theme, colour)
        ax.text(-n + 0.52, tall - _STRIP.lags - 0.08, f"{_letter(i)}: {window.title}", color=theme.ink, fontsize=9,
                va="top", parse_math=False)  # fmt: skip
        margin = 0.5 * (last - first)
        close = clip[clip["time_s"].between(first - margin, last + margin)]
        inner = (tall - _STRIP.lags - 0.25) / 2
        for k, dimension in enumerate(("valence", "arousal")):
            ax = _panel(figure, top + 0.15 + k * (inner + 0.1), inner, _STRIP.width + 0.9, WIDTH - _STRIP.width - 1.15)
            _pair_of_curves(ax, close, plain, attending, dimension, middle, theme)
            ax.axvspan(first, last, color=theme.line, zorder=0, linewidth=0)
            ax.tick_params(labelbottom=dimension == "arousal", labelsize=7)
            ax.yaxis.set_major_locator(MaxNLocator(nbins=4))
        top += tall + 0.15
    return figure


def attention_by_length(
    clip: pd.DataFrame,
    weights: Mapping[str, NDArray[np.floating]],
    stretch: tuple[int, int],
    faces: NDArray[np.uint8] | None,
    motion: NDArray[np.floating] | None,
    metrics: Mapping[str, Any],
    corpus: str,
    theme: Theme = LIGHT,
) -> Figure:
    """All SA-n through a clip; one stretch of it with faces, motion and every model's weights; their scores below.

    Args:
        clip: rows of one clip of predictions.parquet, all models among them; M frames.
        weights: SA-n -> (M, K), of the state j + 1 frames before; rows of NaN where it has no estimate.
        stretch: first frame and the one after the last, of the M.
        faces: of the stretch, (stop - start, S, S, 3) uint8 RGB, or None.
        motion: (M,) of the landmarks since the frame before, in sides of the crop, or None.
        metrics: what metrics.json holds.
    """  # fmt: skip
    start, stop = stretch
    names = list(weights)
    inner = WIDTH - _LEFT - _RIGHT
    shown = np.arange(start, stop, math.ceil((stop - start) / FACES))
    face = inner / len(shown) if faces is not None else 0.0
    face = min(face, 1.0)
    height = 0.75 + 2 * 1.35 + 0.5 + face + 0.75 * (motion is not None) + 0.62 * len(names) + 0.45
    height += 0.22 * (len(names) + 2) + 0.3
    figure = Figure(figsize=(WIDTH, height), facecolor=theme.paper)
    words(figure, f"{Variant.recorded(names[0]).kind}-n through clip {clip['clip'].iloc[0]}", corpus, theme)
    shades = theme.shades(names)
    top = 0.6
    for dimension in ("valence", "arousal"):
        ax = _panel(figure, top, 1.25)
        style(ax, theme)
        truth = clip[clip["variant"] == names[0]]
        curve(ax, truth, dimension, theme.ink, 2.2, "label")
        for name in names:
            curve(ax, clip[clip["variant"] == name], f"{dimension}_hat", shades[name], 1.5, name)
        time = truth["time_s"].to_numpy(np.float64)
        ax.axvspan(time[start], time[stop - 1], color=theme.line, zorder=0, linewidth=0)
        ax.set_ylabel(dimension, color=theme.soft, fontsize=9)
        ax.tick_params(labelbottom=dimension == "arousal")
        if dimension == "valence":
            legend(ax, theme, ncols=1 + len(names))
        top += 1.35
    ax.set_xlabel("seconds; below, the shaded part frame by frame", color=theme.soft, fontsize=9)
    top += 0.5
    if faces is not None:
        ax = _panel(figure, top, face)
        step = (stop - start) / len(shown)
        for i, frame in enumerate(shown):
            ax.imshow(faces[frame - start], extent=(i * step, (i + 0.97) * step, 0, 1), aspect="auto",
                      interpolation="bilinear")  # fmt: skip
        ax.set(xlim=(0, stop - start), ylim=(0, 1))
        ax.axis("off")
        top += face
    if motion is not None:
        ax = _panel(figure, top + 0.1, 0.55)
        _stretch_axes(ax, start, stop, "motion", theme)
        part = motion[start:stop]
        ax.bar(np.arange(start, stop), np.nan_to_num(part), width=0.8, color=theme.soft)
        ax.set_ylim(0, max(float(np.nanmax(part)) if np.isfinite(part).any() else 0.0, 1e-6) * 1.1)
        top += 0.75
    for name in names:
        ax = _panel(figure, top + 0.08, 0.5)
        _stretch_axes(ax, start, stop, name, theme)
        _tiles(ax, weights[name], start, stop, shades[name], theme)
        top += 0.62
    ax.tick_params(labelbottom=True)
    ax.set_xlabel("frame of the clip", color=theme.soft, fontsize=9)
    _scores_legend(_panel(figure, top + 0.5, 0.22 * (len(names) + 2)), metrics, shades, theme)
    return figure


def window_ends(weights: NDArray[np.floating], start: int, stop: int) -> list[int]:
    """Last frames of windows that lie side by side within start … stop - 1, the last one first; full windows only."""
    n = weights.shape[1] + 1
    ends: list[int] = []
    end = stop - 1
    while end - n + 1 >= start:
        if np.isfinite(weights[end]).all():
            ends.append(end)
            end -= n
        else:
            end -= 1
    return ends


def _tiles(ax: Axes, weights: NDArray[np.floating], start: int, stop: int, colour: str, theme: Theme) -> None:
    """Windows side by side: a bar for each state's weight, a dot for the frame estimated, dashed: uniform weights."""
    n = weights.shape[1] + 1
    ends = window_ends(weights, start, stop)
    if not ends:
        ax.text(0.5, 0.5, "no full window here", transform=ax.transAxes, ha="center", va="center", fontsize=8,
                color=theme.soft)  # fmt: skip
        return
    peak = max(float(weights[ends].max()), 1e-6)
    for end in ends:
        ax.bar(end - 1 - np.arange(n - 1), weights[end], width=0.8, color=colour)
        ax.plot(end, 0.06 * peak, "o", markersize=3, color=theme.soft)
        ax.plot([end - n + 0.5, end - 0.5], [1 / (n - 1)] * 2, color=theme.ink, linewidth=0.7, linestyle=(0, (3, 2)))
    ax.set_ylim(0, 1.1 * peak)


def _stretch_axes(ax: Axes, start: int, stop: int, label: str, theme: Theme) -> None:
    style(ax, theme)
    ax.grid(False)
    ax.set_xlim(start - 0.5, stop - 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=16))
    ax.tick_params(labelbottom=False)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=2))
    ax.tick_params(axis="y", labelsize=7)
    ax.set_ylabel(label, color=theme.ink, fontsize=9)


def _scores_legend(ax: Axes, metrics: Mapping[str, Any], shades: Mapping[str, str], theme: Theme) -> None:
    """The scores on all test frames, a line for each model, under the colour it is drawn in."""
    shown = [(dimension, metric) for dimension in ("valence", "arousal") for metric in ("rmse", "cor", "ccc")]
    ax.axis("off")
    ax.set(xlim=(0, 1), ylim=(len(shades) + 2, 0))
    columns = 0.2 + 0.13 * np.arange(len(shown))
    ax.text(0, 0.5, "on all test frames", fontsize=9, color=theme.soft, va="center")
    for x, (dimension, metric) in zip(columns, shown, strict=True):
        if metric == "rmse":
            ax.text(x, 0.5, dimension, fontsize=9, color=theme.ink, va="center")
        ax.text(x, 1.5, heading(metric), fontsize=8, color=theme.soft, va="center")
    for row, (name, colour) in enumerate(shades.items(), 2):
        ax.plot([0, 0.03], [row + 0.5] * 2, color=colour, linewidth=2.5)
        ax.text(0.04, row + 0.5, name, fontsize=9, color=theme.ink, va="center")
        for x, (dimension, metric) in zip(columns, shown, strict=True):
            value = number((metrics["variants"][name].get(dimension) or {}).get(metric))
            ax.text(x, row + 0.5, number_text(value), fontsize=9, color=theme.ink, va="center")


def _panel(figure: Figure, top: float, tall: float, left: float = _LEFT, width: float | None = None) -> Axes:
    """Axes at a position in inches from the top left."""
    height = figure.get_figheight()
    width = WIDTH - _LEFT - _RIGHT if width is None else width
    return figure.add_axes((left / WIDTH, (height - top - tall) / height, width / WIDTH, tall / height))


def _pair_of_curves(
    ax: Axes, clip: pd.DataFrame, plain: str, attending: str, dimension: str, middle: float, theme: Theme
) -> None:
    style(ax, theme)
    curve(ax, clip[clip["variant"] == attending], dimension, theme.ink, 2.2, "label")
    for name in (plain, attending):
        table = clip[clip["variant"] == name]
        scores = clip_scores(table[f"{dimension}_hat"].to_numpy(), table[dimension].to_numpy(), middle)
        curve(ax, table, f"{dimension}_hat", theme.of(name), 1.6, f"{name}   {scores}")
    ax.set_ylabel(dimension, color=theme.soft, fontsize=9)


def _letter(i: int) -> str:
    return chr(ord("a") + i)


def _faces(ax: Axes, faces: NDArray[np.uint8], stride: int, unit: float, colour: str) -> None:
    """Every stride-th face above the bars, x in frames and y in inches."""
    limits = ax.get_xlim(), ax.get_ylim()
    size = 0.96 * stride
    for lag in range(0, len(faces), stride):
        right = -lag + 0.48
        bottom = _STRIP.bars
        extent = (right - size, right, bottom, bottom + size * unit)
        ax.imshow(faces[lag], extent=extent, interpolation="bilinear", aspect="auto")
        if lag == 0:
            ax.add_patch(
                Rectangle((right - size, bottom), size, size * unit, fill=False, edgecolor=colour, linewidth=2.2)
            )
    ax.set(xlim=limits[0], ylim=limits[1])


def _bars(ax: Axes, weights: NDArray[np.floating], peak: float, theme: Theme, strongest: str) -> None:
    """A bar for each frame attended to, its lag below, its weight above; y in inches from 0, `peak` the highest."""
    n = len(weights) + 1
    scale = (_STRIP.bars - 0.26) / peak
    uniform = scale / max(1, np.isfinite(weights).sum())
    ax.plot([-n + 0.5, -0.5], [0, 0], color=theme.soft, linewidth=0.7)
    for j, weight in enumerate(weights):
        x = -(j + 1)
        if n <= FACES or j % 4 == 3:
            ax.text(x, -0.05, f"−{j + 1}", ha="center", va="top", fontsize=8, color=theme.soft)
        if not math.isfinite(weight):
            continue
        top = float(weight) * scale
        colour = theme.faded(strongest, 0.35 + 0.65 * min(1.0, float(weight) / peak))
        ax.add_patch(Rectangle((x - 0.4, 0), 0.8, top, facecolor=colour, linewidth=0))
        if n <= FACES:
            ax.text(x, max(top, uniform) + 0.03, f"{weight:.2f}", ha="center", va="bottom", fontsize=8, color=theme.ink)
    ax.plot([-n + 0.5, -0.5], [uniform, uniform], color=theme.soft, linewidth=0.8, linestyle=(0, (3, 2)))
    ax.text(0, -0.05, "now", ha="center", va="top", fontsize=8, color=theme.soft)
