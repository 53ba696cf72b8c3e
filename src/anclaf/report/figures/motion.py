"""Attention weights by lag, and their correlation with the motion of the face."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from anclaf.evaluation.attention_motion import OFFSETS, Correlation
from anclaf.report.figures.theme import LIGHT, Theme, framed, legend, style


def attention_and_motion(
    by_lag: Mapping[str, NDArray[np.floating]],
    whole: Sequence[Correlation],
    beyond: Sequence[Correlation],
    by_offset: Mapping[str, Sequence[Correlation]],
    corpus: str,
    theme: Theme = LIGHT,
) -> Figure:
    """Three panels: mean weight by lag, correlation with motion by n, and the same by offset of the motion.

    Args:
        by_lag: SA-n -> (K,) mean weight of the state j + 1 frames before.
        whole, beyond: a correlation for each of `by_offset`, with and without the effect of the position in the window.
        by_offset: SA-n -> a correlation for each of `OFFSETS`, minus each lag's mean.
    """
    figure = framed(theme, 3.9, "Attention weights and the motion of the landmarks", corpus)
    lags, lengths, offsets = figure.subplots(1, 3)
    for ax in (lags, lengths, offsets):
        style(ax, theme)
    for (name, mean), colour in zip(by_lag.items(), theme.shades(list(by_lag)).values(), strict=True):
        lags.plot(np.arange(1, len(mean) + 1), mean, color=colour, marker=".", linewidth=1.4, label=name)
    _name(lags, "frames back", "mean weight", theme)
    lags.xaxis.set_major_locator(MaxNLocator(integer=True))
    lags.set_ylim(bottom=0)
    legend(lags, theme, ncols=4)
    names = list(by_offset)
    for found, shift, colour, marker, label in (
        (whole, -0.09, theme.sa, "s", "as they are"),
        (beyond, 0.09, theme.s, "o", "minus each lag's mean"),
    ):
        x = np.arange(len(names)) + shift
        lengths.vlines(x, [c.low for c in found], [c.high for c in found], color=colour, linewidth=1.4, alpha=0.7)
        lengths.plot(x, [c.value for c in found], marker, color=colour, markersize=5, label=label)
    lengths.set_xticks(range(len(names)), names)
    lengths.set_xlim(-0.6, len(names) - 0.4)
    _name(lengths, "weights against the motion at the state", "correlation", theme)
    legend(lengths, theme, ncols=2)
    for (name, found), colour in zip(by_offset.items(), theme.shades(names).values(), strict=True):
        offsets.plot(OFFSETS, [c.value for c in found], color=colour, marker=".", linewidth=1.4, label=name)
    _name(offsets, "frames from the state to the motion", "correlation, minus each lag's mean", theme)
    legend(offsets, theme, ncols=4)
    for ax in (lengths, offsets):
        ax.axhline(0, color=theme.soft, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)
    return figure


def _name(ax: Axes, x: str, y: str, theme: Theme) -> None:
    ax.set_xlabel(x, color=theme.soft, fontsize=9)
    ax.set_ylabel(y, color=theme.soft, fontsize=9)
