"""Ratings of the videos of a folder, in its `ratings`: for each video a folder of its name with CARMA's files, one for
each rater and dimension; `ratings.csv`, the table that `anclaf prepare table --labels carma` takes; and `kept` in each
video's folder, where whatever is replaced or removed goes, and what was recorded at 20 Hz.

An upload is the only video of a folder of its own.
"""

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import RLock
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from pydantic import ValidationError

from anclaf.app.library import RATINGS, Library, Video
from anclaf.app.limits import RefusedError
from anclaf.app.rating.answers import (
    MOST_RATERS,
    FolderRatings,
    JoinSettings,
    Kept,
    RaterAnswer,
    RatingBegin,
    RatingImport,
    RatingSession,
    UnfinishedAnswer,
)
from anclaf.app.rating.imports import read_import
from anclaf.app.rating.log import Log, Sample
from anclaf.app.rating.table import lacks, name_subject, subject_of, write_table
from anclaf.core.errors import TableError
from anclaf.core.files import atomic_path, output_error, write_json
from anclaf.core.people import person_key
from anclaf.corpora.rating_files.carma import read_carma, write_carma
from anclaf.corpora.ratings import DIMENSIONS, Dimension, Ratings
from anclaf.corpora.readers import Join

TABLE, SETTINGS, KEPT = "ratings.csv", "settings.json", "kept"
_NAME = re.compile(r"(valence|arousal|unfinished)\.(.+)\.(csv|jsonl)")
_MOST_KEPT = 2000


class Held(NamedTuple):
    """A file of a video's folder."""

    what: Kept
    rater: str
    path: Path


class RatingStores:
    """That of FOLDER, and one for each upload."""

    def __init__(self, library: Library):
        self._folder = None if library.folder is None else RatingStore(library.folder)
        self._uploads: dict[str, RatingStore] = {}

    def of_folder(self) -> "RatingStore":
        """Of FOLDER.

        Raises:
            RefusedError: (409) there is no folder.
        """
        if self._folder is None:
            raise RefusedError(409, "no FOLDER was given, and each upload has its own ratings: say which `video`")
        return self._folder

    def of(self, video: Video) -> "RatingStore":
        """Where the ratings of a video are.

        Raises:
            RefusedError: (409) its file is not there.
        """
        if video.path is None:
            raise RefusedError(409, f"{video.name}: the video is not there, its results alone are")
        if not video.uploaded:
            return self.of_folder()
        return self._uploads.setdefault(video.id, RatingStore(video.results, lasting=False))

    def forget(self, video: Video) -> None:
        """Of an upload that was removed."""
        self._uploads.pop(video.id, None)


class RatingStore:
    """Of the videos of one folder.

    Args:
        videos: the folder, its real path. lasting: whether it stays when the server ends.
    """

    def __init__(self, videos: Path, lasting: bool = True):
        self.videos, self.lasting, self._lock = videos, lasting, RLock()
        self._logs: dict[Path, Log] = {}

    # where things are

    @property
    def table(self) -> Path:
        """`ratings.csv`."""
        return self.root / TABLE

    @property
    def root(self) -> Path:
        """`ratings` in the folder.

        Raises:
            RefusedError: (409) it lies elsewhere by a link.
        """
        return self._within(self.videos / RATINGS)

    def folder(self, video: Video) -> Path:
        """Of a video's ratings, whether it is there or not.

        Raises:
            RefusedError: (409) its name cannot be that of a folder of ratings.
        """
        assert video.path is not None
        try:
            video.path.name.encode()
        except UnicodeEncodeError:
            raise RefusedError(409, f"{video.name}: its name is no text; rename the file") from None
        return self._within(self.root / video.path.name)

    def _within(self, path: Path) -> Path:
        try:
            inside = path.resolve().is_relative_to(self.videos)
        except (OSError, RuntimeError):
            inside = False
        if not inside:
            raise RefusedError(409, f"{path.name}: a link that leads out of the folder")
        return path

    def held(self, folder: Path) -> list[Held]:
        """The files of a video's folder."""
        try:
            paths = sorted(folder.iterdir())
        except OSError:
            return []
        found = [(match, path) for path in paths if (match := _NAME.fullmatch(path.name))]
        return [
            Held(match[1], match[2], path)  # type: ignore[arg-type]
            for match, path in found
            if path.is_file() and not path.is_symlink() and (match[1] == "unfinished") == (match[3] == "jsonl")
        ]

    def path(self, video: Video, rater: str, what: Kept) -> Path:
        """A file that is there.

        Raises:
            RefusedError: (404) there is none.
        """
        wanted = person_key(rater)
        for one in self.held(self.folder(video)):
            if one.what == what and person_key(one.rater) == wanted:
                return one.path
        raise RefusedError(404, f"{rater} has no {'rating that was broken off' if what == 'unfinished' else what} here")

    def _spelling(self, folder: Path, rater: str) -> str:
        """The name under which somebody has rated this video already, or the one that is given."""
        names = {person_key(one.rater): one.rater for one in self.held(folder)}
        if person_key(rater) not in names and len(names) >= MOST_RATERS:
            raise RefusedError(507, f"{len(names)} raters of one video, the most that there may be")
        return names.get(person_key(rater), rater)

    def _set_aside(self, path: Path) -> None:
        """Move a file to where nothing is looked for, under a name of its own."""
        kept = self._within(path.parent / KEPT)
        try:
            kept.mkdir(exist_ok=True)
            if sum(1 for _ in kept.iterdir()) >= _MOST_KEPT:
                raise RefusedError(507, f"{kept}: {_MOST_KEPT} files; move some away")
            stamp, number = f"{datetime.now():%Y%m%dT%H%M%S}", 0
            while (to := kept / f"{stamp}{f'-{number}' if number else ''}.{path.name}").exists():
                number += 1
            path.rename(to)
        except OSError as error:
            raise output_error(path, error) from error

    # while somebody rates

    def begin(self, video: Video, asked: RatingBegin) -> RatingSession:
        """Begin a rating, or go on with one.

        Raises:
            RefusedError: (409) this rater has rated it, or broken off, and neither `replace` nor `go_on` says what to
                do.
        """
        with self._lock:
            folder = self.folder(video)
            rater = self._spelling(folder, asked.rater)
            asked = asked.model_copy(update={"rater": rater})
            path = folder / f"unfinished.{rater}.jsonl"
            there = {(one.what, one.rater): one.path for one in self.held(folder)}
            if ("unfinished", rater) in there:
                log = self._log(path)
                if asked.go_on:
                    log.take_over()
                    return log.answer()
                if log.samples and not asked.replace:
                    raise RefusedError(409, f"{rater} broke off a rating of it; `go_on`, or `replace` to begin anew")
                if log.samples:
                    self._set_aside(path)
            elif asked.go_on:
                raise RefusedError(404, f"{rater} has no rating that was broken off here")
            rated = [name for name in asked.dimensions if (name, rater) in there]
            if rated and not asked.replace:
                said = f"{rater} has rated {' and '.join(rated)} of it"
                raise RefusedError(409, f"{said}; `replace` keeps the old file apart")
            self._logs[path] = Log.new(path, asked)
            return self._logs[path].answer()

    def _log(self, path: Path) -> Log:
        if path not in self._logs:
            self._logs[path] = Log.read(path)
        return self._logs[path]

    def add(self, video: Video, rater: str, session: str, first: int, samples: list[Sample]) -> int:
        """Samples of a rating that goes on; how many there are then.

        Raises:
            RefusedError: as `Log.add`; there is no such rating (404), or another page goes on with it (409).
        """
        with self._lock:
            return self._of_session(video, rater, session).add(first, samples)

    def _of_session(self, video: Video, rater: str, session: str | None) -> Log:
        log = self._log(self.path(video, rater, "unfinished"))
        if session is not None and session != log.session:
            raise RefusedError(409, f"{rater} rates it on another page now")
        return log

    def finish(self, video: Video, rater: str, session: str | None) -> None:
        """Write the means of a rating's bins as CARMA's files; what was there before is kept apart.

        Raises:
            RefusedError: as `add` and `Log.ratings`.
        """
        with self._lock:
            log = self._of_session(video, rater, session)
            for dimension, one in log.ratings().items():
                self._write(video, log.begin.rater, dimension, one)
            self._set_aside(log.path)
            self._logs.pop(log.path, None)
            self._write_table()

    def _write(self, video: Video, rater: str, dimension: Dimension, ratings: Ratings) -> None:
        path = self.folder(video) / f"{dimension}.{rater}.csv"
        if path.is_file():
            self._set_aside(path)
        write_carma(path, ratings, dimension, _called(video), datetime.now())

    def remove(self, video: Video, rater: str, what: Kept) -> None:
        """Set a rating aside.

        Raises:
            RefusedError: (404) there is none.
        """
        with self._lock:
            path = self.path(video, rater, what)
            self._set_aside(path)
            self._logs.pop(path, None)
            self._write_table()

    # files of other tools

    def take(self, video: Video, asked: RatingImport) -> list[str]:
        """Ratings of another tool's file as those of further raters; who they are.

        Raises:
            RefusedError: as `read_import`, or they have rated it already (409).
        """
        found = read_import(_called(video), asked)
        with self._lock:
            named: dict[tuple[str, Dimension], Ratings] = {}
            for (who, dimension), one in found.items():
                named[self._spelling(self.folder(video), who), dimension] = one
            there = {(one.rater, one.what) for one in self.held(self.folder(video))}
            known = sorted(f"{who} has rated {what}" for who, what in named if (who, what) in there)
            if known and not asked.replace:
                raise RefusedError(409, f"{', '.join(known)} of it; `replace` keeps the old file apart")
            for (who, dimension), one in named.items():
                self._write(video, who, dimension, one)
            self._write_table()
        return sorted({who for who, _ in named})

    # what there is

    def raters(self, video: Video) -> list[RaterAnswer]:
        """Who has rated what of a video."""
        return [
            RaterAnswer(
                rater=str(one.rater), dimension=one.dimension or "valence", low=one.scale.low, high=one.scale.high,
                bin_s=_bin(one), rated_s=float((one.stop - one.start)[np.isfinite(one.value)].sum()),
            )
            for one in self.read(self.folder(video))
            if one.scale is not None
        ]  # fmt: skip

    def read(self, folder: Path) -> list[Ratings]:
        """The ratings of a video's folder.

        Raises:
            CorpusError: one is damaged.
        """
        found = []
        for one in self.held(folder):
            if one.what != "unfinished":
                (ratings,) = read_carma(one.path)
                found.append(replace(ratings, rater=one.rater, dimension=one.what))
        return found

    def unfinished(self, video: Video) -> list[UnfinishedAnswer]:
        """What was broken off, or goes on."""
        with self._lock:
            logs = [self._log(one.path) for one in self.held(self.folder(video)) if one.what == "unfinished"]
            return [
                UnfinishedAnswer(
                    rater=log.begin.rater, dimensions=log.begin.dimensions, at_s=log.at_s, saved=len(log.samples)
                )
                for log in logs
            ]

    def folders(self) -> Iterator[tuple[str, Path]]:
        """Videos of the folder that have ratings: file name, and the folder of its ratings."""
        try:
            paths = sorted(self.root.iterdir())
        except OSError:
            return
        for path in paths:
            if path.is_dir() and not path.is_symlink() and (self.videos / path.name).is_file():
                yield path.name, path

    def archive(self, video: Video, to: Path) -> None:
        """All that is there of a video as a ZIP, which is unpacked beside it: `ratings/VIDEO/…`.

        Raises:
            RefusedError: (404) there is nothing. OutputError: it cannot be written.
        """
        with self._lock, atomic_path(to) as temporary:
            folder = self.folder(video)
            held = [one.path for one in self.held(folder)]
            with suppress(OSError):
                held += sorted(path for path in (folder / KEPT).iterdir() if path.is_file() and not path.is_symlink())
            if not held:
                raise RefusedError(404, f"{video.name}: not rated yet")
            with ZipFile(temporary, "w", ZIP_DEFLATED) as file:
                for path in held:
                    file.write(path, f"{RATINGS}/{_called(video)}/{path.relative_to(folder).as_posix()}")

    # the table

    def _files(self) -> dict[tuple[str, str], dict[str, str]]:
        files: dict[tuple[str, str], dict[str, str]] = {}
        for video, folder in self.folders():
            for one in self.held(folder):
                if one.what != "unfinished":
                    files.setdefault((video, one.rater), {})[one.what] = f"{RATINGS}/{video}/{one.path.name}"
        return files

    def _write_table(self) -> None:
        write_table(self.table, self._files(), RATINGS)

    def subject(self, video: Video) -> str:
        """Who is in the video, as the table says; empty where it does not."""
        return subject_of(self.table, self.folder(video).name)

    def name_subject(self, video: Video, subject: str) -> None:
        """Write into the table who is in the video.

        Raises:
            RefusedError: (409) it has no rating yet.
        """
        with self._lock:
            name_subject(self.table, self.folder(video).name, subject)

    # how they are joined

    def settings(self) -> JoinSettings:
        """As a person chose, or the mean without a lag."""
        path = self.root / SETTINGS
        try:
            return JoinSettings.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return JoinSettings()
        except (OSError, ValidationError, ValueError) as error:
            raise TableError(f"{path.name}: damaged; remove it, or put it right") from error

    def set(self, settings: JoinSettings) -> None:
        """Write them down.

        Raises:
            OutputError: it cannot be written.
        """
        write_json(self.root / SETTINGS, json.loads(settings.model_dump_json()))

    def _said(self) -> list[list[str]]:
        """Of each video, the dimension of each rating."""
        return [[one.what for one in self.held(path) if one.what != "unfinished"] for _, path in self.folders()]

    def join(self) -> Join | None:
        """As `list_rated` takes it: None where no video has several raters."""
        several = any(one.count(name) > 1 for one in self._said() for name in DIMENSIONS)
        return self.settings().join if several else None

    def of_folder(self) -> FolderRatings:
        """All videos together, and the commands that go on from here, where the folder stays."""
        with self._lock:
            if lacks(self.table, self._files()):  # a person put files of ratings into the folder
                self._write_table()
        settings, said, table = self.settings(), self._said(), self.table
        words = ["anclaf", "prepare", "table", str(table), "corpus", "--root", str(self.videos), "--labels", "carma"]
        words += ["--join", "ewe"] if self.join() == "ewe" else []
        words += ["--lag", f"{settings.lag_s:g}"] if settings.lag_s else []
        commands = [shlex.join(words), "anclaf train corpus --out run --recipe small --fold all"]
        return FolderRatings(
            settings=settings, videos=sum(map(bool, said)), table=str(table),
            complete=sum(set(one) == set(DIMENSIONS) for one in said),
            commands=commands if self.lasting else [],
        )  # fmt: skip


def _called(video: Video) -> str:
    """Its file's name, for an upload that of its owner's file."""
    assert video.path is not None
    return video.name if video.uploaded else video.path.name


def _bin(ratings: Ratings) -> float:
    return float(round(np.median(ratings.stop - ratings.start), 6)) if len(ratings.stop) else 0.0
