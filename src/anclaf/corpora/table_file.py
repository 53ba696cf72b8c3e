"""The rows of a user's own table: CSV, Excel or Parquet, its columns in lower case, and rows that hold no labels."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from anclaf.core.errors import CorpusError
from anclaf.core.sheets import WORKBOOKS, NotATable, not_a_number, numbers, plain_numbers, read_csv, read_workbook
from anclaf.corpora import recognise
from anclaf.corpora.base import SkippedFrame

_EXPECTED = "`image`, or `video` with `frame` or `time_s`; `valence`, `arousal`; optionally `subject`, `fold`"
_FILES = "a CSV, .xlsx or Parquet file"
_OWN = ("image", "video", "frame", "time_s", "valence", "arousal", "subject", "fold")
_MOST_FURTHER = 32
"""Columns beside those, if none is named: with more, most are measurements and no groups."""


def labelled_rows(table: pd.DataFrame, source: Path) -> tuple[pd.DataFrame, list[SkippedFrame]]:
    """The table with labels as numbers, and its rows that have a text where a number belongs, which are left out."""
    wrong = {name: not_a_number(table[name]) for name in ("valence", "arousal")}
    skipped = []
    for row in np.flatnonzero(wrong["valence"] | wrong["arousal"]).tolist():
        said = " and ".join(f"{name} is {table[name].iloc[row]!r}" for name in wrong if wrong[name][row])
        name = clip_name(str(table["image" if "image" in table else "video"].iloc[row]))
        skipped.append(SkippedFrame(name, -1, "label_no_number", f"row {row + 1}: {said}; expected a number"))
    if len(skipped) == len(table):
        raise CorpusError(f"{source}: not one label is a number; {skipped[0].detail}")
    good = table[~(wrong["valence"] | wrong["arousal"])]
    return good.assign(valence=numbers(good["valence"]), arousal=numbers(good["arousal"])), skipped


def read_cells(source: Path, wanted: Sequence[str] = ("valence", "arousal")) -> pd.DataFrame:
    """A CSV, Excel or Parquet table, whatever it holds: its columns in lower case, cells as text, rows from 0.

    Args:
        wanted: columns by which a workbook's sheet is known.

    Raises:
        CorpusError: no such file, no table, or a column twice.
    """
    if source.is_dir():
        database, command = recognise.looks_like(source)
        hint = f"; this looks like {database}: use `{command}`" if database else ""
        raise CorpusError(f"{source}: a folder; expected {_FILES}{hint}")
    if not source.is_file():
        raise CorpusError(f"{source}: no such file; expected {_FILES}")
    if source.suffix.lower() in (".parquet", ".pq"):
        try:
            table = pd.read_parquet(source)
        except (OSError, ValueError) as error:
            raise CorpusError(f"{source}: not readable as Parquet ({error})") from error
        table = table.reset_index(drop=True).apply(lambda column: plain_numbers(column.map(_cell)))
    else:
        try:
            if source.suffix.lower() in WORKBOOKS:
                table = read_workbook(source, wanted)
            else:
                table = read_csv(source.read_bytes())
        except OSError as error:
            raise CorpusError(f"{source}: cannot be read ({error.strerror or error})") from error
        except NotATable as error:
            raise CorpusError(f"{source}: {error}") from error
    table = table.rename(columns=lambda title: str(title).strip().lower())
    columns = list(table.columns)
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        raise CorpusError(f"{source}: got the columns {', '.join(columns)}. {', '.join(twice)}: there twice")
    return table


def read_columns(source: Path, check: Callable[[Path, list[str]], None] | None = None) -> pd.DataFrame:
    """`read_cells` of a table of labels, `fold` as int (-1: none).

    Args:
        check: raises a CorpusError where columns are missing; default: those of labels in the table itself.
    """
    table = read_cells(source)
    (check or _check_columns)(source, list(table.columns))
    if not len(table):
        raise CorpusError(f"{source}: a header without rows; expected a row per image or labelled frame")
    if "subject" not in table:
        table["subject"] = ""
    if "fold" not in table:
        return table.assign(fold=-1)
    folds = numbers(table["fold"])
    bad = np.flatnonzero(~((folds >= 0) & (folds == np.round(folds))))
    if len(bad):
        got = table["fold"].iloc[int(bad[0])]
        raise CorpusError(f"{source}: fold of row {bad[0] + 1} is {got!r}; expected a whole number from 0 in every row")
    return table.assign(fold=folds.astype(np.int64))


def further_columns(table: pd.DataFrame, source: Path, wanted: Sequence[str]) -> tuple[list[str], str]:
    """The columns beside those that a corpus needs, and a note where they are too many to be kept unasked.

    Args:
        table: of `read_columns`. wanted: by name, in any case; all that have a title and a cell where none is named.

    Raises:
        CorpusError: no such column, or one of the table's own.
    """
    there = [c for c in table.columns if c not in _OWN and not re.match(r"unnamed: \d+$|column \d+$|$", c)]
    names = list(dict.fromkeys(name.strip().lower() for name in wanted))
    if odd := [name for name in names if name not in there]:
        expected = ", ".join(there) or "none, for it has no further ones"
        raise CorpusError(f"{source}: column {odd[0]!r} cannot be kept; expected one of {expected}")
    if names:
        return names, ""
    found = [name for name in there if (table[name] != "").any()]
    if len(found) > _MOST_FURTHER:
        return [], f"{len(found)} further columns, none kept: name those by which results are to be split (--columns)"
    return found, ""


def _cell(value: object) -> str:
    """A Parquet cell as the text that a CSV would hold: no value is empty, 3.0 is 3."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _check_columns(source: Path, columns: list[str]) -> None:
    got = f"{source}: got the columns {', '.join(columns)}; expected {_EXPECTED}"
    missing = [column for column in ("valence", "arousal") if column not in columns]
    if "image" not in columns and "video" not in columns:
        missing.insert(0, "image or video")
    if "video" in columns and "frame" not in columns and "time_s" not in columns:
        missing.append("frame or time_s")
    if missing:
        raise CorpusError(f"{got}. Missing: {', '.join(missing)}")
    if "image" in columns and "video" in columns:
        raise CorpusError(f"{got}. Both image and video are there: make a table of each")


def clip_name(path: str) -> str:
    """A path of the table as the name of its clip, with `/` whatever the system."""
    return PurePosixPath(path.replace("\\", "/")).as_posix() if path else ""
