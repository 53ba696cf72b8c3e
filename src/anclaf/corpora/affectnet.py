"""AffectNet (Mollahosseini, Hasani & Mahoor 2017): pictures, and beside each a file of valence, of arousal, of the
expression and of 68 landmarks."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.core.errors import VideoError
from anclaf.core.people import unnamed
from anclaf.corpora import recognise
from anclaf.corpora.base import CorpusListing, LabelledFrame, LazyClips, SkippedFrame, Unusable
from anclaf.corpora.files import stamp
from anclaf.corpora.labels import SCALES, label_problem
from anclaf.faces.images import read_image

SCALE = SCALES["signed"]
NO_LABEL = -2.0
LANDMARKS = 68
EXPRESSIONS = (
    "neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt", "none", "uncertain",
    "no face",
)  # fmt: skip

_SETS = {"train": "train_set", "validation": "val_set"}
_EXPECTED = "AffectNet's train_set and val_set, each with images/N.jpg and annotations/N_val.npy"
_PICTURES = (b".jpg", b".jpeg", b".png")
_PIECE = 4096


@dataclass(frozen=True, slots=True)
class AffectNetClip:
    """One picture. folder: of its set. file: its name in images. which: its set."""

    folder: Path
    file: str
    which: str
    fold: int = -1

    @property
    def _stem(self) -> str:
        return self.file.rpartition(".")[0]

    @property
    def name(self) -> str:
        return f"{self.which}/{self._stem}"

    @property
    def stamp(self) -> str:
        """Of its files as they now are (`files.stamp`)."""
        of_labels = (self.folder / "annotations" / f"{self._stem}_{part}.npy" for part in ("val", "aro", "lnd"))
        return stamp([self.folder / "images" / self.file, *of_labels])

    @property
    def subject(self) -> str:
        return unnamed(self.name)

    def frames(self) -> Iterator[LabelledFrame | SkippedFrame]:
        """The one frame; landmarks (68, 2) pixels."""
        stem, annotations = self._stem, self.folder / "annotations"
        try:
            valence = _number(annotations / f"{stem}_val.npy", "no_label")
            arousal = _number(annotations / f"{stem}_aro.npy", "no_label")
            known = (None if label == NO_LABEL else label for label in (valence, arousal))
            problem = label_problem(self.name, 0, next(known), next(known), SCALE)
            if problem is not None:
                yield problem
                return
            points = _load(annotations / f"{stem}_lnd.npy", "missing_landmarks")
            if points.size != 2 * LANDMARKS:
                detail = f"got {points.size} numbers, expected {LANDMARKS} pairs of x, y"
                raise Unusable("bad_landmarks", detail)
            landmarks = points.astype(np.float64).reshape(LANDMARKS, 2)
            if not np.isfinite(landmarks).all():
                raise Unusable("bad_landmarks", f"got NaN, expected {LANDMARKS} pairs of x, y")
            image = read_image(self.folder / "images" / self.file)
        except Unusable as error:
            yield SkippedFrame(self.name, 0, error.reason, error.detail)
        except ValueError as error:
            yield SkippedFrame(self.name, 0, "bad_landmarks", str(error))
        except VideoError as error:
            yield SkippedFrame(self.name, 0, "corrupt_image", str(error))
        else:
            columns = {"set": self.which, "expression": self._expression(annotations / f"{stem}_exp.npy")}
            yield LabelledFrame(0, 0.0, image, valence, arousal, landmarks, columns)

    def _expression(self, path: Path) -> str:
        try:
            number = int(_number(path, "no_label"))
        except (Unusable, ValueError):
            return ""
        return EXPRESSIONS[number] if 0 <= number < len(EXPRESSIONS) else ""


def _load(path: Path, reason: str) -> np.ndarray:
    """An array without pickled objects.

    Raises:
        Unusable: there is no such file, for this reason, or it holds something else.
    """
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise Unusable(reason, f"no file {path.name}") from error
    except (OSError, ValueError, EOFError) as error:
        raise Unusable("corrupt_annotation", f"{path.name}: {' '.join(str(error).split())}") from error


def _number(path: Path, reason: str) -> float:
    """The one value of a file, which the database writes as a text."""
    value = _load(path, reason)
    try:
        return float(value.reshape(()).item())
    except ValueError as error:
        raise Unusable("corrupt_annotation", f"{path.name}: {value.tolist()!r}; expected one number") from error


@checked
def list_affectnet(source: Path) -> CorpusListing:
    """Find the pictures of AffectNet's folder: those of both sets, or of the one that is there.

    Raises:
        CorpusError: no such folder, or no set in it.
    """
    source = recognise.require_folder(source, _EXPECTED)
    sets: list[tuple[Path, str]] = []
    found: list[NDArray[np.bytes_]] = []
    skipped: list[SkippedFrame] = []
    notes: list[str] = []
    for which, name in _SETS.items():
        folder = next((p for p in (source / name, *source.glob(f"*/{name}")) if (p / "images").is_dir()), None)
        if folder is None:
            notes.append(f"{name} is not there")
            continue
        sets.append((folder, which))
        found.append(_pictures(folder / "images"))
        for stem in sorted(_labelled_without(found[-1], folder / "annotations")):
            skipped.append(SkippedFrame(f"{which}/{stem}", 0, "missing_image", f"no picture {stem} in {name}/images"))
    counts = [len(pictures) for pictures in found]
    if not any(counts):
        raise recognise.not_found(source, _EXPECTED)
    pictures, set_of = np.concatenate(found), np.repeat(np.arange(len(sets), dtype=np.int8), counts)

    def clip(number: int) -> AffectNetClip:
        folder, which = sets[set_of[number]]
        return AffectNetClip(folder, os.fsdecode(pictures[number].replace(b"\0", b".")), which)

    notes.append(
        "people: the database names nobody; every picture counts as a person of its own, so that in strict folds one "
        "person may be in training and in test. The official split (--protocol official) is kept as the set of each"
    )
    return CorpusListing("affectnet", SCALE, 0.0, LazyClips(len(pictures), clip), skipped, notes)


def _pictures(folder: Path) -> NDArray[np.bytes_]:
    """Of each picture its stem, a zero byte and its suffix, so that they are in the order of their stems; of two of one
    stem the last."""
    with os.scandir(os.fsencode(folder)) as entries:
        names = (entry.name for entry in entries if not entry.name.startswith(b"."))
        found = _column(b"\0".join(name.rsplit(b".", 1)) for name in names if name.lower().endswith(_PICTURES))
    found.sort()
    return _column(one for one, after in pairwise(chain(found, [b""])) if _stem(one) != _stem(after))


def _stem(picture: bytes) -> bytes:
    return picture.partition(b"\0")[0]


def _column(names: Iterator[bytes]) -> NDArray[np.bytes_]:
    """As wide as the longest. Never more than a piece of them are objects, which would fill the memory."""
    pieces = [np.array([], "S1")]
    while piece := list(islice(names, _PIECE)):
        pieces.append(np.array(piece))
    return np.concatenate(pieces)


def _labelled_without(pictures: NDArray[np.bytes_], folder: Path) -> Iterator[str]:
    """Stems of the files of valence that have none of these pictures."""
    try:
        with os.scandir(os.fsencode(folder)) as entries:
            for entry in entries:
                stem = entry.name.removesuffix(b"_val.npy")
                if stem == entry.name or entry.name.startswith(b"."):
                    continue
                nearest = pictures[np.searchsorted(pictures, stem) :][:1]
                if not len(nearest) or _stem(nearest[0]) != stem:
                    yield os.fsdecode(stem)
    except OSError:
        return
