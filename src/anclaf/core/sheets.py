"""Tables as people write them: CSV of several encodings, separators and decimal signs, and Excel's own workbooks.

Cells come as text, numbers among them as Python writes them: `-0.5`, whatever minus and decimal sign the sheet has.
"""

import csv
import io
import re
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.core.errors import ConfigError
from anclaf.core.extras import what_to_install

SEPARATORS = (",", ";", "\t")
WORKBOOKS = (".xlsx", ".xlsm")

_MINUS = "\u2212\u2012\u2013\ufe63\uff0d"
"""Signs that are typed or typeset for a minus: U+2212, figure and en dash, small and full-width hyphen."""
_NUMBER = re.compile(rf"[+\-{_MINUS}]?(\d+[.,]?\d*|[.,]\d+)(e[+\-{_MINUS}]?\d+)?", re.IGNORECASE)
_GROUPED = re.compile(rf"[+\-{_MINUS}]?[1-9]\d{{0,2}}(,\d{{3}})+")
"""One thousand, or one and three digits."""
_PLAIN_SIGNS = str.maketrans({",": ".", **dict.fromkeys(_MINUS, "-")})
_NO_VALUE = frozenset({"", "-", "\u2013", "?", "na", "n/a", "#n/a", "nan", "null", "none", "missing"})
_OFFICE = (
    (b"\xd0\xcf\x11\xe0", "a workbook of an old Excel (.xls)"),
    (b"PK\x03\x04", "a workbook or a zip archive without the suffix .xlsx"),
)
_HEAD = 65_536
"""Bytes of a file by which its dialect is known."""


class NotATable(ValueError):
    """A file that holds no table; the message says what it holds, without the file's name."""


class Dialect(NamedTuple):
    """How a CSV is written. skip: lines before the header."""

    encoding: str
    separator: str
    skip: int

    @classmethod
    def of(cls, head: bytes) -> "Dialect":
        """The dialect of a file that begins with these bytes: the separator that Excel's line `sep=;` names, else the
        one that the header has most of.

        Raises:
            NotATable: empty, or not a text.
        """
        encoding = _encoding(head)
        text = head.decode(encoding, "replace").lstrip("\ufeff")
        lines = text.splitlines()
        blank = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
        if blank == len(lines):
            raise NotATable("empty; expected a CSV file with a header line")
        if what := next((what for mark, what in _OFFICE if head.startswith(mark)), ""):
            raise NotATable(f"{what}; save it as .xlsx or as `CSV UTF-8`")
        if "\0" in lines[blank]:
            raise NotATable("not a text; expected a CSV file with a header line")
        if named := re.fullmatch(r"\s*\"?sep=(.)\"?[,;\s]*", lines[blank], re.IGNORECASE):
            return cls(encoding, named[1], blank + 1)
        return cls(encoding, max(SEPARATORS, key=lines[blank].count), blank)


def _encoding(head: bytes) -> str:
    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if head.startswith(mark):
            return name
    # UTF-16 without a mark: every other byte of a header is zero
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(head) >= 8 and not any(head[first:64:2]) and all(head[1 - first : 64 : 2]):
            return name
    return "utf-8"


def _decoded(content: bytes) -> tuple[str, Dialect]:
    dialect = Dialect.of(content[:_HEAD])
    try:
        return content.decode(dialect.encoding).lstrip("\ufeff"), dialect
    except UnicodeDecodeError as error:
        raise NotATable("not UTF-8 text; in Excel, save it as `CSV UTF-8`") from error


def read_csv(content: bytes) -> pd.DataFrame:
    """A CSV with a header: UTF-8 or UTF-16; separated by comma, semicolon or tab, or as a first line `sep=;` says.

    Cells and column names are stripped text; a missing cell is empty.

    Raises:
        NotATable: empty, of another encoding, or not a table.
    """
    text, dialect = _decoded(content)
    _check_titles(text, dialect)
    try:
        table = pd.read_csv(
            io.StringIO(text), sep=dialect.separator, dtype=str, keep_default_na=False,
            skipinitialspace=True, skiprows=dialect.skip,
        )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise NotATable(f"not a table ({' '.join(str(error).split())}); expected a CSV file") from error
    if isinstance(table.index, pd.MultiIndex) or not isinstance(table.index, pd.RangeIndex):
        raise NotATable("rows have more cells than the header; expected as many")
    table = table.fillna("").apply(lambda column: column.str.strip())
    grouped = dialect.separator == ","
    return table.rename(columns=lambda title: str(title).strip()).apply(lambda column: plain_numbers(column, grouped))


def _check_titles(text: str, dialect: Dialect) -> None:
    """Refuse a title that is there twice, of which pandas would rename the second one."""
    header = text.splitlines()[dialect.skip : dialect.skip + 1]
    titles = [cell.strip() for row in csv.reader(header, delimiter=dialect.separator) for cell in row]
    if twice := sorted({title for title in titles if title and titles.count(title) > 1}):
        raise NotATable(f"{', '.join(twice)}: there twice among the columns; expected each once")


def read_rows(content: bytes) -> list[list[str]]:
    """The rows of a CSV whose lines are of different lengths; its separator is that of the first line.

    Cells are stripped text, numbers among them as Python writes them.

    Raises:
        NotATable: empty, not text, or of another encoding.
    """
    text, dialect = _decoded(content)
    grouped = dialect.separator == ","
    lines = text.splitlines()[dialect.skip :]
    try:
        rows = list(csv.reader(lines, delimiter=dialect.separator, skipinitialspace=True))
    except csv.Error as error:
        raise NotATable(f"not a table ({error}); expected a CSV file") from error
    return [[_plain(cell.strip(), grouped) for cell in row] for row in rows]


def plain_numbers(column: pd.Series, grouped: bool = False) -> pd.Series:
    """Text cells; those that are numbers with a decimal comma or a typeset minus as Python writes them.

    Args:
        grouped: leave alone what may be a number with thousands set apart, such as `1,000`.
    """
    odd = column.str.contains(rf"[,{_MINUS}]", regex=True, na=False)
    if not odd.any():
        return column
    return column.where(~odd, column[odd].map(lambda cell: _plain(str(cell), grouped)))


def _plain(cell: str, grouped: bool) -> str:
    if not _NUMBER.fullmatch(cell) or (grouped and _GROUPED.fullmatch(cell)):
        return cell
    return cell.translate(_PLAIN_SIGNS)


def numbers(cells: pd.Series) -> NDArray[np.float64]:
    """(N,) float64; NaN where a cell holds no number."""
    return pd.to_numeric(cells, errors="coerce").to_numpy(np.float64)


def not_a_number(cells: pd.Series) -> NDArray[np.bool_]:
    """(N,) which cells hold a text that is neither a number nor one of the usual words for no value, such as NA."""
    text = cells.astype(str).str.strip().str.lower()
    return np.isnan(numbers(cells)) & ~text.isin(_NO_VALUE).to_numpy(bool)


def read_workbook(path: Path, wanted: Collection[str]) -> pd.DataFrame:
    """The one sheet of an Excel workbook whose header has all these columns, in any case; else the first sheet.

    Cells are text, formulas their last computed values, a missing cell is empty.

    Raises:
        NotATable: damaged or protected; several such sheets; merged cells; or formulas that were never computed.
        ConfigError: openpyxl is not installed.
    """
    book = _workbook(path, data_only=True)
    sheets = [(sheet, _rows(sheet)) for sheet in book.worksheets]
    sheets = [(sheet, rows) for sheet, rows in sheets if rows]
    if not sheets:
        raise NotATable("a workbook without cells; expected a sheet with a header line")
    fitting = [(sheet, rows) for sheet, rows in sheets if {*wanted} <= {title.lower() for title in rows[0]}]
    if len(fitting) > 1:
        names = ", ".join(repr(sheet.title) for sheet, _ in fitting)
        raise NotATable(f"the sheets {names} all hold such a table; expected one. Save each as a workbook of its own")
    sheet, (header, *rows) = (fitting or sheets)[0]
    if sheet.merged_cells.ranges:
        area = sorted(str(area) for area in sheet.merged_cells.ranges)[0]
        raise NotATable(
            f"sheet {sheet.title!r} has merged cells ({area}), of which only the first holds a value. Unmerge them "
            "and fill in every cell"
        )
    if any("" in row for row in rows) and (where := _formula_without_value(path, sheet)):
        raise NotATable(f"sheet {sheet.title!r}: {where} is a formula without a value. Open it in Excel and save it")
    return pd.DataFrame(rows, columns=header, dtype=str).apply(plain_numbers)


def _workbook(path: Path, **how: Any) -> Any:
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise ConfigError(f"{path}: {what_to_install('openpyxl')}; or save it as `CSV UTF-8`") from error
    try:
        return load_workbook(path, **how)
    except OSError:
        raise
    except Exception as error:  # a damaged workbook is any of zipfile's, XML's and openpyxl's own errors
        if not zipfile.is_zipfile(path):
            raise NotATable(
                "not an .xlsx workbook, or protected by a password; save it as one, or as `CSV UTF-8`"
            ) from error
        raise NotATable(
            f"a damaged workbook ({' '.join(str(error).split())}). Save it again, or as `CSV UTF-8`"
        ) from error


def _rows(sheet: Any) -> list[list[str]]:
    """The rows of a sheet that hold anything, all of one length; the first is the header."""
    rows = [[_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    rows = [row for row in rows if any(row)]
    used = [any(row[k] for row in rows) for k in range(len(rows[0]))] if rows else []
    rows = [[cell for cell, some in zip(row, used, strict=True) if some] for row in rows]
    return [[title or f"column {k}" for k, title in enumerate(rows[0], 1)], *rows[1:]] if rows else []


def _text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell).strip()


def _formula_without_value(path: Path, sheet: Any) -> str:
    """The place of the first one in a sheet whose values were read, or nothing."""
    for written in _workbook(path)[sheet.title].iter_rows():
        for cell in written:
            if cell.data_type == "f" and sheet[cell.coordinate].value is None:
                return cell.coordinate
    return ""
