"""Videos whose labels are ratings over time, in files that rating tools write or databases give.

A table names, for each video, the files of each rater; or the format's own file is that table. Each frame's label is
what the raters said at its time, or `lag` seconds later, for they need time to react.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, VideoError
from anclaf.core.labels import LabelScale
from anclaf.core.people import unnamed
from anclaf.core.progress import Progress, silent
from anclaf.corpora.base import Clip, ClipNote, CorpusListing, LabelledFrame, SkippedFrame, nothing_usable
from anclaf.corpora.files import stamp
from anclaf.corpora.labels import label_problem
from anclaf.corpora.lag import best_lag, see
from anclaf.corpora.rating_files import RATING_FORMATS
from anclaf.corpora.ratings import (
    DIMENSIONS,
    Dimension,
    JoinedRatings,
    agreement,
    believed,
    evaluator_weights,
    values_at,
)
from anclaf.corpora.readers import Join
from anclaf.corpora.recordings import Recording, common_range, name_raters, recordings_of_file, recordings_of_table
from anclaf.faces.frames import probe, read_video

_ASSUMED_FPS = 25.0


@dataclass(frozen=True)
class RatedVideo:
    """One video and its raters' labels. lag_s: a frame's label is what was said so many seconds later."""

    name: str
    subject: str
    fold: int
    path: Path
    valence: JoinedRatings
    arousal: JoinedRatings
    lag_s: float
    scale: LabelScale
    columns: Mapping[str, str]
    stamp: str

    def frames(self) -> Iterator[LabelledFrame | SkippedFrame | ClipNote]:
        """The frames in order, numbered from 0; those that nobody rated are skipped as `no_label`."""
        if not self.path.is_file():
            yield SkippedFrame(self.name, -1, "missing_video", f"no file {self.path}")
            return
        notes: list[str] = []
        try:
            for frame in read_video(self.path, notes=notes):
                valence, arousal = (
                    None if np.isnan(label) else float(label)
                    for label in (joined.at([frame.time_s + self.lag_s])[0] for joined in (self.valence, self.arousal))
                )
                problem = label_problem(self.name, frame.index, valence, arousal, self.scale)
                if problem is not None:
                    yield problem
                    continue
                assert valence is not None
                assert arousal is not None
                yield LabelledFrame(frame.index, frame.time_s, frame.image, valence, arousal, columns=self.columns)
        except VideoError as error:
            yield SkippedFrame(self.name, -1, "corrupt_video", str(error))
        yield from (ClipNote(self.name, note) for note in notes)


@checked
def list_rated(
    source: Path,
    labels: str,
    *,
    root: Path | None = None,
    low: float | None = None,
    high: float | None = None,
    scale: str | None = None,
    join: Join | None = None,
    lag: float | Literal["auto"] = 0.0,
    detector: str = "auto",
    progress: Progress = silent,
    columns: Sequence[str] = (),
) -> CorpusListing:
    """Read the ratings of a corpus's videos.

    Args:
        source: a table with `video`; `valence` and `arousal`, or `ratings` for files with both, naming files; and
            optionally `rater`, `subject`, `fold`; a row for each rater. For a format whose file names its videos,
            that file.
        labels: the format's name in `RATING_FORMATS`.
        root: the folder from which paths start; default the table's own.
        low: the ratings' range, as stated by the user; default is what the files state.
        high: see low.
        scale: the range's name in `corpora.labels.SCALES`, in place of its ends.
        join: of several raters. mean: of those who rated a moment. ewe: weighted, `ratings.evaluator_weights`.
        lag: a frame's label is what was said so many seconds after it; auto: as many as `lag.best_lag` finds, for which
            faces of all videos are looked at.
        detector: as `make_detector`; finds these faces. progress: called after each such video.
        columns: further ones of the table to keep; all of them, up to 32, where none is named.

    Raises:
        CorpusError: no such file, no table, nothing usable in it, or the ratings do not show their range.
        ConfigError: no such format; a setting without effect or out of range.
    """
    source, form = Path(source), RATING_FORMATS.get(labels)
    root = source.parent if root is None else Path(root)
    if lag != "auto" and not 0 <= lag < float("inf"):
        raise ConfigError(f"lag: got {lag:g}; expected 0 or more seconds, for raters answer late; or auto")
    told: list[str] = []
    if not form.names_videos:
        recordings, skipped, told = recordings_of_table(source, root, form, columns)
    elif columns:
        raise ConfigError(f"columns: {' '.join(columns)} has no effect with labels {labels}. Leave it out")
    else:
        recordings, skipped = recordings_of_file(source, form)
    if not recordings:
        raise nothing_usable("table", skipped)
    label_range, notes = common_range(recordings, low, high, scale)
    named = name_raters(recordings)
    if join is not None and not any(len(r.ratings[d]) > 1 for r in recordings for d in DIMENSIONS):
        raise ConfigError(f"join: {join} has no effect: no video has several raters. Leave it out")
    constant = all(np.isinf(one.stop).all() for r in recordings for d in DIMENSIONS for one in r.ratings[d])
    if lag and constant:
        raise ConfigError(f"lag: {lag} has no effect: each video has one label for all of it. Leave it out")
    video_fps = {recording.name: _fps(root / recording.name) for recording in recordings}
    fps = round(median([rate for rate in video_fps.values() if rate] or [_ASSUMED_FPS]), 3)
    clips: list[Clip] = []
    weights, more = _weights(recordings, {name: rate or fps for name, rate in video_fps.items()}, join or "mean", named)
    joined_of = [
        {
            dimension: JoinedRatings(tuple(rows), tuple(weights[dimension, str(one.rater)] for one in rows))
            for dimension, rows in recording.ratings.items()
        }
        for recording in recordings
    ]
    found = None
    if lag == "auto":
        seen = see([root / recording.name for recording in recordings], detector, progress)
        found = best_lag(seen, [[joined[dimension].at for dimension in DIMENSIONS] for joined in joined_of])
    lag_s = found.lag_s if found is not None else float(lag)
    for recording, joined in zip(recordings, joined_of, strict=True):
        path, said = root / recording.name, [joined[dimension].weights for dimension in DIMENSIONS]
        clips.append(
            RatedVideo(
                name=recording.name,
                subject=recording.subject,
                fold=recording.fold,
                path=path,
                **joined,
                lag_s=lag_s,
                scale=label_range,
                columns=recording.columns,
                stamp=stamp([path, *recording.files], said, recording.columns),
            )
        )
    notes += [
        f"labels are ratings over time ({labels}); faces are found by the detector, the largest is taken",
        *more,
        *told,
    ]
    if found is not None:
        notes.append(
            f"raters' lag: a frame's label is what was said {lag_s:g} s after it. There ratings tell most of faces "
            f"({found.best:.3f} nats; without a shift {found.without:.3f}; {found.faces} faces)"
        )
    elif lag_s:
        notes.append(f"raters' lag: a frame's label is what was said {lag_s:g} s after it, as stated")
    elif not constant:
        notes.append("raters' lag: none taken off; raters answer late, mostly by 1 to 6 s (state --lag)")
    if form.names_videos:
        notes.append("people: all recordings of one video of the database are taken as one person")
    elif own := sum(clip.subject == unnamed(clip.name) for clip in clips):
        notes.append(f"{own} of {len(clips)} videos have no subject: each counts as a person of its own")
    options = {
        "labels": labels,
        "join": join or "mean",
        "lag_s": lag_s,
        "low": label_range.low,
        "high": label_range.high,
    }
    return CorpusListing("table", label_range, fps, clips, skipped, notes, options)


class _Rated(NamedTuple):
    """What all raters of a recording said at its frames' times. values: (R, M)."""

    raters: list[str]
    values: NDArray[np.float64]


def _weights(
    recordings: Sequence[Recording], fps: dict[str, float], join: Join, named: bool
) -> tuple[dict[tuple[Dimension, str], float], list[str]]:
    """The weight of each rater in each dimension; and notes on raters, their agreement and their gaps."""
    weights: dict[tuple[Dimension, str], float] = {}
    notes: list[str] = []
    rates = sorted({round(o.rate, 2) for r in recordings for rows in r.ratings.values() for o in rows if o.rate > 0})
    if len(rates) > 1:
        notes.append(f"ratings at {rates[0]:g} to {rates[-1]:g} a second: each value holds for its own interval")
    for dimension in DIMENSIONS:
        tables = []
        for recording in recordings:
            rows = recording.ratings[dimension]
            end = max((float(one.stop[np.isfinite(one.stop)].max(initial=0)) for one in rows), default=0.0)
            at = np.arange(max(1, int(end * fps[recording.name]))) / fps[recording.name]
            tables.append(_Rated([str(one.rater) for one in rows], values_at(rows, at)))
        several = [table for table in tables if len(table.raters) > 1]
        everybody = {name for table in tables for name in table.raters}
        weights |= {(dimension, name): 1.0 for name in everybody}
        if not several:
            continue
        counts = sorted({len(table.raters) for table in tables})
        many = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
        who = f"{len(everybody)} in all" if named else "those whom no file names are others in each video"
        notes.append(f"{dimension}: {many} raters a video, {who}; {_agreement_text(several)}")
        if join == "ewe":
            found = evaluator_weights([dict(zip(t.raters, t.values, strict=True)) for t in tables])
            weights |= {(dimension, name): weight for name, weight in believed(found, dimension).items()}
            notes.append(f"{dimension}: {_weights_text(found)}")
        gaps = [np.isfinite(t.values[np.array([weights[dimension, n] > 0 for n in t.raters])]).sum(0) for t in several]
        rated = sum(int((gap > 0).sum()) for gap in gaps)
        part = sum(int(((gap > 0) & (gap < gap.max())).sum()) for gap in gaps)
        if part:
            notes.append(f"{dimension}: {part / rated:.1%} of the rated time was rated by some of its raters only")
    return weights, notes


def _agreement_text(tables: Sequence[_Rated]) -> str:
    agreed = [agreement(table.values) for table in tables]
    found = np.array([(one.ccc, one.icc.a1.value, one.icc.ak.value) for one in agreed])
    texts = []
    for name, values in zip(("pairwise CCC", "ICC(A,1)", "ICC(A,k)"), found.T, strict=True):
        values = values[np.isfinite(values)]
        if not len(values):
            texts.append(f"{name} undefined")
        elif len(values) == 1:
            texts.append(f"{name} {values[0]:.3f}")
        else:
            texts.append(f"{name} {values.mean():.3f} ({values.min():.3f} to {values.max():.3f})")
    undefined = int((~np.isfinite(found)).any(1).sum())
    more = (
        f", undefined in {undefined} of {len(found)}, where a rating never changes or no moment is rated by all"
        if undefined
        else ""
    )
    return f"their agreement, mean over videos{more}: {', '.join(texts)}"


def _weights_text(found: dict[str, float]) -> str:
    known = sorted(((w, n) for n, w in found.items() if np.isfinite(w)), reverse=True)
    alone = sum(np.isnan(weight) for weight in found.values())
    text = f"joined by EWE, weights {known[-1][0]:.3f} to {known[0][0]:.3f}"
    if none := [name for weight, name in known if weight == 0]:
        text += f"; without weight, for they do not agree with the others: {', '.join(none[:5])}"
        text += f" and {len(none) - 5} more" if len(none) > 5 else ""
    return text + (f"; {alone} whom nobody can be compared with have the weight 1" if alone else "")


def _fps(path: Path) -> float | None:
    try:
        return probe(path).fps or None
    except VideoError:
        return None  # reading the clip says why
