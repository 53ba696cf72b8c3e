"""The pictures of a folder as the frames of one video: which they are, in which order, and where some are missing."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from anclaf.core.errors import VideoError
from anclaf.core.words import counted
from anclaf.faces.images import IMAGE_SUFFIXES, UNREAD_SUFFIXES, VIDEO_SUFFIXES, hidden

_STEADY = 1 / 3
"""More than so many of the steps between numbers are the smallest one where the numbers count frames."""
_SPREAD = 20
"""Numbers that reach over more than so many times as many frames as there are pictures do not count frames."""
_NAMED = 5


@dataclass(frozen=True)
class PictureSequence:
    """paths: in order. numbers: of each, from 0, its place among the frames. notes: what is missing or left out."""

    paths: tuple[Path, ...]
    numbers: tuple[int, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path) -> "PictureSequence":
        """The pictures in a folder, by the numbers in their names, but for those of the system (`images.hidden`).

        Where names differ in one number, a number that is missing is a frame that is missing.

        Raises:
            VideoError: there are none, with what there is instead.
        """
        try:
            entries = sorted(path for path in folder.iterdir() if not hidden(path))
        except OSError as error:
            raise VideoError(f"{folder}: cannot be read ({error.strerror})") from error
        paths = sorted((path for path in entries if _is_file(path, IMAGE_SUFFIXES)), key=_natural)
        videos = [path for path in entries if _is_file(path, VIDEO_SUFFIXES)]
        if not paths:
            raise VideoError(f"{folder}: {_instead(folder, entries, len(videos))}")
        numbers, note = _numbers([path.stem for path in paths])
        left = [f"{counted(len(videos), 'video')} in this folder left out: give each by its name"] if videos else []
        unknown = sum(_is_file(path, UNREAD_SUFFIXES) for path in entries)
        left += [f"{counted(unknown, 'picture')} of {_kinds(entries)} left out: save as PNG or JPEG"] if unknown else []
        return cls(tuple(paths), numbers, tuple([note] * bool(note) + left))


def _is_file(path: Path, suffixes: frozenset[str]) -> bool:
    return path.suffix.lower() in suffixes and not path.is_dir()


def _kinds(entries: Sequence[Path]) -> str:
    return " and ".join(sorted({path.suffix.lower() for path in entries if _is_file(path, UNREAD_SUFFIXES)}))


def _instead(folder: Path, entries: Sequence[Path], videos: int) -> str:
    if videos:
        return f"a folder of {counted(videos, 'video')}; expected pictures. Give its videos: '{folder}/*'"
    if any(path.is_dir() for path in entries):
        return f"a folder without images, of folders; expected pictures. Give its folders: '{folder}/*'"
    if kinds := _kinds(entries):
        return f"a folder of {kinds} pictures, which cannot be read. Save them as PNG or JPEG"
    suffixes = ", ".join(sorted({path.suffix.lower() or "nameless" for path in entries})[:_NAMED])
    got = f" (it has {suffixes} files)" if suffixes else ""
    return f"a folder without images{got}; expected {', '.join(sorted(IMAGE_SUFFIXES))}"


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _numbers(stems: Sequence[str]) -> tuple[tuple[int, ...], str]:
    """The place of each of these names, in order, and a note where places are missing or unknown."""
    in_order = tuple(range(len(stems)))
    split = [re.split(r"(\d+)", stem) for stem in stems]
    if len(stems) < 2 or len({len(parts) for parts in split}) > 1:
        return in_order, ""
    varying = [column for column in zip(*split, strict=True) if len({*column}) > 1]
    if len(varying) != 1 or not all(part.isdecimal() for part in varying[0]):
        return in_order, ""
    numbers = [int(part) for part in varying[0]]
    steps = [after - before for before, after in pairwise(numbers)]
    step = math.gcd(*steps)
    if min(steps) <= 0:
        return in_order, ""
    places = tuple((number - numbers[0]) // step for number in numbers)
    if Counter(steps)[step] <= _STEADY * len(steps) or places[-1] >= _SPREAD * len(places):
        return in_order, "the numbers in the pictures' names count no frames: the pictures are taken one after another"
    gaps = [(a + step, b - step) for a, b in pairwise(numbers) if b - a > step]
    if not gaps:
        return places, ""
    named = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in gaps[:_NAMED])
    more = f" and {len(gaps) - _NAMED} more gaps" if len(gaps) > _NAMED else ""
    return places, f"no picture has the number {named}{more}: gaps in time"
