"""Scores against the window's length."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from anclaf.core.words import number
from anclaf.models.spec import Variant, variant_order
from anclaf.report.figures.theme import LIGHT, Theme, framed, style
from anclaf.report.tables import heading

_PLACES = {"base": (1.0, "D"), "S": (0.96, "o"), "SA": (1.04, "s")}
"""Of each kind, so that points of equal n lie beside each other: factor of n, and the point's shape."""
_CONTROLS = {"+": "P", "-direct": "X"}
"""Of controls, whose lines are dashed."""
_OTHERS = ((1.12, "^"), (0.89, "v"), (1.2, "P"))
"""Of kinds that other packages bring."""
_STYLES: tuple[Any, ...] = ((0, (1, 1.5)), (0, (5, 2)), (0, (5, 1.5, 1, 1.5)))
_COMPARATORS = len(_STYLES)
"""How many of the comparators are drawn, the best ones."""


def metric_by_length(metrics: Mapping[str, Any], corpus: str, fps: float, theme: Theme = LIGHT) -> Figure:
    """CCC and RMSE against the window's length n, in frames below and in milliseconds above, with 95 % intervals.

    The best length of each series (S-n, S-n+, SA-n…) by the CCC of the panel is ringed, and the best three comparators
    are horizontal lines.

    Args:
        metrics: what metrics.json holds. fps: frames a second; 0 or NaN leaves the milliseconds out.
    """
    figure = framed(theme, 7.1, "Scores by window length", corpus)
    axes = figure.subplots(2, 3, squeeze=False, sharey="row")
    all_series: dict[str, list[Variant]] = {}
    for variant in map(Variant.recorded, sorted(metrics["variants"], key=variant_order)):
        all_series.setdefault(variant.series, []).append(variant)
    lengths = sorted({variant.n for own in all_series.values() for variant in own})
    for row, metric in enumerate(("ccc", "rmse")):
        for column, dimension in enumerate(("valence", "arousal", "mean")):
            ax = axes[row, column]
            style(ax, theme)
            others = iter(_OTHERS * len(all_series))
            for series, own in all_series.items():
                offset, marker = _PLACES.get(own[0].kind) or next(others)
                entries = [metrics["variants"][str(variant)].get(dimension) or {} for variant in own]
                position = [variant.n * offset for variant in own]
                look = {"color": theme.of(str(own[0])), "marker": marker, "label": series}
                if own[0].control:
                    look |= {"marker": _CONTROLS.get(own[0].control, "*"), "linestyle": "--"}
                _points(ax, position, entries, metric, look)
            for (name, entry), line in zip(_best_comparators(metrics), cycle(_STYLES), strict=False):
                value = number((entry.get(dimension) or {}).get(metric))
                if math.isfinite(value):
                    label = str(entry.get("label", name))
                    ax.axhline(value, color=theme.comparator, linewidth=1.3, linestyle=line, label=label, zorder=1)
            _length_axes(ax, lengths, fps, theme, above=row == 0, below=row == 1)
            if row == 0:
                ax.set_title(dimension, fontsize=10, color=theme.ink, loc="left")
        axes[row, 0].set_ylabel(heading(metric), color=theme.soft, fontsize=9)
    handles: dict[Any, Any] = {}
    for ax in axes.flat:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside upper right",
        ncols=math.ceil(len(handles) / 2),
        frameon=False,
        fontsize=9,
        labelcolor=theme.ink,
    )
    return figure


def _length_axes(ax: Axes, lengths: Sequence[int], fps: float, theme: Theme, above: bool, below: bool) -> None:
    """n on a scale of powers of two: frames below the panel, milliseconds above it."""
    ax.set_xscale("log", base=2)
    ax.set_xlim(lengths[0] / 1.25, lengths[-1] * 1.25)
    if below:
        ax.set_xlabel("window n, frames", color=theme.soft, fontsize=9)
    _ticks(ax.xaxis, lengths)
    if above and fps > 0:

        def to_ms(n: Any) -> Any:
            return 1000 * n / fps

        top = ax.secondary_xaxis("top", functions=(to_ms, lambda ms: np.asarray(ms) * fps / 1000))
        top.set_xlabel(f"milliseconds, at {fps:g} frames a second", color=theme.soft, fontsize=8)
        top.tick_params(colors=theme.soft, labelsize=8, length=0)
        top.spines["top"].set_visible(False)
        _ticks(top.xaxis, [to_ms(n) for n in lengths])


def _ticks(axis: Axis, positions: Sequence[float]) -> None:
    axis.set_major_locator(FixedLocator(positions))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FixedFormatter([f"{position:.0f}" for position in positions]))


def _best_comparators(metrics: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """By mean CCC, those without one last."""

    def order(entry: Mapping[str, Any]) -> float:
        value = number((entry.get("mean") or {}).get("ccc"))
        return -value if math.isfinite(value) else math.inf

    return sorted((metrics.get("comparators") or {}).items(), key=lambda item: order(item[1]))[:_COMPARATORS]


def _points(
    ax: Axes,
    position: list[float],
    entries: Sequence[Mapping[str, Any]],
    metric: str,
    look: Mapping[str, Any],
) -> None:
    """look: colour, marker and label of the line."""
    value = np.array([number(entry.get(metric)) for entry in entries])
    bounds = [(entry.get("ci95") or {}).get(metric) or (None, None) for entry in entries]
    low, high = np.array([[number(bound) for bound in pair] for pair in bounds]).T
    ax.vlines(position, low, high, color=look["color"], linewidth=1.2, alpha=0.6)
    ax.plot(position, value, markersize=5, linewidth=1.6, **look)
    if len(value) > 1 and np.isfinite(value).any():
        best = int(np.nanargmin(value) if metric == "rmse" else np.nanargmax(value))
        ax.plot(position[best], value[best], "o", markersize=12, markerfacecolor="none", color=look["color"])
