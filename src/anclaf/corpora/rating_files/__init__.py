"""Files of rating tools and of databases of ratings over time, one format a file, by name.

Another package brings a format by `RATING_FORMATS.register`, or by an entry point in the group `anclaf.rating_formats`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from anclaf.core.registry import Registry
from anclaf.corpora.ratings import Ratings


@dataclass(frozen=True)
class RatingFormat:
    """How ratings are read from a file.

    read: of a path; raises CorpusError where the file is not of this format. names_videos: such a file is itself the
    table of a corpus, and its ratings name their videos; otherwise the user's table names such files.
    """

    read: Callable[[Path], list[Ratings]]
    names_videos: bool = False


RATING_FORMATS: Registry[RatingFormat] = Registry(
    "rating format",
    "anclaf.rating_formats",
    {
        "carma": f"{__name__}.carma:CARMA",
        "darma": f"{__name__}.darma:DARMA",
        "nova": f"{__name__}.nova:NOVA",
        "omg-emotion": f"{__name__}.omg_emotion:OMG_EMOTION",
        "pagan": f"{__name__}.pagan:PAGAN",
        "recola": f"{__name__}.recola:RECOLA",
    },
)
