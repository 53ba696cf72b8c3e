"""OMG-Emotion (Barros et al. 2018): a table of utterances, each a video of its own with one value of each dimension."""

from pathlib import Path

import numpy as np

from anclaf.core.errors import CorpusError
from anclaf.core.labels import LabelScale
from anclaf.core.sheets import NotATable, numbers, read_csv
from anclaf.corpora.labels import SCALES
from anclaf.corpora.rating_files import RatingFormat
from anclaf.corpora.ratings import DIMENSIONS, Dimension, Ratings

_RANGES: dict[Dimension, LabelScale] = {"valence": SCALES["signed"], "arousal": SCALES["unit"]}


def read_omg_emotion(path: Path) -> list[Ratings]:
    """Valence, in [-1, 1], and arousal, in [0, 1], of each utterance, for all of its frames. The videos are
    VIDEO/UTTERANCE, as the database's own script stores them; all utterances of one video are of one person.

    Raises:
        CorpusError: not such a table.
    """
    try:
        table = read_csv(path.read_bytes()).rename(columns=str.lower)
    except NotATable as error:
        raise CorpusError(f"{path.name}: {error}") from error
    if missing := [name for name in ("video", "utterance", *DIMENSIONS) if name not in table]:
        got = ", ".join(table.columns)
        raise CorpusError(f"{path.name}: got the columns {got}; expected OMG-Emotion's. Missing: {', '.join(missing)}")
    whole = np.zeros(1), np.full(1, np.inf)
    found = []
    for dimension in DIMENSIONS:
        values = numbers(table[dimension])
        for video, utterance, value in zip(table["video"], table["utterance"], values.tolist(), strict=True):
            name = f"{video}/{utterance}"
            ratings = Ratings(*whole, np.array([value]), _RANGES[dimension], dimension, video=name, subject=video)
            found.append(ratings)
    return found


OMG_EMOTION = RatingFormat(read_omg_emotion, names_videos=True)
