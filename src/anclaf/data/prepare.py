"""From the clips of a listing to a prepared corpus: decode, align, write shards.

Each clip is a job of its own. Its faces go to a raw file in the unfinished folder and only the rest is returned, so
that neither a long video nor many workers fill the memory. The faces are then joined into shards in the order of the
clips' names, so that the number of workers changes no byte.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from anclaf.config import PointsName
from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, CorpusError
from anclaf.core.files import fingerprint_of_rows
from anclaf.core.processes import in_processes
from anclaf.core.progress import Progress, silent
from anclaf.corpora.base import Clip, ClipNote, CorpusListing, LabelledFrame, SkippedFrame, nothing_usable
from anclaf.corpora.subjects import subjects_of
from anclaf.data.store import PreparedCorpus, restate
from anclaf.data.writer import NO_DETECTOR, ClipFaces, CorpusWriter, finished, unfinished
from anclaf.faces import align
from anclaf.faces.corrected import CorrectedDetector
from anclaf.faces.detect import Detector, make_detector
from anclaf.models.shipped import SHIPPED

_MOST_NOTES = 20
"""On single clips, on the card."""


@dataclass(frozen=True)
class _Recipe:
    """How a face is cut out. points: landmarks a frame; 5 where the detector gives them, from where `five` says."""

    image_size: int
    crop: align.CropName
    detector: str
    five: PointsName
    points: int


@checked
def prepare_corpus(
    listing: CorpusListing,
    out: Path,
    *,
    image_size: int = 128,
    crop: align.CropName = "five-point",
    detector: str = "auto",
    points: PointsName = "starter",
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
        points: where that face's five points are from: looked for in it by the starter model (`CorrectedDetector`), or
            the detector's own.
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
    clips = _by_name(listing.clips)
    person, notes = subjects_of(clips)
    notes += [note] if note else []
    request = _request(listing, clips, person, image_size, crop, detector)
    there = finished(out, request, overwrite)
    if there is not None:
        _refuse_other_points(there, points)
        return restate(there, listing.kind, notes)
    listing = replace(listing, notes=[*listing.notes, *notes])
    landmarks = _landmarks_of_first_frame(listing, clips)
    detector_name = _check_faces(landmarks, crop, detector, points)
    recipe = _Recipe(image_size, crop, detector, points, landmarks or 5)
    with unfinished(out) as part:
        writer = CorpusWriter(part, image_size, recipe.points)
        writer.skip(listing.skipped)
        said = list[ClipNote]()
        with closing(_work(clips, part, recipe, workers)) as results:
            for done, (clip, faces) in enumerate(zip(clips, results, strict=True)):
                raw = _raw(part, done)
                with open(raw, "rb") as pixels:
                    writer.add(faces, person(clip), pixels)
                raw.unlink()
                said += faces.notes
                progress(done + 1, len(clips), "cutting out faces", clip.name)
        if not writer.rows:
            raise nothing_usable(listing.source, writer.skipped())
        listing = replace(listing, notes=[*listing.notes, *_texts(said)])
        writer.finish(listing, crop, detector_name, request)
    return PreparedCorpus.open(out)


def _by_name(clips: Sequence[Clip]) -> Sequence[Clip]:
    """The clips in the order of their names: themselves where they are, for sorting needs all of them in memory."""
    if all(one.name < other.name for one, other in pairwise(clips)):
        return clips
    ordered = sorted(clips, key=lambda clip: clip.name)
    assert all(one.name != other.name for one, other in pairwise(ordered)), "a reader gave two clips one name"
    return ordered


def _request(
    listing: CorpusListing,
    clips: Sequence[Clip],
    person: Callable[[Clip], str],
    image_size: int,
    crop: str,
    detector: str,
) -> str:
    """Fingerprint of the options and of the source files' names, sizes and times, wherever the files lie."""
    of_clips = ((clip.name, person(clip), clip.fold, str(getattr(clip, "stamp", ""))) for clip in clips)
    skipped = ((frame.clip, frame.index, frame.reason) for frame in listing.skipped)
    scale = (listing.scale.low, listing.scale.high)
    settings = (image_size, crop, detector, listing.options)
    return fingerprint_of_rows([listing.source, scale, listing.fps, settings], of_clips, skipped)


def _refuse_other_points(corpus: PreparedCorpus, points: PointsName) -> None:
    """Which points the faces were cut out by is not in a corpus's fingerprint, which is older than the choice."""
    name = corpus.card.detector
    if name != NO_DETECTOR and name.endswith(f"+{SHIPPED}") != (points == "starter"):
        raise CorpusError(
            f"{corpus.folder}: its faces were cut out by other points ({name}), asked for is points={points}. Choose "
            "another folder, or replace it (--overwrite)"
        )


def _landmarks_of_first_frame(listing: CorpusListing, clips: Sequence[Clip]) -> int | None:
    """Landmarks of the first usable frame; None where a detector must find the face."""
    skipped = list(listing.skipped)
    for clip in clips:
        with closing(_frames(clip)) as frames:
            for frame in frames:
                if isinstance(frame, LabelledFrame):
                    return None if frame.landmarks is None else len(frame.landmarks)
                if isinstance(frame, SkippedFrame):
                    skipped.append(frame)
    raise nothing_usable(listing.source, skipped)


def _texts(notes: list[ClipNote]) -> list[str]:
    """For the card: not more than some."""
    texts = [f"{note.clip}: {note.text}" for note in notes[:_MOST_NOTES]]
    return texts + ([f"such notes on {len(notes) - _MOST_NOTES} more"] if len(notes) > _MOST_NOTES else [])


def _frames(clip: Clip) -> Generator[LabelledFrame | SkippedFrame | ClipNote, None, None]:
    """`clip.frames()` to its end, or to the first file that the operating system refuses to read."""
    try:
        yield from clip.frames()
    except OSError as error:
        # a fault of the source: as an OSError it would be reported as one of the folder that is written
        yield SkippedFrame(clip.name, -1, "unreadable", str(error))


def _check_faces(landmarks: int | None, crop: str, detector: str, points: PointsName) -> str:
    """The detector's name, or `none`.

    Raises:
        ConfigError: the crop is impossible without landmarks, or a detector has no effect beside them.
    """
    if landmarks is None:
        if crop == "paper":
            raise ConfigError(
                "crop=paper needs the 68 or 49 landmarks of a database; this corpus has none. Use five-point"
            )
        return _detector(detector, points).name
    for name, given, default in (("detector", detector, "auto"), ("points", points, "starter")):
        if given != default:
            raise ConfigError(
                f"{name}={given} has no effect: this corpus has {landmarks} landmarks a frame. Leave it out"
            )
    return NO_DETECTOR


@lru_cache(maxsize=1)
def _detector(spec: str, points: PointsName) -> Detector:
    detector = make_detector(spec)
    if points == "detector":
        return detector
    from anclaf.models.points import StarterPoints  # torch, which a corpus with landmarks does not wait for

    return CorrectedDetector(detector, StarterPoints())


_Job = tuple[Clip, Path, _Recipe]


def _raw(folder: Path, number: int) -> Path:
    """Where the pixels of the clip of this number wait."""
    return folder / f"{number}.raw"


def _work(clips: Sequence[Clip], folder: Path, recipe: _Recipe, workers: int) -> Generator[ClipFaces, None, None]:
    """Each clip's faces, in the clips' order."""
    chunk = max(1, min(32, len(clips) // (workers * 8)))
    jobs = ((clip, _raw(folder, number), recipe) for number, clip in enumerate(clips))
    return in_processes(_one_clip, jobs, min(workers, len(clips)), "Run it again with fewer workers", chunk)


def _one_clip(job: _Job) -> ClipFaces:
    clip, raw, recipe = job
    faces = ClipFaces(clip.name, clip.fold)
    with open(raw, "wb") as file:
        for frame in _frames(clip):
            if isinstance(frame, SkippedFrame):
                faces.skipped.append(frame)
                continue
            if isinstance(frame, ClipNote):
                faces.notes.append(frame)
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
            faces.columns.append(frame.columns)
            file.write(np.ascontiguousarray(align.warp(frame.image, matrix, recipe.image_size)).data)
    return faces


def _face(
    frame: LabelledFrame, recipe: _Recipe, clip: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | SkippedFrame:
    """(P, 2) landmarks and the (2, 3) matrix onto the crop; a SkippedFrame where there is no usable face."""
    landmarks = frame.landmarks
    if landmarks is None:
        found = _detector(recipe.detector, recipe.five).detect(frame.image)
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
