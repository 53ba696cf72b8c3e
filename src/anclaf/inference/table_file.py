"""The table on disk: rows appended to CSV as they come, read back, and turned into Parquet."""

import csv
import io
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from anclaf.core.errors import OutputError
from anclaf.core.files import atomic_path, output_error
from anclaf.inference.estimate import COLUMNS, NAN, FaceEstimate, Status, column_names, table

TableFormat = Literal["csv", "parquet"]

_CHUNK = 100_000
_WORDS = ("quadrant", "status")
_NUMBERS = tuple(name for name in COLUMNS if name not in ("frame", "track", *_WORDS))


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
        self._writer = csv.DictWriter(self._text, column_names(attention), lineterminator="\n")
        try:
            self._file = open(path, "r+b" if keep else "wb", buffering=0)  # noqa: SIM115 - closed by close
        except OSError as error:
            raise output_error(self._path, error) from error
        if not keep:
            self._writer.writeheader()
            self._append()
            return
        if self._file.seek(0, io.SEEK_END) < keep:
            self._file.close()
            raise OutputError(f"{path}: cut short, so that it cannot be continued. Use --overwrite to begin anew")
        self._file.truncate(keep)
        self._file.seek(keep)

    def append(self, estimates: list[FaceEstimate]) -> None:
        """The rows of the next frame."""
        self._writer.writerows({k: _cell(v) for k, v in estimate.row().items()} for estimate in estimates)
        self._append()

    def close(self) -> None:
        """Close the file. What was written in part is taken back."""
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


def read_rows(path: Path) -> Iterator[list[FaceEstimate]]:
    """What `CsvTable` wrote, frame by frame, without the attention."""
    with open(path, encoding="utf-8", newline="") as file:
        for _, rows in groupby(csv.DictReader(file), key=lambda row: row["frame"]):
            yield [_estimate(row) for row in rows]


def write_parquet(path: Path, rows: Path) -> None:
    """Turn what `CsvTable` wrote in `rows` into a Parquet file whose columns have the types of `estimate.table`.

    Raises:
        OutputError: it cannot be written.
    """
    empty = table([], len(pd.read_csv(rows, nrows=0).columns) - len(COLUMNS))
    schema = pa.Schema.from_pandas(empty, preserve_index=False)
    types = empty.dtypes.to_dict()
    with (
        atomic_path(path) as temporary,
        parquet.ParquetWriter(temporary, schema) as writer,
        pd.read_csv(rows, dtype=types, chunksize=_CHUNK, float_precision="round_trip") as reader,
    ):
        for chunk in reader:
            writer.write_table(pa.Table.from_pandas(chunk, schema=schema, preserve_index=False))


def _cell(value: Any) -> Any:
    """Six decimals; what is not known stays empty."""
    if isinstance(value, float):
        return "" if value != value else round(value, 6)
    return "" if value is None else value


def _estimate(row: dict[str, str]) -> FaceEstimate:
    values: dict[str, Any] = {name: float(row[name]) if row[name] else NAN for name in _NUMBERS}
    values["track"] = int(row["track"]) if row["track"] else None
    values["quadrant"] = row["quadrant"] or None
    return FaceEstimate(frame=int(row["frame"]), status=cast(Status, row["status"]), **values)
