"""`ratings.csv`, the table that `anclaf prepare table --labels carma` takes: a row for each video and rater.

What a person adds to it stays: further columns of a video, such as `subject`, and rows whose files lie elsewhere.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from anclaf.app.limits import RefusedError
from anclaf.core.files import atomic_path
from anclaf.corpora.ratings import DIMENSIONS
from anclaf.corpora.table_file import read_cells

_OWN = ("video", "subject", "rater", *DIMENSIONS)
Files = Mapping[tuple[str, str], Mapping[str, str]]
"""(video, rater) -> dimension -> path from the videos' folder."""


def write_table(path: Path, files: Files, place: str) -> None:
    """Write the rows of these files in place of those that were written before.

    Args:
        place: the folder of such files: rows of others are a person's.

    Raises:
        CorpusError: the table that is there is damaged. OutputError: it cannot be written.
    """
    before = _read(path)
    cells = before[[name for name in (*DIMENSIONS, "ratings") if name in before]]
    own = [any(cell.startswith(f"{place}/") for cell in row) for row in cells.itertuples(index=False, name=None)]
    others = before[[not one for one in own]]
    further = [name for name in before if name not in ("video", "rater", *DIMENSIONS)]
    rows = []
    for (video, rater), named in sorted(files.items()):
        told = before[before["video"] == video]
        known = {name: next((cell for cell in told[name] if cell), "") for name in further}
        rows.append(known | {"video": video, "rater": rater} | dict(named))
    columns = list(dict.fromkeys((*_OWN, *further)))
    _write(path, pd.concat([pd.DataFrame(rows, columns=columns), others]))


def lacks(path: Path, files: Files) -> bool:
    """Whether one of these is in no row.

    Raises:
        CorpusError: the table is damaged.
    """
    table = _read(path)
    return not {*files} <= {*zip(table["video"], table["rater"], strict=True)}


def subject_of(path: Path, video: str) -> str:
    """Who is in a video; empty where the table does not say it.

    Raises:
        CorpusError: the table is damaged.
    """
    table = _read(path)
    return next((cell for cell in table["subject"][table["video"] == video] if cell), "")


def name_subject(path: Path, video: str, subject: str) -> None:
    """Write who is in a video.

    Raises:
        RefusedError: (409) the table has no row of it. CorpusError: it is damaged. OutputError: it cannot be written.
    """
    table = _read(path)
    rows = table["video"] == video
    if not rows.any():
        raise RefusedError(409, f"{video}: not rated yet; rate it first")
    _write(path, table.assign(subject=table["subject"].where(~rows, " ".join(subject.split()))))


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        return pd.DataFrame({name: [] for name in _OWN}, dtype=str)
    table = read_cells(path)
    return table.assign(**{name: "" for name in _OWN if name not in table})


def _write(path: Path, table: pd.DataFrame) -> None:
    with atomic_path(path) as temporary:
        table.fillna("").to_csv(temporary, index=False, lineterminator="\n")
