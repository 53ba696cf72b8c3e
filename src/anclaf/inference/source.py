"""Where frames come from: a video file, a folder of images that are its frames, or one image."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from anclaf.core.errors import ConfigError, VideoError
from anclaf.faces.image import read_image
from anclaf.faces.video import VideoFrame, probe, read_video

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True)
class Source:
    """Frames to analyse.

    fps: frames a second; for a video the average that its container states. frames: how many, None where unknown.
    """

    path: Path
    fps: float
    frames: int | None
    images: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        return self.path.name if self.path.is_dir() else self.path.stem

    def read(self) -> Iterator[VideoFrame]:
        """The frames in order.

        Raises:
            VideoError: as `read_video` and `read_image`.
        """
        if not self.images:
            yield from read_video(self.path)
        for index, path in enumerate(self.images):
            yield VideoFrame(index, index / self.fps, read_image(path))


def open_source(path: Path | str, image_fps: float = 25.0) -> Source:
    """Look at a path without reading all of it.

    Args:
        image_fps: frame rate at which the images of a folder were taken. They are ordered by name, numbers by value.

    Raises:
        VideoError: missing, not a video or image, or a folder without images.
    """
    if not image_fps > 0:
        raise ConfigError(f"image_fps {image_fps}: expected a positive number")
    path = Path(path)
    if path.is_dir():
        images = sorted((p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES), key=_natural)
        if not images:
            raise VideoError(f"{path}: a folder without images; expected {', '.join(sorted(IMAGE_SUFFIXES))}")
        return Source(path, image_fps, len(images), tuple(images))
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return Source(path, image_fps, 1, (path,))
    info = probe(path)
    return Source(path, info.fps or image_fps, info.frames)


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]
