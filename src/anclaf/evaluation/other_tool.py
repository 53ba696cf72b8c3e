"""What another tool wrote of a corpus's videos or images, brought onto the corpus's own frames.

A table with the columns, in any order and case: `video`, `image` or `clip`; of videos `frame` (counted from 0 or 1) or
`time_s`; `valence`, `arousal`; optionally `person`. A row is of the clip whose name ends as the table's path does, with
or without the file's suffix.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.core.errors import CorpusError
from anclaf.core.labels import LabelScale
from anclaf.core.people import person_key
from anclaf.core.sheets import not_a_number, numbers
from anclaf.core.words import counted
from anclaf.corpora.labels import Numbering, shifts
from anclaf.corpora.table_file import clip_name, read_cells
from anclaf.data.store import PreparedCorpus

_NAMED_BY = ("video", "image", "clip")
_EXPECTED = "`video` (or `image`, `clip`), of videos `frame` or `time_s`, `valence`, `arousal`, optionally `person`"


@dataclass(frozen=True)
class ToolEstimates:
    """affect: (N, 2) of the corpus's rows, in its units, NaN where the tool has none. notes: how its rows were read."""

    affect: NDArray[np.float64]
    notes: list[str]


def read_tool(source: Path, corpus: PreparedCorpus, scale: LabelScale | None = None) -> ToolEstimates:
    """The estimates of a tool's table, on the corpus's frames.

    Args:
        source: CSV, Excel or Parquet.
        scale: range of the tool's values; default the corpus's own.

    Raises:
        CorpusError: no such file, no such columns, none of its rows is of this corpus, or a frame has several rows and
            it is not said whose.
    """
    table = read_cells(source)
    by = _columns(source, table, stills=not corpus.card.fps)
    read = table.assign(clip=_clips(table[by].map(clip_name), corpus.index["clip"].unique()))
    notes: list[str] = []
    if strange := int((read["clip"] == "").sum()):
        notes.append(f"{counted(strange, 'row')} of other {by}s than this corpus's left out")
    read = read[read["clip"] != ""]
    if not len(read):
        raise CorpusError(
            f"{source}: none of its {by}s is of this corpus; it has {table[by].iloc[0]!r}, the corpus "
            f"{corpus.index['clip'].iloc[0]!r}"
        )
    wrong = np.logical_or(not_a_number(read["valence"]), not_a_number(read["arousal"]))
    if wrong.any():
        row = read.index[int(np.argmax(wrong))]
        said = f"valence {table['valence'][row]!r}, arousal {table['arousal'][row]!r}"
        raise CorpusError(f"{source}: row {row + 1} has {said}; expected numbers, or empty cells")
    affect = np.column_stack([numbers(read["valence"]), numbers(read["arousal"])])
    notes += _range_note(affect, scale, corpus.card.scale)
    if scale is not None:
        affect = corpus.card.scale.restore(scale.normalise(affect))
    read = read.assign(row=_rows(source, read, corpus, notes), v=affect[:, 0], a=affect[:, 1])
    if beside := int((read["row"] < 0).sum()):
        notes.append(f"{counted(beside, 'row')} of frames that this corpus has no label for")
    there = np.logical_and(read["row"].to_numpy() >= 0, np.isfinite(affect).all(1))
    read = _one_person(source, read[there], corpus, notes)
    found = np.full((len(corpus), 2), np.nan)
    found[read["row"].to_numpy(np.int64)] = read[["v", "a"]].to_numpy(np.float64)
    return ToolEstimates(found, notes)


def _columns(source: Path, table: pd.DataFrame, stills: bool) -> str:
    """The column that names the clip."""
    got = f"{source}: got the columns {', '.join(table.columns)}; expected {_EXPECTED}"
    missing = [name for name in ("valence", "arousal") if name not in table]
    by = [name for name in _NAMED_BY if name in table]
    missing += [] if by else ["video, image or clip"]
    if not stills and "frame" not in table and "time_s" not in table:
        missing.append("frame or time_s")
    if missing:
        raise CorpusError(f"{got}. Missing: {', '.join(missing)}")
    if len(by) > 1:
        raise CorpusError(f"{got}. {', '.join(by)}: expected one of them")
    if not len(table):
        raise CorpusError(f"{source}: a header without rows")
    return by[0]


def _clips(names: pd.Series, clips: Sequence[str]) -> pd.Series:
    """The corpus's clip of each name, the one with most parts of the path in common at its end; empty where none has
    the last one, or several have equally many."""
    by_last: dict[str, list[tuple[list[str], str]]] = {}
    for clip in clips:
        by_last.setdefault(_parts(clip)[0], []).append((_parts(clip), clip))
    known: dict[str, str] = {clip: clip for clip in clips}
    for name in names.unique():
        parts = _parts(name)
        shared = [(_shared(parts, other), clip) for other, clip in by_last.get((parts or [""])[0], [])]
        best = [clip for count, clip in shared if count == max(shared)[0]]
        known.setdefault(name, best[0] if len(best) == 1 else "")
    return names.map(known)


_SUFFIX = re.compile(r"\.[a-z]\w{1,4}$")


def _parts(name: str) -> list[str]:
    """From the last to the first, in lower case; the last without a file's suffix."""
    return [_SUFFIX.sub("", part) if not k else part for k, part in enumerate(reversed(name.casefold().split("/")))]


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def _rows(source: Path, read: pd.DataFrame, corpus: PreparedCorpus, notes: list[str]) -> NDArray[np.int64]:
    """The corpus's row of each of the table's, -1 where it has none."""
    index = corpus.index.assign(row=np.arange(len(corpus)))
    if not corpus.card.fps:
        return read["clip"].map(index.drop_duplicates("clip").set_index("clip")["row"]).to_numpy(np.int64)
    if "frame" not in read:
        return _by_time(read, index, corpus.card.fps)
    at = numbers(read["frame"])
    if not (np.isfinite(at) & (at == np.round(at))).all():
        row = read.index[int(np.argmin(np.isfinite(at) & (at == np.round(at))))]
        raise CorpusError(f"{source}: row {row + 1} has the frame {read['frame'][row]!r}; expected a whole number")
    first = _counted_from(at, read["clip"])
    own = _first_number(index)
    if first != own:
        notes.append(f"its frames are counted from {first}, this corpus's from {own}: shifted to meet")
    frames = pd.DataFrame({"clip": read["clip"], "frame": at.astype(np.int64) - first + own})
    return corpus.rows_of(frames)


def _counted_from(frame: NDArray[np.float64], clip: pd.Series) -> int:
    spans = pd.Series(frame, clip.index).groupby(clip).agg(["min", "max"])
    return shifts([Numbering(int(low), int(high)) for low, high in spans.to_numpy()], "frames")[0][0]


def _first_number(index: pd.DataFrame) -> int:
    """What the corpus calls a clip's first frame, which is at 0 s: that of most clips."""
    ends = index.groupby("clip")[["frame", "time_s"]].agg(["first", "last"])
    first, last = (ends.xs(end, axis=1, level=1).to_numpy(np.float64) for end in ("first", "last"))
    frames, seconds = (last - first).T
    several = seconds > 0
    if not several.any():
        return 0
    began = first[several, 0] - first[several, 1] * frames[several] / seconds[several]
    return round(float(np.median(began)))


def _by_time(read: pd.DataFrame, index: pd.DataFrame, fps: float) -> NDArray[np.int64]:
    """The row that is nearest in time, at most half a frame away, if no other of the table's times is nearer to it."""
    time, found, far = numbers(read["time_s"]), np.full(len(read), -1), np.full(len(read), np.inf)
    own = {clip: (rows["time_s"].to_numpy(), rows["row"].to_numpy()) for clip, rows in index.groupby("clip")}
    for clip, positions in pd.Series(np.arange(len(read))).groupby(read["clip"].to_numpy()):
        times, rows = own[clip]
        wanted, places = time[positions], positions.to_numpy()
        right = np.searchsorted(times, wanted).clip(max=len(times) - 1)
        left = np.maximum(right - 1, 0)
        nearest = np.where(np.abs(wanted - times[left]) <= np.abs(wanted - times[right]), left, right)
        away = np.abs(times[nearest] - wanted)
        near = away <= 0.51 / fps + 0.0005  # NaN is not
        found[places[near]], far[places[near]] = rows[nearest[near]], away[near]
    least = pd.Series(far).groupby(found).transform("min").to_numpy()
    return np.where(far <= least + 1e-6, found, -1)


def _one_person(source: Path, read: pd.DataFrame, corpus: PreparedCorpus, notes: list[str]) -> pd.DataFrame:
    """A row a frame: of several people the one whom the corpus names, else the one who is there most in the clip."""
    if not read["row"].duplicated().any():
        return read
    if "person" not in read:
        row = read.index[int(np.argmax(read["row"].duplicated()))]
        raise CorpusError(
            f"{source}: row {row + 1} is of a frame that another row has too; give one row a frame, or a column "
            "`person`"
        )
    wanted = pd.Series(corpus.subjects, dtype=str).map(person_key)[read["row"].to_numpy()].to_numpy()
    named = read["person"].map(lambda name: person_key(str(name))).to_numpy() == wanted
    most = read.groupby("clip")["person"].agg(lambda names: names.value_counts().index[0])
    known = read["clip"].map(pd.Series(named, read.index).groupby(read["clip"]).any()).to_numpy(bool)
    kept = read[np.where(known, named, read["person"] == read["clip"].map(most))]
    if many := int(read.loc[~known, "clip"][read.loc[~known, "row"].duplicated()].nunique()):
        notes.append(f"several people in {counted(many, 'clip')}: the one with the most rows of each was taken")
    if kept["row"].duplicated().any():
        row = kept.index[int(np.argmax(kept["row"].duplicated()))]
        raise CorpusError(f"{source}: row {row + 1} is of a frame and person that another row has too")
    return kept


def _range_note(affect: NDArray[np.float64], scale: LabelScale | None, own: LabelScale) -> list[str]:
    """That the values may be of another range than was taken for them."""
    known = affect[np.isfinite(affect)]
    taken = own if scale is None else scale
    if not len(known):
        return []
    if not taken.contains(known).all():
        outside = 1 - taken.contains(known).mean()
        return [
            f"{100 * outside:.1f} % of its values lie outside {taken.low:g} … {taken.high:g}; if they are of another "
            "range, state it (--predictions-scale)"
        ]
    reach = float(np.abs(known - taken.middle).max()) / (taken.high - taken.low)
    if reach < 0.125:
        return [
            f"all its values lie in [{known.min():g}, {known.max():g}] of a range {taken.low:g} … {taken.high:g}; if "
            "they are of another range, state it (--predictions-scale)"
        ]
    return []
