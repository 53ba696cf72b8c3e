"""The report's pictures, drawn with matplotlib's objects: no pyplot, no global state, nothing on a screen.

Every picture is 11 inches wide, names its corpus, and comes in a light and a dark `Theme` of colours (after Okabe and
Ito, told apart by the colour-blind, and by line style where they would not be).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from anclaf.core.files import atomic_path
from anclaf.core.windows import MAX_GAP
from anclaf.metrics.regression import Moments
from anclaf.models.spec import Variant
from anclaf.report.tables import heading, number, variant_order

WIDTH = 11.0
"""Inches; 1100 pixels on the page."""
FACES = 16
"""At most so many faces stand side by side in a strip."""
_THROUGH = 12
"""As many faces stand above a clip."""


@dataclass(frozen=True)
class Theme:
    """Colours. paper: behind everything. ink: labels and words. soft: axes. line: grid. The rest: whose line it is."""

    name: str
    paper: str
    ink: str
    soft: str
    line: str
    base: str
    s: str
    sa: str
    baseline: str

    def of(self, variant: str) -> str:
        return {"base": self.base, "S": self.s, "SA": self.sa}[Variant.parse(variant).kind]

    def faded(self, colour: str, strength: float) -> str:
        """Between the paper (0) and the colour (1)."""
        red, green, blue = strength * np.array(to_rgb(colour)) + (1 - strength) * np.array(to_rgb(self.paper))
        return to_hex((float(red), float(green), float(blue)))


LIGHT = Theme("light", "#ffffff", "#1b2330", "#5a6472", "#e3e7ec", "#8a6bb1", "#0072b2", "#d55e00", "#008f6b")
DARK = Theme("dark", "#161b22", "#e7eaee", "#a3acb8", "#2c343e", "#b79ae0", "#56b4e9", "#f0a13a", "#3cc79b")


@dataclass(frozen=True)
class Attended:
    """One test frame of an SA model and what it looked back on.

    weights: (n - 1,) of the state j + 1 frames before, NaN where there is none.
    faces: (n, S, S, 3) uint8 RGB, j frames before the frame (so [0] is the frame itself), or None.
    """

    clip: str
    time_s: float
    weights: NDArray[np.floating]
    faces: NDArray[np.uint8] | None = None


def save(figure: Figure, path: Path) -> None:
    """Write a picture whole or not at all; the suffix (.svg or .png) says as what.

    Raises:
        OutputError: the disk is full or the folder cannot be written.
    """
    kind = path.suffix[1:]
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=130, facecolor=figure.get_facecolor(), metadata=metadata)


def prediction_curves(
    clip: pd.DataFrame, variants: Sequence[str], corpus: str, low: float, high: float, theme: Theme = LIGHT
) -> Figure:
    """Estimates against the labels through one test clip, and a close-up of it (figure 2 of the paper).

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
    figure = _figure(theme, 6.4, f"Clip {truth['clip'].iloc[0]} · person {truth['subject'].iloc[0]}", corpus)
    axes = figure.subplots(2, len(spans), squeeze=False, sharey="row", width_ratios=(1.7, 1)[: len(spans)])
    for row, dimension in enumerate(("valence", "arousal")):
        for ax, span in zip(axes[row], spans, strict=True):
            _style(ax, theme)
            _curve(ax, truth[truth["time_s"].between(*span)], dimension, theme.ink, 2.2, "label")
            for variant in variants:
                table = clip[clip["variant"] == variant]
                scores = _scores(table[f"{dimension}_hat"].to_numpy(), table[dimension].to_numpy(), (low + high) / 2)
                width = 1.0 if variant == "base" else 1.7
                shown = table[table["time_s"].between(*span)]
                _curve(ax, shown, f"{dimension}_hat", theme.of(variant), width, f"{variant}   {scores}")
            ax.axhline((low + high) / 2, color=theme.soft, linewidth=0.6, linestyle=(0, (2, 3)), zorder=1)
        for ax in axes[row, 1:]:
            for line in ax.lines[1:-1]:
                line.set(marker=".", markersize=4)
            ax.set_title("close-up of the shaded part", fontsize=9, color=theme.soft, loc="left")
            axes[row, 0].axvspan(first, last, color=theme.line, zorder=0, linewidth=0)
        axes[row, 0].set_ylabel(f"{dimension}  ({low:g} … {high:g})".replace("-", "−"), color=theme.soft, fontsize=9)
        _legend(axes[row, 0], theme, ncols=2)
    for ax in axes[1]:
        ax.set_xlabel("seconds", color=theme.soft, fontsize=9)
    return figure


def metric_by_length(metrics: Mapping[str, Any], corpus: str, theme: Theme = LIGHT) -> Figure:
    """CCC and RMSE against the window's length n, with 95 % intervals, beside the baselines (compare figure 4)."""
    dimensions = ("valence", "arousal", "mean")
    figure = _figure(theme, 6.2, "What the window's length is worth", corpus)
    axes = figure.subplots(2, 3, squeeze=False, sharey="row")
    names = sorted(metrics["variants"], key=variant_order)
    lengths = sorted({Variant.parse(name).n for name in names})
    for row, metric in enumerate(("ccc", "rmse")):
        for column, dimension in enumerate(dimensions):
            ax = axes[row, column]
            _style(ax, theme)
            for kind, offset, marker in (("base", 1.0, "D"), ("S", 0.96, "o"), ("SA", 1.04, "s")):
                own = [name for name in names if Variant.parse(name).kind == kind]
                if own:
                    label = {"base": "base", "S": "S-n", "SA": "SA-n"}[kind]
                    entries = [metrics["variants"][name].get(dimension) or {} for name in own]
                    position = [Variant.parse(name).n * offset for name in own]
                    _points(ax, position, entries, metric, theme.of(own[0]), marker, label)
            for (name, entry), style in zip((metrics.get("baselines") or {}).items(), cycle(_STYLES), strict=False):
                value = number((entry.get(dimension) or {}).get(metric))
                if math.isfinite(value):
                    ax.axhline(value, color=theme.baseline, linewidth=1.3, linestyle=style, label=name, zorder=1)
            ax.set_xscale("log", base=2)
            ax.set_xlim(lengths[0] / 1.25, lengths[-1] * 1.25)
            ax.xaxis.set_major_locator(FixedLocator(lengths))
            ax.xaxis.set_minor_locator(NullLocator())
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.set_xticks(lengths, [f"{n}" for n in lengths])
            if row == 0:
                ax.set_title(dimension, fontsize=10, color=theme.ink, loc="left")
            else:
                ax.set_xlabel("window n, frames", color=theme.soft, fontsize=9)
        axes[row, 0].set_ylabel(heading(metric), color=theme.soft, fontsize=9)
    handles: dict[Any, Any] = {}
    for ax in axes.flat:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside upper right",
        ncols=len(handles),
        frameon=False,
        fontsize=9,
        labelcolor=theme.ink,
    )
    return figure


def attention_strips(
    examples: Sequence[Attended], overall: NDArray[np.floating], variant: str, corpus: str, theme: Theme = LIGHT
) -> Figure:
    """Attention weights under the faces they belong to, oldest on the left (figure 3 of the paper).

    Args:
        overall: (N, n - 1) weights of all test frames; their mean and 5-95 % range by lag stand at the bottom.
    """
    n = overall.shape[1] + 1
    stride = math.ceil(n / FACES)
    slots = max(n, 8)
    unit = (WIDTH - 0.8) / slots  # inches that a frame is wide
    face = 0.96 * stride * unit if any(example.faces is not None for example in examples) else 0.0
    heights = [_STRIP.title + face + _STRIP.bars + _STRIP.lags] * (len(examples) + 1)
    heights[-1] -= face
    height = 0.4 + sum(heights) + 0.3
    figure = Figure(figsize=(WIDTH, height), facecolor=theme.paper)
    _words(figure, f"What {variant} looks back on", corpus, theme)
    peak = float(np.nanmax([np.nanmax(example.weights) for example in examples] + [2 / (n - 1)]))
    low, middle, high = _by_lag(overall)
    top = height - 0.4
    for i, tall in enumerate(heights):
        top -= tall
        ax = figure.add_axes((0.4 / WIDTH, top / height, (WIDTH - 0.8) / WIDTH, tall / height))
        ax.axis("off")
        ax.set(xlim=(-n + 0.5, -n + 0.5 + slots), ylim=(-_STRIP.lags, tall - _STRIP.lags))
        if i < len(examples):
            example = examples[i]
            if example.faces is not None:
                _faces(ax, example.faces, stride, unit, theme)
            _bars(ax, example.weights, peak, theme)
            back = int(np.isfinite(example.weights).sum())
            title = f"clip {example.clip}, {example.time_s:.2f} s, looking back on {back} frame{'s' * (back != 1)}"
        else:
            _bars(ax, middle, peak, theme, np.stack([low, high]))
            title = f"all {len(overall):,} test frames: mean weight and 5–95 % range"
        ax.text(-n + 0.52, tall - _STRIP.lags - 0.08, title, color=theme.ink, fontsize=9, va="top", parse_math=False)
    return figure


def attention_through_clip(
    clip: pd.DataFrame,
    weights: NDArray[np.floating],
    faces: NDArray[np.uint8] | None,
    variant: str,
    corpus: str,
    middle: float,
    theme: Theme = LIGHT,
) -> Figure:
    """Faces, labels with estimates, and below each frame the weights it gives to the frames before it.

    Args:
        clip: M rows of one clip and one SA variant of predictions.parquet.
        weights: (M, n - 1), of the state j + 1 frames before, NaN where there is none.
        faces: (M, S, S, 3) uint8 RGB of the same rows, or None.
        middle: of the label scale, corpus units.
    """
    length = len(clip)
    inner = WIDTH - 1.9
    face = inner / _THROUGH if faces is not None else 0.0
    height = 0.45 + face + 2 * 1.5 + 2.2 + 0.75
    figure = Figure(figsize=(WIDTH, height), facecolor=theme.paper)
    _words(figure, f"{variant} through clip {clip['clip'].iloc[0]}", corpus, theme)
    top = 0.45

    def panel(tall: float, left: float = 0.95, width: float = inner) -> Axes:
        return figure.add_axes((left / WIDTH, (height - top - tall) / height, width / WIDTH, tall / height))

    if faces is not None:
        ax = panel(face)
        for edge in np.arange(min(_THROUGH, length)) * (length / min(_THROUGH, length)):
            extent = (edge - 0.5, edge - 0.5 + 0.96 * length / _THROUGH, 0, 0.96)
            ax.imshow(faces[int(edge)], extent=extent, aspect="auto", interpolation="bilinear")
        ax.set(xlim=(-0.5, length - 0.5), ylim=(0, 1))
        ax.axis("off")
        top += face
    for dimension in ("valence", "arousal"):
        top += 0.3
        ax = panel(1.2)
        _style(ax, theme)
        estimate, target = clip[f"{dimension}_hat"].to_numpy(), clip[dimension].to_numpy()
        ax.plot(np.arange(length), target, color=theme.ink, linewidth=2.2, label="label")
        scores = _scores(estimate, target, middle)
        ax.plot(np.arange(length), estimate, color=theme.sa, linewidth=1.7, label=f"{variant}   {scores}")
        ax.set(xlim=(-0.5, length - 0.5), xticklabels=[])
        ax.set_ylabel(dimension, color=theme.soft, fontsize=9)
        _legend(ax, theme, ncols=2)
        top += 1.2
    top += 0.3
    ax = panel(1.9)
    _style(ax, theme)
    ax.grid(False)
    shades = [theme.faded(theme.sa, 0.04), theme.faded(theme.sa, 0.55), theme.sa]
    ramp = LinearSegmentedColormap.from_list("weights", shades).with_extremes(bad=theme.line)
    n = weights.shape[1] + 1
    hidden = np.ma.masked_invalid(weights.T)
    extent = (-0.5, length - 0.5, n - 0.5, 0.5)
    picture = ax.imshow(hidden, aspect="auto", interpolation="nearest", cmap=ramp, vmin=0, extent=extent)
    ax.set_title(f"weight that each frame gives to the {n - 1} before it", fontsize=9, color=theme.ink, loc="left")
    ax.set_ylabel("frames back", color=theme.soft, fontsize=9)
    ax.set_xlabel("frame, counted from the first one shown", color=theme.soft, fontsize=9)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    bar = figure.colorbar(picture, cax=panel(1.9, WIDTH - 0.85, 0.14))
    for spine in bar.ax.spines.values():
        spine.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=theme.soft, length=0)
    return figure


def loss_curves(histories: Mapping[str, pd.DataFrame], corpus: str, theme: Theme = LIGHT) -> Figure:
    """Losses and validation scores over the steps, by variant: a row for each of base, S-n and SA-n.

    Args:
        histories: variant -> history.csv (step, phase, name, value).
    """
    kinds = [kind for kind in ("base", "S", "SA") if any(Variant.parse(name).kind == kind for name in histories)]
    figure = _figure(theme, 0.6 + 2.6 * len(kinds), "Losses and validation scores", corpus)
    axes = figure.subplots(len(kinds), 4, squeeze=False)
    for row, kind in enumerate(kinds):
        own = sorted((name for name in histories if Variant.parse(name).kind == kind), key=variant_order)
        if kind == "base":
            table = histories["base"]
            for column, phase in enumerate(("D", "G", "C")):
                terms = table[table["phase"] == phase]
                _terms(axes[row, column], terms, f"base, phase {phase}", theme)
            scores = table[(table["phase"] == "validation") & table["name"].isin(["valence_ccc", "arousal_ccc"])]
            _terms(axes[row, 3], scores, "base, validation CCC", theme)
        else:
            panels = (
                ("train", "loss"),
                ("validation", "loss"),
                ("validation", "valence_ccc"),
                ("validation", "arousal_ccc"),
            )
            for column, (phase, name) in enumerate(panels):
                ax = axes[row, column]
                _style(ax, theme)
                ax.set_title(f"{kind}-n, {phase} {_said(name)}", fontsize=9, color=theme.ink, loc="left")
                for variant, strength in zip(
                    own, np.linspace(0.4, 1, len(own)) if len(own) > 1 else [1.0], strict=True
                ):
                    table = histories[variant]
                    line = table[(table["phase"] == phase) & (table["name"] == name)]
                    if len(line):
                        colour = theme.faded(theme.of(variant), float(strength))
                        ax.plot(line["step"], line["value"], color=colour, linewidth=1.3, label=_last(variant, line))
                _legend_inside(ax, theme)
        for ax in axes[row]:
            ax.set_xlabel("step", color=theme.soft, fontsize=8)
            if not ax.lines:
                ax.text(0.5, 0.5, "not recorded", transform=ax.transAxes, ha="center", color=theme.soft, fontsize=9)
    return figure


def close_length(frames: int) -> int:
    """How many frames a close-up has: about a third of the clip, 12 to 48; all of a clip too short to have one."""
    return frames if frames < 24 else int(np.clip(frames // 3, 12, 48))


def closest(labels: NDArray[np.float64], length: int) -> tuple[int, int]:
    """Half-open range of the `length` frames in which (N, 2) labels move the most; the first such range."""
    if length >= len(labels):
        return 0, len(labels)
    moved = np.concatenate([[0.0], np.abs(np.diff(labels, axis=0)).sum(1).cumsum()])
    start = int(np.argmax(moved[length - 1 :] - moved[: len(moved) - length + 1]))
    return start, start + length


def _figure(theme: Theme, height: float, title: str, corpus: str) -> Figure:
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    figure = Figure(figsize=(WIDTH, height), facecolor=theme.paper, layout=layout)
    figure.suptitle(title, x=0.008, ha="left", fontsize=12, fontweight="bold", color=theme.ink, parse_math=False)
    figure.supxlabel(corpus, x=0.992, ha="right", fontsize=8, color=theme.soft, parse_math=False)
    return figure


def _words(figure: Figure, title: str, corpus: str, theme: Theme) -> None:
    """Title and corpus of a figure that is laid out by hand."""
    height = figure.get_figheight()
    figure.text(
        0.09 / WIDTH,
        1 - 0.1 / height,
        title,
        va="top",
        fontsize=12,
        fontweight="bold",
        color=theme.ink,
        parse_math=False,
    )
    figure.text(
        1 - 0.09 / WIDTH, 0.07 / height, corpus, ha="right", va="bottom", fontsize=8, color=theme.soft, parse_math=False
    )


def _style(ax: Axes, theme: Theme) -> None:
    ax.set_facecolor(theme.paper)
    ax.grid(True, color=theme.line, linewidth=0.7)
    ax.set_axisbelow(True)
    ax.tick_params(colors=theme.soft, labelsize=8, length=0)
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(theme.soft)


def _legend(ax: Axes, theme: Theme, ncols: int) -> None:
    """Above the axes, so that it hides nothing."""
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.1,
        ncols=ncols,
        frameon=False,
        fontsize=8,
        labelcolor=theme.ink,
        handlelength=1.6,
        columnspacing=1.4,
    )


def _legend_inside(ax: Axes, theme: Theme) -> None:
    if ax.get_legend_handles_labels()[0]:
        legend = ax.legend(
            frameon=True, fontsize=6.5, labelcolor=theme.ink, handlelength=1.2, borderpad=0.2, labelspacing=0.25
        )
        legend.get_frame().set(facecolor=theme.paper, edgecolor="none", alpha=0.75)


def _curve(ax: Axes, table: pd.DataFrame, column: str, colour: str, width: float, label: str) -> None:
    """A line through the frames, broken where frames are missing."""
    time, value = table["time_s"].to_numpy(np.float64), table[column].to_numpy(np.float64)
    step = np.diff(time)
    if len(step):
        cut = np.flatnonzero(step > MAX_GAP * np.median(step)) + 1
        time, value = np.insert(time, cut, np.nan), np.insert(value, cut, np.nan)
    ax.plot(time, value, color=colour, linewidth=width, label=label)


def _scores(estimate: NDArray[np.floating], target: NDArray[np.floating], middle: float) -> str:
    """Of one clip: often short, so that a score may not be defined; it is a dash then."""
    scores = Moments.of(estimate, target, middle).metrics()
    shown = ((name, float(scores[name])) for name in ("rmse", "cor", "ccc"))
    return "  ".join(
        f"{name.upper()} {value:.2f}" if math.isfinite(value) else f"{name.upper()} –" for name, value in shown
    )


_STYLES: tuple[Any, ...] = ((0, (1, 1.5)), (0, (5, 2)), (0, (5, 1.5, 1, 1.5)), (0, (8, 3)))


def _points(
    ax: Axes,
    position: list[float],
    entries: Sequence[Mapping[str, Any]],
    metric: str,
    colour: str,
    marker: str,
    label: str,
) -> None:
    value = np.array([number(entry.get(metric)) for entry in entries])
    bounds = [(entry.get("ci95") or {}).get(metric) or (None, None) for entry in entries]
    low, high = np.array([[number(bound) for bound in pair] for pair in bounds]).T
    ax.vlines(position, low, high, color=colour, linewidth=1.2, alpha=0.6)
    ax.plot(position, value, color=colour, marker=marker, markersize=5, linewidth=1.6, label=label)


@dataclass(frozen=True)
class _Strip:
    """Heights of the parts of an attention strip in inches."""

    title: float = 0.34
    bars: float = 0.8
    lags: float = 0.3


_STRIP = _Strip()


def _by_lag(weights: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """5th percentile, mean and 95th percentile of each column's finite values; NaN where there are none."""
    columns = [column[np.isfinite(column)] for column in weights.T]
    low, middle, high = np.array(
        [(np.percentile(c, 5), c.mean(), np.percentile(c, 95)) if len(c) else (np.nan,) * 3 for c in columns]
    ).T
    return low, middle, high


def _faces(ax: Axes, faces: NDArray[np.uint8], stride: int, unit: float, theme: Theme) -> None:
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
                Rectangle((right - size, bottom), size, size * unit, fill=False, edgecolor=theme.sa, linewidth=2.2)
            )
    ax.set(xlim=limits[0], ylim=limits[1])


def _bars(
    ax: Axes, weights: NDArray[np.floating], peak: float, theme: Theme, spread: NDArray[np.floating] | None = None
) -> None:
    """A bar for each frame looked back on, its lag below, its weight above; y in inches from 0, `peak` the highest."""
    n = len(weights) + 1
    scale = (_STRIP.bars - 0.26) / peak
    alike = scale / max(1, np.isfinite(weights).sum())
    ax.plot([-n + 0.5, -0.5], [0, 0], color=theme.soft, linewidth=0.7)
    for j, weight in enumerate(weights):
        x = -(j + 1)
        if n <= FACES or j % 4 == 3:
            ax.text(x, -0.05, f"−{j + 1}", ha="center", va="top", fontsize=8, color=theme.soft)
        if not math.isfinite(weight):
            continue
        top = float(weight) * scale
        colour = theme.faded(theme.sa, 0.35 + 0.65 * min(1.0, float(weight) / peak))
        ax.add_patch(Rectangle((x - 0.4, 0), 0.8, top, facecolor=colour, linewidth=0))
        if spread is not None:
            low, high = (min(float(value), peak) * scale for value in spread[:, j])
            ax.plot([x, x], [low, high], color=theme.ink, linewidth=1.1)
            top = max(top, high)
        if n <= FACES:
            ax.text(x, max(top, alike) + 0.03, f"{weight:.2f}", ha="center", va="bottom", fontsize=8, color=theme.ink)
    ax.plot([-n + 0.5, -0.5], [alike, alike], color=theme.soft, linewidth=0.8, linestyle=(0, (3, 2)))
    ax.text(0, -0.05, "now", ha="center", va="top", fontsize=8, color=theme.soft)


def _terms(ax: Axes, terms: pd.DataFrame, title: str, theme: Theme) -> None:
    """A line for every name in the table; the one named `loss` is the strongest."""
    _style(ax, theme)
    ax.set_title(title, fontsize=9, color=theme.ink, loc="left")
    colours = iter([theme.s, theme.sa, theme.baseline, theme.base, theme.soft] * 3)
    for name in dict.fromkeys(terms["name"]):
        line = terms[terms["name"] == name]
        main = name == "loss"
        colour = theme.ink if main else next(colours)
        ax.plot(
            line["step"], line["value"], color=colour, linewidth=1.7 if main else 1.1, label=_last(_said(name), line)
        )
    _legend_inside(ax, theme)


def _said(name: str) -> str:
    return name.replace("_ccc", " CCC").replace("_", " ")


def _last(label: str, line: pd.DataFrame) -> str:
    return f"{label}  {line['value'].iloc[-1]:.3g}"


def pick_examples(weights: NDArray[np.floating], count: int = 3) -> list[int]:
    """Rows whose weights are the most concentrated, and evenly on to the most even, among rows with a full window.

    Concentration is the sum of squares. Where no clip fills the window, among the rows that look back the furthest.
    Empty where no row looks back on two frames.
    """
    filled = np.isfinite(weights).sum(1)
    if len(filled) == 0 or filled.max() < 2:
        return []
    rows = np.flatnonzero(filled == filled.max())
    order = rows[np.argsort(-np.nansum(weights[rows] ** 2, 1), kind="stable")]
    places = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    return [int(row) for row in order[places]]
