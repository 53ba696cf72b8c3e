"""What a person changed of who is who and which stretches count, beside the table and not in it: `NAME.edits.json`."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from anclaf.core.errors import TableError
from anclaf.core.files import write_json
from anclaf.core.words import counted
from anclaf.inference.table import ESTIMATED

_MOST, _MOST_TRACK, _MOST_S, _LONGEST_NAME = 10_000, 10_000_000, 1e7, 80
_NO_OTHER_FIELDS: Any = {"extra": "forbid"}
"""For pydantic, which reads these classes from what a client sends."""


@dataclass(frozen=True)
class Stretch:
    """Seconds of the video that do not count, from `from_s` to before `to_s`. track: of one person; None: of everybody.

    Raises:
        ValueError: no such track, or no such seconds.
    """

    __pydantic_config__: ClassVar[Any] = _NO_OTHER_FIELDS

    from_s: float
    to_s: float
    track: int | None = None

    def __post_init__(self) -> None:
        if self.track is not None:
            _check_track("track", self.track)
        for name, value in (("from_s", self.from_s), ("to_s", self.to_s)):
            if not isinstance(value, int | float) or not 0 <= value <= _MOST_S:
                raise ValueError(f"{name}: got {value!r}; expected seconds, 0 to {_MOST_S:g}")
        if self.to_s <= self.from_s:
            raise ValueError("to_s: expected more than from_s")


@dataclass(frozen=True)
class Edits:
    """names: of a track. merged: a track -> the one that it is the same person as. excluded: stretches that do not
    count.

    Raises:
        ValueError: one of them is none, a track is merged into one that is merged itself, or there are too many.
    """

    __pydantic_config__: ClassVar[Any] = _NO_OTHER_FIELDS

    names: dict[int, str] = field(default_factory=dict)
    merged: dict[int, int] = field(default_factory=dict)
    excluded: list[Stretch] = field(default_factory=list)

    def __post_init__(self) -> None:
        for what in ("names", "merged", "excluded"):
            if len(getattr(self, what)) > _MOST:
                raise ValueError(f"{what}: more than {_MOST}")
        for track, name in self.names.items():
            _check_track("names", track)
            if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or any(map(_is_control, name)):
                raise ValueError(f"names: got {name!r}; expected 1 to {_LONGEST_NAME} letters")
        for track, into in self.merged.items():
            _check_track("merged", track)
            _check_track("merged", into)
            if into == track or into in self.merged:
                raise ValueError(f"merged: track {track} into {into}, which is merged itself")

    @property
    def words(self) -> str:
        """`1 track joined, 2 stretches left out`."""
        parts = [
            (len(self.merged), "track", "joined"), (len(self.names), "person", "named"),
            (len(self.excluded), "stretch", "left out"),
        ]  # fmt: skip
        return ", ".join(f"{counted(n, unit)} {what}" for n, unit, what in parts if n).replace("stretchs", "stretches")

    def applied(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of a table with the columns frame, time_s, track and status, as corrected: tracks joined, and what does
        not count taken out. Where two tracks of one person are in one frame, the one that is estimated counts, and of
        two such that which is not joined to the other."""
        own, joined = rows["track"], rows["track"].replace(self.merged)
        out = pd.Series(False, rows.index)
        for one in self.excluded:
            within = (rows["time_s"] >= one.from_s) & (rows["time_s"] < one.to_s)
            out |= within if one.track is None else within & ((own == one.track) | (joined == one.track)).fillna(False)
        rows = rows.assign(track=joined)[~out]
        if not self.merged:
            return rows
        order = pd.DataFrame({"frame": rows["frame"], "track": rows["track"]})
        order["worse"] = ~rows["status"].isin(ESTIMATED)
        order["other"] = (own[rows.index] != rows["track"]).fillna(False)
        order = order.sort_values(["frame", "worse", "other"], kind="stable")
        twice = order.duplicated(["frame", "track"]) & order["track"].notna()
        return rows.drop(order.index[twice])


def _check_track(what: str, track: Any) -> None:
    if not isinstance(track, int) or not 0 <= track <= _MOST_TRACK:
        raise ValueError(f"{what}: got track {track!r}; expected a whole number, 0 or more")


def _is_control(letter: str) -> bool:
    return letter < " " or letter == "\x7f"


def edits_path(table: Path) -> Path:
    """`NAME.edits.json` beside `NAME.csv` or `NAME.parquet`."""
    return table.with_suffix(".edits.json")


def read_edits(table: Path) -> Edits:
    """Those of a table; none where nothing was changed.

    Raises:
        TableError: the file is damaged.
    """
    path = edits_path(table)
    try:
        content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        numbered = {
            what: {int(track): value for track, value in content[what].items()}
            for what in ("names", "merged")
            if what in content
        }
        rest = {what: value for what, value in content.items() if what not in numbered}
        if "excluded" in rest:
            rest["excluded"] = [Stretch(**one) for one in rest["excluded"]]
        return Edits(**numbered, **rest)
    except FileNotFoundError:
        return Edits()
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise TableError(f"{path.name}: damaged; remove it, or put it right") from error


def edits_are_older(table: Path) -> bool:
    """Whether the table was written after its corrections, which may be of an earlier one."""
    return os.stat(edits_path(table)).st_mtime < os.stat(table).st_mtime


def write_edits(table: Path, edits: Edits) -> None:
    """Write them; none removes the file.

    Raises:
        OutputError: it cannot be written.
    """
    path = edits_path(table)
    if edits == Edits():
        path.unlink(missing_ok=True)
    else:
        write_json(path, asdict(edits))
