"""DARMA (Girard & Wright 2018): a joystick's two dimensions, means of bins that are stamped at their ends."""

from dataclasses import replace
from pathlib import Path

from anclaf.core.errors import CorpusError
from anclaf.core.labels import LabelScale
from anclaf.corpora.rating_files import RatingFormat
from anclaf.corpora.rating_files.tool_sheet import read_tool_sheet
from anclaf.corpora.ratings import DIMENSIONS, Ratings


def read_darma(path: Path) -> list[Ratings]:
    """One rater's valence and arousal; the range is from minus to plus the file's magnitude. The axes are known by
    their labels, or where those name neither dimension, x is valence and y arousal.

    Raises:
        CorpusError: not a file that DARMA wrote, or its labels name a dimension twice.
        ConfigError: the range is none.
    """
    sheet = read_tool_sheet(path, "DARMA")
    if len(sheet.titles) < 3:
        raise CorpusError(f"{path.name}: the columns {', '.join(sheet.titles)}; expected `Second` and two axes")
    reach = sheet.number("Magnitude", path)
    scale = LabelScale(-reach, reach)
    named = [[name for name in DIMENSIONS if name in title.lower()] for title in sheet.titles[1:3]]
    if len(named[0] + named[1]) not in (0, 2) or named[0] == named[1] != []:
        axes = " and ".join(map(repr, sheet.titles[1:3]))
        raise CorpusError(f"{path.name}: the axes are {axes}; expected one of valence and one of arousal")
    order = [found[0] for found in named] if named[0] else DIMENSIONS
    return [
        replace(Ratings.bins(sheet.rows[:, 0], sheet.rows[:, k]), scale=scale, dimension=dimension)
        for k, dimension in enumerate(order, 1)
    ]


DARMA = RatingFormat(read_darma)
