"""One source to its files: the table, row by row, and the overlay video."""

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from anclaf.core.errors import OutputError, VideoError
from anclaf.core.files import output_error
from anclaf.core.progress import Progress, silent
from anclaf.inference.estimate import FaceEstimate, column_names
from anclaf.inference.estimator import AffectEstimator, StreamOptions
from anclaf.inference.overlay import OverlayVideo
from anclaf.inference.source import open_source


@dataclass(frozen=True)
class Analysis:
    """What came of a source.

    rows, frames: in the table. estimated: rows with an estimate. tracks: people. overlay: None where none was asked
    for. notes: what a reader of the numbers must know. problem: why the source could not be read to its end, or "".
    """

    table: Path
    overlay: Path | None
    frames: int
    rows: int
    estimated: int
    tracks: int
    detector: str
    notes: tuple[str, ...]
    problem: str


def analyse(
    estimator: AffectEstimator,
    path: Path | str,
    out: Path,
    options: StreamOptions | None = None,
    *,
    overlay: bool = True,
    overwrite: bool = False,
    image_fps: float = 25.0,
    progress: Progress = silent,
) -> Analysis:
    """Write `OUT/NAME.csv` and `OUT/NAME.overlay.mp4`, NAME being the source's file name without its suffix.

    Rows are written as they come. While it runs the files have a `.part` name; they get their own when the source
    ends, when it turns out to be damaged (its readable part is in them, and `problem` says so), and on Ctrl-C.

    Raises:
        VideoError: nothing of the source can be read; no file is left.
        OutputError: `out` cannot be written, or holds the files and `overwrite` is off.
    """
    options, out = options or StreamOptions(), Path(out)
    source = open_source(path, image_fps)
    table, video = out / f"{source.name}.csv", out / f"{source.name}.overlay.mp4"
    for target in (table, video)[: 1 + overlay]:
        if target.exists() and not overwrite:
            raise OutputError(f"{target} exists; use --overwrite, or another folder")
    stream = estimator.stream(source.fps, options)
    count = _Count()
    problem = ""
    with ExitStack() as stack:
        rows = stack.enter_context(_rows(table, estimator.attention_columns if options.attention else 0))
        drawn = None
        if overlay:
            temporary = stack.enter_context(_renamed(video))
            drawn = stack.enter_context(OverlayVideo(temporary, source.fps, estimator.spec.scale))
        try:
            for frame, estimates in estimator.run(source, stream, progress):
                rows(estimates)
                if drawn is not None:
                    drawn.add(frame.time_s, frame.image, estimates)
                count.add(estimates)
        except VideoError as error:
            if not count.frames:
                raise
            problem = str(error)
    return Analysis(
        table,
        video if overlay else None,
        count.frames,
        count.rows,
        count.estimated,
        count.tracks,
        estimator.detector.name,
        stream.notes,
        problem,
    )


class TableWriter:
    """Appends rows to a CSV file, each frame's at once, so that what is written is whole up to the last frame."""

    def __init__(self, file: TextIO, path: Path, attention: int):
        self._file, self._path = file, path
        self._writer = csv.DictWriter(file, column_names(attention), lineterminator="\n")
        self._flushed(self._writer.writeheader)

    def __call__(self, estimates: list[FaceEstimate]) -> None:
        rows = [{name: _cell(value) for name, value in estimate.row().items()} for estimate in estimates]
        self._flushed(lambda: self._writer.writerows(rows))

    def _flushed(self, write: Callable[[], object]) -> None:
        try:
            write()
            self._file.flush()
        except OSError as error:
            raise output_error(self._path, error) from error


@contextmanager
def _rows(path: Path, attention: int) -> Iterator[TableWriter]:
    with _renamed(path) as temporary:
        try:
            file = open(temporary, "w", encoding="utf-8", newline="")  # noqa: SIM115 - closed below
        except OSError as error:
            raise output_error(path, error) from error
        with file:
            yield TableWriter(file, path, attention)


@contextmanager
def _renamed(path: Path) -> Iterator[Path]:
    """A `.part` name that becomes `path` when the block ends well or by Ctrl-C, and is removed when it fails."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path, error) from error
    try:
        yield part
    except Exception:
        part.unlink(missing_ok=True)
        raise
    except BaseException:
        _keep(part, path)
        raise
    _keep(part, path)


def _keep(part: Path, path: Path) -> None:
    if part.exists():
        os.replace(part, path)


def _cell(value: Any) -> Any:
    """Six decimals; what is not known stays empty."""
    if isinstance(value, float):
        return "" if value != value else round(value, 6)
    return "" if value is None else value


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
