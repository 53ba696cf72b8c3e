"""Tables of `anclaf predict`, read back: who was estimated when, as what, and why not."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from anclaf.core.errors import TableError
from anclaf.core.labels import QUADRANTS
from anclaf.inference.estimate import Status

STATUSES: tuple[Status, ...] = get_args(Status)
SUFFIXES = (".csv", ".parquet")

_KINDS = {
    "frame": np.int64,
    "time_s": np.float64,
    "track": "Int64",
    "valence": np.float64,
    "arousal": np.float64,
    "quadrant": pd.CategoricalDtype(list(QUADRANTS)),
    "status": pd.CategoricalDtype(list(STATUSES)),
}
_CHUNK = 20_000


def read_table(table: pd.DataFrame | Path) -> pd.DataFrame:
    """The columns frame, time_s, track, valence, arousal, quadrant and status (the last two categories), in the order
    of the frames.

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
    match path.suffix.lower():
        case ".csv":
            with pd.read_csv(
                path, usecols=lambda name: name in _KINDS, chunksize=_CHUNK, float_precision="round_trip"
            ) as reader:
                yield from reader
        case ".parquet":
            with parquet.ParquetFile(path) as file:
                columns = [name for name in file.schema_arrow.names if name in _KINDS]
                for batch in file.iter_batches(_CHUNK, columns=columns):
                    yield batch.to_pandas()
        case suffix:
            raise ValueError(f"a {suffix or 'nameless'} file; expected {' or '.join(SUFFIXES)}")


def _checked(chunk: pd.DataFrame, name: str) -> pd.DataFrame:
    if missing := [column for column in _KINDS if column not in chunk]:
        raise TableError(f"{name}: no table of `anclaf predict`: it lacks the columns {', '.join(missing)}")
    chunk = chunk[list(_KINDS)].astype(_KINDS)
    estimated = chunk["status"].isin(["ok", "warming_up"])
    whole = (
        (chunk["time_s"].notna() & chunk["status"].notna())
        & (chunk["valence"].notna() == estimated)
        & (chunk["arousal"].notna() == estimated)
        & (chunk["quadrant"].notna() == estimated)
        & (chunk["track"].notna() | ~estimated)
    )
    if not whole.all():
        frame = chunk.loc[~whole, "frame"].iloc[0]
        expected = f"a status of {', '.join(STATUSES)}, and valence, arousal and quadrant with ok and warming_up only"
        raise TableError(f"{name}: frame {frame} is damaged; expected {expected}. Run `anclaf predict` again")
    return chunk
