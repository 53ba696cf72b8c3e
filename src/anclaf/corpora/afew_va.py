"""AFEW-VA (Kossaifi et al. 2017): a folder of PNG frames a clip, its labels and 68 landmarks in one JSON.

Clips are found by the pattern `NNN/NNN.json` at any depth, so that the release (`01/001/`), flat copies (`001/`) and
copies under `data/` or `samples/` are all read; `*_cropped` folders of repackaged copies are not.
"""

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from anclaf.config import CorpusKind
from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, CorpusError, VideoError
from anclaf.core.labels import LabelScale
from anclaf.core.people import unnamed
from anclaf.corpora import recognise
from anclaf.corpora.base import CorpusListing, LabelledFrame, SkippedFrame
from anclaf.corpora.files import stamp
from anclaf.corpora.labels import label_problem
from anclaf.faces.images import read_image

SCALE = LabelScale(-10, 10)
LANDMARKS = 68
PIXEL_ASPECT = 0.75
"""Anamorphic frames: a stored pixel is 1 / 0.75 times as wide as it is high, as public readers have it."""

_EXPECTED = "AFEW-VA's clips as NNN/NNN.json beside their PNG frames, at any depth"
_IMAGES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class AfewVaClip:
    """One clip's folder. stamp: of its files (`files.stamp`)."""

    name: str
    subject: str
    folder: Path
    fps: float
    anamorphic: bool
    stamp: str
    fold: int = -1

    def frames(self) -> Iterator[LabelledFrame | SkippedFrame]:
        """Frames by their number; landmarks (68, 2) pixels of the image given."""
        try:
            entries = _read_record(self.folder / f"{self.name}.json")["frames"]
        except CorpusError as error:
            yield SkippedFrame(self.name, -1, "corrupt_annotation", str(error))
            return
        images = {int(p.stem): p for p in self.folder.iterdir() if p.suffix.lower() in _IMAGES and p.stem.isdecimal()}
        labelled = {int(key): entry for key, entry in entries.items() if key.isdecimal()}
        for key in entries:
            if not key.isdecimal():
                yield SkippedFrame(self.name, -1, "corrupt_annotation", f"frame key {key!r} is not a number")
        numbers = sorted(images.keys() | labelled.keys())
        for number in numbers:
            if number not in labelled:
                yield SkippedFrame(self.name, number, "no_label", f"{images[number].name} has no entry in the JSON")
            else:
                time_s = (number - numbers[0]) / self.fps
                yield self._frame(number, time_s, labelled[number], images.get(number))

    def _frame(self, number: int, time_s: float, entry: Any, path: Path | None) -> LabelledFrame | SkippedFrame:
        def skip(reason: str, detail: str = "") -> SkippedFrame:
            return SkippedFrame(self.name, number, reason, detail)

        if not isinstance(entry, dict):
            return skip("corrupt_annotation", f"entry is {type(entry).__name__}, not an object")
        valence, arousal = _number(entry.get("valence")), _number(entry.get("arousal"))
        problem = label_problem(self.name, number, valence, arousal, SCALE)
        if problem is not None:
            return problem
        assert valence is not None
        assert arousal is not None
        try:
            landmarks = np.asarray(entry.get("landmarks"), np.float64)
        except (TypeError, ValueError):
            return skip("bad_landmarks", f"expected {LANDMARKS} pairs of x, y")
        if landmarks.shape != (LANDMARKS, 2) or not np.isfinite(landmarks).all():
            got = "none" if landmarks.ndim == 0 else f"{len(landmarks)}" if np.isfinite(landmarks).all() else "NaN"
            return skip("bad_landmarks", f"got {got}, expected {LANDMARKS} pairs of x, y")
        if path is None:
            return skip("missing_image")
        try:
            image = read_image(path)
        except VideoError as error:
            return skip("corrupt_image", str(error))
        if self.anamorphic:
            height, width = image.shape[:2]
            stretch = np.array([[1 / PIXEL_ASPECT, 0, 0], [0, 1, 0]])
            # not cv2.resize: it shifts by a part of a pixel, and the landmarks are plainly divided
            image = cv2.warpAffine(
                image, stretch, (round(width / PIXEL_ASPECT), height), borderMode=cv2.BORDER_REPLICATE
            )
            landmarks = landmarks * (1 / PIXEL_ASPECT, 1)
        return LabelledFrame(number, time_s, np.asarray(image, np.uint8), valence, arousal, landmarks)


@checked
def list_afew_va(
    source: Path,
    *,
    anamorphic: bool = False,
    fps: float = 25.0,
    source_name: str = "afew-va",
    kind: CorpusKind = "unknown",
) -> CorpusListing:
    """Find the clips of an AFEW-VA folder.

    Args:
        source: the folder that holds the clips at any depth.
        anamorphic: stretch frames and landmarks to square pixels (x divided by 0.75). The release stores 720x576
            anamorphic frames; public readers mostly leave them squeezed, hence off by default.
        fps: frames a second; the release states none, 25 is assumed.
        source_name: what the prepared corpus calls its source.
        kind: whose faces these are, where that is known.

    Raises:
        CorpusError: no such folder, an empty one, another database, or not one clip in it.
        ConfigError: fps is not a positive number.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ConfigError(f"fps: got {fps}; expected a positive number of frames a second")
    source = recognise.require_folder(source, _EXPECTED)
    clips: list[AfewVaClip] = []
    skipped: list[SkippedFrame] = []
    found: dict[str, Path] = {}
    nameless = 0
    for folder, files in _clip_folders(source):
        name = folder.name
        if name in found:
            detail = f"{folder.relative_to(source)}; {found[name].relative_to(source)} was taken"
            skipped.append(SkippedFrame(name, -1, "duplicate_clip", detail))
            continue
        found[name] = folder
        try:
            actor = str(_read_record(folder / f"{name}.json").get("actor") or "").strip()
        except CorpusError as error:
            skipped.append(SkippedFrame(name, -1, "corrupt_annotation", str(error)))
            continue
        nameless += not actor
        clips.append(AfewVaClip(name, actor or unnamed(name), folder, fps, anamorphic, files))
    if not found:
        raise recognise.not_found(source, _EXPECTED)
    notes = []
    if source_name == "afew-va":
        notes.append(f"{fps:g} frames a second assumed: the database states none")
        notes.append(
            "frames stretched to square pixels, x / 0.75"
            if anamorphic
            else "frames taken as stored (the release's are anamorphic: faces look squeezed)"
        )
    if nameless:
        notes.append(f"{nameless} clips name no actor: each counts as a person of its own")
    options = {"anamorphic": anamorphic, "fps": fps}
    return CorpusListing(source_name, SCALE, fps, list(clips), skipped, notes, options, kind)


def _clip_folders(source: Path) -> Iterator[tuple[Path, str]]:
    """The clips' folders, each with the stamp of its files."""
    for parent, folders, files in os.walk(source, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.endswith("_cropped"))
        folder = Path(parent)
        if recognise.AFEW_VA_CLIP.fullmatch(folder.name) and f"{folder.name}.json" in files:
            folders.clear()
            yield folder, stamp(folder / name for name in files)


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CorpusError(f"{path.name}: not readable as JSON ({error})") from error
    if not isinstance(record, dict) or not isinstance(record.get("frames"), dict):
        raise CorpusError(f"{path.name}: has no `frames` object")
    return record


def _number(value: Any) -> float | None:
    """The value of an int, a float, or a text of one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
