"""The files of one source: their names, what an earlier analysis left, and how they get their own names."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anclaf.core.errors import OutputError, StaleError
from anclaf.core.files import output_error, write_json
from anclaf.inference.bookmark import Bookmark
from anclaf.inference.table_file import TableFormat, write_parquet

MadeWith = dict[str, Any]
"""All that the numbers depend on, as JSON gives it back."""


@dataclass(frozen=True)
class Outputs:
    """The files `FOLDER/NAME.…`. table, overlay, plot, about: for the user. rows, picture, mark: while it runs."""

    folder: Path
    name: str
    format: TableFormat
    with_overlay: bool
    with_plot: bool

    @property
    def table(self) -> Path:
        return self.folder / f"{self.name}.{self.format}"

    @property
    def overlay(self) -> Path | None:
        return self.folder / f"{self.name}.overlay.mp4" if self.with_overlay else None

    @property
    def plot(self) -> Path | None:
        return self.folder / f"{self.name}.plot.png" if self.with_plot else None

    @property
    def about(self) -> Path:
        return self.folder / f"{self.name}.json"

    @property
    def rows(self) -> Path:
        return self.folder / f"{self.name}.csv.part"

    @property
    def picture(self) -> Path:
        return self.folder / f"{self.name}.overlay.mp4.part"

    @property
    def mark(self) -> Path:
        return self.folder / f"{self.name}.bookmark"

    def _wanted(self) -> list[Path]:
        return [path for path in (self.table, self.overlay, self.plot) if path is not None]

    def refuse_what_exists(self) -> None:
        """Raises OutputError where there is a file that would be replaced, or an analysis that did not end."""
        for path in self._wanted():
            if path.exists():
                raise OutputError(f"{path} exists; use --overwrite, --resume, or another folder")
        if self.rows.exists():
            raise OutputError(f"{self.rows}: an analysis that did not end; use --resume, --overwrite or another folder")

    def complete(self, made_with: MadeWith) -> dict[str, Any] | None:
        """What `record` was told, where all files are there and the analysis ended.

        Raises:
            StaleError: they were made with something else. OutputError: nobody knows what they were made with.
        """
        if not self.about.exists():
            if self.table.exists() and not self.mark.exists():
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

    def bookmark(self, made_with: MadeWith) -> Bookmark | None:
        """Where to go on, None for the beginning.

        Raises:
            StaleError: it was made with something else. OutputError: it is damaged.
        """
        if not self.mark.exists():
            return None
        mark = Bookmark.load(self.mark)
        self._compare(mark.made_with, made_with)
        return mark

    def _compare(self, before: MadeWith, now: MadeWith) -> None:
        now = json.loads(json.dumps(now))
        if other := [key for key in now if before.get(key) != now[key]]:
            raise StaleError(
                f"{self.table}: cannot be resumed, it was begun with other {', '.join(other)}. "
                "Use the same, --overwrite, or another folder"
            )

    def begin(self, mark: Bookmark | None) -> None:
        """Make the folder, and room for an analysis that starts at a bookmark or anew.

        Raises:
            OutputError: the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if mark is None:
                self.mark.unlink(missing_ok=True)
                self.about.unlink(missing_ok=True)
            elif not self.rows.exists() and self.format == "csv" and self.table.exists():
                os.replace(self.table, self.rows)  # Ctrl-C had given it its name
        except OSError as error:
            raise output_error(self.folder, error) from error

    def publish(self) -> None:
        """Give the table and the overlay their names.

        Raises:
            OutputError: they cannot be written. `begin` and a bookmark can go on from there.
        """
        try:
            if self.overlay is not None and self.picture.exists():
                os.replace(self.picture, self.overlay)
            if self.format == "parquet":
                write_parquet(self.table, self.rows)
            else:
                os.replace(self.rows, self.table)
        except OSError as error:
            raise output_error(self.table, error) from error

    def record(self, result: dict[str, Any], made_with: MadeWith, complete: bool) -> None:
        """Write `about`, and remove what only a bookmark needs; where it is not complete, the bookmark stays.

        Raises:
            OutputError: it cannot be written.
        """
        about = {"complete": complete, "files": [path.name for path in self._wanted()], "result": result}
        write_json(self.about, about | {"made_with": made_with})
        if complete:
            self.mark.unlink(missing_ok=True)
        if not self.mark.exists():
            self.rows.unlink(missing_ok=True)

    def discard_unmarked(self) -> None:
        """Remove what is unfinished, unless there is a bookmark that needs it."""
        self.picture.unlink(missing_ok=True)
        if not self.mark.exists():
            self.rows.unlink(missing_ok=True)
