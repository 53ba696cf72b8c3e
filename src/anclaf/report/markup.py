"""Pieces of a page as HTML; every text is escaped."""

import re
from collections.abc import Iterable, Sequence
from html import escape

from anclaf.core.words import interval_text, number_text
from anclaf.report.published import DIMENSIONS
from anclaf.report.tables import Cell, PlainTable, ResultsTable, heading


class Html(str):
    """Text that is markup already."""


def link(text: str, to: str) -> Html:
    return Html(f'<a href="{escape(to)}">{escape(text)}</a>')


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def heading3(text: str) -> str:
    return f"<h3>{escape(text)}</h3>"


def bullets(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def details(summary: str, content: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def scroll(content: str, label: str) -> str:
    """A box of its own in which wide content scrolls, by keyboard too."""
    return f'<div class="scroll" role="region" aria-label="{escape(label)}" tabindex="0">{content}</div>'


def plain_table(heads: Sequence[str], rows: Sequence[Sequence[str]], label: str) -> str:
    """A plain table; the first column heads the rows. Cells that are `Html` stay as they are."""

    def cell(text: str) -> str:
        return text if isinstance(text, Html) else escape(text)

    head = "".join(f'<th scope="col">{escape(text)}</th>' if text else "<td></td>" for text in heads)
    body = "".join(
        f'<tr><th scope="row">{cell(row[0])}</th>{"".join(f"<td>{cell(text)}</td>" for text in row[1:])}</tr>'
        for row in rows
    )
    return scroll(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", label)


def table_markup(table: PlainTable) -> str:
    """A table of text, without its caption."""
    return plain_table(table.heads, table.rows, table.caption)


def results_markup(table: ResultsTable) -> str:
    """A results table with its statements above it."""
    above = f'<div class="note">{"".join(paragraph(statement) for statement in table.statements)}</div>'
    heads = "".join(
        f'<th class="first" colspan="{len(DIMENSIONS)}" scope="colgroup">{heading(m)}</th>' for m in table.metrics
    )
    short = {"valence": '<abbr title="valence">V</abbr>', "arousal": '<abbr title="arousal">A</abbr>', "mean": "mean"}
    subs = "".join(f'<th scope="col"{_first(d)}>{short[d]}</th>' for _, d in table.keys)
    parts = [f'<thead><tr><td rowspan="2"></td>{heads}</tr><tr>{subs}</tr></thead>']
    for group, rows in table.groups():
        span = 1 + len(table.keys)
        lines = [f'<tr><th scope="rowgroup" colspan="{span}"><span>{escape(table.title(group))}</span></th></tr>']
        for row in rows:
            cells = "".join(
                _cell_html(row.cells[metric, dimension], dimension, group != "published")
                for metric, dimension in table.keys
            )
            lines.append(f'<tr><th scope="row">{escape(row.label)}</th>{cells}</tr>')
        parts.append(f'<tbody class="{group}">{"".join(lines)}</tbody>')
    caption = "Arrows point where better is. V valence, A arousal, mean their mean; 95 % intervals in brackets."
    return above + scroll(f"<table><caption>{caption}</caption>{''.join(parts)}</table>", "Results table")


def _cell_html(cell: Cell, dimension: str, measured: bool) -> str:
    value, best = number_text(cell.value), cell.best and measured
    first = "first " if dimension == DIMENSIONS[0] else ""
    opening = _first(dimension) if not best else f' class="{first}best"'
    # without the leading zeros fifteen columns fit on a screen
    interval = re.sub(r"\b0\.", ".", interval_text(cell.low, cell.high))
    interval = f"<small>{interval}</small>" if interval else ""
    return f"<td{opening}>{'<b>' * cell.best}{value}{'</b>' * cell.best}{interval}</td>"


def _first(dimension: str) -> str:
    return ' class="first"' if dimension == DIMENSIONS[0] else ""
