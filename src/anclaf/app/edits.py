"""What a person changed of who is who and which stretches count, beside the table and not in it: `NAME.edits.json`."""

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from anclaf.core.errors import TableError
from anclaf.core.files import write_json

_MOST = 10_000
Track = Annotated[int, Field(ge=0, le=10_000_000)]
Seconds = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Stretch(BaseModel):
    """Seconds of the video that do not count. track: of one person; null: of everybody."""

    model_config = ConfigDict(extra="forbid")

    track: Track | None = None
    from_s: Seconds
    to_s: Seconds

    @model_validator(mode="after")
    def _in_order(self) -> "Stretch":
        if self.to_s <= self.from_s:
            raise ValueError("to_s: expected more than from_s")
        return self


class Edits(BaseModel):
    """names: of a track. merged: a track -> the one that it is the same person as. excluded: stretches that do not
    count."""

    model_config = ConfigDict(extra="forbid")

    names: Annotated[dict[Track, Name], Field(max_length=_MOST)] = Field(default_factory=dict)
    merged: Annotated[dict[Track, Track], Field(max_length=_MOST)] = Field(default_factory=dict)
    excluded: Annotated[list[Stretch], Field(max_length=_MOST)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _no_chains(self) -> "Edits":
        for track, into in self.merged.items():
            if into == track or into in self.merged:
                raise ValueError(f"merged: track {track} into {into}, which is merged itself")
        return self


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
        return Edits.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Edits()
    except (OSError, ValidationError, ValueError) as error:
        raise TableError(f"{path.name}: damaged; remove it, or put it right") from error


def write_edits(table: Path, edits: Edits) -> None:
    """Write them; none removes the file.

    Raises:
        OutputError: it cannot be written.
    """
    path = edits_path(table)
    if edits == Edits():
        path.unlink(missing_ok=True)
    else:
        write_json(path, json.loads(edits.model_dump_json()))
