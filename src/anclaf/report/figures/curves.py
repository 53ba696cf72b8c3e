"""Estimates against the labels through a clip."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anclaf.core.windows import MAX_GAP
from anclaf.metrics.regression import Moments
from anclaf.report.figures.theme import LIGHT, Theme, framed, legend, style

SHORTEST_CLOSE_UP = 24
"""A clip of fewer frames is shown whole only."""


def prediction_curves(
    clip: pd.DataFrame, variants: Sequence[str], corpus: str, low: float, high: float, theme: Theme = LIGHT
) -> Figure:
    """Estimates against the labels through one test clip, and a close-up of it.

    Args:
        clip: rows of one clip of predictions.parquet, all of `variants` among them.
        corpus: which corpus this is of, in words.
        low, high: the label scale, corpus units.
    """
    truth = clip[clip["variant"] == variants[0]]
    start, stop = closest(truth[["valence", "arousal"]].to_numpy(np.float64), close_length(len(truth)))
    # in seconds, because a variant whose windows do not overlap has fewer frames than another
    first, last = truth["time_s"].to_numpy(np.float64)[[start, stop - 1]]
    spans = [(-np.inf, np.inf)] if stop - start == len(truth) else [(-np.inf, np.inf), (first, last)]
    rows = math.ceil((1 + len(variants)) / 2)
    title = f"Clip {truth['clip'].iloc[0]} · person {truth['subject'].iloc[0]}"
    figure = framed(theme, 6.0 + 0.3 * rows, title, corpus)
    shades = theme.shades(variants)
    axes = figure.subplots(2, len(spans), squeeze=False, sharey="row", width_ratios=(1.7, 1)[: len(spans)])
    for row, dimension in enumerate(("valence", "arousal")):
        for ax, span in zip(axes[row], spans, strict=True):
            style(ax, theme)
            curve(ax, truth[truth["time_s"].between(*span)], dimension, theme.ink, 2.2, "label")
            for variant in variants:
                table = clip[clip["variant"] == variant]
                scores = clip_scores(
                    table[f"{dimension}_hat"].to_numpy(), table[dimension].to_numpy(), (low + high) / 2
                )
                width = 1.0 if variant == "base" else 1.7
                shown = table[table["time_s"].between(*span)]
                curve(ax, shown, f"{dimension}_hat", shades[variant], width, f"{variant}   {scores}")
            ax.axhline((low + high) / 2, color=theme.soft, linewidth=0.6, linestyle=(0, (2, 3)), zorder=1)
        for ax in axes[row, 1:]:
            for line in ax.lines[1:-1]:
                line.set(marker=".", markersize=4)
            ax.set_title("close-up of the shaded part", fontsize=9, color=theme.soft, loc="left")
            axes[row, 0].axvspan(first, last, color=theme.line, zorder=0, linewidth=0)
        axes[row, 0].set_ylabel(f"{dimension}  ({low:g} … {high:g})".replace("-", "−"), color=theme.soft, fontsize=9)
        legend(axes[row, 0], theme, ncols=2)
    for ax in axes[1]:
        ax.set_xlabel("seconds", color=theme.soft, fontsize=9)
    return figure


def close_length(frames: int) -> int:
    """How many frames a close-up has: about a third of the clip, 12 to 48; all of a clip too short to have one."""
    return frames if frames < SHORTEST_CLOSE_UP else int(np.clip(frames // 3, 12, 48))


def closest(labels: NDArray[np.float64], length: int) -> tuple[int, int]:
    """Half-open range of the `length` frames in which (N, 2) labels move the most; the first such range."""
    if length >= len(labels):
        return 0, len(labels)
    moved = np.concatenate([[0.0], np.abs(np.diff(labels, axis=0)).sum(1).cumsum()])
    start = int(np.argmax(moved[length - 1 :] - moved[: len(moved) - length + 1]))
    return start, start + length


def curve(ax: Axes, table: pd.DataFrame, column: str, colour: str, width: float, label: str) -> None:
    """A line through the frames, broken where frames are missing."""
    time, value = table["time_s"].to_numpy(np.float64), table[column].to_numpy(np.float64)
    step = np.diff(time)
    if len(step):
        cut = np.flatnonzero(step > MAX_GAP * np.median(step)) + 1
        time, value = np.insert(time, cut, np.nan), np.insert(value, cut, np.nan)
    ax.plot(time, value, color=colour, linewidth=width, label=label)


def clip_scores(estimate: NDArray[np.floating], target: NDArray[np.floating], middle: float) -> str:
    """Scores of one clip in words; a dash where one is not defined, as in short clips."""
    scores = Moments.of(estimate, target, middle).metrics()
    shown = ((name, float(scores[name])) for name in ("rmse", "cor", "ccc"))
    return "  ".join(
        f"{name.upper()} {value:.2f}" if math.isfinite(value) else f"{name.upper()} –" for name, value in shown
    )
