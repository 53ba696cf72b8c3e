"""One segment's folder of SEWA: where its labels, landmarks and video are, however the zips were unpacked."""

import configparser
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.core.errors import CorpusError
from anclaf.core.sheets import numbers
from anclaf.corpora import recognise
from anclaf.corpora.base import Unusable
from anclaf.corpora.files import member_names, read_delimited, read_members, stamp
from anclaf.faces.images import hidden

LANDMARKS = 49

_VIDEOS = (".avi", ".mp4", ".mkv", ".mov", ".m4v", ".mpg", ".webm", ".wmv")
_IMAGES = (".png", ".jpg", ".jpeg", ".bmp")
_SEGMENT = re.compile(r"(?:^|_)P\d{2,4}_(?:.*_)?(\d+)_(\d+)$", re.IGNORECASE)
_EXTRACTED = "extracted_"


def segment_folders(source: Path) -> Iterator[Path]:
    """Every folder, the source included, that has a segment's name or holds labels of its own."""
    for parent, folders, _ in os.walk(source, followlinks=True):
        folder = Path(parent)
        if folder.name.lower().startswith(_EXTRACTED):
            folders.clear()
        elif _SEGMENT.search(folder.name) or SegmentFolder(folder).holds_labels():
            folders.clear()
            yield folder
        folders.sort()


@dataclass(frozen=True)
class Labels:
    """Frame number -> mean of the chosen columns; NaN where no chosen cell holds a number."""

    values: dict[int, float]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class SegmentFolder:
    """A segment's folder. Everything is read in memory; every method that reads raises `Unusable`."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def segment_start(self) -> int | None:
        """The number, in the recording, of the segment's first frame, from the folder's name."""
        match = _SEGMENT.search(self.name)
        return int(match.group(1)) if match else None

    def subject(self) -> str:
        """`P###` of the name, else `subject` of metadata.ini, else an empty string."""
        match = recognise.SEWA_SUBJECT.search(self.name)
        if match:
            return f"P{int(match.group(1)):03d}"
        metadata = configparser.ConfigParser(strict=False, interpolation=None)
        try:
            metadata.read(self.folder / "metadata.ini", encoding="utf-8-sig")
        except (configparser.Error, UnicodeDecodeError):
            return ""
        subjects = [metadata[section].get("subject", "").strip() for section in metadata.sections()]
        subject = next((s for s in subjects if s), "")
        return f"P{int(subject):03d}" if subject.isdecimal() else subject

    def holds_labels(self) -> bool:
        """Whether an entry of the folder is its own Valence, so that the folder is a segment whatever its name."""
        own = (self.name.lower(), _EXTRACTED + self.name.lower(), "valence")
        return any(_is_container(path, self.name, "valence") for path in self._entries) or any(
            path.name.lower().startswith(own) and "valence" in path.name.lower() and path.suffix.lower() == ".csv"
            for path in self._entries
        )

    def labels(self, dimension: str, channel: str, columns: tuple[str, ...]) -> Labels:
        """One dimension's labels.

        Raises:
            Unusable: `no_label`, `ambiguous_label`, `missing_column`, `corrupt_annotation`, `bad_zip`, `unsafe_zip`.
        """
        seen: list[str] = []
        for container in self._containers(dimension):
            files = self._members(container, dimension, ".csv")
            channels = {name: _channel(name, dimension) for name in files}
            chosen = [name for name in files if channels[name] == channel]
            if not chosen and len(files) == 1 and channels[files[0]] is None:
                chosen = files
            if len(chosen) > 1:
                detail = f"{len(chosen)} {dimension} files of channel {channel} in {container.name}; expected one"
                raise Unusable("ambiguous_label", detail)
            if chosen:
                return _parse_labels(read_members(container, chosen)[chosen[0]], chosen[0], columns)
            seen += [str(c) for c in channels.values() if c]
        found = f"found channel {', '.join(sorted(set(seen)))}" if seen else "found none of any channel"
        raise Unusable("no_label", f"no {dimension} file of channel {channel}; {found}")

    def landmark_files(self) -> tuple[Path, dict[int, str]] | None:
        """Where the landmarks lie, and frame number -> file in there; None where the segment has none."""
        for container in self._containers("landmarks"):
            files = self._members(container, "landmarks", ".txt")
            numbered = {int(stem): name for name in files if (stem := PurePosixPath(name).stem).isdecimal()}
            if numbered:
                return container, numbered
        return None

    def landmarks(self) -> dict[int, NDArray[np.float64] | None]:
        """Frame number -> (49, 2) pixels, None where the file holds something else."""
        found = self.landmark_files()
        if found is None:
            raise Unusable("missing_landmarks", "no Landmarks zip or folder")
        container, files = found
        content = read_members(container, list(files.values()))
        return {number: _parse_landmarks(content[name]) for number, name in files.items()}

    def video(self) -> Path | None:
        """The segment's video, None where it has none.

        Raises:
            Unusable: `ambiguous_video`.
        """
        videos = [path for path in self._entries if path.suffix.lower() in _VIDEOS and path.is_file()]
        named = [path for path in videos if path.stem == self.name]
        if len(videos) > 1 and len(named) != 1:
            detail = f"{', '.join(path.name for path in videos)}; expected one, or one named as the folder"
            raise Unusable("ambiguous_video", detail)
        return next(iter(named or videos), None)

    def images(self) -> dict[int, Path]:
        """Frame number (the last digits of a name) -> image, of the folder at or below this one with most of them."""
        best: dict[int, Path] = {}
        for parent, folders, files in os.walk(self.folder):
            folders[:] = sorted(name for name in folders if not name.endswith("_cropped"))
            paths = [Path(parent, name) for name in sorted(files) if Path(name).suffix.lower() in _IMAGES]
            paths = [path for path in paths if not hidden(path)]
            numbered = {int(m.group()): path for path in paths if (m := re.search(r"\d+$", path.stem))}
            best = max(best, numbered, key=len)
        return best

    def stamp(self) -> str:
        """Of all files of the segment, in the folder and beside it."""
        roots = [self.folder, *self._containers("")]
        return stamp(p for root in roots for p in ([root] if root.is_file() else root.rglob("*")) if p.is_file())

    @cached_property
    def _entries(self) -> list[Path]:
        return _listed(self.folder)

    @cached_property
    def _siblings(self) -> list[Path]:
        return _listed(self.folder.absolute().parent)

    def _containers(self, dimension: str) -> list[Path]:
        """Folders and zips in which a dimension's files may lie: what was extracted before the zips; "" takes all."""
        own = [p for p in self._entries if _is_container(p, self.name, dimension)]
        # beside the folder only what carries its name
        names = (self.name.lower(), _EXTRACTED + self.name.lower())
        beside = [p for p in self._siblings if p.name.lower().startswith(names) and p != self.folder]
        beside = [p for p in beside if not dimension or _is_container(p, self.name, dimension)]
        found = [*own, *beside]
        return [p for p in found if p.is_dir()] + [self.folder] + [p for p in found if not p.is_dir()]

    def _members(self, container: Path, dimension: str, suffix: str) -> list[str]:
        if container == self.folder:  # loose files
            files = [p.name for p in self._entries if p.suffix.lower() == suffix and p.is_file()]
            return files if dimension == "landmarks" else [name for name in files if dimension in name.lower()]
        files = member_names(container, suffix)
        if _key(container, self.name):
            return files
        return [name for name in files if dimension in name.lower()]  # one folder that took all zips


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # a folder that may not be read holds nothing of ours
        return []


def _key(path: Path, segment: str) -> str:
    """What is left of an entry's name without `extracted_`, the segment's name, and `.zip`."""
    name = path.name.lower().removeprefix(_EXTRACTED).removesuffix(".zip").removeprefix(segment.lower())
    return name.strip("-_ .")


def _is_container(path: Path, segment: str, dimension: str) -> bool:
    if not (path.suffix.lower() == ".zip" or path.is_dir()):
        return False
    key = _key(path, segment)
    return key == dimension or (not key and path.name.lower().startswith(_EXTRACTED) and path.is_dir())


def _channel(name: str, dimension: str) -> str | None:
    """A, V or AV as the file's name says after the dimension's: `…_Valence_AV_Aligned.csv`."""
    stem = PurePosixPath(name).stem
    rest = stem[stem.lower().rfind(dimension) + len(dimension) :] if dimension in stem.lower() else stem
    tokens = re.split(r"[^A-Za-z0-9]+", rest.upper())
    return next((token for token in tokens if token in ("A", "V", "AV")), None)


def _parse_labels(content: bytes, name: str, columns: tuple[str, ...]) -> Labels:
    try:
        table = read_delimited(content, PurePosixPath(name).name)
    except CorpusError as error:
        raise Unusable("corrupt_annotation", str(error)) from error
    index, rest = table.columns[0], list(table.columns[1:])
    missing = [column for column in columns if column not in rest]
    if missing or not rest:
        detail = f"got the columns {', '.join(table.columns)}; expected {', '.join(missing) or 'one of values'}"
        raise Unusable("missing_column", f"{PurePosixPath(name).name}: {detail}")
    chosen = list(columns) or rest
    frames = numbers(table[index])
    if not len(frames) or not (np.isfinite(frames) & (frames == np.round(frames))).all():
        detail = f"{PurePosixPath(name).name}: the first column {index!r} must hold frame numbers"
        raise Unusable("corrupt_annotation", detail)
    means = pd.DataFrame({column: numbers(table[column]) for column in chosen}).mean(axis=1)  # NaN cells are left out
    return Labels(dict(zip(frames.astype(int).tolist(), means.tolist(), strict=True)), tuple(chosen))


def _parse_landmarks(content: bytes) -> NDArray[np.float64] | None:
    """The third line's 49 pairs of x y; the first line is the head's pose, the second the eyes."""
    lines = [line for line in content.decode("ascii", "replace").splitlines() if line.strip()]
    try:
        points = np.array(lines[2].replace(",", " ").split(), np.float64)
    except (IndexError, ValueError):
        return None
    return points.reshape(-1, 2) if points.size == 2 * LANDMARKS and np.isfinite(points).all() else None
