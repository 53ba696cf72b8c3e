"""Aff-Wild2 (Kollias & Zafeiriou 2019), the valence-arousal track of the ABAW challenges: a text of labels a video, and
pictures of faces or the videos themselves.

Label line i is of frame i, counted from 1, and of the picture `cropped_aligned/VIDEO/00001.jpg` for i = 1. Frames in
which no face was found have no picture. `VIDEO_left` and `VIDEO_right` are two people of one video.
"""

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, CorpusError, VideoError
from anclaf.core.people import unnamed
from anclaf.corpora import recognise
from anclaf.corpora.base import Clip, ClipNote, CorpusListing, LabelledFrame, SkippedFrame, Unusable
from anclaf.corpora.files import read_csv_file, stamp
from anclaf.corpora.labels import SCALES, label_problem
from anclaf.corpora.readers import AffWild2Pictures
from anclaf.faces.frames import probe, read_video
from anclaf.faces.images import VIDEO_SUFFIXES, hidden, read_image

SCALE = SCALES["signed"]
NO_LABEL = -5.0
BORDER = 0.25
"""Of a cropped picture's sides, added around it: a face that fills a picture is not found."""

_EXPECTED = "Aff-Wild2's Train_Set and Validation_Set with VIDEO.txt files that begin with `valence,arousal`"
_SETS = {"train": re.compile(r"train.?set", re.IGNORECASE), "validation": re.compile(r"val\w*.?set", re.IGNORECASE)}
_SIDE = re.compile(r"_(left|right)$", re.IGNORECASE)
_PICTURES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class AffWild2Clip:
    """One person of one video. source: its folder of pictures, or its video. stamp: of its files (`files.stamp`)."""

    name: str
    subject: str
    labels: Path
    source: Path
    fps: float
    columns: Mapping[str, str]
    stamp: str
    fold: int = -1

    def frames(self) -> Iterator[LabelledFrame | SkippedFrame | ClipNote]:
        """Frames by their number, counted from 1; no landmarks."""
        try:
            labels = _labels(self.labels)
        except Unusable as error:
            yield error.skipped(self.name)
            return
        notes: list[str] = []
        seen = 0
        try:
            for number, time_s, image in self._pictures(notes):
                seen = number
                problem = label_problem(self.name, number, *_pair(labels, number), SCALE)
                if problem is not None:
                    yield problem
                elif isinstance(image, VideoError):
                    yield SkippedFrame(self.name, number, "corrupt_image", str(image))
                elif image is None:
                    yield SkippedFrame(self.name, number, "missing_image", f"no picture of it in {self.source.name}/")
                else:
                    yield LabelledFrame(number, time_s, image, *labels[number - 1], columns=self.columns)
        except VideoError as error:
            yield SkippedFrame(self.name, -1, "corrupt_video", str(error))
        if seen != len(labels):
            notes.append(f"{len(labels)} lines of labels for {seen} frames: matched from the first on")
        yield from (ClipNote(self.name, note) for note in notes)

    def _pictures(self, notes: list[str]) -> Iterator[tuple[int, float, NDArray[np.uint8] | VideoError | None]]:
        """Number, seconds and picture of every frame up to the last; None where there is none."""
        if self.source.is_file():
            for frame in read_video(self.source, notes=notes):
                yield frame.index + 1, frame.time_s, frame.image
            return
        there = {int(p.stem): p for p in self.source.iterdir() if _is_picture(p)}
        last = max([*there, len(_labels(self.labels))], default=0)
        for number in range(1, last + 1):
            path = there.get(number)
            yield number, (number - 1) / self.fps, None if path is None else _read(path)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in _PICTURES and path.stem.isdecimal()


def _read(path: Path) -> NDArray[np.uint8] | VideoError:
    try:
        image = read_image(path)
    except VideoError as error:
        return error
    height, width = image.shape[:2]
    y, x = round(BORDER * height), round(BORDER * width)
    return np.asarray(cv2.copyMakeBorder(image, y, y, x, x, cv2.BORDER_REPLICATE), np.uint8)


def _labels(path: Path) -> list[tuple[float, float]]:
    """Valence and arousal of each line after the header; NaN where a line holds no two numbers.

    Raises:
        Unusable: the file cannot be read.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()[1:]
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable("corrupt_annotation", f"{path.name}: {error}") from error
    while lines and not lines[-1].strip():
        lines.pop()
    return [_numbers(line) for line in lines]


def _numbers(line: str) -> tuple[float, float]:
    try:
        valence, arousal = (float(cell) for cell in line.split(","))
    except ValueError:
        return math.nan, math.nan
    return valence, arousal


def _pair(labels: list[tuple[float, float]], number: int) -> tuple[float | None, float | None]:
    """The labels of a frame, None where it was not annotated."""
    if number > len(labels):
        return None, None
    valence, arousal = (None if label == NO_LABEL else label for label in labels[number - 1])
    return valence, arousal


@checked
def list_aff_wild2(
    source: Path, *, pictures: AffWild2Pictures = "auto", people: Path | None = None, fps: float = 30.0
) -> CorpusListing:
    """Find the annotated videos of an Aff-Wild2 folder.

    Args:
        source: the folder that holds the sets, and pictures or videos, at any depth.
        pictures: cropped-aligned or cropped: the database's own faces. video: the videos, without those of two people.
            auto: the first of these that a video has.
        people: a CSV with the columns `video` and `subject`; the database names nobody.
        fps: frames a second where only pictures are there; videos state theirs.

    Raises:
        CorpusError: no such folder, not one file of labels in it, or a bad CSV of people.
        ConfigError: fps is not a positive number.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ConfigError(f"fps: got {fps}; expected a positive number of frames a second")
    source = recognise.require_folder(source, _EXPECTED)
    texts, folders, videos = _survey(source)
    if not texts:
        raise recognise.not_found(source, _EXPECTED)
    known = _people(people)
    clips: list[Clip] = []
    skipped: list[SkippedFrame] = []
    used = {"cropped-aligned": 0, "cropped": 0, "video": 0}
    assumed = 0
    for (name, which), path in sorted(texts.items()):
        video = videos.get(name.lower()) or videos.get(_SIDE.sub("", name).lower())
        kind, place = _place(name, pictures, folders, videos)
        if place is None:
            if kind == "video" and video is not None:
                detail = f"two people are in {video.name}; use the cropped pictures"
                skipped.append(SkippedFrame(name, -1, "two_people", detail))
            else:
                skipped.append(SkippedFrame(name, -1, "missing_video", "labels, but neither pictures nor a video"))
            continue
        rate = _rate(video)
        assumed += rate is None
        used[kind] += 1
        files = [path, place] if place.is_file() else [path, *sorted(place.iterdir())]
        who = known.get(name) or known.get(_SIDE.sub("", name)) or unnamed(name)
        clips.append(AffWild2Clip(name, who, path, place, rate or fps, {"set": which}, stamp(files, which)))
    notes = ["read: " + ", ".join(f"{count} as {kind}" for kind, count in used.items() if count)]
    if used["cropped-aligned"] + used["cropped"]:
        notes.append(
            f"cropped pictures have a border of {BORDER:g} of their sides added, so that their faces are found"
        )
    if assumed:
        notes.append(f"{assumed} videos are not there: {fps:g} frames a second assumed for their pictures")
    own = sum(clip.subject == unnamed(clip.name) for clip in clips)
    if own:
        notes.append(
            f"people: the database names nobody; {own} of {len(clips)} videos count as a person of their own, so that "
            "in strict folds one person may be in training and in test. The official split (--protocol official) "
            "shares nobody, as its authors say"
        )
    rates = [clip.fps for clip in clips if isinstance(clip, AffWild2Clip)]
    middle = float(np.median(rates)) if rates else fps
    options = {"pictures": pictures, "fps": fps}
    return CorpusListing("aff-wild2", SCALE, round(middle, 3), clips, skipped, notes, options, consecutive=True)


def _survey(source: Path) -> tuple[dict[tuple[str, str], Path], dict[str, dict[str, Path]], dict[str, Path]]:
    """Texts of labels by name and set; folders of pictures, kind -> name -> folder; videos by name in lower case."""
    texts: dict[tuple[str, str], Path] = {}
    folders: dict[str, dict[str, Path]] = {"cropped-aligned": {}, "cropped": {}}
    videos: dict[str, Path] = {}
    for parent, below, files in os.walk(source, followlinks=True):
        folder = Path(parent)
        kind = {"cropped_aligned": "cropped-aligned", "cropped": "cropped"}.get(folder.name.lower())
        if kind is not None:
            folders[kind] |= {name: folder / name for name in below}
            below.clear()
            continue
        below.sort()
        which = next((name for name, form in _SETS.items() if form.fullmatch(folder.name)), None)
        for path in (folder / name for name in sorted(files)):
            if hidden(path):
                continue
            if path.suffix.lower() in VIDEO_SUFFIXES:
                videos.setdefault(path.stem.lower(), path)
            elif which is not None and path.suffix.lower() == ".txt" and _is_labels(path):
                texts.setdefault((path.stem, which), path)
    return texts, folders, videos


def _is_labels(path: Path) -> bool:
    """Whether a text is of this track: expressions and action units lie in folders of the same names."""
    with open(path, "rb") as file:
        head = file.read(64).lstrip(b"\xef\xbb\xbf").splitlines()[:1]
    return bool(head) and re.sub(rb"\s", b"", head[0]).lower() == b"valence,arousal"


def _place(
    name: str, pictures: AffWild2Pictures, folders: Mapping[str, Mapping[str, Path]], videos: Mapping[str, Path]
) -> tuple[str, Path | None]:
    """Where a video's frames are, and of which kind; None where they are not, or are those of two people."""
    for kind in ("cropped-aligned", "cropped"):
        if pictures in ("auto", kind) and name in folders[kind]:
            return kind, folders[kind][name]
    if pictures in ("auto", "video"):
        return "video", videos.get(name.lower())
    return pictures, None


def _rate(video: Path | None) -> float | None:
    try:
        return None if video is None else probe(video).fps or None
    except VideoError:
        return None  # where its frames are read, that says why


def _people(path: Path | None) -> dict[str, str]:
    """Video -> subject."""
    if path is None:
        return {}
    table = read_csv_file(path).rename(columns=str.lower)
    if not {"video", "subject"} <= {*table.columns}:
        raise CorpusError(f"{path}: got the columns {', '.join(table.columns)}; expected `video` and `subject`")
    return {
        Path(video).stem: subject for video, subject in zip(table["video"], table["subject"], strict=True) if subject
    }
