"""What a run measured as one table: pandas, Markdown and LaTeX. The paper's published rows stand apart from ours.

A corpus read as AFEW-VA or as SEWA gets the paper's table 1 or 2 (RMSE, COR and ICC, or RMSE, COR and CCC); any other
gets every metric.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from anclaf.core.words import DASH, DIGITS, count, counted, fold_words, interval_text, number, number_text, size_words
from anclaf.metrics.regression import METRICS
from anclaf.models.spec import Variant, variant_order
from anclaf.report.published import DIMENSIONS, PAPER_TABLES, PublishedTable, published_for, rendered

Group = Literal["measured", "baseline", "published"]
Key = tuple[str, str]
"""(metric, dimension)."""

LOWER_IS_BETTER = frozenset({"rmse"})
GROUP_TITLES: dict[Group, str] = {
    "measured": "Measured here",
    "baseline": "Comparators, measured here on the same folds",
    "published": "Published by the authors, under another protocol",
}
BASELINE_LABELS: dict[str, str] = {
    "mean": "training mean",
    "ridge-1": "ridge on landmarks, 1 frame",
    "ridge-8": "ridge on landmarks, 8 frames",
    "svr": "SVR on landmarks and appearance",
    "cnn": "CNN, frame by frame",
    "cnn-ma": "CNN with a moving average",
    "aeg-cd": "AEG-CD",
    "coherence": "CNN with temporal coherence",
    "tucker": "Tucker tensor regression",
}


@dataclass(frozen=True)
class Cell:
    """A number with its 95 % interval, NaN where there is none. best: to be set in bold."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    best: bool = False


@dataclass(frozen=True)
class Row:
    """name: as in metrics.json, or as printed in the paper. label: for people."""

    group: Group
    name: str
    label: str
    cells: Mapping[Key, Cell]


@dataclass(frozen=True)
class ResultsTable:
    """statements: what must stand above the table, a sentence each. metrics: its columns."""

    statements: tuple[str, ...]
    rows: tuple[Row, ...]
    metrics: tuple[str, ...]

    @property
    def keys(self) -> list[Key]:
        """The columns."""
        return [(metric, dimension) for metric in self.metrics for dimension in DIMENSIONS]

    def groups(self) -> list[tuple[Group, list[Row]]]:
        """The groups that have rows, each with its rows, in the order of `GROUP_TITLES`."""
        found: list[tuple[Group, list[Row]]] = [
            (group, [row for row in self.rows if row.group == group]) for group in GROUP_TITLES
        ]
        return [(group, rows) for group, rows in found if rows]

    def row(self, name: str) -> Row:
        """The row measured here under this name (KeyError if there is none)."""
        for row in self.rows:
            if row.group != "published" and row.name == name:
                return row
        raise KeyError(name)

    def frame(self) -> pd.DataFrame:
        """Index (group, name), columns (metric, dimension, value | low | high), NaN where nothing was measured."""
        columns = [(*key, part) for key in self.keys for part in ("value", "low", "high")]
        content = [[getattr(row.cells[metric, dim], part) for metric, dim, part in columns] for row in self.rows]
        return pd.DataFrame(
            content,
            index=pd.MultiIndex.from_tuples([(row.group, row.name) for row in self.rows], names=["group", "name"]),
            columns=pd.MultiIndex.from_tuples(columns, names=["metric", "dimension", "part"]),
        )

    def markdown(self) -> str:
        """A table for each of valence, arousal and their mean: 15 columns with intervals fit no page."""
        lines = [f"{markdown_escape(statement)}\n" for statement in self.statements]
        for dimension in DIMENSIONS:
            lines.append(f"**{dimension_title(dimension)}**\n")
            lines.append("| | " + " | ".join(heading(metric) for metric in self.metrics) + " |")
            lines.append("|---|" + "---|" * len(self.metrics))
            for group, rows in self.groups():
                lines.append(f"| *{GROUP_TITLES[group]}* |" + " |" * len(self.metrics))
                for row in rows:
                    cells = [_markdown_cell(row.cells[metric, dimension]) for metric in self.metrics]
                    lines.append(f"| {markdown_escape(row.label)} | " + " | ".join(cells) + " |")
            lines.append("")
        return "\n".join(lines)

    def latex(self) -> str:
        r"""A `table*` in the paper's layout, intervals in a second line. Needs booktabs and graphicx."""
        span = len(DIMENSIONS)
        heads = " & ".join(rf"\multicolumn{{{span}}}{{c}}{{{_latex_heading(metric)}}}" for metric in self.metrics)
        rules = " ".join(rf"\cmidrule(lr){{{2 + i * span}-{1 + (i + 1) * span}}}" for i in range(len(self.metrics)))
        lines = [rf" & {heads} \\", rules, " & " + " & ".join(["VAL", "ARO", "AVG"] * len(self.metrics)) + r" \\"]
        for group, rows in self.groups():
            lines.append(r"\midrule")
            lines.append(
                rf"\multicolumn{{{1 + len(self.keys)}}}{{l}}{{\emph{{{latex_escape(GROUP_TITLES[group])}}}}} \\"
            )
            for row in rows:
                cells = [row.cells[key] for key in self.keys]
                lines.append(" & ".join([latex_escape(row.label), *map(_latex_value, cells)]) + r" \\")
                if any(has_interval(cell) for cell in cells):
                    lines.append(" & ".join(["", *map(_latex_interval, cells)]) + r" \\")
        return _latex_table(" ".join(self.statements), "l" + "r" * len(self.keys), lines)


@dataclass(frozen=True)
class PlainTable:
    """A table of text; the first column heads the rows. caption: what the numbers are of."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        lines = [f"{markdown_escape(self.caption)}\n", _markdown_line(self.heads), "|" + "---|" * len(self.heads)]
        return "\n".join([*lines, *map(_markdown_line, self.rows), ""])

    def latex(self) -> str:
        r"""A `table*`. Needs booktabs and graphicx."""
        lines = [" & ".join(_MINUS.sub("$-$", latex_escape(cell)) for cell in row) + r" \\" for row in self.rows]
        heads = " & ".join(map(latex_escape, self.heads)) + r" \\"
        return _latex_table(self.caption, "l" + "r" * (len(self.heads) - 1), [heads, r"\midrule", *lines])


def _markdown_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(markdown_escape(cell) for cell in cells)} |"


def _latex_table(caption: str, columns: str, lines: Sequence[str]) -> str:
    return "\n".join(
        [
            r"% needs \usepackage{booktabs,graphicx}",
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{latex_escape(caption)}}}",
            r"\resizebox{\textwidth}{!}{%",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table*}",
            "",
        ]
    )


def results_table(
    metrics: Mapping[str, Any], name: str, card: Mapping[str, Any] | None = None, columns: Sequence[str] = ()
) -> ResultsTable:
    """The table of a run.

    Args:
        metrics: what `metrics.json` holds.
        name: of the corpus, for people.
        card: all that is known of the corpus; what metrics.json says of it by default.
        columns: the metrics shown; those of the paper's table for this corpus by default.

    The best of each column among all rows measured here, comparators included, is in bold, at the printed precision,
    ties together. Published rows keep the paper's own bold type.
    """
    known: Mapping[str, Any] = metrics["corpus"] if card is None else card
    chosen = tuple(columns) or paper_metrics(known)
    keys = [(metric, dimension) for metric in chosen for dimension in DIMENSIONS]
    rows: list[Row] = []
    for kind in ("base", "S", "SA"):
        own = [v for v in sorted(metrics["variants"], key=variant_order) if Variant.parse(v).kind == kind]
        rows += [_measured("measured", v, v, metrics["variants"][v], keys) for v in own]
        if len(own) > 1:
            rows.append(_average(f"{kind}-AVG", rows[-len(own) :], keys))
    rows += [
        _measured("baseline", str(baseline), BASELINE_LABELS.get(str(baseline), str(baseline)), entry, keys)
        for baseline, entry in (metrics.get("baselines") or {}).items()
    ]
    rows = _with_best(rows, keys)
    published = published_for(known)
    for line in published.rows if published else ():
        cells = {key: Cell(line.values.get(key, math.nan), best=key in line.bold) for key in keys}
        rows.append(Row("published", line.name, line.name, cells))
    return ResultsTable(statements(metrics, name, known, published), tuple(rows), chosen)


def paper_metrics(card: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of the paper's table for a corpus read in this way, or all metrics."""
    form = PAPER_TABLES.get(str(card.get("source")))
    return tuple(METRICS) if form is None else form.metrics


def _measured(group: Group, name: str, label: str, entry: Mapping[str, Any], keys: Sequence[Key]) -> Row:
    cells: dict[Key, Cell] = {}
    for metric, dimension in keys:
        numbers = entry.get(dimension) or {}
        interval = (numbers.get("ci95") or {}).get(metric) or (None, None)
        cells[metric, dimension] = Cell(number(numbers.get(metric)), number(interval[0]), number(interval[1]))
    return Row(group, name, label, cells)


def _average(name: str, rows: Sequence[Row], keys: Sequence[Key]) -> Row:
    """The paper's AVG row: the mean over the lengths, without an interval."""
    cells = {key: Cell(sum(row.cells[key].value for row in rows) / len(rows)) for key in keys}
    return Row("measured", name, name, cells)


def _with_best(rows: list[Row], keys: Sequence[Key]) -> list[Row]:
    winning: dict[Key, float] = {}
    for key in keys:
        shown = [round(row.cells[key].value, DIGITS) for row in rows if not math.isnan(row.cells[key].value)]
        if shown:
            winning[key] = min(shown) if key[0] in LOWER_IS_BETTER else max(shown)

    def marked(key: Key, cell: Cell) -> Cell:
        best = not math.isnan(cell.value) and round(cell.value, DIGITS) == winning.get(key)
        return Cell(cell.value, cell.low, cell.high, best)

    return [Row(r.group, r.name, r.label, {key: marked(key, cell) for key, cell in r.cells.items()}) for r in rows]


def statements(
    metrics: Mapping[str, Any], name: str, card: Mapping[str, Any], published: PublishedTable | None
) -> tuple[str, ...]:
    """What the numbers are of: the corpus by name, size and fingerprint, the protocol, whose the published rows are."""
    said = [
        f"Corpus {name}, read as {card.get('source', 'unknown')}: {size_words(card) or 'size unknown'}; "
        f"fingerprint {card.get('fingerprint', 'unknown')}.",
        f"Protocol {metrics.get('protocol', 'unknown')}; tested: {fold_words(metrics.get('folds') or [])}; "
        f"{metrics.get('windows', 'unknown')} windows; 95 % intervals in brackets. "
        "Bold: the best of all rows measured here, comparators included. AVG rows: the mean over the lengths above.",
    ]
    if rendered(card):
        said.append(
            "The people of this corpus are drawn, not filmed: no row measured here is of the paper's databases."
        )
    form = PAPER_TABLES.get(str(card.get("source")))
    if form is not None and published is None:
        said.append(
            f"The columns are those of table {form.number} of Aspandi et al. 2021, because the corpus is laid out as "
            f"{form.database} is; the paper's numbers are not beside them, because it is not {form.database}."
        )
    if published is not None:
        said.append(
            f"The published rows are table {published.number} of Aspandi et al. 2021, measured by the authors on "
            f"{published.database} under another protocol and printed here as published, bold type included: "
            "they are no measurement of this software."
        )
        clips = card.get("clips")
        if clips is not None and clips != published.clips:
            said.append(
                f"This corpus has {counted(clips, 'clip')} where {published.database} has {count(published.clips)}: "
                "it is not the same material, and the two groups of rows cannot be compared."
            )
    return tuple(said)


def dimension_title(dimension: str) -> str:
    return "Mean of valence and arousal" if dimension == "mean" else dimension.capitalize()


def heading(metric: str) -> str:
    """`RMSE ↓`: the arrow points where better is."""
    return f"{metric.upper()} {'↓' if metric in LOWER_IS_BETTER else '↑'}"


def has_interval(cell: Cell) -> bool:
    return math.isfinite(cell.low) and math.isfinite(cell.high)


def bounds(pair: Mapping[str, Any]) -> tuple[float, float]:
    """The 95 % interval of an entry of `paired`."""
    low, high = pair.get("ci95") or (None, None)
    return number(low), number(high)


def comparison_words(pair: Mapping[str, Any]) -> str:
    """An entry of metrics.json's `paired`, difference = a - b, as a sentence."""
    difference, (low, high) = number(pair["difference"]), bounds(pair)
    what = f"{pair['dimension']} {str(pair['metric']).upper()}"
    if not math.isfinite(difference):
        return f"{pair['a']} and {pair['b']} cannot be compared by {what}: it is not defined for one of them."
    numbers = f"{difference:+z.{DIGITS}f} {interval_text(low, high)}".strip() + p_text(number(pair.get("p")))
    if not (low > 0 or high < 0):
        return f"Between {pair['a']} and {pair['b']} no difference is shown in {what} ({numbers})."
    better = (difference < 0) == (pair["metric"] in LOWER_IS_BETTER)
    return f"{pair['a']} is {'better' if better else 'worse'} than {pair['b']} in {what} ({numbers})."


def p_text(p: float) -> str:
    """`, p = 0.012`; `, p < 0.001`; nothing where there is none."""
    if not math.isfinite(p):
        return ""
    return ", p < 0.001" if p < 0.001 else f", p = {p:.3f}"


def markdown_escape(text: str) -> str:
    """Text that Markdown shows as it is, within a table too."""
    return re.sub(r"([\\`*_{}\[\]<>|#~$&])", r"\\\1", " ".join(text.split()))


def _markdown_cell(cell: Cell) -> str:
    value = number_text(cell.value)
    return " ".join(filter(None, [f"**{value}**" if cell.best else value, interval_text(cell.low, cell.high)]))


_LATEX = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    DASH: "--",
    "±": r"$\pm$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}


_MINUS = re.compile(r"(?<!\w)-(?=\d)")


def latex_escape(text: str) -> str:
    """Text that LaTeX sets as it is."""
    return "".join(_LATEX.get(char, char) for char in " ".join(text.split()))


def _latex_heading(metric: str) -> str:
    return rf"{metric.upper()} $\{'down' if metric in LOWER_IS_BETTER else 'up'}arrow$"


def _latex_number(text: str) -> str:
    return text.replace("-", "$-$").replace(DASH, "--")


def _latex_value(cell: Cell) -> str:
    value = _latex_number(number_text(cell.value))
    return rf"\textbf{{{value}}}" if cell.best else value


def _latex_interval(cell: Cell) -> str:
    text = _latex_number(interval_text(cell.low, cell.high))
    return rf"{{\tiny {text}}}" if text else ""
