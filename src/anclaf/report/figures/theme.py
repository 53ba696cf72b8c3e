"""What every picture shares: its colours, its frame with the corpus's name, its file.

Pictures are drawn with matplotlib's objects, without pyplot and its global state. Each is 11 inches wide, names its
corpus, and comes in a light and a dark `Theme` (colours after Okabe and Ito, which the colour-blind can distinguish;
line styles where colours do not suffice).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from anclaf.core.files import atomic_path
from anclaf.models.spec import HEADS, Variant

WIDTH = 11.0
"""Inches; 1100 pixels on the page."""


@dataclass(frozen=True)
class Theme:
    """Colours. paper: background. ink: labels and text. soft: axes. line: grid. The others: of each kind of model, and
    of comparators; more: of kinds that other packages bring."""

    name: str
    paper: str
    ink: str
    soft: str
    line: str
    base: str
    s: str
    sa: str
    comparator: str
    more: tuple[str, ...]

    def of(self, variant: str) -> str:
        """The colour of a variant's kind. Kinds that are not installed here share one."""
        own, kind = {"base": self.base, "S": self.s, "SA": self.sa}, Variant.recorded(variant).kind
        if kind in own:
            return own[kind]
        others = [name for name in HEADS.names() if name not in own]
        return self.more[(others.index(kind) if kind in others else len(others)) % len(self.more)]

    def shades(self, variants: Sequence[str]) -> dict[str, str]:
        """A colour for each; among those of one kind the last is the strongest."""
        kinds = {name: Variant.recorded(name).kind for name in variants}
        shades: dict[str, str] = {}
        for kind in dict.fromkeys(kinds.values()):
            own = [name for name in variants if kinds[name] == kind]
            strengths = np.linspace(0.35, 1, len(own)) if len(own) > 1 else [1.0]
            shades |= {name: self.faded(self.of(name), float(k)) for name, k in zip(own, strengths, strict=True)}
        return shades

    def faded(self, colour: str, strength: float) -> str:
        """Between the paper (0) and the colour (1)."""
        red, green, blue = strength * np.array(to_rgb(colour)) + (1 - strength) * np.array(to_rgb(self.paper))
        return to_hex((float(red), float(green), float(blue)))


LIGHT = Theme("light", "#ffffff", "#1b2330", "#5a6472", "#e3e7ec", "#8a6bb1", "#0072b2", "#d55e00", "#008f6b",
              ("#b8377c", "#7a5230", "#5f6a00"))  # fmt: skip
DARK = Theme("dark", "#161b22", "#e7eaee", "#a3acb8", "#2c343e", "#b79ae0", "#56b4e9", "#f0a13a", "#3cc79b",
             ("#ec8cc0", "#c9a27e", "#c3cf5a"))  # fmt: skip


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


def framed(theme: Theme, height: float, title: str, corpus: str) -> Figure:
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    figure = Figure(figsize=(WIDTH, height), facecolor=theme.paper, layout=layout)
    figure.suptitle(title, x=0.008, ha="left", fontsize=12, fontweight="bold", color=theme.ink, parse_math=False)
    figure.supxlabel(corpus, x=0.992, ha="right", fontsize=8, color=theme.soft, parse_math=False)
    return figure


def words(figure: Figure, title: str, corpus: str, theme: Theme) -> None:
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


def style(ax: Axes, theme: Theme) -> None:
    ax.set_facecolor(theme.paper)
    ax.grid(True, color=theme.line, linewidth=0.7)
    ax.set_axisbelow(True)
    ax.tick_params(colors=theme.soft, labelsize=8, length=0)
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(theme.soft)


def legend(ax: Axes, theme: Theme, ncols: int) -> None:
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


def legend_inside(ax: Axes, theme: Theme) -> None:
    if ax.get_legend_handles_labels()[0]:
        legend = ax.legend(
            frameon=True, fontsize=6.5, labelcolor=theme.ink, handlelength=1.2, borderpad=0.2, labelspacing=0.25
        )
        legend.get_frame().set(facecolor=theme.paper, edgecolor="none", alpha=0.75)
