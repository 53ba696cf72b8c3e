"""Where frames come from: video files, folders of images that are a video's frames, images, cameras and streams.

And how they are read ahead: two threads share the work on a video, one prepares the next frames while the other uses
the last ones.
"""

import glob
import math
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, VideoError
from anclaf.core.files import fingerprint
from anclaf.core.words import shown
from anclaf.faces.frames import Address, VideoFrame, probe, read_live, read_video
from anclaf.faces.images import IMAGE_SUFFIXES, pictures_in, read_image
from anclaf.inference.sequence import PictureSequence

T = TypeVar("T")

CHUNK = 8
"""Frames that are analysed together, at most."""
CHUNK_BYTES = 64 * 2**20
_UNREADABLE = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True)
class Source:
    """Frames to analyse.

    name: for its files. fps: frames a second; for a video the average that its container states. frames: how many,
    None where unknown. path: of the file or folder; None for a camera or network stream. seconds: frames from then on
    are left out. opened: frames that are being read already; such a source can be read once. notes: what a reader of
    the numbers must know of the source (`read_video`); there when it was read. images: files that are a frame each.
    numbers: of each, its place among the frames. problems: why images could not be read, there when it was read.
    """

    name: str
    fps: float
    frames: int | None
    path: Path | None
    images: tuple[Path, ...] = ()
    seconds: float = math.inf
    opened: Iterator[VideoFrame] | None = None
    notes: list[str] = field(default_factory=list)
    numbers: tuple[int, ...] = ()
    problems: list[str] = field(default_factory=list)

    def read(self, start: int = 0) -> Iterator[VideoFrame]:
        """The frames in order, from the one with index `start`. An image that cannot be read is a frame that says why.

        Raises:
            VideoError: as `read_video` and `read_live`; or not one of the images can be read.
        """
        for frame in self._frames(start) if self.opened is None else self.opened:
            if frame.time_s >= self.seconds:
                return
            yield frame

    def _frames(self, start: int) -> Iterator[VideoFrame]:
        if self.images:
            yield from self._pictures(start)
        else:
            assert self.path is not None
            yield from read_video(self.path, start, self.notes)

    def _pictures(self, start: int) -> Iterator[VideoFrame]:
        whole = 0
        for path, number in zip(self.images, self.numbers, strict=True):
            if number < start:
                continue
            image, problem = _UNREADABLE, ""
            try:
                image = read_image(path)
                whole += 1
            except VideoError as error:
                problem = str(error)
                self.problems.append(problem)
            yield VideoFrame(number, number / self.fps, image, file=shown(path.name), problem=problem)
        if not whole and self.problems:
            raise VideoError(self.problems[0])

    def fingerprint(self) -> str:
        """Of the files' sizes and times of change, not of their content: another one means other frames."""
        stats = [path.stat() for path in self.images or [self.path] if path is not None]
        numbers = [list(self.numbers)] if self.numbers != tuple(range(len(self.images))) else []
        return fingerprint([[stat.st_size, stat.st_mtime_ns] for stat in stats] + numbers)


@checked
def open_source(name: Path | str, image_fps: float = 25.0, seconds: float | None = None) -> Source:
    """Look at a source without reading all of it.

    Args:
        name: a video, an image, a folder of images, a pattern that one of these matches, or what `Address` takes.
        image_fps: frame rate at which the images of a folder were taken, and of a stream that does not say its own.
            Images are ordered by name, numbers by value; `PictureSequence` says how a missing one is known.
        seconds: leave out frames from then on; default: to the end.

    Raises:
        VideoError: missing, not a video or image, a folder without images, or a pattern that nothing matches.
        ConfigError: a setting out of range, or a pattern that several match.
    """
    check_rates(image_fps, seconds)
    if not str(name).strip():
        raise ConfigError("source: an empty name; expected a video, picture, folder, stream or camera")
    seconds = math.inf if seconds is None else seconds
    if (address := Address.parse(str(name))) is not None:
        fps, frames = read_live(address)
        return Source(address.name, fps or image_fps, None, None, seconds=seconds, opened=frames)
    first, *others = expand([name])
    if others:
        raise ConfigError(f"{name}: {1 + len(others)} sources match; expected one. `expand` lists them")
    try:
        source = _on_disk(first, image_fps, seconds)
    except OSError as error:
        raise VideoError(f"{first}: cannot be read ({error.strerror or error})") from error
    if source.frames is not None and seconds < math.inf:
        return replace(source, frames=min(source.frames, math.ceil(seconds * source.fps)))
    return source


def check_rates(image_fps: float, seconds: float | None) -> None:
    """Raises ConfigError where one of them is out of range."""
    if not 0 < image_fps < math.inf:
        raise ConfigError(f"image_fps {image_fps}: expected a positive number")
    if seconds is not None and not seconds > 0:
        raise ConfigError(f"seconds {seconds}: expected a positive number")


def _on_disk(name: str, image_fps: float, seconds: float) -> Source:
    path = Path(name)
    if path.is_dir():
        found = PictureSequence.of(path)
        frames, notes = len(found.paths), list(found.notes)
        return Source(
            source_name(name), image_fps, frames, path, found.paths, seconds, notes=notes, numbers=found.numbers
        )
    if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and pictures_in(path) == 1:
        return Source(source_name(name), image_fps, 1, path, (path,), seconds, numbers=(0,))
    if glob.has_magic(name) and not path.exists():
        raise VideoError(f"{name}: no file or folder matches this pattern")
    if path.suffix.lower() in IMAGE_SUFFIXES and not path.is_file():
        raise VideoError(f"{name}: no such image file")
    info = probe(path)
    return Source(source_name(name), info.fps or image_fps, info.frames, path, (), seconds)


@checked
def expand(names: Iterable[Path | str]) -> list[str]:
    """Sources with each pattern (`*`, `?`, `[…]`, `**`) replaced by what it matches, sorted.

    What exists under its own name is no pattern; a pattern that nothing matches stays, for `open_source` to refuse.
    """
    found = []
    for name in map(str, names):
        pattern = glob.has_magic(name) and not Path(name).exists() and Address.parse(name) is None
        found += (sorted(glob.glob(name, recursive=True)) if pattern else []) or [name]
    return found


def source_name(name: Path | str) -> str:
    """What a source's files are called: its name without folder and suffix; for a stream see `Address.name`."""
    if (address := Address.parse(str(name))) is not None:
        return address.name
    path = Path(name)
    return path.resolve().name if path.is_dir() else path.stem


def chunks(items: Iterable[T], size_of: Callable[[T], int], most: int = CHUNK) -> Iterator[list[T]]:
    """Consecutive items in lists of `most`, or of fewer when they have more than `CHUNK_BYTES` together.

    When the items end in an exception, those before it come first.
    """
    chunk, size = [], 0
    try:
        for item in items:
            chunk.append(item)
            size += size_of(item)
            if len(chunk) == most or size > CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
    except Exception:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def ahead(items: Iterator[T]) -> Generator[T]:
    """The items in order, each made in another thread while the one before is in use, and never more than one.

    An exception comes in its place. Closing the generator waits for the item that is being made. No item is None.
    """
    with ThreadPoolExecutor(1, "ahead") as other:
        coming = other.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = other.submit(next, items, None)
            yield item
