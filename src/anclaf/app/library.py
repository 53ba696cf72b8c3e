"""The videos of the server: those of the folder named at start, and those uploaded; and their results.

A client names a video by an identifier that the server gave, never by a path. What lies outside the folders, by a
symbolic link or otherwise, is not listed and not opened.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from anclaf.app.limits import Limits, RefusedError
from anclaf.app.look import SUFFIXES, Look, look_at
from anclaf.config import OutputOptions, TableFormat
from anclaf.core.errors import ConfigError, OutputError
from anclaf.core.words import shown
from anclaf.inference.outputs import OutputFiles

State = Literal["new", "waiting", "running", "done", "failed", "cancelled"]
"""new: not analysed. The others: of its last analysis."""
RATINGS = "ratings"
"""Folder of the ratings of videos, beside them."""
_RESCAN_S = 2.0
_LONGEST_NAME = 150


@dataclass
class Video:
    """A video, or results whose video is not there (`path` None).

    id: what clients call it. name: as shown. results: the folder of its files. message: why it failed, or what is to be
    known. done, total: frames of an analysis, 0 where unknown. problem: what of the file could not be read. saved_ns:
    when the ratings of an upload were downloaded last.
    """

    id: str
    name: str
    path: Path | None
    results: Path
    stem: str
    uploaded: bool
    state: State = "new"
    message: str = ""
    done: int = 0
    total: int = 0
    seen: Look | None = None
    stamp: tuple[int, int] = (0, 0)
    added: float = field(default_factory=time.time)
    saved_ns: int = 0

    @property
    def stem_shown(self) -> str:
        """Its name without the suffix, for files that are offered."""
        return self.name.rpartition(".")[0] or self.name

    def files(self, overlay: bool = True, plot: bool = True, format: TableFormat = "csv") -> OutputFiles:
        """Where its results are."""
        return OutputFiles(self.results, self.stem, OutputOptions(format, overlay, plot, resume=True))


class Library:
    """All of them.

    Args:
        folder: of videos, or None. results: where results of its videos are written; default: `FOLDER/results`.

    Raises:
        ConfigError: no such folder. OutputError: no temporary folder can be made.
    """

    def __init__(self, folder: Path | None, results: Path | None, limits: Limits):
        if folder is not None and not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder; expected a folder of videos")
        if folder is None and results is not None:
            raise ConfigError(f"--out {results}: of the videos of FOLDER, which is not given; leave it out")
        self.limits = limits
        self.folder = None if folder is None else folder.resolve()
        self._results = None if folder is None else (results or folder / "results").resolve()
        try:
            self.temporary = Path(tempfile.mkdtemp(prefix="anclaf-app-")).resolve()
        except OSError as error:
            raise OutputError(f"no temporary folder can be made ({error.strerror or error})") from error
        self._videos: dict[str, Video] = {}
        self._lock, self._scanned = RLock(), -_RESCAN_S

    def close(self) -> list[tuple[str, Path]]:
        """Remove what was uploaded, and its results. Ratings of an upload that nobody has downloaded stay where they
        are: its name, and where."""
        with self._lock:
            left = [(one.name, one.results / RATINGS) for one in self._videos.values() if unsaved(one)]
        _clear(self.temporary, [folder for _, folder in left])
        return left

    # what there is

    def videos(self) -> list[Video]:
        """All, the folder's by name, then uploads as they came."""
        with self._lock:
            if time.monotonic() - self._scanned > _RESCAN_S:
                self._scan()
                self._scanned = time.monotonic()
            return sorted(self._videos.values(), key=lambda one: (one.uploaded, one.added * one.uploaded, one.name))

    def get(self, id: str) -> Video:
        """Raises RefusedError (404) where there is none of this identifier."""
        with self._lock:
            if id not in self._videos:
                self._scanned = -_RESCAN_S
                self.videos()
            try:
                return self._videos[id]
            except KeyError:
                raise RefusedError(404, "no such video; it may have been removed") from None

    def _scan(self) -> None:
        found: dict[str, Video] = {}
        if self.folder is not None and self._results is not None:
            for path in self._files(self.folder):
                if path.suffix.lower() in SUFFIXES and not path.name.endswith(".overlay.mp4"):
                    found.setdefault(path.stem, self._of_folder(path.name, path, path.stem))
            for about in [*self._files(self._results), *self._files(self.folder)]:
                if about.suffix == ".json" and about.stem not in found and _is_about(about):
                    found[about.stem] = self._of_folder(about.stem, None, about.stem)
        kept = {one.id: one for one in self._videos.values() if one.uploaded}
        self._videos = {one.id: one for one in found.values()} | kept

    def _files(self, folder: Path) -> list[Path]:
        """Regular files of a folder that lie in it, not elsewhere by a link."""
        try:
            paths = sorted(folder.iterdir())
        except OSError:
            return []
        return [path for path in paths if not path.name.startswith(".") and self._inside(path) is not None]

    def _of_folder(self, name: str, path: Path | None, stem: str) -> Video:
        assert self.folder is not None
        assert self._results is not None
        id = hashlib.sha256(os.fsencode(f"{self.folder}/{name}")).hexdigest()[:16]
        old = self._videos.get(id)
        stamp = _stamp(path)
        if old is not None and old.state in ("waiting", "running"):
            return old
        beside = (self.folder / f"{stem}.json").is_file() and not (self._results / f"{stem}.json").is_file()
        results = self.folder if beside and _is_about(self.folder / f"{stem}.json") else self._results
        video = old if old is not None and old.stamp == stamp else Video(id, shown(name), path, results, stem, False)
        video.results, video.stamp = results, stamp
        there = self.table(video) is not None
        if video.state == "new" and there:
            video.state = "done"
        elif video.state == "done" and not there:
            video.state = "new"
        return video

    # files

    def _inside(self, path: Path) -> Path | None:
        """Where a path leads, if that is a regular file in one of the folders."""
        try:
            real = path.resolve(strict=True)
            roots = [root for root in (self.folder, self._results, self.temporary) if root is not None]
            return real if real.is_file() and any(real.parent.is_relative_to(root) for root in roots) else None
        except (OSError, RuntimeError, ValueError):
            return None

    def file(self, path: Path | None, what: str) -> Path:
        """A file to be sent.

        Raises:
            RefusedError: (404) there is none, or it lies outside the folders.
        """
        real = None if path is None else self._inside(path)
        if real is None:
            raise RefusedError(404, f"no {what} of this video")
        return real

    def table(self, video: Video) -> Path | None:
        """Its table, CSV if there are both; None where there is none."""
        for format in ("csv", "parquet"):
            if (path := self._inside(video.files(format=format).table)) is not None:
                return path
        return None

    def about(self, video: Video) -> dict[str, Any]:
        """What `anclaf predict` wrote of how the results were made; empty where there is nothing."""
        path = self._inside(video.files().about)
        try:
            told = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    def look(self, video: Video) -> Look:
        """Of the video's file; kept until the file changes.

        Raises:
            RefusedError: it is no video, or beyond the limits; or it is not there.
        """
        path = self.file(video.path, "video file")
        stamp = _stamp(path)
        if video.seen is None or stamp != video.stamp:
            video.seen, video.stamp = look_at(path, self.limits, video.name), stamp
        return video.seen

    # uploads

    def check_room(self) -> None:
        """Raises RefusedError (507) where no further upload is taken."""
        with self._lock:
            uploads = sum(one.uploaded for one in self._videos.values())
        if uploads >= self.limits.uploads:
            raise RefusedError(507, f"{uploads} uploaded videos are kept already; remove one first")

    def new_upload(self, name: str) -> Video:
        """Make room for a file that a client calls so. It is listed once `add` is called."""
        id = secrets.token_hex(8)
        folder = self.temporary / id
        folder.mkdir()
        name = clean_name(name)
        suffix = Path(name).suffix.lower()
        path = folder / f"video{suffix if suffix in SUFFIXES else '.mp4'}"
        return Video(id, name, path, folder, "video", True)

    def add(self, video: Video) -> None:
        """List an upload.

        Raises:
            RefusedError: (507) there are too many.
        """
        with self._lock:
            self.check_room()
            self._videos[video.id] = video

    def check_removal(self, video: Video, rated: bool) -> None:
        """Whether a video may be removed. rated: even with ratings that nobody has downloaded.

        Raises:
            RefusedError: (409) it is not an upload, or it has such ratings.
        """
        if not video.uploaded:
            raise RefusedError(409, "only uploads are removed; delete files of your own folder yourself")
        if not rated and unsaved(video):
            said = f"{video.name} has ratings, which go with it"
            raise RefusedError(409, f"{said}; download them (`ratings/archive`), or remove it with `rated=true`")

    def remove(self, video: Video) -> None:
        """Remove an upload with its results and ratings."""
        assert video.uploaded
        with self._lock:
            self._videos.pop(video.id, None)
        self.discard(video)

    def discard(self, video: Video) -> None:
        """Remove the files of an upload."""
        if video.uploaded and video.results.parent == self.temporary:
            shutil.rmtree(video.results, ignore_errors=True)


def unsaved(video: Video) -> bool:
    """Whether an upload has ratings that nobody has downloaded as they are now."""
    if not video.uploaded:
        return False
    changed = [path.stat().st_mtime_ns for path in (video.results / RATINGS).rglob("*") if path.is_file()]
    return max(changed, default=-1) >= video.saved_ns


def _clear(folder: Path, keep: Sequence[Path]) -> None:
    """Remove a folder, but for the folders in it that are to be kept."""
    if not any(one.is_relative_to(folder) for one in keep):
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path.is_dir() and path not in keep:
            _clear(path, keep)
        elif path.is_file():
            path.unlink(missing_ok=True)


def clean_name(name: str) -> str:
    """A client's name of a file as text to show and to offer: its last part, no control characters, not too long."""
    last = re.split(r"[/\\]", name)[-1]
    text = "".join(letter for letter in last if letter.isprintable()).strip(" .")
    stem, dot, suffix = text.rpartition(".")
    return (f"{stem[:_LONGEST_NAME]}{dot}{suffix[:10]}" if dot and stem else text[:_LONGEST_NAME]) or "video"


def _stamp(path: Path | None) -> tuple[int, int]:
    """By which a change of a file is known."""
    try:
        stat = None if path is None else path.stat()
    except OSError:
        stat = None
    return (0, 0) if stat is None else (stat.st_size, stat.st_mtime_ns)


def _is_about(path: Path) -> bool:
    """Whether a JSON file is one that `anclaf predict` writes beside a table."""
    try:
        if path.stat().st_size > 1_000_000:
            return False
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(told, dict) and {"complete", "files", "made_with"} <= told.keys()
