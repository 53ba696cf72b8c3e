"""The files of one source: their names, what an earlier analysis left, and where an unfinished one goes on.

An analysis that was killed goes on from its last `StreamCheckpoint` with the numbers that it would have had.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from anclaf.config import OutputOptions
from anclaf.core.errors import OutputError, StaleError
from anclaf.core.files import atomic_path, output_error, write_json
from anclaf.core.labels import LabelScale
from anclaf.inference.baseline import with_whole_rests
from anclaf.inference.table import write_parquet

MadeWith = dict[str, Any]
"""All that the numbers depend on, as JSON gives it back."""


@dataclass(frozen=True)
class StreamCheckpoint:
    """Where an analysis is, between two frames.

    made_with: all that the numbers depend on. counts: of what is in the table so far. table_bytes: its length; 0 at the
    beginning. stream: `AffectStream.state`.
    """

    made_with: MadeWith
    counts: dict[str, int]
    table_bytes: int
    stream: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write it to one safetensors file, which replaces the one before.

        Raises:
            OutputError: it cannot be written.
        """
        arrays: dict[str, NDArray] = {}
        content = json.dumps(_without_arrays(asdict(self), arrays))
        with atomic_path(path) as temporary:
            # safetensors' own way to a file hides which error it was
            temporary.write_bytes(save(arrays, metadata={"stream_checkpoint": content}))

    @classmethod
    def load(cls, path: Path) -> "StreamCheckpoint":
        """Read it.

        Raises:
            OutputError: it is damaged, or of a version that kept other things.
        """
        try:
            with safe_open(path, "np") as file:
                return cls(**_with_arrays(json.loads(file.metadata()["stream_checkpoint"]), file.get_tensor))
        except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
            raise OutputError(
                f"{path}: damaged or of another version; nothing can go on from it. Use --overwrite"
            ) from error


def _without_arrays(value: Any, arrays: dict[str, NDArray]) -> Any:
    """`value` as JSON can hold it; each array goes to `arrays`, and a note of its key stays."""
    if isinstance(value, dict):
        return {key: _without_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(item, arrays) for item in value]
    if isinstance(value, np.ndarray):
        key = str(len(arrays))
        arrays[key] = np.array(value, order="C")
        return {"array": key}
    return value


def _with_arrays(value: Any, get: Callable[[str], NDArray]) -> Any:
    match value:
        case {"array": key} | {"tensor": key}:  # so an earlier version noted features
            return get(key)
        case dict():
            return {key: _with_arrays(item, get) for key, item in value.items()}
        case list():
            return [_with_arrays(item, get) for item in value]
    return value


@dataclass(frozen=True)
class OutputFiles:
    """The files `FOLDER/NAME.…`. table, overlay, plot, about: for the user. rows, overlay_part, checkpoint: while it
    runs; the other parts: until all are written, so that a full disk leaves what was there as it was."""

    folder: Path
    name: str
    options: OutputOptions

    @property
    def table(self) -> Path:
        return self._path(self.options.format)

    @property
    def overlay(self) -> Path | None:
        return self._path("overlay.mp4") if self.options.overlay else None

    @property
    def plot(self) -> Path | None:
        return self._path("plot.png") if self.options.plot else None

    @property
    def about(self) -> Path:
        return self._path("json")

    @property
    def rows(self) -> Path:
        return self._path("csv.part")

    @property
    def overlay_part(self) -> Path | None:
        return None if self.overlay is None else _part(self.overlay)

    @property
    def _filled(self) -> Path:
        return self._path("filled.csv.part")

    @property
    def checkpoint(self) -> Path:
        return self._path("bookmark")

    def _path(self, suffix: str) -> Path:
        return self.folder / f"{self.name}.{suffix}"

    def _wanted(self) -> list[Path]:
        return [path for path in (self.table, self.overlay, self.plot) if path is not None]

    def refuse_existing(self) -> None:
        """Check that nothing would be replaced that is not to be.

        Raises:
            OutputError: there is a file that would be, or an analysis that did not end, and neither `overwrite` nor
                `resume` is on.
        """
        if self.options.overwrite or self.options.resume:
            return
        for path in self._wanted():
            if path.exists():
                raise OutputError(f"{path} exists; use --overwrite, --resume, or another folder")
        if self.rows.exists():
            raise OutputError(f"{self.rows}: an analysis that did not end; use --resume, --overwrite or another folder")

    def finished(self, made_with: MadeWith) -> dict[str, Any] | None:
        """The `result` of `about`, where `resume` is on, all files are there and the analysis ended.

        Raises:
            StaleError: they were made with something else. OutputError: nobody knows what they were made with.
        """
        if not self.options.resume or self.checkpoint.exists():
            return None
        if not self.about.exists():
            if self.table.exists():
                raise OutputError(f"{self.table} exists without {self.about.name}; use --overwrite or another folder")
            return None
        try:
            about = json.loads(self.about.read_text(encoding="utf-8"))
            before, complete, files, result = (about[key] for key in ("made_with", "complete", "files", "result"))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise OutputError(f"{self.about}: not what `anclaf predict` writes; use --overwrite") from error
        # a table that is complete stays good when the software changes
        self._compare(before, made_with | {key: before.get(key) for key in ("versions", "device") if complete})
        there = all(path.name in files and path.exists() for path in self._wanted())
        return result if complete and there else None

    def last_checkpoint(self, made_with: MadeWith) -> StreamCheckpoint | None:
        """Where to go on if `resume` is on; None for the beginning.

        Raises:
            StaleError: it was made with something else. OutputError: it is damaged.
        """
        if not self.options.resume or not self.checkpoint.exists():
            return None
        checkpoint = StreamCheckpoint.load(self.checkpoint)
        self._compare(checkpoint.made_with, made_with)
        return checkpoint

    def _compare(self, before: MadeWith, now: MadeWith) -> None:
        now = json.loads(json.dumps(now))
        if other := [key for key in {**now, **before} if before.get(key) != now.get(key)]:
            raise StaleError(
                f"{self.table}: cannot be resumed, it was begun with other {', '.join(other)}. "
                "Use the same, --overwrite, or another folder"
            )

    def begin(self, start: StreamCheckpoint) -> None:
        """Make the folder, and room for an analysis that starts at a checkpoint.

        Raises:
            OutputError: the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not start.table_bytes:
                self.checkpoint.unlink(missing_ok=True)
            elif not self.rows.exists() and self.options.format == "csv" and self.table.exists():
                os.replace(self.table, self.rows)  # Ctrl-C had given it its name
        except OSError as error:
            raise output_error(self.folder, error) from error

    @contextmanager
    def unfinished(self) -> Iterator[None]:
        """Until all has its name: what an error leaves unfinished is removed, unless a checkpoint needs it."""
        try:
            yield
        except BaseException as error:
            for part in {self._filled, *map(_part, (*self._wanted(), self.about))} - {self.rows}:
                part.unlink(missing_ok=True)
            if not self.checkpoint.exists():
                self.rows.unlink(missing_ok=True)
            elif isinstance(error, OutputError):
                raise OutputError(f"{error}. What is done is kept; --resume goes on from it") from error
            raise

    def publish(
        self, about: dict[str, Any], plot: Callable[[Path, Path], None], *, complete: bool, whole_rests: bool = False
    ) -> None:
        """Write all files beside their names, then give them their names; where it is complete, remove what only a
        checkpoint needs.

        Args:
            about: see `content_of_about`.
            plot: draws the table that is named first to the picture that is named second; not called where there is
                no plot.
            whole_rests: each track's median is taken off (`with_whole_rests`), in the table and not in `rows`, which a
                checkpoint may need as they are.

        Raises:
            OutputError: they cannot be written. Without a checkpoint to go on from, nothing is left that was not there.
        """
        try:
            table = self._written_table(whole_rests)
            if self.plot is not None:
                plot(table, _part(self.plot))
            write_json(_part(self.about), about)
            self._rename(table)
            if complete:
                self.checkpoint.unlink(missing_ok=True)
            if not self.checkpoint.exists():
                self.rows.unlink(missing_ok=True)
        except OSError as error:
            raise output_error(self.table, error) from error

    def _written_table(self, whole_rests: bool) -> Path:
        """Of which file the table is to be made."""
        rows = self.rows
        if whole_rests:
            rows = self._filled
            with_whole_rests(self.rows, rows)
        if self.options.format == "parquet":
            write_parquet(_part(self.table), rows)
            self._filled.unlink(missing_ok=True)
            rows = _part(self.table)
        return rows

    def _rename(self, table: Path) -> None:
        self.about.unlink(missing_ok=True)  # of the files that are replaced now
        new: list[Path] = []
        try:
            for path in (*self._wanted(), self.about):
                part = table if path == self.table else _part(path)
                if not part.exists():
                    continue  # an overlay without pictures
                there = path.exists()
                os.replace(part, path)
                if not there:
                    new.append(path)
        except OSError:
            if not self.checkpoint.exists():
                for path in new:
                    path.unlink(missing_ok=True)
            raise

    def content_of_about(
        self,
        result: dict[str, Any],
        made_with: MadeWith,
        complete: bool,
        notes: Sequence[str] = (),
        sureness: str = "",
        *,
        scale: LabelScale,
    ) -> dict[str, Any]:
        """What `about` says. scale: of the model's valence and arousal."""
        about = {"complete": complete, "files": [path.name for path in self._wanted()], "result": result}
        about |= {"notes": list(notes), "sureness": sureness, "scale": [scale.low, scale.high]}
        return about | {"made_with": made_with}

    def notes(self) -> tuple[str, ...]:
        """Those in `about`, once `finished` has read it; none in files of earlier versions."""
        return tuple(json.loads(self.about.read_text(encoding="utf-8")).get("notes", ()))


def _part(path: Path) -> Path:
    """What a file is called until all are written."""
    return path.with_name(f"{path.name}.part")
