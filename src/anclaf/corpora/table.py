"""A user's own corpus: a CSV or Parquet table of images, or of frames of videos, with valence and arousal.

Faces are found by the detector. Columns, in any order and case: `image`, or `video` with `frame` (counted from 0 or 1)
or `time_s`; `valence`, `arousal`; optionally `subject` and `fold`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path, PurePosixPath
from statistics import median

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.core.errors import CorpusError, VideoError
from anclaf.core.labels import LabelScale
from anclaf.corpora import recognise
from anclaf.corpora.base import Clip, CorpusListing, LabelledFrame, SkippedFrame
from anclaf.corpora.files import numbers, read_delimited, stamp
from anclaf.corpora.labels import Numbering, label_problem, label_scale, shifts
from anclaf.corpora.subjects import person_key, unnamed
from anclaf.faces.frames import VideoFrame, probe, read_image, read_video

_EXPECTED = "`image`, or `video` with `frame` or `time_s`; `valence`, `arousal`; optionally `subject`, `fold`"
_ASSUMED_FPS = 25.0


@dataclass(frozen=True)
class TableImage:
    """One still: a clip of one frame."""

    name: str
    subject: str
    fold: int
    path: Path
    valence: float
    arousal: float
    scale: LabelScale
    stamp: str

    def frames(self) -> Iterator[LabelledFrame | SkippedFrame]:
        problem = label_problem(self.name, 0, self.valence, self.arousal, self.scale)
        if problem is not None:
            yield problem
        elif not self.path.is_file():
            yield SkippedFrame(self.name, 0, "missing_image", f"no file {self.path}")
        else:
            try:
                image = read_image(self.path)
            except VideoError as error:
                yield SkippedFrame(self.name, 0, "corrupt_image", str(error))
            else:
                yield LabelledFrame(0, 0.0, image, self.valence, self.arousal)


@dataclass(frozen=True)
class TableVideo:
    """One video and its labels.

    Args:
        number: (R,) the rows' frame numbers, in order; or None where the table gives times.
        time_s: (R,) seconds from the video's first frame, in order; or None.
        valence: (R,).
        arousal: (R,).
        shift: what the table calls the first frame.
        tolerance_s: a row's time may be this far from its frame's.
    """

    name: str
    subject: str
    fold: int
    path: Path
    number: NDArray[np.int64] | None
    time_s: NDArray[np.float64] | None
    valence: NDArray[np.float64]
    arousal: NDArray[np.float64]
    shift: int
    tolerance_s: float
    scale: LabelScale
    stamp: str

    def frames(self) -> Iterator[LabelledFrame | SkippedFrame]:
        """The labelled frames in order, numbered as the table does, or from 0 where it gives times."""
        if not self.path.is_file():
            yield SkippedFrame(self.name, -1, "missing_video", f"no file {self.path}")
            return
        used: set[int] = set()
        reason, detail = "missing_image", "the video has no such frame"
        try:
            for frame, rows in self._matched(read_video(self.path)):
                used.update(rows)
                index, row = frame.index + self.shift, rows[0]
                for _ in rows[1:]:
                    yield SkippedFrame(self.name, index, "duplicate_label", "another row labels the same frame")
                valence, arousal = float(self.valence[row]), float(self.arousal[row])
                problem = label_problem(self.name, index, valence, arousal, self.scale)
                yield problem or LabelledFrame(index, frame.time_s, frame.image, valence, arousal)
        except VideoError as error:
            reason, detail = "corrupt_video", str(error)
        for row in range(len(self.valence)):
            if row not in used:
                at = f" at {self.time_s[row]:g} s" if self.time_s is not None else ""
                index = int(self.number[row]) if self.number is not None else -1
                yield SkippedFrame(self.name, index, reason, detail + at)

    def _matched(self, video: Iterator[VideoFrame]) -> Iterator[tuple[VideoFrame, list[int]]]:
        """Each labelled frame with its rows, the nearest in time first."""
        if self.number is not None:
            rows_of: dict[int, list[int]] = {}
            for row, number in enumerate(self.number.tolist()):
                rows_of.setdefault(number - self.shift, []).append(row)
            for frame in video:
                if frame.index in rows_of:
                    yield frame, rows_of[frame.index]
            return
        assert self.time_s is not None
        done = 0
        for frame, following in pairwise(chain(video, [None])):
            assert frame is not None
            start = frame.time_s
            # up to the middle between this frame and the next, but never farther than the tolerance
            end = start + self.tolerance_s
            if following is not None:
                end = min(end, (start + following.time_s) / 2)
            first, stop = np.searchsorted(self.time_s, [start - self.tolerance_s, end]).tolist()
            rows = list(range(max(first, done), stop))
            done = max(stop, done)
            if rows:
                far = np.abs(self.time_s[rows] - start)
                yield frame, [rows[i] for i in np.argsort(far, kind="stable")]


def list_table(
    source: Path, *, root: Path | None = None, low: float | None = None, high: float | None = None
) -> CorpusListing:
    """Read a table of labels.

    Args:
        source: CSV (separated by comma, semicolon or tab) or Parquet.
        root: the folder from which the paths in `image` or `video` start; default the table's own.
        low: the labels' range, as stated by the user; detected where neither end is given.
        high: see low.

    Raises:
        CorpusError: no such file, no table, a column is missing, or cells contradict each other.
        ConfigError: only one end of the range is stated.
    """
    source = Path(source)
    root = source.parent if root is None else Path(root)
    table = _read(source)
    scale, note = label_scale(table[["valence", "arousal"]], low, high)
    notes = [note, "faces are found by the detector; the largest of each frame is taken"]
    skipped: list[SkippedFrame] = []
    if "image" in table:
        clips, fps = _images(table, root, scale, skipped), 0.0
    else:
        clips, fps, more = _videos(table, root, scale, skipped)
        notes += more
    own = sum(clip.subject == unnamed(clip.name) for clip in clips)
    if own:
        what = "images" if "image" in table else "videos"
        notes.append(f"{own} of {len(clips)} {what} have no subject: each counts as a person of its own")
    if (table["fold"] >= 0).any():
        notes.append(f"the table's own folds: {', '.join(str(f) for f in sorted(table['fold'].unique()))}")
    options = {"low": low, "high": high}
    return CorpusListing("table", scale, fps, clips, skipped, notes, options)


def _read(source: Path) -> pd.DataFrame:
    """The table with its columns in lower case, labels as numbers, `subject` as text, `fold` as int (-1: none)."""
    if source.is_dir():
        database, command = recognise.looks_like(source)
        hint = f"; this looks like {database}: use `{command}`" if database else ""
        raise CorpusError(f"{source}: a folder; expected a CSV or Parquet file{hint}")
    if not source.is_file():
        raise CorpusError(f"{source}: no such file; expected a CSV or Parquet file")
    if source.suffix.lower() in (".parquet", ".pq"):
        try:
            table = pd.read_parquet(source)
        except (OSError, ValueError) as error:
            raise CorpusError(f"{source}: not readable as Parquet ({error})") from error
        table = table.reset_index(drop=True).apply(lambda column: column.map(_cell))
    else:
        try:
            content = source.read_bytes()
        except OSError as error:
            raise CorpusError(f"{source}: cannot be read ({error.strerror})") from error
        table = read_delimited(content, str(source))
    table = table.rename(columns=lambda title: str(title).strip().lower())
    _check_columns(source, list(table.columns))
    if not len(table):
        raise CorpusError(f"{source}: a header without rows; expected a row per image or labelled frame")
    table = table.assign(valence=numbers(table["valence"]), arousal=numbers(table["arousal"]))
    if "subject" not in table:
        table["subject"] = ""
    if "fold" not in table:
        return table.assign(fold=-1)
    folds = numbers(table["fold"])
    bad = np.flatnonzero(~((folds >= 0) & (folds == np.round(folds))))
    if len(bad):
        got = table["fold"].iloc[int(bad[0])]
        raise CorpusError(f"{source}: fold of row {bad[0] + 1} is {got!r}; expected a whole number from 0 in every row")
    return table.assign(fold=folds.astype(np.int64))


def _cell(value: object) -> str:
    """A Parquet cell as the text that a CSV would hold: no value is empty, 3.0 is 3."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _check_columns(source: Path, columns: list[str]) -> None:
    got = f"{source}: got the columns {', '.join(columns)}; expected {_EXPECTED}"
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise CorpusError(f"{got}. {', '.join(twice)}: there twice")
    missing = [column for column in ("valence", "arousal") if column not in columns]
    if "image" not in columns and "video" not in columns:
        missing.insert(0, "image or video")
    if "video" in columns and "frame" not in columns and "time_s" not in columns:
        missing.append("frame or time_s")
    if missing:
        raise CorpusError(f"{got}. Missing: {', '.join(missing)}")
    if "image" in columns and "video" in columns:
        raise CorpusError(f"{got}. Both image and video are there: make a table of each")


def _name(path: str) -> str:
    return PurePosixPath(path.replace("\\", "/")).as_posix() if path else ""


def _images(table: pd.DataFrame, root: Path, scale: LabelScale, skipped: list[SkippedFrame]) -> list[Clip]:
    clips: dict[str, TableImage] = {}
    columns = zip(table["image"], table["subject"], table["fold"], table["valence"], table["arousal"], strict=True)
    for row, (path, subject, fold, valence, arousal) in enumerate(columns, 1):
        name = _name(path)
        if not name or name in clips:
            reason = "duplicate_clip" if name else "missing_image"
            skipped.append(SkippedFrame(name, -1, reason, f"row {row}" + ("" if name else " names no image")))
            continue
        changed = stamp([root / name], str(valence), str(arousal))
        clips[name] = TableImage(
            name, subject or unnamed(name), int(fold), root / name, float(valence), float(arousal), scale, changed
        )
    return list(clips.values())


def _videos(
    table: pd.DataFrame, root: Path, scale: LabelScale, skipped: list[SkippedFrame]
) -> tuple[list[Clip], float, list[str]]:
    """Clips, labelled frames a second, and notes."""
    by = "frame" if "frame" in table else "time_s"
    at = numbers(table[by])
    table = table.assign(name=table["video"].map(_name), at=at)
    good = np.isfinite(at) & ((at == np.round(at)) | (by == "time_s")) & (table["name"] != "").to_numpy()
    for row in np.flatnonzero(~good).tolist():
        detail = f"row {row + 1}: video {table['video'].iloc[row]!r}, {by} {table[by].iloc[row]!r}"
        skipped.append(SkippedFrame(table["name"].iloc[row], -1, "corrupt_annotation", detail))
    groups = {str(name): rows.sort_values("at", kind="stable") for name, rows in table[good].groupby("name")}
    for column in ("subject", "fold"):
        for name, rows in groups.items():
            values = {person_key(str(v)): str(v) for v in rows[column].unique() if v != ""}
            if len(values) > 1:
                got = " and ".join(values.values())
                raise CorpusError(f"{name}: {column} is {got}; expected one {column} for a video")
    video_fps = {name: _fps(root / name) for name in groups}
    known = [fps for fps in video_fps.values() if fps]
    usual = median(known) if known else _ASSUMED_FPS
    shift, note = [0] * len(groups), ""
    if by == "frame":
        spans = [Numbering(int(rows["at"].iloc[0]), int(rows["at"].iloc[-1])) for rows in groups.values()]
        shift, note = shifts(spans, "frame numbers of the table")
    clips: list[Clip] = []
    rates = []
    for (name, rows), first in zip(groups.items(), shift, strict=True):
        fps = video_fps[name] or usual
        steps = np.diff(rows["at"].unique())
        rate = (fps if by == "frame" else 1.0) / float(np.median(steps)) if len(steps) else fps
        rates.append(min(rate, fps))
        where = rows["at"].to_numpy(np.float64)
        clip = TableVideo(
            name=name,
            subject=next((s for s in rows["subject"] if s), unnamed(name)),
            fold=int(rows["fold"].iloc[0]),
            path=root / name,
            number=where.astype(np.int64) if by == "frame" else None,
            time_s=where if by == "time_s" else None,
            valence=rows["valence"].to_numpy(np.float64),
            arousal=rows["arousal"].to_numpy(np.float64),
            shift=first,
            tolerance_s=0.51 / fps + 0.0005,  # half a frame, and what three digits lose
            scale=scale,
            stamp=stamp([root / name], rows[["at", "valence", "arousal"]].to_csv(index=False)),
        )
        clips.append(clip)
    fps = round(median(rates), 3) if rates else _ASSUMED_FPS
    notes = [note] if note else []
    if known and fps < 0.9 * usual:
        notes.append(f"labels at {fps:g} a second of videos at {usual:g}: only labelled frames are taken")
    return clips, fps, notes


def _fps(path: Path) -> float | None:
    try:
        return probe(path).fps or None
    except VideoError:
        return None  # reading the clip says why
