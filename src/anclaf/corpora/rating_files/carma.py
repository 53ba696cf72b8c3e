"""CARMA (Girard 2014): ratings of one dimension, means of bins that are stamped at their ends."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from anclaf.core.errors import ConfigError
from anclaf.core.files import write_text
from anclaf.core.labels import LabelScale
from anclaf.corpora.rating_files import RatingFormat
from anclaf.corpora.rating_files.tool_sheet import read_tool_sheet
from anclaf.corpora.ratings import Dimension, Ratings

_LABELS: dict[Dimension, tuple[str, str]] = {"valence": ("unpleasant", "pleasant"), "arousal": ("calm", "excited")}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STEPS = 9
_UNEVEN = 1e-3
"""Bins whose lengths differ by less, as a share, are of one length."""


def read_carma(path: Path) -> list[Ratings]:
    """One rater's ratings; the file states their range.

    Raises:
        CorpusError: not a file that CARMA wrote.
        ConfigError: the range is none.
    """
    sheet = read_tool_sheet(path, "CARMA")
    scale = LabelScale(sheet.number("Minimum Value", path), sheet.number("Maximum Value", path))
    return [replace(Ratings.bins(sheet.rows[:, 0], sheet.rows[:, 1]), scale=scale)]


def write_carma(path: Path, ratings: Ratings, dimension: Dimension, video: str, when: datetime) -> None:
    """Write ratings of bins of one length, as `Ratings.binned` gives, so that `read_carma` has the same numbers.

    Args:
        video: file name, for the head. when: they were rated.

    Raises:
        ConfigError: the range is not known, or the bins are not of one length.
        OutputError: it cannot be written.
    """
    scale = ratings.scale
    if scale is None or not even(ratings):
        got = "no range" if scale is None else "bins of several lengths"
        raise ConfigError(f"{path.name}: got {got}; expected a range, and one length")
    low, high = _LABELS[dimension]
    said = f"{when.day:02d}-{_MONTHS[when.month - 1]}-{when:%Y %H:%M:%S}"
    rows = [
        ("Time of Rating", said),
        ("Multimedia File", "".join(letter if letter.isprintable() else " " for letter in video)),
        ("Lower Label", low),
        ("Upper Label", high),
        ("Minimum Value", _text(float(scale.low))),
        ("Maximum Value", _text(float(scale.high))),
        ("Number of Steps", str(_STEPS)),
        ("Second", "Rating"),
        ("%%%%%%", "%%%%%%"),
        *((_text(end), _text(value)) for end, value in zip(ratings.stop.tolist(), ratings.value.tolist(), strict=True)),
    ]
    lines = (",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    write_text(path, "\n".join(lines) + "\n")


def even(ratings: Ratings) -> bool:
    """Whether the intervals are bins of one length, which CARMA's files can hold."""
    length = ratings.stop - ratings.start
    return bool(len(length) == 0 or (np.isfinite(length).all() and np.ptp(length) <= _UNEVEN * np.median(length)))


def _text(value: float) -> str:
    """The shortest text of the very number."""
    if value != value:
        return "NaN"
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


CARMA = RatingFormat(read_carma)
