"""Single images as upright 8-bit RGB."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from anclaf.core.errors import VideoError


def read_image(path: Path | str) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, turned as its EXIF orientation says.

    Grey is repeated over the channels, alpha is dropped (the colours under it stay), 16 bits become 8.

    Raises:
        VideoError: missing, zero bytes, not an image, truncated, or too large to be one in good faith.
    """
    path = Path(path)
    if not path.is_file():
        raise VideoError(f"{path}: no such image file")
    if path.stat().st_size == 0:
        raise VideoError(f"{path}: zero bytes; expected an image. Copy the file again")
    try:
        with Image.open(path) as image:
            return _rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise VideoError(f"{path}: not an image of a known format; expected PNG, JPEG, …") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        # Pillow reports a damaged file as any of these
        raise VideoError(f"{path}: damaged image ({error}). Copy the file again") from error


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would clip it at 255
        deep = np.asarray(image).astype(np.int64)
        if deep.max(initial=0) > 65535 or deep.min(initial=0) < 0:
            raise ValueError("32-bit values; expected 8 or 16 bits a channel")
        return np.repeat((deep // 257).astype(np.uint8)[..., None], 3, 2)
    if image.mode == "F":
        raise ValueError("floating-point values; expected 8 or 16 bits a channel")
    return np.asarray(image.convert("RGB"))
