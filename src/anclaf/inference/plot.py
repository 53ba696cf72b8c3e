"""A picture of one source: valence and arousal over time, why there are gaps, and the path through the circumplex."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MultipleLocator, NullLocator
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.core.files import atomic_path
from anclaf.core.labels import QUADRANTS, LabelScale
from anclaf.inference.table import STATUSES, UNFAMILIAR, Status
from anclaf.inference.timeline import Timeline, read_timelines

WIDTH = 11.0
"""Inches."""
TRACKS = 10
"""At most so many tracks have a row in the picture: those with the most estimates."""
POINTS = 1500
"""At most so many points make a line; longer videos are averaged over equal numbers of frames."""
PATH_POINTS = 150
"""As many make the path through the circumplex, which is a scribble with more."""

_PAPER, _INK, _SOFT, _LINE = "#ffffff", "#1b2330", "#5a6472", "#e3e7ec"
# after Okabe and Ito, without their yellow, which is too pale for a line; three of Tol's follow
_COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#1b2330"),
    *("#882255", "#332288", "#999933"),
)
_REASONS: dict[Status, tuple[str, str]] = {
    "ok": ("estimate", "#d3d9e0"),
    "warming_up": ("estimate from a short window", "#9fc3e0"),
    "no_face": ("no face", "#4a5462"),
    "too_small": ("face too small", "#e69f00"),
    "blurred": ("face blurred", "#cc79a7"),
    "unreadable": ("picture cannot be read", "#d55e00"),
}
_DASHES = (0, (2, 3))
_REST = (0, (6, 2))
_PALE = 0.35
"""Opacity of what is estimated of unfamiliar faces."""


@checked
def plot_source(table: pd.DataFrame | Path, path: Path, scale: LabelScale, title: str, caption: str = "") -> None:
    """Write `source_figure` as a PNG file, 1650 pixels wide.

    Raises:
        TableError: as `read_chunks`. OutputError: the picture cannot be written; nothing is left.
    """
    figure = source_figure(table, scale, title, caption)
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150, facecolor=_PAPER, metadata={"Software": None})


@checked
def source_figure(table: pd.DataFrame | Path, scale: LabelScale, title: str, caption: str = "") -> Figure:
    """For each track a row of valence and arousal over time, and of its path through the circumplex.

    A line is broken where there is no estimate, and the strip below says why; it is blank where others are in the
    picture and this person is not. A path goes from pale to strong with time; the filled point is the track's mean,
    hollow ones are the others'. A band shows the intervals, and the line is pale where faces are unfamiliar. Where the
    person's rest was taken off, a dashed line and a cross show it. All axes of a picture have one range: the scale, or
    its middle half or quarter if all estimates lie well in there.

    Args:
        table: a CSV or Parquet file that `anclaf predict` wrote, or what `AffectEstimator.predict` gave. Of a file,
            only a piece is in memory at a time.
        scale: of the estimates.
        title: what the source is called. caption: where the estimates come from.

    Raises:
        TableError: as `read_chunks`.
    """
    timelines, left_out = read_timelines(table, TRACKS, POINTS)
    view, layout = _View.of(timelines, scale), _Layout.of(len(timelines))
    figure = Figure(figsize=(WIDTH, layout.height), facecolor=_PAPER)
    _head(figure, layout, title, caption, left_out)
    for index in range(len(timelines)):
        _row(figure, layout, index, timelines, view)
    _below(figure, layout, timelines, view)
    return figure


@dataclass(frozen=True)
class _View:
    """What all axes share. low, high: their range. ticks: of valence and arousal. note: what part of the scale they
    show if not the whole. tick_s: seconds between ticks of time. clock: how seconds are written. clock_name: as what.
    """

    low: float
    high: float
    ticks: NDArray[np.float64]
    note: str
    tick_s: float
    clock: Callable[[float], str]
    clock_name: str

    @property
    def middle(self) -> float:
        return float(self.ticks[2])

    @classmethod
    def of(cls, timelines: list[Timeline], scale: LabelScale) -> "_View":
        away = np.abs(np.concatenate([timeline.affect for timeline in timelines]) - scale.middle)
        farthest = float(np.nanmax(away)) if np.isfinite(away).any() else np.inf
        full = reach = (scale.high - scale.low) / 2
        while reach > full / 4 and farthest <= 0.45 * reach:
            reach /= 2
        ticks = scale.middle + reach * np.linspace(-1, 1, 5)
        note = f"axes show {_number(ticks[0])} … {_number(ticks[-1])} of {_number(scale.low)} … {_number(scale.high)}"
        # an estimate may lie outside the scale
        room = 1.05 * max(reach, farthest if np.isfinite(farthest) else 0)
        duration = timelines[0].start[-1] - timelines[0].start[0]
        tick = next((tick for tick in _TICKS_S if duration / tick <= 9), duration / 8)
        note = note if reach < full else ""
        return cls(scale.middle - room, scale.middle + room, ticks, note, tick, *_clock(duration))


_TICKS_S = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800),
    *(hours * 3600 for hours in (1, 2, 3, 6, 12, 24)),
)


def _clock(duration: float) -> tuple[Callable[[float], str], str]:
    """How seconds are written, and what that is called."""
    if duration <= 120:
        return (lambda s: f"{s:g}"), "time, seconds"
    if duration <= 5400:
        return (lambda s: f"{int(s) // 60}:{int(s) % 60:02d}"), "time, minutes:seconds"
    return (lambda s: f"{int(s) // 3600}:{int(s) // 60 % 60:02d}"), "time, hours:minutes"


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


@dataclass(frozen=True)
class _Layout:
    """Inches from the figure's left and top. line: how high valence is, and arousal; the circumplex is as high as both
    with the strip."""

    rows: int
    line: float
    left: float = 0.75
    top: float = 0.4
    title: float = 0.26
    gap: float = 0.12
    strip: float = 0.09
    between: float = 0.14
    bottom: float = 0.95

    @classmethod
    def of(cls, rows: int) -> "_Layout":
        return cls(rows, {1: 1.6, 2: 1.1, 3: 0.85}.get(rows, 0.55))

    @property
    def square(self) -> float:
        return 2 * (self.line + self.gap) + self.strip

    @property
    def width(self) -> float:
        """Of what is over time; its space to the right holds the labels of the circumplex."""
        return WIDTH - self.left - self.square - 0.85

    @property
    def row(self) -> float:
        return self.title + self.square + self.between

    @property
    def height(self) -> float:
        return self.top + self.rows * self.row + self.bottom

    def panel(self, figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
        bounds = (left / WIDTH, 1 - (top + height) / self.height, width / WIDTH, height / self.height)
        ax = figure.add_axes(bounds, facecolor=_PAPER)
        ax.tick_params(colors=_SOFT, labelsize=8, length=0)
        for spine in ax.spines.values():
            spine.set(visible=False, color=_LINE)
        return ax


def _head(figure: Figure, layout: _Layout, title: str, caption: str, left_out: int) -> None:
    top = 1 - 0.1 / layout.height
    style: dict[str, Any] = {"va": "top", "parse_math": False}
    short = title if len(title) <= 60 else f"{title[:30]} … {title[-27:]}"
    figure.text(0.1 / WIDTH, top, short, fontsize=12, fontweight="bold", color=_INK, **style)
    left_out_words = f"{left_out} more tracks, with fewer estimates, are not shown" if left_out else ""
    words = "   ·   ".join(note for note in (left_out_words, caption) if note)
    figure.text(1 - 0.15 / WIDTH, top, words, ha="right", fontsize=8, color=_SOFT, **style)


def _row(figure: Figure, layout: _Layout, index: int, timelines: list[Timeline], view: _View) -> None:
    timeline, last = timelines[index], index == len(timelines) - 1
    top = layout.top + index * layout.row + layout.title
    ticks = view.ticks if len(timelines) <= 3 else view.ticks[::2]
    for k, name in enumerate(("valence", "arousal")):
        below = top + k * (layout.line + layout.gap)
        ax = layout.panel(figure, layout.left, below, layout.width, layout.line)
        _line(ax, timeline, k, _COLOURS[index], view)
        if np.isfinite(timeline.rest[k]):
            ax.axhline(timeline.rest[k], color=_COLOURS[index], linewidth=0.9, linestyle=_REST, zorder=1.5)
        ax.set_yticks(ticks, [_number(tick) for tick in ticks])
        ax.set_ylabel(name, color=_SOFT, fontsize=9)
        ax.yaxis.set_label_coords(-0.45 / layout.width, 0.5)
        if k == 0:
            ax.set_title(_about(timeline), fontsize=9, color=_INK, loc="left", pad=4, parse_math=False)
            if timeline.track is None:
                style = {"ha": "center", "fontsize": 12, "color": _INK}
                ax.text(0.5, 0.62, "no estimate in this source", transform=ax.transAxes, **style)
    below = top + 2 * (layout.line + layout.gap)
    strip = layout.panel(figure, layout.left, below, layout.width, layout.strip)
    _strip(strip, timeline)
    _time_axis(strip, timeline, view, last)
    ax = layout.panel(figure, WIDTH - layout.square - 0.15, top, layout.square, layout.square)
    _circumplex(ax, index, timelines, view)
    for axis, name in ((ax.xaxis, "valence"), (ax.yaxis, "arousal")):
        # all rows have the same range, so that numbers below the last one are enough
        written = last or name == "arousal"
        axis.set_ticks(ticks, [_number(tick) if written else "" for tick in ticks])
        axis.set_label_text(name if written else "", color=_SOFT, fontsize=9)


def _about(timeline: Timeline) -> str:
    if timeline.track is None:
        parts = zip(STATUSES, timeline.shares.sum(0) / timeline.shares.sum(), strict=True)
        return ", ".join(f"{_REASONS[status][0]} {100 * part:.0f} %" for status, part in parts if part)
    valence, arousal = (f"{value:.2f}".replace("-", "−") for value in timeline.mean)
    part = f"{100 * timeline.estimated:.0f} % of its frames have an estimate"
    return f"track {timeline.track}:   mean valence {valence}, mean arousal {arousal};  {part}"


def _line(ax: Axes, timeline: Timeline, k: int, colour: str, view: _View) -> None:
    time, value, low, high = timeline.start[:-1], *(one[:, k] for one in (timeline.affect, timeline.low, timeline.high))
    ax.axhline(view.middle, color=_SOFT, linewidth=0.7, linestyle=_DASHES, zorder=1)
    if np.isfinite(low).any() and not timeline.still:
        ax.fill_between(time, low, high, color=colour, alpha=0.12, linewidth=0, zorder=0.5)
    elif timeline.still:
        ax.vlines(time, low, high, color=colour, alpha=0.4, linewidth=2)
    odd = timeline.unfamiliar > UNFAMILIAR
    if odd.any():  # the line goes on, but pale
        ax.plot(time, value, color=colour, linewidth=1.1, alpha=_PALE, gid="unfamiliar")
    ax.plot(time, np.where(odd, np.nan, value), color=colour, linewidth=1.1)
    gone = np.isnan(np.concatenate([[np.nan], value, [np.nan]]))
    alone = ~gone[1:-1] & gone[:-2] & gone[2:]  # a line through one point is not seen
    size = 7 if timeline.still else 3
    ax.plot(time[alone & ~odd], value[alone & ~odd], "o", color=colour, markersize=size)
    if (alone & odd).any():
        ax.plot(time[alone & odd], value[alone & odd], "o", color=colour, alpha=_PALE, markersize=size)
    ax.set(xlim=_span(timeline), ylim=(view.low, view.high))
    ax.grid(True, color=_LINE, linewidth=0.7)
    ax.set_axisbelow(True)
    ax.xaxis.set_major_locator(NullLocator() if timeline.still else MultipleLocator(view.tick_s))
    ax.tick_params(labelbottom=False)


def _span(timeline: Timeline) -> tuple[float, float]:
    """Of the time axis; one picture is in its middle."""
    first, last = float(timeline.start[0]), float(timeline.start[-1])
    return (first - 1, last) if timeline.still else (first, last)


def _strip(ax: Axes, timeline: Timeline) -> None:
    """How much of each step had which status; blank where the track was not there."""
    start = np.array(_span(timeline)) if timeline.still else timeline.start
    below = np.zeros(len(timeline.shares))
    for status, share in zip(STATUSES, timeline.shares.T, strict=True):
        if share.any():
            low, high = np.append(below, 0), np.append(below + share, 0)
            colour = _REASONS[status][1]
            ax.fill_between(start, low, high, step="post", color=colour, linewidth=0, antialiased=False)
            below = below + share
    ax.set(xlim=_span(timeline), ylim=(0, 1))
    ax.yaxis.set_major_locator(NullLocator())


def _time_axis(ax: Axes, timeline: Timeline, view: _View, labelled: bool) -> None:
    ax.tick_params(labelbottom=labelled)
    if timeline.still:
        ax.xaxis.set_major_locator(NullLocator())
    else:
        ax.xaxis.set_major_locator(MultipleLocator(view.tick_s))
        ax.xaxis.set_major_formatter(lambda seconds, _: view.clock(round(seconds, 6)))
    if labelled:
        ax.set_xlabel("a single picture" if timeline.still else view.clock_name, color=_SOFT, fontsize=9)


def _circumplex(ax: Axes, index: int, timelines: list[Timeline], view: _View) -> None:
    timeline, colour = timelines[index], _COLOURS[index]
    ax.set(xlim=(view.low, view.high), ylim=(view.low, view.high))
    for spine in ax.spines.values():
        spine.set_visible(True)
    for draw in (ax.axhline, ax.axvline):
        draw(view.middle, color=_SOFT, linewidth=0.7, linestyle=_DASHES, zorder=1)
    for name in QUADRANTS:
        x, y = (0.97 if name[at] == "+" else 0.03 for at in (1, 3))
        ax.text(
            x, y, name.replace("-", "−"), transform=ax.transAxes, fontsize=7, color=_SOFT, zorder=1,
            ha="right" if x > 0.5 else "left", va="top" if y > 0.5 else "bottom",
        )  # fmt: skip
    if timeline.track is None:
        return
    valence, arousal = timeline.affect.T
    ax.plot(valence, arousal, "o", color=colour, alpha=0.2, markersize=1.8, markeredgewidth=0, zorder=2)
    path = _thinned(timeline.affect)
    colours = LinearSegmentedColormap.from_list("time", [_LINE, colour])
    line = LineCollection(list(np.stack([path[:-1], path[1:]], 1)), cmap=colours, linewidth=1.1, zorder=3)
    line.set_array(np.arange(1, len(path)))
    ax.add_collection(line, autolim=False)
    for other, ink in zip(timelines, _COLOURS, strict=False):
        if other is not timeline:
            style = {"markersize": 4.5, "markerfacecolor": _PAPER, "markeredgecolor": ink, "zorder": 4}
            ax.plot(*other.mean[:, None], "o", **style)
    if np.isfinite(timeline.rest).all():
        ax.plot(*timeline.rest[:, None], "+", color=colour, markersize=9, markeredgewidth=1.5, zorder=4)
    style = {"markersize": 8, "markerfacecolor": colour, "markeredgecolor": _PAPER, "zorder": 5}
    ax.plot(*timeline.mean[:, None], "o", markeredgewidth=1.5, **style)


def _thinned(affect: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B, 2) to at most `PATH_POINTS` means of those that are there; NaN where none is."""
    pieces = np.array_split(affect, min(len(affect), PATH_POINTS))
    known = [piece[np.isfinite(piece[:, 0])] for piece in pieces]
    return np.array([piece.mean(0) if len(piece) else (np.nan, np.nan) for piece in known])


def _below(figure: Figure, layout: _Layout, timelines: list[Timeline], view: _View) -> None:
    """The legend of the strips, and what must be known to read the picture."""
    present = np.sum([timeline.shares.sum(0) for timeline in timelines], axis=0)
    reasons = [_REASONS[status] for status, part in zip(STATUSES, present, strict=True) if part]
    figure.legend(
        handles=[Patch(color=colour, label=words) for words, colour in reasons], loc="lower left", ncols=len(reasons),
        bbox_to_anchor=(0.1 / WIDTH, 0.3 / layout.height), borderaxespad=0, borderpad=0, frameon=False, fontsize=8,
        labelcolor=_SOFT, handlelength=1, handleheight=0.7, columnspacing=1.4,
    )  # fmt: skip
    timeline, notes = timelines[0], []
    if timeline.step > 1:
        notes.append(f"each point is the mean of {timeline.step} frames, {np.median(np.diff(timeline.start)):.3g} s")
    if any(np.isfinite(one.low).any() for one in timelines):
        notes.append("band: intervals")
    if any((one.unfamiliar > UNFAMILIAR).any() for one in timelines):
        notes.append("pale: unfamiliar face")
    if timeline.track is not None and not timeline.still:
        others = ", hollow ones the others’" if len(timelines) > 1 else ""
        if any(np.isfinite(one.rest).all() for one in timelines):
            notes.append("dashed line and cross: the person's rest")
        notes.append(f"path from pale to strong with time, the filled point is the mean{others}")
    words = "   ·   ".join(note for note in (*notes, view.note) if note)
    figure.text(0.1 / WIDTH, 0.1 / layout.height, words, fontsize=8, color=_SOFT, va="bottom", parse_math=False)
