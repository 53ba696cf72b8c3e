"""Pictures that are in memory: arrays and Pillow's images, alone or as the frames of a video."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from anclaf.core.arguments import described
from anclaf.core.errors import ConfigError, VideoError
from anclaf.faces.frames import VideoFrame
from anclaf.faces.images import films, to_rgb
from anclaf.inference.source import Source, check_rates

_EXPECTED = "(H, W, 3) uint8 RGB, or a Pillow image"


def as_frame(picture: Any, name: str = "frame") -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB.

    Args:
        picture: (H, W, 3) uint8 RGB, not OpenCV's BGR; or a Pillow image of any mode, which is turned as its EXIF
            orientation says.
        name: for messages.

    Raises:
        ConfigError: anything whose meaning is not clear: what it is, and how to make a frame of it.
        VideoError: a Pillow image that is damaged, or of values that have no known range.
    """
    if isinstance(picture, Image.Image):
        if 0 in picture.size:
            raise ConfigError(f"{name}: a picture without pixels; expected {_EXPECTED}")
        if (count := films(picture)) > 1:
            raise ConfigError(
                f"{name}: {count} pictures in one Pillow image; expected one. Give the file's name for all of them, or "
                "image.copy() for the one that it stands at"
            )
        try:
            return to_rgb(ImageOps.exif_transpose(picture), name)
        except (OSError, ValueError, SyntaxError) as error:  # Pillow reads a file's pixels when they are asked for
            raise VideoError(f"{name}: damaged image ({error})") from error
    if not isinstance(picture, np.ndarray):
        raise ConfigError(f"{name}: got {described(picture)}; expected {_EXPECTED}{_remedy(picture)}")
    if picture.dtype == np.uint8 and 0 not in picture.shape and picture.ndim == 3 and picture.shape[2] == 3:
        return np.ascontiguousarray(picture)
    raise ConfigError(
        f"{name} of shape {picture.shape} and type {picture.dtype}; expected {_EXPECTED}{_remedy(picture)}"
    )


def in_memory(pictures: Any, fps: float, seconds: float | None = None) -> Source | None:
    """A source of what is in memory, or None where it may be a name.

    Args:
        pictures: as `as_frame`; or (T, H, W, 3) uint8 RGB, or a list or tuple of such pictures, which are the frames of
            a video of so many frames a second.

    Raises:
        ConfigError: as `as_frame`.
    """
    if isinstance(pictures, np.ndarray) and pictures.ndim == 4:
        pictures = list(pictures)
    if isinstance(pictures, list | tuple):
        if not pictures or not all(isinstance(one, np.ndarray | Image.Image) for one in pictures):
            got = described(pictures[0]) if pictures else "nothing"
            raise ConfigError(f"source: a list of {got}; expected one source, or a list of frames: {_EXPECTED}")
        frames: Sequence[Any] = pictures
    elif isinstance(pictures, np.ndarray | Image.Image) or hasattr(pictures, "shape"):
        frames = [pictures]
    else:
        return None

    def read() -> Iterator[VideoFrame]:
        for number, picture in enumerate(frames):
            yield VideoFrame(number, number / fps, as_frame(picture, f"frame {number}"))

    check_rates(fps, seconds)
    as_frame(frames[0], "frame 0")
    limit = math.inf if seconds is None else seconds
    return Source("pictures", fps, min(len(frames), math.ceil(min(limit * fps, 1e9))), None, (), limit, read())


def _remedy(picture: Any) -> str:
    """How to make a frame of it, where that can be told."""
    shape, kind = tuple(getattr(picture, "shape", ())), type(picture).__name__
    if kind == "Tensor":
        turn = ".permute(1, 2, 0)" if len(shape) == 3 and shape[0] == 3 else ""
        return f". Of a tensor of 0 to 255: tensor{turn}.byte().cpu().numpy()"
    if len(shape) == 3 and shape[0] in (1, 3) and shape[2] not in (1, 3):
        return ". Channels come last: array.transpose(1, 2, 0)"
    if len(shape) == 3 and shape[2] == 4:
        return ". Without alpha, and in the order RGB: array[..., :3], or [..., 2::-1] of OpenCV's BGRA"
    if len(shape) == 2 or (len(shape) == 3 and shape[2] == 1):
        return ". Of grey: array.reshape(*array.shape[:2], 1).repeat(3, 2)"
    if np.issubdtype(getattr(picture, "dtype", np.object_), np.floating):
        return ". Of values from 0 to 1: (array * 255).round().astype(numpy.uint8)"
    return ""
