"""A user's own corpus: a CSV, Excel or Parquet table of images, or of frames of videos, with valence and arousal.

Faces are found by the detector. Columns, in any order and case: `image`, or `video` with `frame` (counted from 0 or 1)
or `time_s`, which must agree where both are there; `valence`, `arousal`; optionally `subject` and `fold`. Further
columns are kept for results to be split by.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.core.errors import CorpusError, VideoError
from anclaf.core.labels import LabelScale
from anclaf.core.people import person_key, unnamed
from anclaf.core.sheets import not_a_number, numbers
from anclaf.corpora.base import Clip, ClipNote, CorpusListing, LabelledFrame, LazyClips, SkippedFrame
from anclaf.corpora.files import stamp
from anclaf.corpora.labels import SCALES, Numbering, label_problem, label_scale, shifts
from anclaf.corpora.table_file import clip_name, further_columns, labelled_rows, read_columns
from anclaf.faces.frames import VideoFrame, probe, read_video
from anclaf.faces.images import read_image

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
    columns: Mapping[str, str]

    @property
    def stamp(self) -> str:
        """Of its file as it now is (`files.stamp`), and of what the table says."""
        return stamp([self.path], str(self.valence), str(self.arousal), *self.columns, *self.columns.values())

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
                yield LabelledFrame(0, 0.0, image, self.valence, self.arousal, columns=self.columns)


@dataclass(frozen=True)
class TableVideo:
    """One video and its labels.

    Args:
        number: (R,) the rows' frame numbers, in order; or None where the table gives times.
        time_s: (R,) seconds from the video's first frame, in order; or None.
        said_s: (2, R) seconds that the table gives beside frame numbers, NaN where it gives none, and what rounding may
            have taken from each; or None.
        valence: (R,).
        arousal: (R,).
        shift: what the table calls the first frame.
        tolerance_s: a row's time may be this far from its frame's, beside what rounding loses of `said_s`.
        columns: what else the table says of each row.
    """

    name: str
    subject: str
    fold: int
    path: Path
    number: NDArray[np.int64] | None
    time_s: NDArray[np.float64] | None
    said_s: NDArray[np.float64] | None
    valence: NDArray[np.float64]
    arousal: NDArray[np.float64]
    shift: int
    tolerance_s: float
    scale: LabelScale
    columns: Sequence[Mapping[str, str]]
    stamp: str

    def frames(self) -> Iterator[LabelledFrame | SkippedFrame | ClipNote]:
        """The labelled frames in order, numbered as the table does, or from 0 where it gives times."""
        if not self.path.is_file():
            yield SkippedFrame(self.name, -1, "missing_video", f"no file {self.path}")
            return
        used: set[int] = set()
        notes: list[str] = []
        reason, detail = "missing_image", "the video has no such frame"
        try:
            for frame, rows in self._matched(read_video(self.path, notes=notes)):
                used.update(rows)
                index, row = frame.index + self.shift, rows[0]
                for _ in rows[1:]:
                    yield SkippedFrame(self.name, index, "duplicate_label", "another row labels the same frame")
                valence, arousal = float(self.valence[row]), float(self.arousal[row])
                problem = self._contradiction(frame, row) or label_problem(
                    self.name, index, valence, arousal, self.scale
                )
                yield problem or LabelledFrame(
                    index, frame.time_s, frame.image, valence, arousal, columns=self.columns[row]
                )
        except VideoError as error:
            reason, detail = "corrupt_video", str(error)
        yield from (ClipNote(self.name, note) for note in notes)
        for row in range(len(self.valence)):
            if row not in used:
                at = f" at {self.time_s[row]:g} s" if self.time_s is not None else ""
                index = int(self.number[row]) if self.number is not None else -1
                yield SkippedFrame(self.name, index, reason, detail + at)

    def _contradiction(self, frame: VideoFrame, row: int) -> SkippedFrame | None:
        """A frame whose time is not what its row says beside the number."""
        if self.said_s is None:
            return None
        said, lost = self.said_s[:, row].tolist()
        if not abs(said - frame.time_s) > self.tolerance_s + lost:
            return None
        detail = f"time_s is {said:g}, but the frame is at {frame.time_s:.6g} s"
        return SkippedFrame(self.name, frame.index + self.shift, "contradictory_time", detail)

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
        for frame, following in _with_next(video):
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


def _with_next(video: Iterator[VideoFrame]) -> Iterator[tuple[VideoFrame, VideoFrame | None]]:
    """Each frame with the one after it; what ends the video early comes after its last frame."""
    frame, ended = None, None
    while ended is None:
        following = None
        try:
            following = next(video)
        except (StopIteration, VideoError) as error:
            ended = error
        if frame is not None:
            yield frame, following
        frame = following
    if isinstance(ended, VideoError):
        raise ended


@checked
def list_table(
    source: Path,
    *,
    root: Path | None = None,
    low: float | None = None,
    high: float | None = None,
    scale: str | None = None,
    columns: Sequence[str] = (),
) -> CorpusListing:
    """Read a table of labels.

    Args:
        source: CSV (as `core.sheets.read_csv`), an Excel workbook, or Parquet.
        root: the folder from which the paths in `image` or `video` start; default the table's own.
        low: the labels' range, as stated by the user; detected where neither end is given.
        high: see low.
        scale: the range's name in `corpora.labels.SCALES`, in place of its ends.
        columns: further ones to keep; all of them, up to 32, where none is named.

    Raises:
        CorpusError: no such file, no table, a column is missing, cells contradict each other, or the labels do not show
            their range and none is stated.
        ConfigError: only one end of the range is stated, or it is stated twice.
    """
    source = Path(source)
    root = source.parent if root is None else Path(root)
    table, skipped = labelled_rows(read_columns(source), source)
    further, note_further = further_columns(table, source, columns)
    label_range, note = label_scale(table[["valence", "arousal"]], low, high, scale)
    notes = [note, "faces are found by the detector; the largest of each frame is taken"]
    if label_range == SCALES["unit"] and scale is low is None:
        notes.append("no label is below 0: if they could be, state --scale signed")
    if "image" in table:
        clips, fps = _images(table, root, label_range, further, skipped), 0.0
    else:
        clips, fps, more = _videos(table, root, label_range, further, skipped)
        notes += more
    notes += [note_further] if note_further else []
    own = sum(clip.subject == unnamed(clip.name) for clip in clips)
    if own:
        what = "images" if "image" in table else "videos"
        notes.append(f"{own} of {len(clips)} {what} have no subject: each counts as a person of its own")
    if (table["fold"] >= 0).any():
        notes.append(f"the table's own folds: {', '.join(str(f) for f in sorted(table['fold'].unique()))}")
    stated = (label_range.low, label_range.high) if scale is not None else (low, high)
    options = {"low": stated[0], "high": stated[1]}
    return CorpusListing("table", label_range, fps, clips, skipped, notes, options)


def _images(
    table: pd.DataFrame, root: Path, scale: LabelScale, further: list[str], skipped: list[SkippedFrame]
) -> Sequence[Clip]:
    """In the order of their names."""
    table = table.assign(image=table["image"].map(clip_name)).sort_values("image", kind="stable")
    nameless, again = table["image"] == "", table["image"] == table["image"].shift()
    left_out = table["image"][nameless | again].sort_index()
    for row, name in zip(left_out.index.tolist(), left_out, strict=True):
        reason = "duplicate_clip" if name else "missing_image"
        skipped.append(SkippedFrame(name, -1, reason, f"row {row + 1}" + ("" if name else " names no image")))
    table = table[~(nameless | again)]
    texts = pa.Table.from_pandas(table[["image", "subject", *further]], preserve_index=False).combine_chunks().columns
    values = table[["fold", "valence", "arousal"]].to_numpy(np.float64)

    def image(number: int) -> TableImage:
        name, subject, *more = (column[number].as_py() for column in texts)
        fold, valence, arousal = values[number].tolist()
        known = dict(zip(further, more, strict=True))
        return TableImage(name, subject or unnamed(name), int(fold), root / name, valence, arousal, scale, known)

    return LazyClips(len(table), image)


def _videos(
    table: pd.DataFrame, root: Path, scale: LabelScale, further: list[str], skipped: list[SkippedFrame]
) -> tuple[list[Clip], float, list[str]]:
    """Clips, labelled frames a second, and notes."""
    by = "frame" if "frame" in table else "time_s"
    at = numbers(table[by])
    said = table["time_s"] if {"frame", "time_s"} <= {*table.columns} else pd.Series("", table.index)
    told: pd.DataFrame = table[[*further]]
    table = table.assign(
        name=table["video"].map(clip_name), at=at, time=numbers(said), lost=0.5 * 10.0 ** -said.map(_digits)
    )
    odd = not_a_number(said)
    good = np.isfinite(at) & ((at == np.round(at)) | (by == "time_s")) & (table["name"] != "").to_numpy() & ~odd
    for row in np.flatnonzero(~good).tolist():
        detail = f"row {table.index[row] + 1}: video {table['video'].iloc[row]!r}, {by} {table[by].iloc[row]!r}"
        detail += f", time_s {said.iloc[row]!r}" if odd[row] else ""
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
        for (name, rows), first in zip(groups.items(), shift, strict=True):
            _check_times(name, root / name, rows[np.isfinite(rows["time"])], first, video_fps[name])
    clips: list[Clip] = []
    rates = []
    for (name, rows), first in zip(groups.items(), shift, strict=True):
        fps = video_fps[name] or usual
        steps = np.diff(rows["at"].unique())
        rate = (fps if by == "frame" else 1.0) / float(np.median(steps)) if len(steps) else fps
        rates.append(min(rate, fps))
        where = rows["at"].to_numpy(np.float64)
        more = told.loc[rows.index]
        clip = TableVideo(
            name=name,
            subject=next((s for s in rows["subject"] if s), unnamed(name)),
            fold=int(rows["fold"].iloc[0]),
            path=root / name,
            number=where.astype(np.int64) if by == "frame" else None,
            time_s=where if by == "time_s" else None,
            said_s=rows[["time", "lost"]].to_numpy(np.float64).T if rows["time"].notna().any() else None,
            valence=rows["valence"].to_numpy(np.float64),
            arousal=rows["arousal"].to_numpy(np.float64),
            shift=first,
            tolerance_s=_tolerance(fps),
            scale=scale,
            columns=_records(more),
            stamp=stamp(
                [root / name],
                rows[["at", "valence", "arousal"]].to_csv(index=False),
                *([more.to_csv(index=False)] if further else []),
            ),
        )
        clips.append(clip)
    fps = round(median(rates), 3) if rates else _ASSUMED_FPS
    notes = [note] if note else []
    if known and fps < 0.9 * usual:
        notes.append(f"labels at {fps:g} a second of videos at {usual:g}: only labelled frames are taken")
    return clips, fps, notes


def _records(table: pd.DataFrame) -> list[dict[str, str]]:
    """Each row by column; `DataFrame.to_dict` has none where there is no column."""
    cells = {str(name): table[name].tolist() for name in table}
    return [{name: column[row] for name, column in cells.items()} for row in range(len(table))]


def _tolerance(fps: float) -> float:
    """Half a frame, and what three digits lose, in s."""
    return 0.51 / fps + 0.0005


def _digits(time_s: str) -> int:
    """Digits after the point."""
    return len(re.match(r"\d*", time_s.partition(".")[2])[0])  # pyright: ignore[reportOptionalSubscript]


def _check_times(name: str, path: Path, rows: pd.DataFrame, shift: int, fps: float | None) -> None:
    """Refuse a video's rows whose frame number and time, both given, are of different frames.

    The video's average rate tells for most; where it does not fit, the times of its frames do, which are then read.

    Args:
        rows: by frame: `at`, its number; `time`, in seconds; and `lost`, what rounding may have taken from that.
        shift: what the table calls the first frame. fps: None where the video cannot be read.
    """
    at, time = rows["at"].to_numpy(), rows["time"].to_numpy()
    slack = rows["lost"].to_numpy() + 1e-6
    frame = at - shift
    if fps is None:  # of a video that is not there only the order can be wrong
        expected = np.maximum.accumulate(time)
    else:
        slack = slack + _tolerance(fps)
        expected = frame / fps
        if (np.abs(time - expected) > slack).any():
            clock = _times(path, int(frame.max()))
            expected = np.array([clock.get(int(number), np.nan) for number in frame])
    for k in np.flatnonzero(np.abs(time - expected) > slack).tolist():
        raise CorpusError(
            f"{name}: row {rows.index[k] + 1} says frame {at[k]:g} and time_s {time[k]:g}, but that frame is at "
            f"{expected[k]:.6g} s{' or later' if fps is None else ''}. Correct one, or leave one of the two columns out"
        )


def _times(path: Path, last: int) -> dict[int, float]:
    """Seconds of each frame that can be read, up to one."""
    times = {}
    try:
        for frame in read_video(path):
            if frame.index > last:
                break
            times[frame.index] = frame.time_s
    except VideoError:
        pass  # reading the clip says why
    return times


def _fps(path: Path) -> float | None:
    try:
        return probe(path).fps or None
    except VideoError:
        return None  # reading the clip says why
