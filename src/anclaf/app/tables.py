"""Tables of `anclaf predict` as the page and a client get them: JSON by columns, CSV, Parquet."""

import json
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from anclaf.app.worker import ModelInfo
from anclaf.core.errors import AnclafError, TableError
from anclaf.core.files import atomic_path
from anclaf.core.labels import LabelScale
from anclaf.inference.table import COLUMNS, column_types, csv_cell, write_parquet

_ROWS = 20_000
"""That are in memory at a time."""
_CONVERTING = Lock()


def load(path: Path) -> pd.DataFrame:
    """The whole table.

    Raises:
        TableError: it is none of `anclaf predict`'s, or was changed by another program.
    """
    pieces = list(_pieces(path))
    return pd.concat(pieces) if len(pieces) > 1 else pieces[0]


def _pieces(path: Path) -> Iterator[pd.DataFrame]:
    try:
        if path.suffix == ".parquet":
            with parquet.ParquetFile(path) as file:
                types = _types(file.schema_arrow.names, path)
                for batch in file.iter_batches(_ROWS):
                    yield batch.to_pandas().astype(types)
                if not file.metadata.num_rows:
                    yield pd.DataFrame(columns=list(types)).astype(types)
            return
        types = _types(list(pd.read_csv(path, nrows=0).columns), path)
        with pd.read_csv(path, dtype=types, float_precision="round_trip", chunksize=_ROWS) as reader:
            yield from reader
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TableError(f"{path.name}: cannot be read as a table of `anclaf predict` ({reason})") from error


def _types(names: list[str], path: Path) -> dict[str, Any]:
    types = column_types(sum(name.startswith("attention_") for name in names))
    if missing := [name for name in ("frame", "time_s", "track", "x", "valence", "status") if name not in names]:
        raise TableError(f"{path.name}: no table of `anclaf predict`: it lacks the columns {', '.join(missing)}")
    return {name: types[name] for name in names if name in types}


def scale_of(table: pd.DataFrame, about: dict[str, Any], info: ModelInfo) -> tuple[float, float]:
    """The ends of the model's scale. Results of earlier versions do not say it: of the server's own model it is known,
    of another the first of ±1 and ±10 that holds them, or what does."""
    told = about.get("scale")
    if isinstance(told, list) and len(told) == 2:
        try:
            scale = LabelScale(float(told[0]), float(told[1]))
        except (TypeError, ValueError, AnclafError):
            scale = None  # of a file that somebody changed
        if scale is not None:
            return scale.low, scale.high
    made_with = about.get("made_with")
    model = made_with.get("model") if isinstance(made_with, dict) else None
    if isinstance(model, dict) and model.get("fingerprint") == info.fingerprint:
        return info.low, info.high
    names = [name for name in ("valence", "arousal", "valence_low", "valence_high", "arousal_low") if name in table]
    most = float(table[names].abs().max().max() or 0)
    high = next((end for end in (1.0, 10.0) if most <= end), most)
    return (-high, high) if high == high else (-1.0, 1.0)


def as_columns(table: pd.DataFrame, wanted: Collection[str] | None = None) -> dict[str, list[Any]]:
    """Column -> values as JSON has them; what is not known is null. A column that is all unknown is left out.

    Args:
        wanted: names, or beginnings of names with a `*` after them; None: all.
    """
    found = {}
    for name in table.columns:
        if wanted is not None and not any(fnmatchcase(name, one) for one in wanted):
            continue
        column = table[name]
        if column.isna().all() and name not in COLUMNS[:11]:
            continue
        if pd.api.types.is_float_dtype(column):
            values = column.to_numpy()
            if not (known := np.isfinite(values)).all():
                values = values.astype(object)
                values[~known] = None
            found[name] = values.tolist()
        else:
            found[name] = column.astype(object).where(column.notna(), None).tolist()
    return found


def as_json(content: dict[str, Any]) -> bytes:
    """Compact."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def as_csv(path: Path, to: Path) -> Path:
    """The table as CSV: itself, or written `to` a file, with the numbers that `anclaf predict` writes."""
    if path.suffix == ".csv":
        return path
    with (
        _CONVERTING,
        atomic_path(to) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        for number, piece in enumerate(_pieces(path)):
            plain = piece.astype(object).where(piece.notna(), None).map(csv_cell)
            plain.to_csv(file, index=False, header=number == 0, lineterminator="\n")
    return to


def as_parquet(path: Path, to: Path) -> Path:
    """The table as Parquet: itself, or written `to` a file."""
    if path.suffix == ".parquet":
        return path
    with _CONVERTING:
        write_parquet(to, path)
    return to
