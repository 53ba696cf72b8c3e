"""SEWA DB (Kossaifi et al. 2021): a folder a segment, holding a video and zips of labels and of 49 landmarks a frame.

Read are the release's zips, the same extracted (`extracted_NAME/`, or beside the zip), and the layout into which the
paper's authors converted them (`CLIP/valence/CLIP_Valence_A_Aligned.csv`, frames as images).
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, VideoError
from anclaf.core.labels import LabelScale
from anclaf.core.people import unnamed
from anclaf.corpora import recognise
from anclaf.corpora.base import ClipNote, CorpusListing, LabelledFrame, SkippedFrame, Unusable, nothing_usable
from anclaf.corpora.labels import Numbering, label_problem, label_scale, shifts
from anclaf.corpora.readers import Channel
from anclaf.corpora.sewa_folder import LANDMARKS, Labels, SegmentFolder, segment_folders
from anclaf.faces.frames import probe, read_video
from anclaf.faces.images import read_image

IMAGES_FPS = 50.0
"""Assumed of segments that were converted to folders of images: what the release's videos mostly have."""

_EXPECTED = "SEWA's segment folders, each with a video and its Valence, Arousal and Landmarks (zips or extracted)"


@dataclass(frozen=True)
class SewaClip:
    """One segment's folder.

    label_shift, landmark_shift, image_shift: the number that each source gives to the segment's first frame.
    landmark_shift is None where the corpus has no landmarks. fps: of images; videos carry their times. stamp: of
    the segment's files (`files.stamp`).
    """

    name: str
    subject: str
    folder: Path
    channel: Channel
    value_columns: tuple[str, ...]
    scale: LabelScale
    fps: float
    label_shift: int
    landmark_shift: int | None
    image_shift: int
    stamp: str
    fold: int = -1

    def frames(self) -> Iterator[LabelledFrame | SkippedFrame | ClipNote]:
        """Frames in order, numbered as the labels do; landmarks (49, 2) pixels, or None where the corpus has none."""
        segment = SegmentFolder(self.folder)
        notes: list[str] = []
        try:
            valence = segment.labels("valence", self.channel, self.value_columns).values
            arousal = segment.labels("arousal", self.channel, self.value_columns).values
            landmarks = None if self.landmark_shift is None else segment.landmarks()
            pictures = self._pictures(segment, notes)
        except Unusable as error:
            yield error.skipped(self.name)
            return
        seen: set[int] = set()
        reason, detail = "missing_image", ""
        try:
            for position, time_s, image, stretch in pictures:
                number = position + self.label_shift
                seen.add(number)
                points, problem = self._points(landmarks, position)
                points = None if points is None else points * stretch
                problem = (
                    label_problem(self.name, number, valence.get(number), arousal.get(number), self.scale) or problem
                )
                if problem is not None:
                    yield problem
                elif isinstance(image, VideoError):
                    yield SkippedFrame(self.name, number, "corrupt_image", str(image))
                else:
                    yield LabelledFrame(number, time_s, image, valence[number], arousal[number], points)
        except VideoError as error:
            reason, detail = "corrupt_video", str(error)
        yield from (ClipNote(self.name, note) for note in notes)
        if not seen:
            yield SkippedFrame(self.name, -1, reason, detail or "not one frame")
            return
        for number in sorted((valence.keys() | arousal.keys()) - seen):
            yield SkippedFrame(self.name, number, reason, detail or f"the segment has {len(seen)} frames")

    def _pictures(
        self, segment: SegmentFolder, notes: list[str]
    ) -> Iterator[tuple[int, float, NDArray[np.uint8] | VideoError, tuple[float, float]]]:
        """0-based position, seconds, RGB image and `VideoFrame.stretch` of every frame; VideoError for an image that
        is damaged."""
        video = segment.video()
        if video is not None:
            return ((frame.index, frame.time_s, frame.image, frame.stretch) for frame in read_video(video, notes=notes))
        images = segment.images()
        if not images:
            raise Unusable("missing_video", "neither a video nor a folder of images")
        positions = {number - self.image_shift: path for number, path in images.items()}
        return ((p, p / self.fps, _read(positions[p]), (1.0, 1.0)) for p in sorted(positions) if p >= 0)

    def _points(
        self, landmarks: dict[int, NDArray[np.float64] | None] | None, position: int
    ) -> tuple[NDArray[np.float64] | None, SkippedFrame | None]:
        if landmarks is None or self.landmark_shift is None:
            return None, None
        number = position + self.landmark_shift
        points = landmarks.get(number)
        if points is not None:
            return points, None
        index = position + self.label_shift
        if number not in landmarks:
            return None, SkippedFrame(self.name, index, "missing_landmarks", f"no file for frame {number}")
        detail = f"the third line of {number} must hold {LANDMARKS} pairs of x y"
        return None, SkippedFrame(self.name, index, "bad_landmarks", detail)


def _read(path: Path) -> NDArray[np.uint8] | VideoError:
    try:
        return read_image(path)
    except VideoError as error:
        return error


@dataclass(frozen=True)
class _Survey:
    """What listing learns of one segment. fps is None where the video cannot be read or the frames are images."""

    segment: SegmentFolder
    subject: str
    valence: Labels
    arousal: Labels
    labels: Numbering
    landmarks: Numbering | None
    images: Numbering | None
    fps: float | None

    @classmethod
    def of(cls, segment: SegmentFolder, channel: str, columns: tuple[str, ...]) -> "_Survey":
        """Read a segment's labels and look at the rest.

        Raises:
            Unusable: its labels or landmarks are missing or damaged.
        """
        valence = segment.labels("valence", channel, columns)
        arousal = segment.labels("arousal", channel, columns)
        landmark_files = segment.landmark_files()
        video = segment.video()
        fps = frames = images = None
        if video is None:
            images = segment.images() or None
        else:
            try:
                info = probe(video)
                fps, frames = info.fps or None, info.frames
            except VideoError:
                pass  # reading the clip says so, with its reason

        def numbering(found: Iterable[int] | None) -> Numbering | None:
            return Numbering(min(found), max(found), frames, segment.segment_start) if found else None

        labels = numbering(valence.values.keys() | arousal.values.keys())
        assert labels is not None
        landmarks = numbering(landmark_files[1] if landmark_files else None)
        return cls(segment, segment.subject(), valence, arousal, labels, landmarks, numbering(images), fps)


@checked
def list_sewa(
    source: Path,
    *,
    channel: Channel = "A",
    value_columns: Sequence[str] = (),
    low: float | None = None,
    high: float | None = None,
    scale: str | None = None,
    fps: float | None = None,
) -> CorpusListing:
    """Find the segments of a SEWA folder and read their labels.

    Args:
        source: the folder that holds the segments at any depth.
        channel: annotated from audio (A, what the paper's authors read), video (V) or both (AV).
        value_columns: the columns of the label files to average; empty takes all but the first, which numbers frames.
        low: the labels' range, as stated by the user; detected where neither end is given.
        high: see low.
        scale: the range's name in `corpora.labels.SCALES`, in place of its ends.
        fps: frames a second of segments that are folders of images; 50 is assumed. Videos state theirs.

    Raises:
        CorpusError: no such folder, an empty one, another database, or not one segment with labels.
        ConfigError: a setting is out of range or has no effect.
    """
    if channel not in get_args(Channel):
        raise ConfigError(f"channel: got {channel!r}; expected one of {', '.join(get_args(Channel))}")
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise ConfigError(f"fps: got {fps}; expected a positive number of frames a second")
    source = recognise.require_folder(source, _EXPECTED)
    surveys, skipped = _survey_all(source, channel, tuple(value_columns))
    every_label = [x for s in surveys for labels in (s.valence, s.arousal) for x in labels.values.values()]
    label_range, range_note = label_scale(every_label, low, high, scale)
    rate, rate_notes = _rate(surveys, fps)
    label_shift, label_notes = _shifts({s.segment.name: s.labels for s in surveys}, "labels")
    landmark_shift, landmark_notes = _shifts({s.segment.name: s.landmarks for s in surveys}, "landmarks")
    image_shift, image_notes = _shifts({s.segment.name: s.images for s in surveys}, "images")
    notes = [f"labels of channel {channel}", range_note, *_column_notes(surveys)]
    notes += [*label_notes, *landmark_notes, *image_notes, *rate_notes]
    if not landmark_shift:
        notes.append("no landmarks beside the segments: faces are found by the detector")
    nameless = sum(not s.subject for s in surveys)
    if nameless:
        notes.append(f"{nameless} segments name no subject (P###, metadata.ini): each counts as a person of its own")
    clips = []
    for survey in surveys:
        name = survey.segment.name
        if landmark_shift and name not in landmark_shift:
            skipped.append(SkippedFrame(name, -1, "missing_landmarks", "other segments have landmarks"))
            continue
        clips.append(
            SewaClip(
                name=name,
                subject=survey.subject or unnamed(name),
                folder=survey.segment.folder,
                channel=channel,
                value_columns=tuple(value_columns),
                scale=label_range,
                fps=fps or IMAGES_FPS,
                label_shift=label_shift[name],
                landmark_shift=landmark_shift.get(name),
                image_shift=image_shift.get(name, 0),
                stamp=survey.segment.stamp(),
            )
        )
    options = {"channel": channel, "value_columns": list(value_columns), "low": low, "high": high, "fps": fps}
    return CorpusListing("sewa", label_range, rate, clips, skipped, notes, options)


def _survey_all(source: Path, channel: str, columns: tuple[str, ...]) -> tuple[list[_Survey], list[SkippedFrame]]:
    surveys: list[_Survey] = []
    skipped: list[SkippedFrame] = []
    taken: dict[str, Path] = {}
    for folder in segment_folders(source):
        first = taken.setdefault(folder.name, folder)
        if first is not folder:
            detail = f"{folder.relative_to(source)}; {first.relative_to(source)} was taken"
            skipped.append(SkippedFrame(folder.name, -1, "duplicate_clip", detail))
            continue
        try:
            surveys.append(_Survey.of(SegmentFolder(folder), channel, columns))
        except Unusable as error:
            skipped.append(error.skipped(folder.name))
    if not taken:
        raise recognise.not_found(source, _EXPECTED)
    if not surveys:
        raise nothing_usable("sewa", skipped)
    return surveys, skipped


def _shifts(numberings: Mapping[str, Numbering | None], what: str) -> tuple[dict[str, int], list[str]]:
    """Segment name -> shift, of those segments that have this source at all; and what to note."""
    present = {name: numbering for name, numbering in numberings.items() if numbering is not None}
    values, note = shifts(list(present.values()), what)
    return dict(zip(present, values, strict=True)), [note] if note else []


def _column_notes(surveys: Sequence[_Survey]) -> list[str]:
    columns = sorted({labels.columns for s in surveys for labels in (s.valence, s.arousal) if len(labels.columns) > 1})
    return ["labels are means of the columns " + "; ".join(", ".join(c) for c in columns)] if columns else []


def _rate(surveys: Sequence[_Survey], fps: float | None) -> tuple[float, list[str]]:
    """The most frequent frames a second, and what to note."""
    rates = Counter(s.fps for s in surveys if s.fps)
    of_images = sum(s.images is not None for s in surveys)
    notes = []
    if of_images:
        rates[fps or IMAGES_FPS] += of_images
        if fps is None:
            notes.append(f"{IMAGES_FPS:g} frames a second assumed of {of_images} segments that are folders of images")
    elif fps is not None:
        raise ConfigError(f"fps={fps:g} has no effect: no segment is a folder of images. Leave it out")
    if len(rates) > 1:
        notes.append("frames a second differ: " + ", ".join(f"{r:g} in {n} segments" for r, n in sorted(rates.items())))
    return max(rates, key=lambda r: (rates[r], r), default=IMAGES_FPS), notes
