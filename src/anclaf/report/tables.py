"""What a run measured as one table: pandas, Markdown and LaTeX. Rows that the paper published are a group of their own.

A corpus read as AFEW-VA or as SEWA gets the columns of the paper's table 1 or 2 (RMSE, COR and ICC, or RMSE, COR and
CCC); any other gets every metric.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from anclaf.core.arguments import checked
from anclaf.core.words import (
    DASH,
    DIGITS,
    count,
    counted,
    fold_words,
    interval_text,
    number,
    number_text,
    size_words,
)
from anclaf.data.store import corpus_kind
from anclaf.metrics.regression import METRICS
from anclaf.models.spec import Variant, variant_order
from anclaf.report.published import (
    DIMENSIONS,
    PAPER_TABLES,
    PublishedTable,
    published_for,
    published_statements,
    published_title,
)

Group = Literal["measured", "comparator", "published"]
Key = tuple[str, str]
"""(metric, dimension)."""

LOWER_IS_BETTER = frozenset({"rmse"})
CONTROLS = (
    "Controls: S-n+ is S-n trained further, with as many updates as SA-n, on the same windows and what SA-n reads "
    "before them; S-n-direct was trained from base, with as many updates as all models from base to S-n together."
)
GROUPS: tuple[Group, ...] = ("measured", "comparator", "published")


@dataclass(frozen=True)
class Cell:
    """A number with its 95 % interval, NaN where there is none. best: to be set in bold."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    best: bool = False


@dataclass(frozen=True)
class Row:
    """name: as in metrics.json, or as printed in the paper. label: as displayed."""

    group: Group
    name: str
    label: str
    cells: Mapping[Key, Cell]


@dataclass(frozen=True)
class ResultsTable:
    """statements: what must stand above the table. metrics: its columns. protocol: under which it was measured."""

    statements: tuple[str, ...]
    rows: tuple[Row, ...]
    metrics: tuple[str, ...]
    protocol: str

    @property
    def keys(self) -> list[Key]:
        """The columns."""
        return [(metric, dimension) for metric in self.metrics for dimension in DIMENSIONS]

    def groups(self) -> list[tuple[Group, list[Row]]]:
        """The groups that have rows, each with its rows, in the order of `GROUPS`."""
        found: list[tuple[Group, list[Row]]] = [
            (group, [row for row in self.rows if row.group == group]) for group in GROUPS
        ]
        return [(group, rows) for group, rows in found if rows]

    def title(self, group: Group) -> str:
        """Heads the rows of a group."""
        titles: dict[Group, str] = {
            "measured": "Measured here",
            "comparator": "Comparators, measured here on the same folds",
            "published": published_title(self.protocol),
        }
        return titles[group]

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
        """A table for each of valence, arousal and their mean, because 15 columns with intervals are too wide."""
        lines = [f"{markdown_escape(statement)}\n" for statement in self.statements]
        for dimension in DIMENSIONS:
            lines.append(f"**{dimension_title(dimension)}**\n")
            lines.append("| | " + " | ".join(heading(metric) for metric in self.metrics) + " |")
            lines.append("|---|" + "---|" * len(self.metrics))
            for group, rows in self.groups():
                lines.append(f"| *{self.title(group)}* |" + " |" * len(self.metrics))
                for row in rows:
                    cells = [_markdown_cell(row.cells[metric, dimension]) for metric in self.metrics]
                    lines.append(f"| {markdown_escape(row.label)} | " + " | ".join(cells) + " |")
            lines.append("")
        return "\n".join(lines)

    def latex(self) -> str:
        r"""A `table*` in the paper's layout, intervals on a second line. Needs booktabs and graphicx."""
        span = len(DIMENSIONS)
        heads = " & ".join(rf"\multicolumn{{{span}}}{{c}}{{{_latex_heading(metric)}}}" for metric in self.metrics)
        rules = " ".join(rf"\cmidrule(lr){{{2 + i * span}-{1 + (i + 1) * span}}}" for i in range(len(self.metrics)))
        lines = [rf" & {heads} \\", rules, " & " + " & ".join(["VAL", "ARO", "AVG"] * len(self.metrics)) + r" \\"]
        for group, rows in self.groups():
            lines.append(r"\midrule")
            lines.append(rf"\multicolumn{{{1 + len(self.keys)}}}{{l}}{{\emph{{{latex_escape(self.title(group))}}}}} \\")
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


@checked
def results_table(
    metrics: Mapping[str, Any], name: str, card: Mapping[str, Any] | None = None, columns: Sequence[str] = ()
) -> ResultsTable:
    """The table of a run.

    Args:
        metrics: what `metrics.json` holds.
        name: of the corpus, as displayed.
        card: all that is known of the corpus; what metrics.json says of it by default.
        columns: the metrics shown; those of the paper's table for this corpus by default.

    The best of each column among all rows measured here, comparators included, is in bold, at the printed precision,
    ties together. Published rows keep the paper's own bold type.
    """
    known: Mapping[str, Any] = metrics["corpus"] if card is None else card
    chosen = tuple(columns) or paper_metrics(known)
    keys = [(metric, dimension) for metric in chosen for dimension in DIMENSIONS]
    rows: list[Row] = []
    models = [Variant.recorded(name) for name in sorted(metrics["variants"], key=variant_order)]
    for series in dict.fromkeys(model.series for model in models):
        own = [model for model in models if model.series == series]
        rows += [measured("measured", str(v), str(v), metrics["variants"][str(v)], keys) for v in own]
        if len(own) > 1:
            rows.append(_average(f"{own[0].kind}-AVG{own[0].control}", rows[-len(own) :], keys))
    rows += [
        measured("comparator", str(comparator), str(entry.get("label", comparator)), entry, keys)
        for comparator, entry in (metrics.get("comparators") or {}).items()
    ]
    rows = with_best(rows, keys)
    published = published_for(known)
    if published is not None:
        rows += _published_rows(published, keys)
    return ResultsTable(statements(metrics, name, known), tuple(rows), chosen, str(metrics.get("protocol", "unknown")))


def paper_table(table: PublishedTable, protocol: str) -> ResultsTable:
    """A table of the paper by itself."""
    keys = [(metric, dimension) for metric in table.metrics for dimension in DIMENSIONS]
    said = f"Table {table.number} of Aspandi et al. 2021, measured by the authors on {table.database}, as printed."
    return ResultsTable((said,), tuple(_published_rows(table, keys)), table.metrics, protocol)


def _published_rows(table: PublishedTable, keys: Sequence[Key]) -> list[Row]:
    """With the paper's own bold type; NaN where it has no such column."""
    return [
        Row(
            "published",
            line.name,
            line.name,
            {key: Cell(line.values.get(key, math.nan), best=key in line.bold) for key in keys},
        )
        for line in table.rows
    ]


def paper_metrics(card: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of the paper's table for a corpus read in this way, or all metrics."""
    form = PAPER_TABLES.get(str(card.get("source")))
    return tuple(METRICS) if form is None else form.metrics


def measured(group: Group, name: str, label: str, entry: Mapping[str, Any], keys: Sequence[Key]) -> Row:
    """The row of an entry of `metrics.json`."""
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


def with_best(rows: list[Row], keys: Sequence[Key]) -> list[Row]:
    """The rows with the best of each column marked, at the printed precision, ties together."""
    winning: dict[Key, float] = {}
    for key in keys:
        shown = [round(row.cells[key].value, DIGITS) for row in rows if not math.isnan(row.cells[key].value)]
        if shown:
            winning[key] = min(shown) if key[0] in LOWER_IS_BETTER else max(shown)

    def marked(key: Key, cell: Cell) -> Cell:
        best = not math.isnan(cell.value) and round(cell.value, DIGITS) == winning.get(key)
        return Cell(cell.value, cell.low, cell.high, best)

    return [Row(r.group, r.name, r.label, {key: marked(key, cell) for key, cell in r.cells.items()}) for r in rows]


def statements(metrics: Mapping[str, Any], name: str, card: Mapping[str, Any]) -> tuple[str, ...]:
    """What the numbers are of: the corpus by name, size and fingerprint, the protocol, the paper's numbers."""
    protocol = str(metrics.get("protocol", "unknown"))
    said = [
        f"Corpus {name}, read as {card.get('source', 'unknown')}: {size_words(card) or 'size unknown'}; "
        f"fingerprint {card.get('fingerprint', 'unknown')}.",
        f"Protocol {protocol}; tested: {fold_words(metrics.get('folds') or [])}; "
        f"{metrics.get('windows', 'unknown')} windows; 95 % intervals in brackets. "
        "Bold: the best of all rows measured here, comparators included. AVG rows: the mean over the lengths above.",
        *_rows_words(metrics),
    ]
    made = {"drawn": "drawn by this program", "synthetic": "rendered"}.get(corpus_kind(card))
    if made is not None:
        said.append(
            f"The people of this corpus are {made}, not filmed: no row measured here is of the paper's databases."
        )
    if any(Variant.recorded(variant).control for variant in metrics["variants"]):
        said.append(CONTROLS)
    return (*said, *published_statements(card, protocol))


def _rows_words(metrics: Mapping[str, Any]) -> Iterable[str]:
    """Of how many frames, people and seeds each row is, and what was left out for that."""
    seeds = metrics.get("seeds") or []
    if len(seeds) > 1:
        yield (
            f"Scores are means over the seeds {', '.join(map(str, seeds))} of the training; intervals are over people "
            "and seeds together."
        )
    if "subjects" in metrics:
        yield f"Every row is of the same {counted(metrics['frames'], 'frame')} of {metrics['subjects']} people."
    else:  # of earlier versions, in which each model was scored on all frames that it estimates
        entries = (metrics["variants"] | metrics["comparators"]).items()
        counts = {name: entry["frames"] for name, entry in entries if "frames" in entry}
        if len(set(counts.values())) > 1:
            yield f"Rows are of different frames: {', '.join(f'{name} {count(n)}' for name, n in counts.items())}."
    left = metrics.get("left_out") or []
    if left:
        yield f"Left out, so that all rows are of the same frames: {'; '.join(left)}."


def dimension_title(dimension: str) -> str:
    return "Mean of valence and arousal" if dimension == "mean" else dimension.capitalize()


def heading(metric: str) -> str:
    """`RMSE ↓`: the arrow points where better is."""
    return f"{metric.upper()} {'↓' if metric in LOWER_IS_BETTER else '↑'}"


def has_interval(cell: Cell) -> bool:
    return math.isfinite(cell.low) and math.isfinite(cell.high)


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
