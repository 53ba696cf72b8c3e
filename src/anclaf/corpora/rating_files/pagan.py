"""PAGAN (Melhart, Liapis & Yannakakis 2019): a log of changes, of one or more raters and videos, in one dimension.

`VideoTime` is in milliseconds. Only changes are written, so that a value holds until the next; a session's last line
marks its end with the value 0, which nobody said.
"""

from dataclasses import replace
from pathlib import Path

from anclaf.core.errors import CorpusError
from anclaf.core.sheets import NotATable, numbers, read_csv
from anclaf.corpora.rating_files import RatingFormat
from anclaf.corpora.ratings import Ratings

_SESSION = ("originalname", "participant", "sessionid")


def read_pagan(path: Path) -> list[Ratings]:
    """The ratings of each session. They have no range of their own: RankTrace's are unbounded, GTrace's -100 to 100.

    Raises:
        CorpusError: not a log of PAGAN.
    """
    try:
        table = read_csv(path.read_bytes()).rename(columns=str.lower)
    except NotATable as error:
        raise CorpusError(f"{path.name}: {error}") from error
    if not {"videotime", "value"} <= {*table.columns}:
        got = ", ".join(table.columns)
        raise CorpusError(f"{path.name}: got the columns {got}; expected VideoTime and Value, as PAGAN writes them")
    table = table.assign(**{name: "" for name in _SESSION if name not in table})
    sessions = [(key, rows) for key, rows in table.groupby([*_SESSION], sort=False)]
    videos = table["originalname"].nunique()
    # a participant's second session with a video is a rating of its own
    several = table.drop_duplicates([*_SESSION]).duplicated(["originalname", "participant"], keep=False).any()
    found = []
    for key, rows in sessions:
        video, participant, session = map(str, key)
        who = f"{participant} in session {session}" if several and participant else participant or session
        ratings = Ratings.changes(numbers(rows["videotime"]) / 1000, numbers(rows["value"]))
        found.append(replace(ratings, rater=who or None, video=video if videos > 1 else None))
    return found


PAGAN = RatingFormat(read_pagan)
