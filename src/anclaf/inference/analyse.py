"""One source to its files: the table, row by row, the overlay video, and a plot of the whole."""

import math
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

from anclaf.core.errors import ConfigError, OutputError, VideoError
from anclaf.core.files import versions
from anclaf.core.progress import Progress, silent
from anclaf.inference.bookmark import Bookmark
from anclaf.inference.estimate import FaceEstimate
from anclaf.inference.estimator import AffectEstimator, AffectStream, StreamOptions
from anclaf.inference.outputs import MadeWith, Outputs
from anclaf.inference.overlay import OverlayVideo
from anclaf.inference.plot import plot_source
from anclaf.inference.source import Source, open_source, source_name
from anclaf.inference.table_file import CsvTable, TableFormat, read_rows

MARK_EVERY = 250
"""Frames between two bookmarks; at most about as many are analysed a second time after a break."""


@dataclass(frozen=True)
class Analysis:
    """What came of a source.

    rows, frames: in the table. estimated: rows with an estimate. tracks: people. overlay, plot: None where none was
    asked for. notes: what a reader of the numbers must know. problem: why the source could not be read to its end,
    or "".
    kept: frames that were in the table before; all of them where it was complete already.
    """

    table: Path
    overlay: Path | None
    plot: Path | None
    frames: int
    rows: int
    estimated: int
    tracks: int
    detector: str
    notes: tuple[str, ...]
    problem: str
    kept: int = 0


def analyse(
    estimator: AffectEstimator,
    path: Path | str,
    out: Path,
    options: StreamOptions | None = None,
    *,
    format: TableFormat = "csv",
    overlay: bool = True,
    plot: bool = True,
    overwrite: bool = False,
    resume: bool = False,
    image_fps: float = 25.0,
    seconds: float | None = None,
    progress: Progress = silent,
) -> Analysis:
    """Write `OUT/NAME.csv` or `.parquet`, `.overlay.mp4` and `.plot.png`, and `.json`, which says how they were made.

    While it runs, rows are appended to `NAME.csv.part`, and every `MARK_EVERY` frames `NAME.bookmark` says where the
    analysis is. The files get their own names when the source ends, when it turns out to be damaged (its readable part
    is in them, and `problem` says so), and on Ctrl-C, after which the bookmark stays. With `resume` a source whose
    files are complete is left alone, one with a bookmark goes on from there to the very table that it would have had,
    and any other is analysed from its beginning.

    Args:
        path, image_fps, seconds: as `open_source`. A camera is analysed until Ctrl-C, or for so many seconds.
        overwrite: begin anew where there are files of an earlier analysis.

    Raises:
        VideoError: nothing of the source can be read; no file is left.
        OutputError: `out` cannot be written, or holds the files and neither `overwrite` nor `resume` is on.
        StaleError: what is to be resumed was made with another model, detector, source, version, or other options.
        ConfigError: a setting out of range, or two that contradict each other.
    """
    options = options or StreamOptions()
    outputs = Outputs(Path(out), source_name(path), format, overlay, plot)
    if resume and overwrite:
        raise ConfigError("resume and overwrite contradict each other; choose one")
    if not (resume or overwrite):
        outputs.refuse_what_exists()
    source = open_source(path, image_fps, seconds)
    if resume and source.path is None:
        raise ConfigError(f"{path}: a camera or network stream cannot be resumed; leave --resume out")
    made_with = _made_with(estimator, source, options)
    stream = estimator.stream(source.fps, options)
    result = Analysis(
        outputs.table, outputs.overlay, outputs.plot, 0, 0, 0, 0, estimator.detector.name, stream.notes, problem=""
    )
    if resume and (done := outputs.complete(made_with)) is not None:
        return replace(result, **done, kept=done["frames"])
    mark = outputs.bookmark(made_with) if resume else None
    outputs.begin(mark)
    if mark is None:
        mark = Bookmark(made_with, asdict(_Count()), 0, stream.state())
    stream.restore(mark.stream)
    count, stop = _Count(**mark.counts), None
    try:
        _fill(outputs, source, estimator, stream, mark, count, progress)
    except (VideoError, KeyboardInterrupt) as error:
        stop = error
    except OutputError as error:
        outputs.discard_unmarked()
        if not outputs.mark.exists():
            raise
        raise OutputError(f"{error}. What is done is kept; --resume goes on from it") from error
    except BaseException:
        outputs.discard_unmarked()
        raise
    if stop is not None and not count.frames:
        outputs.discard_unmarked()
        raise stop
    interrupted = isinstance(stop, KeyboardInterrupt)
    found = asdict(count) | {"problem": str(stop) if isinstance(stop, VideoError) else ""}
    outputs.publish()
    if outputs.plot is not None:
        caption = f"{estimator.spec.variant}, {estimator.detector.name}"
        plot_source(outputs.table, outputs.plot, estimator.spec.scale, outputs.name, caption)
    # a camera has no end that could be missing
    outputs.record(found, made_with, complete=not interrupted or source.path is None)
    if interrupted:
        raise stop
    return replace(result, **found, kept=mark.counts["frames"])


def _made_with(estimator: AffectEstimator, source: Source, options: StreamOptions) -> MadeWith:
    end = source.seconds if source.seconds < math.inf else None
    return {
        "model": {"variant": estimator.spec.variant, "fingerprint": estimator.fingerprint},
        "detector": estimator.detector.name,
        "source": None if source.path is None else source.fingerprint(),
        "options": asdict(options) | {"fps": source.fps, "seconds": end},
        "device": estimator.device.type,
        "versions": versions(),
    }


def _fill(
    outputs: Outputs,
    source: Source,
    estimator: AffectEstimator,
    stream: AffectStream,
    mark: Bookmark,
    count: "_Count",
    progress: Progress,
) -> None:
    """Analyse a source from a bookmark to its end."""
    start = marked = count.frames
    with ExitStack() as stack:
        drawn = None
        if outputs.overlay is not None:
            drawn = stack.enter_context(OverlayVideo(outputs.picture, source.fps, estimator.spec.scale))
        rows = stack.enter_context(closing(CsvTable(outputs.rows, stream.attention_columns, mark.table_bytes)))
        frames = source.read(start if drawn is None else 0)
        if drawn is not None:
            for frame, estimates in zip(islice(frames, start), read_rows(outputs.rows), strict=True):
                drawn.add(frame.time_s, frame.image, estimates)
        analysed = estimator.run(replace(source, opened=frames), stream, progress)
        for frame, estimates in stack.enter_context(closing(analysed)):
            rows.append(estimates)
            count.add(estimates)
            if drawn is not None:
                drawn.add(frame.time_s, frame.image, estimates)
            # the stream is ahead of the rows but at the end of a chunk
            if source.path is not None and count.frames >= marked + MARK_EVERY and stream.frames == count.frames:
                Bookmark(mark.made_with, asdict(count), rows.bytes, stream.state()).save(outputs.mark)
                marked = count.frames


@dataclass
class _Count:
    frames: int = 0
    rows: int = 0
    estimated: int = 0
    tracks: int = 0

    def add(self, estimates: list[FaceEstimate]) -> None:
        self.frames += 1
        self.rows += len(estimates)
        self.estimated += sum(estimate.estimated for estimate in estimates)
        self.tracks = max(self.tracks, *(0 if e.track is None else e.track + 1 for e in estimates))
