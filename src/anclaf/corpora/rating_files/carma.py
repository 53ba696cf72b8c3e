"""CARMA (Girard 2014): ratings of one dimension, means of bins that are stamped at their ends."""

from dataclasses import replace
from pathlib import Path

from anclaf.core.labels import LabelScale
from anclaf.corpora.rating_files import RatingFormat
from anclaf.corpora.rating_files.tool_sheet import read_tool_sheet
from anclaf.corpora.ratings import Ratings


def read_carma(path: Path) -> list[Ratings]:
    """One rater's ratings; the file states their range.

    Raises:
        CorpusError: not a file that CARMA wrote.
        ConfigError: the range is none.
    """
    sheet = read_tool_sheet(path, "CARMA")
    scale = LabelScale(sheet.number("Minimum Value", path), sheet.number("Maximum Value", path))
    return [replace(Ratings.bins(sheet.rows[:, 0], sheet.rows[:, 1]), scale=scale)]


CARMA = RatingFormat(read_carma)
