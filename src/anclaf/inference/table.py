"""The table of estimates: a row for every person in every frame. Its columns, and how it is written and read back.

`FaceEstimate` is the one description of a row: names, order and types of the columns follow from its fields.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast, get_args, get_type_hints

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from anclaf.config import TABLE_SUFFIXES
from anclaf.core.arguments import checked
from anclaf.core.errors import OutputError, TableError
from anclaf.core.files import atomic_path, output_error
from anclaf.core.labels import QUADRANTS
from anclaf.core.sheets import Dialect, plain_numbers, read_workbook

Status = Literal["ok", "warming_up", "no_face", "too_small", "blurred", "unreadable"]
"""ok: estimated from a full window. warming_up: estimated from a shorter one, at a track's start or after a gap.
The others say why there is no estimate. no_face: nobody is seen in the frame, or this track is not.
unreadable: the frame's picture cannot be read."""
STATUSES: tuple[Status, ...] = get_args(Status)
ESTIMATED: tuple[Status, ...] = ("ok", "warming_up")
NAN = float("nan")
UNFAMILIAR = 0.9
"""A face is called unfamiliar where more than this share of the validation people's lie nearer to those learnt from."""

_HEAD = 65_536
"""Bytes of a CSV by which its dialect is known."""
_READ_ROWS, _WRITE_ROWS = 20_000, 100_000
"""Rows that are in memory at a time."""


@dataclass(frozen=True)
class FaceEstimate:
    """One row of the table.

    frame: 0-based. time_s: seconds from the first frame. track: the person, from 0; None where nobody is tracked.
    x, y, w, h: the face's box in pixels. detection: the detector's score. valence, arousal: in the units of the corpus
    that the model was trained on. quadrant: of valence and arousal, as in `core.labels.QUADRANTS`; q1 to q4: the
    probabilities of those four by the model's discriminator, which sees one frame. size, sharpness, frontalness: see
    `faces.align.face_quality`. attention: weight of the state 1, 2, … frames before, NaN where there is none; empty if
    not asked for; in the table as columns attention_1, attention_2, … file: the name of the frame's own file, in a
    folder of pictures. valence_from_rest, arousal_from_rest: less the person's resting face (`baseline.Baseline`),
    where one is asked for and known. valence_low to arousal_high: ends of the intervals that cover 90 % of the frames
    of people like those that the model was calibrated on; unfamiliar: the share of their faces that lie nearer to those
    that it learnt from, in [0, 1) (`models.calibration`). What is not known is NaN, or None.
    """

    frame: int
    time_s: float
    track: int | None = None
    x: float = NAN
    y: float = NAN
    w: float = NAN
    h: float = NAN
    detection: float = NAN
    valence: float = NAN
    arousal: float = NAN
    quadrant: str | None = None
    q1: float = NAN
    q2: float = NAN
    q3: float = NAN
    q4: float = NAN
    status: Status = "no_face"
    size: float = NAN
    sharpness: float = NAN
    frontalness: float = NAN
    attention: tuple[float, ...] = field(default=())
    file: str | None = None
    valence_low: float = NAN
    valence_high: float = NAN
    arousal_low: float = NAN
    arousal_high: float = NAN
    unfamiliar: float = NAN
    valence_from_rest: float = NAN
    arousal_from_rest: float = NAN

    @property
    def estimated(self) -> bool:
        return self.status in ESTIMATED

    def row(self) -> dict[str, Any]:
        """Column -> value."""
        row = {name: getattr(self, name) for name in COLUMNS}
        return row | {_attention_column(k): weight for k, weight in enumerate(self.attention, 1)}


class _Kind(NamedTuple):
    """How pandas holds values of a type, and how a cell of a CSV file is read as one."""

    dtype: Any
    parse: Callable[[str], Any]


_KINDS: dict[Any, _Kind] = {
    int: _Kind(np.int64, int),
    int | None: _Kind("Int64", lambda cell: int(cell) if cell else None),
    float: _Kind(np.float64, lambda cell: float(cell) if cell else NAN),
    str | None: _Kind("string", lambda cell: cell or None),
    Status: _Kind("string", lambda cell: cast(Status, cell)),
}
_COLUMNS = {name: _KINDS[kind] for name, kind in get_type_hints(FaceEstimate).items() if name != "attention"}
COLUMNS = tuple(_COLUMNS)
"""Without those of the attention, which come last."""


def column_types(attention: int = 0) -> dict[str, Any]:
    """Column -> type in pandas, with so many attention weights."""
    types = {name: kind.dtype for name, kind in _COLUMNS.items()}
    return types | {_attention_column(k): np.float64 for k in range(1, attention + 1)}


def _attention_column(k: int) -> str:
    return f"attention_{k}"


@checked
def make_table(estimates: Iterable[FaceEstimate], attention: int = 0) -> pd.DataFrame:
    """A row for each estimate; `track` is a nullable integer, unknown numbers are NaN. attention: how many weights."""
    types = column_types(attention)
    return pd.DataFrame([estimate.row() for estimate in estimates], columns=list(types)).astype(types)


# writing


class CsvTable:
    """Appends rows to a CSV file, each frame's at once, so that what is on disk is whole up to the last frame.

    Args:
        attention: how many attention weights a row has.
        keep: bytes of the file that stay, 0 to begin anew.

    Raises:
        OutputError: it cannot be written, or has fewer bytes than are to stay.
    """

    def __init__(self, path: Path, attention: int = 0, keep: int = 0):
        self._path, self.bytes = Path(path), keep
        self._text = io.StringIO(newline="")
        self._writer = csv.DictWriter(self._text, list(column_types(attention)), lineterminator="\n")
        try:
            self._file = open(path, "r+b" if keep else "wb", buffering=0)  # noqa: SIM115 - closed by close
        except OSError as error:
            raise output_error(self._path, error) from error
        if not keep:
            self._writer.writeheader()
            self._append()
            return
        header = self._file.readline().decode("utf-8", "replace").rstrip("\n")
        if header != ",".join(column_types(attention)):
            self._file.close()
            raise OutputError(f"{path}: has other columns, of another version. Use --overwrite to begin anew")
        if self._file.seek(0, io.SEEK_END) < keep:
            self._file.close()
            raise OutputError(f"{path}: cut short, so that it cannot be continued. Use --overwrite to begin anew")
        self._file.truncate(keep)
        self._file.seek(keep)

    def append(self, estimates: list[FaceEstimate]) -> None:
        """The rows of the next frame."""
        self._writer.writerows({k: csv_cell(v) for k, v in estimate.row().items()} for estimate in estimates)
        self._append()

    def close(self) -> None:
        """Close the file. What was written in part is taken back. Closed twice, it does nothing."""
        if self._file.closed:
            return
        with self._file as file:
            if file.tell() > self.bytes:
                file.truncate(self.bytes)

    def _append(self) -> None:
        content = memoryview(self._text.getvalue().encode())
        self._text.seek(0)
        self._text.truncate()
        try:
            written = 0
            while written < len(content):
                written += self._file.write(content[written:])
        except OSError as error:
            self.close()
            raise output_error(self._path, error) from error
        self.bytes += len(content)


def csv_cell(value: Any) -> Any:
    """What is written of a value: six decimals; what is not known stays empty."""
    if isinstance(value, float):
        return "" if value != value else round(value, 6)
    return "" if value is None else value


def write_parquet(path: Path, rows: Path) -> None:
    """Turn what `CsvTable` wrote in `rows` into a Parquet file whose columns have the types of `make_table`.

    Raises:
        OutputError: it cannot be written.
    """
    empty = make_table([], len(pd.read_csv(rows, nrows=0).columns) - len(COLUMNS))
    schema = pa.Schema.from_pandas(empty, preserve_index=False)
    types = empty.dtypes.to_dict()
    with (
        atomic_path(path) as temporary,
        parquet.ParquetWriter(temporary, schema) as writer,
        pd.read_csv(rows, dtype=types, chunksize=_WRITE_ROWS, float_precision="round_trip") as reader,
    ):
        for chunk in reader:
            writer.write_table(pa.Table.from_pandas(chunk, schema=schema, preserve_index=False))


# reading back


def read_rows(path: Path) -> Iterator[list[FaceEstimate]]:
    """What `CsvTable` wrote, frame by frame, without the attention."""
    with open(path, encoding="utf-8", newline="") as file:
        for _, rows in groupby(csv.DictReader(file), key=lambda row: row["frame"]):
            yield [FaceEstimate(**{name: kind.parse(row[name]) for name, kind in _COLUMNS.items()}) for row in rows]


BOUNDS = ("valence_low", "valence_high", "arousal_low", "arousal_high")
LATER = (*BOUNDS, "unfamiliar", "valence_from_rest", "arousal_from_rest")
"""Columns of numbers that tables of earlier versions lack."""
_NUMERIC = ("frame", "time_s", "track", "valence", "arousal", *LATER)
_READ: dict[str, Any] = {
    **{name: _COLUMNS[name].dtype for name in _NUMERIC},
    "quadrant": pd.CategoricalDtype(list(QUADRANTS)),
    "status": pd.CategoricalDtype(list(STATUSES)),
}


@checked
def read_table(table: pd.DataFrame | Path) -> pd.DataFrame:
    """The columns frame, time_s, track, valence, arousal, those of `LATER`, quadrant and status (the last two
    categories), in the order of the frames. Of a table that lacks columns of `LATER`, they are NaN.

    Args:
        table: a file that `anclaf predict` wrote, or what `AffectEstimator.predict` gave.

    Raises:
        TableError: as `read_chunks`.
    """
    return pd.concat(read_chunks(table)).sort_values("frame", kind="stable", ignore_index=True)


def read_chunks(table: pd.DataFrame | Path) -> Iterator[pd.DataFrame]:
    """As `read_table`, but piece by piece and in the table's own order, so that memory does not grow with the table.

    Raises:
        TableError: the file is missing, unreadable or of another kind; columns are missing; there are no rows; or what
            is in them is not what `anclaf predict` writes.
    """
    name = "table" if isinstance(table, pd.DataFrame) else str(table)
    rows = 0
    try:
        for chunk in [table] if isinstance(table, pd.DataFrame) else _pieces(Path(table)):
            yield _checked(chunk, name)
            rows += len(chunk)
    except FileNotFoundError as error:
        raise TableError(f"{name}: no such file; expected a table that `anclaf predict` wrote") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).strip().splitlines()[0]
        raise TableError(f"{name}: cannot be read as a table of `anclaf predict` ({reason})") from error
    if not rows:
        raise TableError(f"{name}: a table without rows; expected a row for every frame")


def _pieces(path: Path) -> Iterator[pd.DataFrame]:
    match path.with_name(path.name.removesuffix(".part")).suffix.lower():
        case ".csv":
            with open(path, "rb") as file:
                dialect = Dialect.of(file.read(_HEAD))
            with pd.read_csv(
                path, usecols=lambda name: name in _READ, chunksize=_READ_ROWS, sep=dialect.separator,
                float_precision="round_trip", encoding=dialect.encoding, encoding_errors="replace",
                skiprows=dialect.skip,
            ) as reader:  # fmt: skip
                for chunk in reader:
                    yield chunk.apply(_numeric)
        case ".xlsx":
            rows = read_workbook(path, [name for name in _READ if name not in LATER])
            yield rows.replace("", None).apply(_numeric)
        case ".parquet":
            with parquet.ParquetFile(path) as file:
                columns = [name for name in file.schema_arrow.names if name in _READ]
                for batch in file.iter_batches(_READ_ROWS, columns=columns):
                    yield batch.to_pandas()
        case suffix:
            raise ValueError(f"a {suffix or 'nameless'} file; expected {', '.join(TABLE_SUFFIXES)} or .xlsx")


def _numeric(column: pd.Series) -> pd.Series:
    """A column of numbers that a spreadsheet program saved as text, with a decimal comma, as numbers."""
    if column.name not in _NUMERIC or pd.api.types.is_numeric_dtype(column):
        return column
    return pd.to_numeric(plain_numbers(column.astype("string").str.strip()))


def _checked(chunk: pd.DataFrame, name: str) -> pd.DataFrame:
    if missing := [column for column in _READ if column not in chunk and column not in LATER]:
        raise TableError(f"{name}: no table of `anclaf predict`: it lacks the columns {', '.join(missing)}")
    chunk = chunk.reindex(columns=list(_READ)).astype(_READ)
    estimated = chunk["status"].isin(ESTIMATED)
    whole = (
        (chunk["time_s"].notna() & chunk["status"].notna())
        & (chunk["valence"].notna() == estimated)
        & (chunk["arousal"].notna() == estimated)
        & (chunk["quadrant"].notna() == estimated)
        & (chunk["track"].notna() | ~estimated)
    )
    if not whole.all():
        frame = chunk.loc[~whole, "frame"].iloc[0]
        expected = (
            f"a status of {', '.join(STATUSES)}, and valence, arousal and quadrant with {' and '.join(ESTIMATED)} only"
        )
        raise TableError(f"{name}: frame {frame} is damaged; expected {expected}. Run `anclaf predict` again")
    return chunk
