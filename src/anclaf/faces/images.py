"""Still and animated pictures as upright 8-bit RGB, and what a file is that is neither a picture nor a video."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from anclaf.core.arguments import checked
from anclaf.core.errors import VideoError

IMAGE_SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".avif", ".gif"}
)
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".flv", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp",
    ".ogv", ".mxf", ".vob",
})  # fmt: skip
UNREAD_SUFFIXES = frozenset({
    ".heic", ".heif", ".jxl", ".jp2", ".ppm", ".pgm", ".tga", ".psd", ".exr", ".hdr", ".svg", ".dng", ".cr2", ".cr3",
    ".nef", ".arw", ".orf", ".raf", ".rw2",
})  # fmt: skip
"""Of pictures that are not read."""
_ANIMATED = ("AVIF", "GIF", "PNG", "WEBP")
"""Formats, as Pillow names them, of which one file may hold a film."""
_SHORTEST_MS, _USUAL_MS = 11, 100
"""Shorter pictures than the first are shown for the second, as browsers do: their files state no time."""
_HEAD = 512

_KNOWN = (
    (0, b"PK\x03\x04", "a zip archive", "Unpack it and give its folder"),
    (0, b"\x1f\x8b", "a gzip archive", "Unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it and give its folder"),
    (0, b"Rar!", "a RAR archive", "Unpack it and give its folder"),
    (257, b"ustar", "a tar archive", "Unpack it and give its folder"),
    (0, b"%PDF", "a PDF document", "Save its pictures as PNG or JPEG"),
    (0, b"\xd0\xcf\x11\xe0", "an Office document", "Save its pictures as PNG or JPEG"),
    (0, b"\x00\x05\x16\x07", "what macOS keeps beside a file, not the file itself", "Leave it out"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the file itself", "Fetch it with `git lfs pull`"),
    (0, b"\xff\x0a", "a JPEG XL picture", "Save it as PNG or JPEG"),
    (4, b"JXL ", "a JPEG XL picture", "Save it as PNG or JPEG"),
    *((4, b"ftyp" + brand, "a HEIC picture, as phones take them", "Save it as PNG or JPEG")
      for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")),
)  # fmt: skip
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_MARKUP = ((b"<!doctype html", b"<html"), (b"<svg",))


def foreign(path: Path) -> str:
    """What a file is that is no picture or video, and what to do: `a zip archive. Unpack …`; or nothing.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    for at, mark, what, remedy in _KNOWN:
        # AVIF has HEIC's container: its own brand comes first or among the compatible ones
        if head[at:].startswith(mark) and not (mark.startswith(b"ftyp") and b"avi" in head[8:64]):
            return f"{what}; expected pictures or a video. {remedy}"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(_MARKUP[0]):
        return "a web page, not the file itself; expected pictures or a video. Download it again"
    if text.startswith(_MARKUP[1]) or (text.startswith(b"<?xml") and b"<svg" in text):
        return "an SVG drawing; expected pictures or a video. Save it as PNG"
    return ""


def hidden(path: Path) -> bool:
    """Whether a file belongs to the system: `._f1.jpg`, `.DS_Store`, `Thumbs.db`, `desktop.ini`."""
    return path.name.startswith(".") or path.name.lower() in ("thumbs.db", "desktop.ini")


@checked
def read_image(path: Path | str) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, turned as its EXIF orientation says.

    Grey is repeated over the channels, alpha is dropped (the colours under it stay), 16 bits become 8.

    Raises:
        VideoError: missing, zero bytes, not an image, truncated, several pictures in one, of values that have no
            known range, or too large to be an image in good faith.
    """
    path = Path(path)
    with _opened(path) as image:
        if (count := films(image)) > 1:
            raise VideoError(f"{path}: {count} pictures in one file; expected one. It can be given as a video")
        return to_rgb(ImageOps.exif_transpose(image), str(path))


def pictures_in(path: Path) -> int:
    """How many pictures a file holds as a film; 1 where it is no animated picture."""
    try:
        with Image.open(path) as image:
            return films(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 1  # reading it says why


def animation(path: Path) -> tuple[float, int] | None:
    """Pictures a second and how many there are, of an animated WebP, AVIF, APNG or GIF; None of anything else. Of a
    damaged one they are of the pictures before the damage.

    Raises:
        VideoError: not one picture can be read.
    """
    if path.suffix.lower() not in IMAGE_SUFFIXES or pictures_in(path) < 2:
        return None
    ends: list[float] = []
    try:
        with _opened(path) as image:
            ends.extend(end_s for _, end_s in _timed(image))
    except VideoError:
        if not ends:
            raise
    return len(ends) / ends[-1], len(ends)


def read_animation(path: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Seconds from the first, and (H, W, 3) uint8 RGB, of each picture of a file for which `animation` is not None.

    Raises:
        VideoError: it is damaged; the pictures before come first.
    """
    with _opened(path) as image:
        start = 0.0
        for picture, end in _timed(image):
            yield start, to_rgb(ImageOps.exif_transpose(picture), str(path))
            start = end


def _timed(image: Image.Image) -> Iterator[tuple[Image.Image, float]]:
    """Each picture with the seconds at which it ends."""
    end_ms = 0.0
    for number in range(image.info.get("default_image", False), _stated(image)):
        image.seek(number)
        image.load()
        shown = float(image.info.get("duration", 0))
        end_ms += shown if shown >= _SHORTEST_MS else _USUAL_MS
        yield image, end_ms / 1000


def films(image: Image.Image) -> int:
    """How many pictures an opened file holds as a film."""
    if image.format not in _ANIMATED:
        return 1
    return _stated(image) - bool(image.info.get("default_image"))


def _stated(image: Image.Image) -> int:
    """How many pictures a file has, among them one that is cut off."""
    try:
        return getattr(image, "n_frames", 1)
    except IndexError:  # what Pillow makes of a GIF that is cut off, which states no number
        return image.tell() + 2


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """What Pillow makes of a file; its errors, there and in the block, as VideoError."""
    if not path.is_file():
        raise VideoError(f"{path}: {'a folder' if path.is_dir() else 'no such image file'}")
    try:
        if path.stat().st_size == 0:
            raise VideoError(f"{path}: zero bytes; expected an image. Copy the file again")
        with Image.open(path) as image:
            yield image
    except UnidentifiedImageError as error:
        what = foreign(path) or _beginning(path)
        raise VideoError(f"{path}: {what}") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, Image.DecompressionBombError) as error:
        # Pillow reports a damaged file as any of these
        raise VideoError(f"{path}: damaged image ({error}). Copy the file again") from error


def _beginning(path: Path) -> str:
    """What a file is that Pillow cannot open."""
    with open(path, "rb") as file:
        head = file.read(16)
    if head.startswith(_PICTURES) or head[8:12] in (b"WEBP", b"avif", b"avis"):
        return "damaged image (only its beginning is one). Copy the file again"
    return "not an image of a known format; expected PNG, JPEG, …"


def to_rgb(image: Image.Image, name: str) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of what Pillow has opened.

    Args:
        name: for messages.

    Raises:
        VideoError: values that have no known range.
    """
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would clip it at 255
        deep = np.asarray(image).astype(np.int64)
        if deep.max(initial=0) > 65535 or deep.min(initial=0) < 0:
            raise VideoError(f"{name}: 32-bit values; expected 8 or 16 bits a channel. Save it with so many")
        return np.repeat((deep // 257).astype(np.uint8)[..., None], 3, 2)
    if image.mode == "F":
        raise VideoError(
            f"{name}: floating-point values, whose black and white nobody knows; expected 8 or 16 bits a channel. "
            "Scale them and save it so"
        )
    return np.asarray(image.convert("RGB"))
