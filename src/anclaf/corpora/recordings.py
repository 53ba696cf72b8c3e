"""Recordings and what raters said of them: found by a user's table or by a format's own file, and of one range."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np

from anclaf.core.errors import ConfigError, CorpusError
from anclaf.core.labels import LabelScale
from anclaf.core.people import person_key, unnamed
from anclaf.corpora.base import SkippedFrame
from anclaf.corpora.labels import SCALES, label_scale
from anclaf.corpora.rating_files import RatingFormat
from anclaf.corpora.ratings import DIMENSIONS, Dimension, Ratings
from anclaf.corpora.table_file import clip_name, further_columns, read_columns

_EXPECTED = (
    "`video`; `valence` and `arousal`, or `ratings`, naming files of ratings; optionally `rater`, `subject`, `fold`"
)


@dataclass(frozen=True)
class Recording:
    """A video and all that was said of it. files: that say it. columns: what else the table says of it."""

    name: str
    subject: str
    fold: int
    files: list[Path] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    ratings: dict[Dimension, list[Ratings]] = field(default_factory=lambda: {name: [] for name in DIMENSIONS})


def recordings_of_file(source: Path, form: RatingFormat) -> tuple[list[Recording], list[SkippedFrame]]:
    """Recordings of a file that names its videos."""
    if not source.is_file():
        raise CorpusError(f"{source}: no such file; expected the database's own table of labels")
    found: dict[str, Recording] = {}
    for ratings in form.read(source):
        name = clip_name(str(ratings.video))
        recording = found.setdefault(name, Recording(name, ratings.subject or unnamed(name), -1, [source]))
        if ratings.dimension is not None:
            recording.ratings[ratings.dimension].append(ratings)
    return _usable(list(found.values()))


def recordings_of_table(
    source: Path, root: Path, form: RatingFormat, columns: Sequence[str]
) -> tuple[list[Recording], list[SkippedFrame], list[str]]:
    """Recordings of a user's table that names files, and notes.

    Args:
        columns: further ones to keep; all of them, up to 32, where none is named.
    """
    table = read_columns(source, _check_columns)
    further, note = further_columns(table.drop(columns=["ratings", "rater"], errors="ignore"), source, columns)
    notes = [note] if note else []
    table = table.assign(video=table["video"].map(clip_name))
    found: dict[str, Recording] = {}
    for name, rows in table[table["video"] != ""].groupby("video", sort=False):
        for column in ("subject", "fold"):
            values = {person_key(str(v)): str(v) for v in rows[column] if v != ""}
            if len(values) > 1:
                raise CorpusError(f"{name}: {column} is {' and '.join(values.values())}; expected one for a video")
        subject = next((s for s in rows["subject"] if s), unnamed(str(name)))
        known = {column: [v for v in rows[column].unique() if v != ""] for column in further}
        if several := [column for column in further if len(known[column]) > 1]:
            notes.append(f"{name}: its rows differ in {', '.join(several)}, which is left empty")
        one = {column: values[0] if len(values) == 1 else "" for column, values in known.items()}
        found[str(name)] = Recording(str(name), subject, int(rows["fold"].iloc[0]), columns=one)
    skipped: list[SkippedFrame] = []
    for row, cells in enumerate(table.to_dict("records"), 1):
        if not (name := cells["video"]):
            skipped.append(SkippedFrame("", -1, "missing_video", f"row {row} names no video"))
            continue
        recording = found[name]
        for column, dimension in (("ratings", None), ("valence", "valence"), ("arousal", "arousal")):
            if not (cell := str(cells.get(column, ""))):
                continue
            path = root / clip_name(cell)
            try:
                ratings = ratings_of_video(form.read(path), name, path)
                _add(recording, ratings, dimension, str(cells.get("rater", "")), path)
            except FileNotFoundError as error:
                skipped.append(SkippedFrame(name, -1, "missing_labels", f"row {row}: no file {error.filename}"))
            except OSError as error:
                skipped.append(SkippedFrame(name, -1, "unreadable", f"row {row}: {path.name}: {error.strerror}"))
            except (CorpusError, ConfigError) as error:
                skipped.append(SkippedFrame(name, -1, "corrupt_annotation", f"row {row}: {error}"))
            else:
                recording.files.append(path)
    usable, more = _usable(list(found.values()))
    return usable, skipped + more, notes


def _check_columns(source: Path, columns: list[str]) -> None:
    missing = [] if "video" in columns else ["video"]
    if "ratings" not in columns:
        missing += [name for name in DIMENSIONS if name not in columns]
    if missing:
        got = ", ".join(columns)
        raise CorpusError(f"{source}: got the columns {got}; expected {_EXPECTED}. Missing: {', '.join(missing)}")


def ratings_of_video(ratings: list[Ratings], video: str, path: Path) -> list[Ratings]:
    """Those of this video, where the file is of several.

    Raises:
        CorpusError: there are none.
    """

    def key(name: str) -> str:
        return person_key(PurePosixPath(clip_name(name)).stem)

    if not any(one.video for one in ratings):
        return ratings
    own = [one for one in ratings if key(str(one.video)) == key(video)]
    if not own:
        names = ", ".join(sorted({str(one.video) for one in ratings})[:5])
        raise CorpusError(f"{path.name}: is of the videos {names}; expected {PurePosixPath(video).stem} among them")
    return own


def _add(recording: Recording, ratings: list[Ratings], column: str | None, rater: str, path: Path) -> None:
    """Take a file's ratings under its dimension, all of them or, where one contradicts the column, none."""
    for one in ratings:
        if one.dimension is None and column is None:
            raise CorpusError(f"{path.name}: does not say of which dimension it is; name it in `valence` or `arousal`")
        if column is not None and one.dimension not in (None, column) and len(ratings) == 1:
            raise CorpusError(f"{path.name}: is of {one.dimension}, but stands under {column}")
    for one in ratings:
        dimension = one.dimension or column
        if column in (None, dimension):
            who = rater or one.rater
            if rater and len({r.rater for r in ratings}) > 1:
                who = f"{rater}: {one.rater}"
            recording.ratings["valence" if dimension == "valence" else "arousal"].append(replace(one, rater=who))


def _usable(recordings: list[Recording]) -> tuple[list[Recording], list[SkippedFrame]]:
    """Recordings with some rating of each dimension; the others as skipped."""
    skipped, usable = [], []
    for recording in recordings:
        missing = [d for d in DIMENSIONS if not any(np.isfinite(one.value).any() for one in recording.ratings[d])]
        if missing:
            detail = f"no rating of {' and '.join(missing)}"
            skipped.append(SkippedFrame(recording.name, -1, "no_label", detail))
        else:
            usable.append(recording)
    return usable, skipped


def common_range(
    recordings: list[Recording], low: float | None, high: float | None, name: str | None
) -> tuple[LabelScale, list[str]]:
    """One range for all ratings, which are brought into it in place; and notes.

    What the user states counts, then what the files state: where those differ, all go to [-1, 1].

    Raises:
        CorpusError: neither states it.
        ConfigError: the user states it wrongly.
    """
    every = [(d, one) for recording in recordings for d in DIMENSIONS for one in recording.ratings[d]]
    stated = {one.scale for _, one in every}
    (first, *others) = stated
    stretch = False
    values = np.concatenate([one.value for _, one in every])
    if (low, high, name) != (None, None, None):
        scale, note = label_scale(values, low, high, name)
    elif None in stated:
        lie = f"the ratings lie in [{np.nanmin(values):g}, {np.nanmax(values):g}]"
        who = "only some of the files state one" if others else "the files state none"
        raise CorpusError(f"label range: {who}; {lie}. State it: --scale NAME, or --low and --high")
    elif first is not None and not others:
        scale, note = first, f"label range [{first.low:g}, {first.high:g}], which the files state"
    else:
        scale, stretch = SCALES["signed"], True
        ranges = sorted({(d, one.scale.low, one.scale.high) for d, one in every if one.scale is not None})
        spans = "; ".join(f"{d} [{a:g}, {b:g}]" for d, a, b in ranges)
        note = f"label range [-1, 1]: the files' own ranges ({spans}) are each stretched to it"
    notes = [note]
    outside = ties = 0
    for recording in recordings:
        for rows in recording.ratings.values():
            for k, one in enumerate(rows):
                inside, count = one.within(one.scale if stretch and one.scale is not None else scale)
                if stretch and one.scale is not None:
                    inside = replace(inside, value=one.scale.normalise(inside.value))
                rows[k] = inside
                outside, ties = outside + count, ties + one.ties
    if outside:
        notes.append(f"{outside} ratings outside their range were left out")
    if ties:
        notes.append(f"{ties} ratings were left out, for a later one of the same file has the same time")
    return scale, notes


def name_raters(recordings: list[Recording]) -> bool:
    """Give every rating a rater's name, in place: one who is named nowhere is somebody else in every video. Whether all
    are named."""
    named = True
    for recording in recordings:
        for rows in recording.ratings.values():
            for k, one in enumerate(rows):
                named &= one.rater is not None
                name = person_key(one.rater) if one.rater is not None else f"{recording.name} #{k + 1}"
                rows[k] = replace(one, rater=name)
            names = [one.rater for one in rows]
            if len({*names}) < len(names):
                twice = sorted({str(name) for name in names if names.count(name) > 1})[0]
                raise CorpusError(f"{recording.name}: rater {twice!r} has two ratings of one dimension; expected one")
    return named
