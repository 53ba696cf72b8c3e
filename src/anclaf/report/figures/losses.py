"""Losses and validation scores over the training steps."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anclaf.models.spec import Variant, variant_order
from anclaf.report.figures.theme import LIGHT, Theme, framed, legend_inside, style


def loss_curves(histories: Mapping[str, pd.DataFrame], corpus: str, theme: Theme = LIGHT) -> Figure:
    """Losses and validation scores over the steps, by variant: a row for each series (base, S-n, S-n+, SA-n…).

    Args:
        histories: variant -> history.csv (step, phase, name, value).
    """
    series_of = {name: Variant.recorded(name).series for name in sorted(histories, key=variant_order)}
    all_series = list(dict.fromkeys(series_of.values()))
    figure = framed(theme, 0.6 + 2.6 * len(all_series), "Losses and validation scores", corpus)
    axes = figure.subplots(len(all_series), 4, squeeze=False)
    for row, series in enumerate(all_series):
        own = [name for name in series_of if series_of[name] == series]
        if series == "base":
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
                style(ax, theme)
                ax.set_title(f"{series}, {phase} {_said(name)}", fontsize=9, color=theme.ink, loc="left")
                for variant, colour in theme.shades(own).items():
                    table = histories[variant]
                    line = table[(table["phase"] == phase) & (table["name"] == name)]
                    if len(line):
                        ax.plot(line["step"], line["value"], color=colour, linewidth=1.3, label=_last(variant, line))
                legend_inside(ax, theme)
        for ax in axes[row]:
            ax.set_xlabel("step", color=theme.soft, fontsize=8)
            if not ax.lines:
                ax.text(0.5, 0.5, "not recorded", transform=ax.transAxes, ha="center", color=theme.soft, fontsize=9)
    return figure


def _terms(ax: Axes, terms: pd.DataFrame, title: str, theme: Theme) -> None:
    """A line for every name in the table; the one named `loss` is the strongest."""
    style(ax, theme)
    ax.set_title(title, fontsize=9, color=theme.ink, loc="left")
    colours = iter([theme.s, theme.sa, theme.comparator, theme.base, theme.soft] * 3)
    for name in dict.fromkeys(terms["name"]):
        line = terms[terms["name"] == name]
        main = name == "loss"
        colour = theme.ink if main else next(colours)
        ax.plot(
            line["step"], line["value"], color=colour, linewidth=1.7 if main else 1.1, label=_last(_said(name), line)
        )
    legend_inside(ax, theme)


def _said(name: str) -> str:
    return name.replace("_ccc", " CCC").replace("_", " ")


def _last(label: str, line: pd.DataFrame) -> str:
    return f"{label}  {line['value'].iloc[-1]:.3g}"
