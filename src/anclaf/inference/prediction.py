"""One source to its files: the table, row by row, the overlay video, and a plot of the whole."""

import math
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

from anclaf.config import OutputOptions, StreamOptions
from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, OutputError, StaleError, VideoError
from anclaf.core.extras import installed, what_to_install
from anclaf.core.files import versions
from anclaf.core.progress import Progress, silent
from anclaf.core.words import counted, shown
from anclaf.faces.frames import VideoFrame
from anclaf.inference.baseline import Baseline
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.outputs import MadeWith, OutputFiles, StreamCheckpoint
from anclaf.inference.overlay import OverlayVideo
from anclaf.inference.source import Source
from anclaf.inference.stream import AffectStream
from anclaf.inference.table import CsvTable, FaceEstimate, read_rows

CHECKPOINT_EVERY = 250
"""Frames between two checkpoints; at most about as many are analysed a second time after a break."""


@dataclass(frozen=True)
class SourceResult:
    """What came of a source.

    overlay, plot: None where none was asked for. detector: which found the faces. notes: what a reader of the numbers
    must know. frames, rows: in the table. estimated: rows with an estimate. tracks: people. problem: why the source
    could not be read to its end, or "". kept: frames that were in the table before; all of them where it was complete
    already.
    """

    table: Path
    overlay: Path | None
    plot: Path | None
    detector: str
    notes: tuple[str, ...]
    frames: int = 0
    rows: int = 0
    estimated: int = 0
    tracks: int = 0
    problem: str = ""
    kept: int = 0


@checked
def predict_source(
    estimator: AffectEstimator,
    source: Source,
    folder: Path | str,
    options: StreamOptions | None = None,
    output: OutputOptions | None = None,
    progress: Progress = silent,
    baseline: str | Path | Baseline | None = None,
) -> SourceResult:
    """Write `FOLDER/NAME.csv` or `.parquet`, `.overlay.mp4` and `.plot.png`, and how they were made, `.json`.

    While it runs, rows are appended to `NAME.csv.part`, and every `CHECKPOINT_EVERY` frames `NAME.bookmark` says where
    the analysis is. The files get their own names when the source ends, when it turns out to be damaged (its readable
    part is in them, and `problem` says so), and on Ctrl-C, after which the bookmark stays. With `resume` a source whose
    files are complete is left alone, one with a bookmark goes on from there to the very table that it would have had,
    and any other is analysed from its beginning. A camera is analysed until Ctrl-C, or for the source's `seconds`.

    Args:
        source: as `open_source` gives it. NAME is its name.
        folder: made where it is missing.
        baseline: as `AffectEstimator.baseline`: how each person's resting face is known, which is taken off in columns
            beside. With `median` they are filled in when the source ends, and the overlay does not show them.

    Raises:
        VideoError: nothing of the source can be read; no file is left.
        OutputError: `folder` cannot be written, or holds the files and neither `overwrite` nor `resume` is on.
        StaleError: what is to be resumed was made with another model, detector, source, version, or other options.
        ConfigError: a camera is to be resumed, the model has no attention to write, matplotlib is not installed for
            the plot, or as `AffectEstimator.baseline`.
        KeyboardInterrupt: Ctrl-C; its text is that of the OutputError where what was done could not be written.
    """
    options, output = options or StreamOptions(), output or OutputOptions()
    if output.resume and source.path is None:
        raise ConfigError(f"{source.name}: a camera or network stream cannot be resumed; leave --resume out")
    if output.plot and not installed("matplotlib"):
        raise ConfigError(f"{what_to_install('matplotlib')}, or leave the plot out")
    files = OutputFiles(Path(folder), source.name, output)
    files.refuse_existing()
    rest = estimator.baseline(baseline, options)
    whole = rest is not None and rest.whole
    stream = estimator.stream(source.fps, options, None if whole else rest, name=source.name)
    result = SourceResult(files.table, files.overlay, files.plot, estimator.detector.name, stream.notes)
    made_with = _made_with(estimator, source, options, rest)
    if (finished := files.finished(made_with)) is not None:
        return replace(result, **finished, kept=finished["frames"], notes=files.notes() or result.notes)

    beginning = StreamCheckpoint(made_with, asdict(_Counts()), 0, stream.state())
    start = files.last_checkpoint(made_with) or beginning
    stream.restore(start.stream)
    files.begin(start)

    def plot(table: Path, to: Path) -> None:
        from anclaf.inference.plot import plot_source

        caption = f"{estimator.spec.variant}, {estimator.detector.name}"
        plot_source(table, to, estimator.spec.scale, shown(files.name), caption)

    stop: VideoError | KeyboardInterrupt | None = None
    try:
        with files.unfinished():
            counts, stop = _write_frames(files, source, estimator, stream, start, progress)
            interrupted = isinstance(stop, KeyboardInterrupt)
            # a camera has no end that could be missing
            complete = not interrupted or source.path is None
            problem = "" if stop is None or interrupted else str(stop)
            if source.problems:
                more = len(source.problems) - 1
                problem = source.problems[0] + (f", and {counted(more, 'more picture')}" if more else "")
            found = asdict(counts) | {"problem": problem}
            notes = (*stream.notes, *dict.fromkeys(source.notes), *([stream.rest_note] if stream.rest_note else []))
            sureness, scale = estimator.sureness, estimator.spec.scale
            about = files.content_of_about(found, made_with, complete, notes, sureness, scale=scale)
            files.publish(about, plot, complete=complete, whole_rests=whole and complete)
    except OutputError as error:
        if isinstance(stop, KeyboardInterrupt) or _began_with_ctrl_c(error):
            raise KeyboardInterrupt(str(error)) from error
        raise
    if interrupted:
        raise stop
    return replace(result, **found, kept=start.counts["frames"], notes=notes)


def _began_with_ctrl_c(error: BaseException | None) -> bool:
    """Whether an error came up while Ctrl-C was being answered."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


@dataclass
class _Counts:
    """Of what is in the table so far."""

    frames: int = 0
    rows: int = 0
    estimated: int = 0
    tracks: int = 0

    def add(self, estimates: list[FaceEstimate]) -> None:
        self.frames += 1
        self.rows += len(estimates)
        self.estimated += sum(estimate.estimated for estimate in estimates)
        self.tracks = max(self.tracks, *(0 if e.track is None else e.track + 1 for e in estimates))


def _same(frame: VideoFrame, last: tuple[int, float]) -> bool:
    """Whether a frame has this number and time, which an earlier version may have rounded otherwise."""
    return frame.index == last[0] and math.isclose(frame.time_s, last[1], abs_tol=1e-6)


def _made_with(
    estimator: AffectEstimator, source: Source, options: StreamOptions, baseline: Baseline | None
) -> MadeWith:
    end = source.seconds if source.seconds < math.inf else None
    return {
        "model": {"variant": estimator.spec.variant, "fingerprint": estimator.fingerprint},
        "detector": estimator.detector.name,
        "source": None if source.path is None else source.fingerprint(),
        "options": asdict(options) | {"fps": source.fps, "seconds": end},
        "device": estimator.backend.device,
        "versions": versions() | getattr(estimator.detector, "versions", {}) | estimator.backend.versions,
    } | ({} if baseline is None else {"baseline": baseline.to_json()})


def _write_frames(
    files: OutputFiles,
    source: Source,
    estimator: AffectEstimator,
    stream: AffectStream,
    start: StreamCheckpoint,
    progress: Progress,
) -> tuple[_Counts, VideoError | KeyboardInterrupt | None]:
    """Analyse a source from a checkpoint to its end: what is in the table then, and what ended it early.

    What ends it before a frame that could be read is raised.
    """
    counts, saved, frame = _Counts(**start.counts), start.counts["frames"], None
    whole = saved > 0
    try:
        with ExitStack() as stack:
            overlay = None
            if files.overlay_part is not None:
                overlay = OverlayVideo(files.overlay_part, source.fps, estimator.spec.scale)
                stack.enter_context(overlay)
            rows = CsvTable(files.rows, stream.attention_columns, start.table_bytes)
            stack.enter_context(closing(rows))
            frames = source.read(0 if overlay is not None else max(stream.last[0], 0))
            if overlay is not None:  # it is drawn again from its beginning
                for frame, estimates in zip(islice(frames, saved), read_rows(files.rows), strict=False):
                    if not frame.problem:
                        overlay.add(frame.time_s, frame.image, estimates)
            elif saved:
                frame = next(frames, None)
            if saved and (frame is None or not _same(frame, stream.last)):
                raise StaleError(
                    f"{files.table}: cannot be resumed, this version numbers or times the frames of {source.name} "
                    "otherwise. Use --overwrite, or another folder"
                )
            analysed = estimator.run(replace(source, opened=frames), stream, progress)
            for frame, estimates in stack.enter_context(closing(analysed)):
                rows.append(estimates)
                counts.add(estimates)
                whole = whole or not frame.problem
                if overlay is not None and not frame.problem:
                    overlay.add(frame.time_s, frame.image, estimates)
                due = source.path is not None and counts.frames >= saved + CHECKPOINT_EVERY
                if due and stream.last[0] == frame.index:  # within a chunk the stream is ahead of the rows
                    now = StreamCheckpoint(start.made_with, asdict(counts), rows.bytes, stream.state())
                    now.save(files.checkpoint)
                    saved = counts.frames
    except (VideoError, KeyboardInterrupt) as error:
        if not whole:
            raise
        return counts, error
    return counts, None
