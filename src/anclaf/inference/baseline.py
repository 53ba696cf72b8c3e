"""A person's own resting face, and what is left of the estimates when it is taken off.

A rest is one valence and one arousal. It is an estimate of the same model, or in its units, so that what the model says
of this person's face whatever it does is taken off: `valence_from_rest` is `valence` less the rest's. Everything here
goes by track, because that is who a person is; whoever is lost and found again has a new track, and a new rest.
"""

import csv
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from anclaf.core.errors import ConfigError, TableError
from anclaf.core.labels import LabelScale
from anclaf.core.sheets import WORKBOOKS, NotATable, numbers, plain_numbers, read_csv, read_workbook
from anclaf.core.words import counted
from anclaf.inference.table import FaceEstimate, column_types, csv_cell

FIRST, MEDIAN = "first:", "median"
_TABLES = (".csv", ".tsv", ".parquet", *WORKBOOKS)
EXPECTED = (
    "expected first:SECONDS, median, or a file: a table with the columns valence and arousal, or a video or picture of "
    "the resting face"
)


class Rest(NamedTuple):
    """In the model's units."""

    valence: float
    arousal: float


class KnownRest(NamedTuple):
    """A rest, and whose it is. source: a source's name; None: of any. track: None: of any."""

    source: str | None
    track: int | None
    rest: Rest


@dataclass(frozen=True)
class Baseline:
    """How rests are known; one of the three.

    first_s: of each track, the medians of its estimates in so many seconds from its first one; those have no difference
    from rest, since they are the rest. whole: of each track, the medians of all its estimates, which only its end can
    tell. known: told beforehand; of several that fit a track, one that names source and track goes before one that
    names the source, that before one that names the track, and that before one that names neither.
    """

    first_s: float = 0.0
    whole: bool = False
    known: tuple[KnownRest, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Baseline | None":
        """`first:SECONDS` or `median`; None for anything else, which is a file.

        Raises:
            ConfigError: SECONDS is no number above 0.
        """
        if text == MEDIAN:
            return cls(whole=True)
        if not text.startswith(FIRST):
            return None
        try:
            seconds = float(text.removeprefix(FIRST))
        except ValueError:
            seconds = np.nan
        if not 0 < seconds < np.inf:
            raise ConfigError(f"baseline {text}: expected first:SECONDS with seconds above 0, such as first:5")
        return cls(first_s=seconds)

    @classmethod
    def of(cls, rest: Rest) -> "Baseline":
        """One rest, of whoever is seen."""
        return cls(known=(KnownRest(None, None, rest),))

    def to_json(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        return asdict(self) | {"known": [[one.source, one.track, *one.rest] for one in self.known]}


def is_table(path: Path) -> bool:
    """Whether a file of this name is read as a table of rests, not as a picture of one."""
    return path.suffix.lower() in _TABLES


def read_rests(path: Path, scale: LabelScale) -> Baseline:
    """A table of rests: CSV, Excel or Parquet with the columns valence and arousal, and where they are wanted source
    and track, in any case. Where source or track is empty or no column, the row is of any.

    Args:
        scale: of the model, in whose units they are.

    Raises:
        TableError: no such file, none of these kinds, columns missing, no rows, a cell that is no number, a rest
            outside the scale, or two rows of the same source and track.
    """
    table = _columns(path)
    if missing := [name for name in ("valence", "arousal") if name not in table]:
        raise TableError(f"{path}: no column {' and '.join(missing)}; expected a row for each resting face")
    if not len(table):
        raise TableError(f"{path}: a table without rows; expected a row for each resting face")
    rests: dict[tuple[str | None, int | None], KnownRest] = {}
    for row, cells in enumerate(table.to_dict("records"), 1):
        affect = [_number(path, row, name, str(cells[name])) for name in ("valence", "arousal")]
        if not all(scale.low <= value <= scale.high for value in affect):
            raise TableError(
                f"{path}: row {row} rests at {affect[0]:g}, {affect[1]:g}; expected values in the model's units, "
                f"{scale.low:g} to {scale.high:g}"
            )
        source, said = (str(cells.get(name, "")).strip() for name in ("source", "track"))
        track = _number(path, row, "track", said) if said else None
        if track is not None and not (track >= 0 and track.is_integer()):
            raise TableError(f"{path}: row {row}: track is {said}; expected a whole number from 0")
        key = source or None, None if track is None else int(track)
        if key in rests:
            raise TableError(f"{path}: row {row} is of the same source and track as one before it; expected one each")
        rests[key] = KnownRest(*key, Rest(*affect))
    return Baseline(known=tuple(rests.values()))


def _number(path: Path, row: int, name: str, cell: str) -> float:
    value = float(numbers(pd.Series([cell]))[0])
    if not np.isfinite(value):
        raise TableError(f"{path}: row {row}: {name} is {cell!r}; expected a number")
    return value


def _columns(path: Path) -> pd.DataFrame:
    """Cells as text, columns in lower case, rows without any label left out."""
    try:
        match path.suffix.lower():
            case ".parquet":
                table = pd.read_parquet(path).astype("string").fillna("")
            case suffix if suffix in WORKBOOKS:
                table = read_workbook(path, ("valence", "arousal"))
            case _:
                table = read_csv(path.read_bytes())
    except FileNotFoundError as error:
        raise TableError(f"{path}: no such file; {EXPECTED}") from error
    except NotATable as error:
        raise TableError(f"{path}: {error}") from error
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: cannot be read ({' '.join(str(error).split())})") from error
    table = table.apply(lambda column: plain_numbers(column.astype(str)))
    table = table.rename(columns=lambda title: str(title).strip().lower())
    labels = [table[name] for name in ("valence", "arousal") if name in table]
    return table[~np.all([column.str.strip() == "" for column in labels], axis=0)] if labels else table


@dataclass
class _Begun:
    """Estimates of a track whose rest is not known yet. since_s: of the first one."""

    since_s: float
    valence: list[float] = field(default_factory=list)
    arousal: list[float] = field(default_factory=list)


_ROUNDING_S = 1e-6
"""Times are rounded so."""


class Rests:
    """The rests of one source's tracks, and each estimate's difference from its track's, frame after frame.

    Args:
        baseline: but for `whole`, of which nothing is known before the end (`whole_rests`).
        source: the source's name.
    """

    def __init__(self, baseline: Baseline, source: str = ""):
        assert not baseline.whole
        self._first_s = baseline.first_s
        self._known = [one for one in baseline.known if one.source in (None, source)]
        self._rests: dict[int, Rest] = {}
        self._begun: dict[int, _Begun] = {}
        self._without = 0

    def corrected(self, estimate: FaceEstimate) -> FaceEstimate:
        """The estimate with its difference from rest, where its track's rest is known by then."""
        if not estimate.estimated or estimate.track is None:
            return estimate
        rest = self._rests.get(estimate.track) or self._find(estimate.track, estimate)
        return estimate if rest is None else from_rest(estimate, rest)

    def _find(self, track: int, estimate: FaceEstimate) -> Rest | None:
        if not self._first_s:
            fitting = [one for one in self._known if one.track in (None, track)]
            best = max(fitting, key=lambda one: (one.source is not None, one.track is not None), default=None)
            if best is None:
                self._begun[track] = _Begun(estimate.time_s)
                return None
            self._begun.pop(track, None)
            return self._rests.setdefault(track, best.rest)
        begun = self._begun.setdefault(track, _Begun(estimate.time_s))
        if estimate.time_s - begun.since_s < self._first_s - _ROUNDING_S:
            begun.valence.append(estimate.valence)
            begun.arousal.append(estimate.arousal)
            return None
        del self._begun[track]
        return self._rests.setdefault(track, Rest(float(np.median(begun.valence)), float(np.median(begun.arousal))))

    def keep(self, tracks: Collection[int]) -> None:
        """Forget all other tracks, which are over."""
        self._without += len(self._begun.keys() - set(tracks))
        self._begun = {track: begun for track, begun in self._begun.items() if track in tracks}
        self._rests = {track: rest for track, rest in self._rests.items() if track in tracks}

    @property
    def note(self) -> str:
        """What a reader of the differences must know once the source is over, or nothing."""
        without = self._without + len(self._begun)
        if not without:
            return ""
        why = f"seen for less than {self._first_s:g} s" if self._first_s else "not in the table of rests"
        return f"no difference from rest for {counted(without, 'track')}, {why}"

    def state(self) -> dict[str, Any]:
        """All that it knows, for `restore`."""
        return {
            "rests": [[track, *rest] for track, rest in self._rests.items()],
            "begun": [[track, asdict(begun)] for track, begun in self._begun.items()],
            "without": self._without,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self._rests = {track: Rest(*rest) for track, *rest in state["rests"]}
        self._begun = {track: _Begun(**begun) for track, begun in state["begun"]}
        self._without = state["without"]


def from_rest(estimate: FaceEstimate, rest: Rest) -> FaceEstimate:
    """The estimate with its difference from rest."""
    return replace(
        estimate,
        valence_from_rest=estimate.valence - rest.valence,
        arousal_from_rest=estimate.arousal - rest.arousal,
    )


def whole_rests(table: pd.DataFrame) -> dict[int, Rest]:
    """Track -> the medians of all its estimates, of a table's columns track, valence and arousal."""
    medians = table.dropna(subset=["valence"]).groupby("track")[["valence", "arousal"]].median()
    return {int(track): Rest(*map(float, row)) for track, row in zip(medians.index, medians.to_numpy(), strict=True)}


def with_whole_rests(rows: Path, to: Path) -> None:
    """Copy what `CsvTable` wrote in `rows`, with each estimate's difference from the rest of its track.

    Raises:
        OSError: it cannot be written.
    """
    types = column_types()
    table = pd.read_csv(rows, usecols=["track", "valence", "arousal"], dtype=types, float_precision="round_trip")
    rests = whole_rests(table)
    with open(rows, encoding="utf-8", newline="") as before, open(to, "w", encoding="utf-8", newline="") as after:
        reader = csv.DictReader(before)
        assert reader.fieldnames is not None
        writer = csv.DictWriter(after, reader.fieldnames, lineterminator="\n")
        writer.writeheader()
        for row in reader:
            if row["valence"]:
                rest = rests[int(row["track"])]
                row["valence_from_rest"] = str(csv_cell(float(row["valence"]) - rest.valence))
                row["arousal_from_rest"] = str(csv_cell(float(row["arousal"]) - rest.arousal))
            writer.writerow(row)
