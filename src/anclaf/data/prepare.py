"""From the clips of a listing to a prepared corpus: decode, align, write shards.

Each clip is a job of its own. Its faces go to a raw file in the unfinished folder and only the rest is returned, so
that neither a long video nor many workers fill the memory. The faces are then joined into shards in the order of the
clips' names, so that the number of workers changes no byte.
"""

import hashlib
import shutil
import signal
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.core.errors import ConfigError, CorpusError
from anclaf.core.files import fingerprint, output_error, versions, write_json, write_text
from anclaf.core.progress import Progress, silent
from anclaf.corpora.base import Clip, CorpusListing, LabelledFrame, SkippedFrame, nothing_usable
from anclaf.corpora.subjects import subjects_of
from anclaf.data.store import INDEX_COLUMNS, CorpusCard, PreparedCorpus, card_json, restate
from anclaf.faces import align
from anclaf.faces.detect import Detector, make_detector

FACES_PER_SHARD = 2048
"""96 MiB at 128 x 128 pixels."""

REQUEST_FILE = "request.txt"
"""Fingerprint of the options and the source files, by which a second run knows that it has nothing to do."""

_NO_DETECTOR = "none"


@dataclass(frozen=True)
class _Recipe:
    """How a face is cut out. points: landmarks a frame; 5 where the detector gives them."""

    image_size: int
    crop: align.CropName
    detector: str
    points: int


@dataclass(frozen=True)
class _ClipFaces:
    """One clip's faces without their pixels. index: rows of frame, time_s, valence, arousal."""

    clip: str
    fold: int
    index: list[tuple[int, float, float, float]] = field(default_factory=list)
    landmarks: list[NDArray[np.float64]] = field(default_factory=list)
    matrix: list[NDArray[np.float64]] = field(default_factory=list)
    skipped: list[SkippedFrame] = field(default_factory=list)


def prepare_corpus(
    listing: CorpusListing,
    out: Path,
    *,
    image_size: int = 128,
    crop: align.CropName = "five-point",
    detector: str = "auto",
    workers: int = 1,
    overwrite: bool = False,
    note: str | None = None,
    progress: Progress = silent,
) -> PreparedCorpus:
    """Write the layout of `data.store` into the folder `out`.

    What cannot be used is skipped with a reason, counted in `corpus.json` and listed in `skipped.parquet`. Where `out`
    holds this corpus already, no frame is read: at most its card changes, by a kind or a note that it lacks. The work
    is done in a folder `.NAME.part` beside `out` that gets its name when it is finished.

    Args:
        listing: a reader's clips. Subjects that are spelled in several ways are joined (`corpora.subjects`).
        out: the folder to make.
        image_size: side of the square face in pixels.
        crop: `five-point`, or `paper`, which needs a database's 68 or 49 landmarks.
        detector: as `make_detector`; finds the largest face where the database has no landmarks.
        workers: processes; 1 works in this one.
        overwrite: replace another prepared corpus that lies in `out`.
        note: a line for the card, which reports repeat.
        progress: called after each clip.

    Raises:
        ConfigError: a setting is out of range or fits no clip of this corpus.
        CorpusError: nothing is usable, or `out` holds something else.
        DetectorError: the detector cannot be had.
        OutputError: the disk is full or not writable.
    """
    if crop not in get_args(align.CropName):
        raise ConfigError(f"crop: got {crop!r}; expected one of {', '.join(get_args(align.CropName))}")
    if image_size < 8:
        raise ConfigError(f"image size: got {image_size}; expected at least 8 pixels")
    if workers < 1:
        raise ConfigError(f"workers: got {workers}; expected at least 1")
    out = Path(out).absolute()
    subjects, notes = subjects_of(listing.clips)
    notes += [note] if note else []
    request = _request(listing, subjects, image_size, crop, detector)
    finished = _finished(out, request, overwrite)
    if finished is not None:
        return restate(finished, listing.kind, notes)
    listing = replace(listing, notes=[*listing.notes, *notes])
    clips = sorted(listing.clips, key=lambda clip: clip.name)
    assert len({clip.name for clip in clips}) == len(clips), "a reader gave two clips one name"
    points = _landmarks_of_first_frame(listing, clips)
    detector_name = _check_faces(points, crop, detector)
    recipe = _Recipe(image_size, crop, detector, points or 5)
    with _unfinished(out) as part:
        writer = _Writer(part, image_size, recipe.points)
        skipped = list(listing.skipped)
        jobs = [(clip, part / f"{number}.raw", recipe) for number, clip in enumerate(clips)]
        with closing(_work(jobs, workers)) as results:
            for done, ((clip, raw, _), faces) in enumerate(zip(jobs, results, strict=True)):
                writer.add(faces, subjects[clip.name], raw)
                skipped += faces.skipped
                progress(done + 1, len(jobs), "cutting out faces", clip.name)
        if not writer.rows:
            raise nothing_usable(listing.source, skipped)
        card = writer.finish(listing, recipe, detector_name, skipped)
        write_text(part / REQUEST_FILE, request + "\n")
        write_json(part / "corpus.json", card_json(card))
    return PreparedCorpus.open(out)


def _request(listing: CorpusListing, subjects: Mapping[str, str], image_size: int, crop: str, detector: str) -> str:
    """Fingerprint of the options and of the source files' names, sizes and times, wherever the files lie."""
    clips = sorted((c.name, subjects[c.name], c.fold, str(getattr(c, "stamp", ""))) for c in listing.clips)
    skipped = [(frame.clip, frame.index, frame.reason) for frame in listing.skipped]
    scale = (listing.scale.low, listing.scale.high)
    settings = (image_size, crop, detector, listing.options)
    return fingerprint([listing.source, scale, listing.fps, settings, clips, skipped])


def _finished(out: Path, request: str, overwrite: bool) -> PreparedCorpus | None:
    """The corpus in `out` if it is the one asked for; None if it must be made."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not (out / "corpus.json").is_file():
        raise CorpusError(f"{out}: exists and is no prepared corpus; expected a new or empty folder. Choose another")
    if overwrite:
        return None
    corpus = PreparedCorpus.open(out)
    path = out / REQUEST_FILE
    if not path.is_file() or path.read_text(encoding="utf-8").strip() != request:
        raise CorpusError(
            f"{out}: holds a corpus ({corpus.card.source}, {corpus.card.image_size} px, {corpus.card.crop}) that was "
            "prepared with other options or from other files. Choose another folder, or replace it (--overwrite)"
        )
    return corpus


def _landmarks_of_first_frame(listing: CorpusListing, clips: list[Clip]) -> int | None:
    """Landmarks of the first usable frame; None where a detector must find the face."""
    skipped = list(listing.skipped)
    for clip in clips:
        with closing(_frames(clip)) as frames:
            for frame in frames:
                if isinstance(frame, LabelledFrame):
                    return None if frame.landmarks is None else len(frame.landmarks)
                skipped.append(frame)
    raise nothing_usable(listing.source, skipped)


def _frames(clip: Clip) -> Generator[LabelledFrame | SkippedFrame, None, None]:
    """`clip.frames()` to its end, or to the first file that the operating system refuses to read."""
    try:
        yield from clip.frames()
    except OSError as error:
        # a fault of the source: as an OSError it would be reported as one of the folder that is written
        yield SkippedFrame(clip.name, -1, "unreadable", str(error))


def _check_faces(points: int | None, crop: str, detector: str) -> str:
    """The detector's name, or `none`.

    Raises:
        ConfigError: the crop is impossible without landmarks, or a detector has no effect beside them.
    """
    if points is None:
        if crop == "paper":
            raise ConfigError(
                "crop=paper needs the 68 or 49 landmarks of a database; this corpus has none. Use five-point"
            )
        return _detector(detector).name
    if detector != "auto":
        raise ConfigError(
            f"detector={detector} has no effect: this corpus has {points} landmarks a frame. Leave it out"
        )
    return _NO_DETECTOR


@lru_cache(maxsize=1)
def _detector(spec: str) -> Detector:
    return make_detector(spec)


@contextmanager
def _unfinished(out: Path) -> Iterator[Path]:
    """Yield the folder to work in; rename it to `out` when the block succeeds, else remove it."""
    part = out.with_name(f".{out.name}.part")
    try:
        if part.exists():
            shutil.rmtree(part)
        (part / "shards").mkdir(parents=True)
        yield part
        if out.exists():
            shutil.rmtree(out)
        part.rename(out)
    except OSError as error:
        raise output_error(out, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


_Job = tuple[Clip, Path, _Recipe]


def _work(jobs: list[_Job], workers: int) -> Generator[_ClipFaces, None, None]:
    """Each job's result, in the jobs' order."""
    if workers == 1:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)  # as in the workers, so that results do not depend on the order of threads
        try:
            yield from map(_one_clip, jobs)
        finally:
            cv2.setNumThreads(threads)
        return
    chunk = max(1, min(32, len(jobs) // (workers * 8)))
    # spawned: a fork of a process whose libraries hold threads (torch, OpenCV) may hang
    pool = ProcessPoolExecutor(min(workers, len(jobs)), get_context("spawn"), _start_worker)
    try:
        yield from pool.map(_one_clip, jobs, chunksize=chunk)
    except BrokenProcessPool as error:
        raise CorpusError(
            "a worker process died, perhaps because memory ran out. Run it again with fewer workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C


def _one_clip(job: _Job) -> _ClipFaces:
    clip, raw, recipe = job
    faces = _ClipFaces(clip.name, clip.fold)
    with open(raw, "wb") as file:
        for frame in _frames(clip):
            if isinstance(frame, SkippedFrame):
                faces.skipped.append(frame)
                continue
            assert not faces.index or frame.time_s >= faces.index[-1][1], "frames must come in time order"
            face = _face(frame, recipe, clip.name)
            if isinstance(face, SkippedFrame):
                faces.skipped.append(face)
                continue
            landmarks, matrix = face
            faces.index.append((frame.index, frame.time_s, frame.valence, frame.arousal))
            faces.landmarks.append(landmarks)
            faces.matrix.append(matrix)
            file.write(np.ascontiguousarray(align.warp(frame.image, matrix, recipe.image_size)).data)
    return faces


def _face(
    frame: LabelledFrame, recipe: _Recipe, clip: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | SkippedFrame:
    """(P, 2) landmarks and the (2, 3) matrix onto the crop; a SkippedFrame where there is no usable face."""
    landmarks = frame.landmarks
    if landmarks is None:
        found = _detector(recipe.detector).detect(frame.image)
        if not found:
            return SkippedFrame(clip, frame.index, "no_face")
        landmarks = found[0].points
    if len(landmarks) != recipe.points:
        detail = f"got {len(landmarks)}, expected {recipe.points} as in the corpus's first frame"
        return SkippedFrame(clip, frame.index, "bad_landmarks", detail)
    height, width = frame.image.shape[:2]
    if not ((landmarks >= 0) & (landmarks < (width, height))).all(1).any():
        return SkippedFrame(clip, frame.index, "bad_landmarks", "no point lies inside the frame")
    matrix = align.crop_matrix(landmarks, recipe.image_size, recipe.crop, (width, height))
    if not np.isfinite(matrix).all():
        return SkippedFrame(clip, frame.index, "bad_landmarks", "the points coincide")
    return landmarks, matrix


class _Writer:
    """Joins the clips' faces into shards and an index."""

    def __init__(self, folder: Path, image_size: int, points: int):
        self._folder, self._points = folder, points
        self._buffer = np.empty((FACES_PER_SHARD, image_size, image_size, 3), np.uint8)
        self._filled, self._shards = 0, 0
        self._pixels = hashlib.sha256()
        self._index: list[pd.DataFrame] = []
        self._landmarks: list[NDArray[np.float64]] = []
        self._matrix: list[NDArray[np.float64]] = []
        self.rows = 0

    def add(self, faces: _ClipFaces, subject: str, raw: Path) -> None:
        """Append a clip: its rows, and its pixels from the raw file, which is removed."""
        count = left = len(faces.index)
        with open(raw, "rb") as file:
            while left:
                room = self._buffer[self._filled : self._filled + left]
                if file.readinto(room.data) != room.nbytes:
                    raise OSError(f"{raw}: shorter than what was written to it")
                self._pixels.update(room.data)
                self._filled += len(room)
                left -= len(room)
                if self._filled == FACES_PER_SHARD:
                    self._write_shard()
        raw.unlink()
        if not count:
            return
        row = np.arange(self.rows, self.rows + count)
        self.rows += count
        table = pd.DataFrame(faces.index, columns=["frame", "time_s", "valence", "arousal"])
        table = table.assign(clip=faces.clip, subject=subject, fold=faces.fold)
        self._index.append(table.assign(shard=row // FACES_PER_SHARD, offset=row % FACES_PER_SHARD))
        self._landmarks.append(np.stack(faces.landmarks))
        self._matrix.append(np.stack(faces.matrix))

    def _write_shard(self) -> None:
        faces = self._buffer[: self._filled]
        with open(self._folder / "shards" / f"{self._shards:05d}.npy", "wb") as file:
            # np.save does not say that the disk is full
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(faces))
            file.write(faces.data)
        self._filled, self._shards = 0, self._shards + 1

    def finish(self, listing: CorpusListing, recipe: _Recipe, detector: str, skipped: list[SkippedFrame]) -> CorpusCard:
        """Write the last shard and the tables; returns the card."""
        if self._filled:
            self._write_shard()
        index = pd.concat(self._index, ignore_index=True)[list(INDEX_COLUMNS)]
        landmarks, matrix = np.concatenate(self._landmarks), np.concatenate(self._matrix)
        index.to_parquet(self._folder / "index.parquet")
        np.savez(self._folder / "geometry.npz", landmarks=landmarks, matrix=matrix)
        rows = [(frame.clip, frame.index, frame.reason, frame.detail) for frame in skipped]
        table = pd.DataFrame(rows, columns=["clip", "frame", "reason", "detail"])
        table = table.astype({"clip": str, "frame": np.int64, "reason": str, "detail": str})
        table.to_parquet(self._folder / "skipped.parquet")
        digest = self._pixels
        digest.update(landmarks.data)
        digest.update(index.drop(columns=["shard", "offset"]).to_csv(index=False).encode())
        settings = [listing.source, listing.scale.low, listing.scale.high, listing.fps, listing.options]
        digest.update(fingerprint([*settings, recipe.image_size, recipe.crop, detector]).encode())
        return CorpusCard(
            source=listing.source,
            low=listing.scale.low,
            high=listing.scale.high,
            crop=recipe.crop,
            image_size=recipe.image_size,
            fps=listing.fps,
            frames=len(index),
            clips=int(index["clip"].nunique()),
            subjects=int(index["subject"].nunique()),
            landmarks=self._points,
            detector=detector,
            skipped=dict(sorted(Counter(frame.reason for frame in skipped).items())),
            notes=listing.notes,
            options=listing.options,
            versions=versions(),
            fingerprint=digest.hexdigest()[:16],
            kind=listing.kind,
        )
