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
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from anclaf.config import OutputOptions
from anclaf.core.errors import OutputError, StaleError
from anclaf.core.files import atomic_path, output_error, write_json
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
        arrays: dict[str, Tensor] = {}
        content = json.dumps(_without_arrays(asdict(self), arrays))
        with atomic_path(path) as temporary:
            try:
                save_file(arrays, temporary, metadata={"stream_checkpoint": content})
            except SafetensorError as error:
                raise OSError(None, str(error)) from error

    @classmethod
    def load(cls, path: Path) -> "StreamCheckpoint":
        """Read it.

        Raises:
            OutputError: it is damaged, or of a version that kept other things.
        """
        try:
            with safe_open(path, "pt") as file:
                return cls(**_with_arrays(json.loads(file.metadata()["stream_checkpoint"]), file.get_tensor))
        except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
            raise OutputError(
                f"{path}: damaged or of another version; nothing can go on from it. Use --overwrite"
            ) from error


def _without_arrays(value: Any, arrays: dict[str, Tensor]) -> Any:
    """`value` as JSON can hold it; each array and tensor goes to `arrays`, and a note of its key and kind stays."""
    if isinstance(value, dict):
        return {key: _without_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(item, arrays) for item in value]
    if isinstance(value, np.ndarray | Tensor):
        key = str(len(arrays))
        tensor = torch.from_numpy(value) if isinstance(value, np.ndarray) else value.detach().cpu()
        arrays[key] = tensor.clone(memory_format=torch.contiguous_format)
        return {"array" if isinstance(value, np.ndarray) else "tensor": key}
    return value


def _with_arrays(value: Any, get: Callable[[str], Tensor]) -> Any:
    match value:
        case {"array": key}:
            return get(key).numpy()
        case {"tensor": key}:
            return get(key)
        case dict():
            return {key: _with_arrays(item, get) for key, item in value.items()}
        case list():
            return [_with_arrays(item, get) for item in value]
    return value


@dataclass(frozen=True)
class OutputFiles:
    """The files `FOLDER/NAME.…`. table, overlay, plot, about: for the user. rows, overlay_part, checkpoint: while it
    runs."""

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
    def overlay_part(self) -> Path:
        return self._path("overlay.mp4.part")

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
        """What `record` was told, where `resume` is on, all files are there and the analysis ended.

        Raises:
            StaleError: they were made with something else. OutputError: nobody knows what they were made with.
        """
        if not self.options.resume:
            return None
        if not self.about.exists():
            if self.table.exists() and not self.checkpoint.exists():
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
                self.about.unlink(missing_ok=True)
            elif not self.rows.exists() and self.options.format == "csv" and self.table.exists():
                os.replace(self.table, self.rows)  # Ctrl-C had given it its name
        except OSError as error:
            raise output_error(self.folder, error) from error

    @contextmanager
    def unfinished(self) -> Iterator[None]:
        """While frames are analysed: what an error leaves unfinished is removed, unless a checkpoint needs it."""
        try:
            yield
        except BaseException as error:
            self.overlay_part.unlink(missing_ok=True)
            if not self.checkpoint.exists():
                self.rows.unlink(missing_ok=True)
            elif isinstance(error, OutputError):
                raise OutputError(f"{error}. What is done is kept; --resume goes on from it") from error
            raise

    def publish(self, whole_rests: bool = False) -> None:
        """Give the table and the overlay their names.

        Args:
            whole_rests: each track's median is taken off (`with_whole_rests`), in the table and not in `rows`, which a
                checkpoint may need as they are.

        Raises:
            OutputError: they cannot be written. `begin` and a checkpoint can go on from there.
        """
        try:
            if self.overlay is not None and self.overlay_part.exists():
                os.replace(self.overlay_part, self.overlay)
            self._publish_table(whole_rests)
        except OSError as error:
            raise output_error(self.table, error) from error

    def _publish_table(self, whole_rests: bool) -> None:
        if not whole_rests:
            if self.options.format == "parquet":
                write_parquet(self.table, self.rows)
            else:
                os.replace(self.rows, self.table)
            return
        filled = self._path("csv.filled")
        try:
            with_whole_rests(self.rows, filled)
            if self.options.format == "parquet":
                write_parquet(self.table, filled)
            else:
                os.replace(filled, self.table)
        finally:
            filled.unlink(missing_ok=True)

    def notes(self) -> tuple[str, ...]:
        """What `record` was told, once `finished` has read it; none in files of earlier versions."""
        return tuple(json.loads(self.about.read_text(encoding="utf-8")).get("notes", ()))

    def record(
        self, result: dict[str, Any], made_with: MadeWith, complete: bool, notes: Sequence[str] = (), sureness: str = ""
    ) -> None:
        """Write `about`, and remove what only a checkpoint needs; where it is not complete, the checkpoint stays.

        Raises:
            OutputError: it cannot be written.
        """
        about = {"complete": complete, "files": [path.name for path in self._wanted()], "result": result}
        write_json(self.about, about | {"notes": list(notes), "sureness": sureness, "made_with": made_with})
        if complete:
            self.checkpoint.unlink(missing_ok=True)
        if not self.checkpoint.exists():
            self.rows.unlink(missing_ok=True)
