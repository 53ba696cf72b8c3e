"""The sheets that CARMA and DARMA write (Girard 2014; Girard & Wright 2018): a head, a line of `%`, and rows that are
stamped at the end of their bin."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anclaf.core.errors import CorpusError
from anclaf.core.sheets import NotATable, read_rows


class ToolSheet(NamedTuple):
    """head: the first cell of each line before the rows -> the others. titles: of the rows' columns. rows: (N, K), NaN
    where a cell holds no number."""

    head: dict[str, list[str]]
    titles: list[str]
    rows: NDArray[np.float64]

    def number(self, name: str, path: Path) -> float:
        """What the head says under this name.

        Raises:
            CorpusError: there is no such line, or no number in it.
        """
        cell = next((cells[0] for title, cells in self.head.items() if title.lower() == name.lower() and cells), "")
        try:
            return float(cell)
        except ValueError as error:
            raise CorpusError(f"{path.name}: {name} is {cell!r}; expected a number in its head") from error


def read_tool_sheet(path: Path, tool: str) -> ToolSheet:
    """The parts of a file of this tool.

    Raises:
        CorpusError: it is not such a file.
    """
    try:
        cells = read_rows(path.read_bytes())
    except NotATable as error:
        raise CorpusError(f"{path.name}: {error}") from error
    rule = next((k for k, row in enumerate(cells) if row and row[0].startswith("%%%")), 0)
    titles = cells[rule - 1] if rule else []
    if len(titles) < 2 or titles[0].lower() != "second":
        raise CorpusError(f"{path.name}: no line `Second,…` before one of `%%%%%%`; expected a file that {tool} wrote")
    width = len(titles)
    rows = [[_number(cell) for cell in [*row, *[""] * width][:width]] for row in cells[rule + 1 :] if any(row)]
    head = {row[0]: row[1:] for row in cells[: rule - 1] if row and row[0]}
    return ToolSheet(head, titles, np.array(rows, np.float64).reshape(-1, width))


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
