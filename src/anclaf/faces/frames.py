"""Frames as upright 8-bit RGB with their times: of video files, of single images, of cameras and network streams."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import av
import numpy as np
from av.container import InputContainer
from av.error import ExitError, FFmpegError
from av.format import Flags
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from anclaf.core.errors import VideoError

_SHORT_S = 0.5
"""A container's stated duration is rounded; a video that ends this much before it was cut."""
_SILENT_S = 10.0
"""A network stream that sends nothing for so long has broken off."""
_ELSEWHERE = frozenset({"avfoundation", "dshow", "gdigrab", "v4l2", "video4linux2", "vfwcap", "android_camera"})
"""Devices that only the FFmpeg of some platforms knows."""


@dataclass(frozen=True)
class VideoFrame:
    """One frame.

    index: 0-based among the frames decoded. time_s: presentation time in the container, the first frame's being 0;
    variable frame rates are kept. image: (H, W, 3) uint8 RGB, upright. Pixels are taken as square, whatever the
    container's sample aspect ratio says, because databases give their landmarks in stored pixels.
    """

    index: int
    time_s: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class VideoInfo:
    """What a container says of its video before it is decoded; width and height are of the upright frame.

    fps: average frames a second, 0 where unknown. frames, duration_s: None where the container does not say.
    """

    width: int
    height: int
    fps: float
    frames: int | None
    duration_s: float | None
    codec: str
    container: str


@dataclass(frozen=True)
class Address:
    """Where frames come from that are in no file: `rtsp://host/path`, `v4l2:/dev/video0`, `lavfi:testsrc`.

    url: what FFmpeg opens. device: the input device that it is opened with; None for a network stream.
    """

    url: str
    device: str | None = None

    @classmethod
    def parse(cls, name: str) -> "Address | None":
        """PROTOCOL://… or DEVICE:NAME; None for the name of a file.

        Raises:
            VideoError: a device that this PyAV does not know.
        """
        kind, colon, rest = name.partition(":")
        # one letter is a drive
        if not colon or not re.fullmatch(r"[A-Za-z][\w+.-]+", kind) or Path(name).exists():
            return None
        if rest.startswith("//"):
            return cls(name)
        if _is_device(kind):
            return cls(rest, kind)
        if kind in _ELSEWHERE:
            raise VideoError(f"{name}: this PyAV has no input device {kind!r}; use one of this platform, or a stream")
        return None

    def __str__(self) -> str:
        """As messages show it: without user, password and query, which may be secrets."""
        if self.device is not None:
            return f"{self.device}:{self.url}"
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def name(self) -> str:
        """`str` as the name of a file: `rtsp_host_path`."""
        return re.sub(r"[^\w.-]+", "_", str(self)).strip("_.")[:100]


@cache
def _is_device(name: str) -> bool:
    try:
        return bool(Flags(av.ContainerFormat(name, "r").flags) & Flags.no_file)
    except ValueError:
        return False


def probe(path: Path | str) -> VideoInfo:
    """Open a video and decode its first frame.

    Raises:
        VideoError: as `read_video`, or no frame can be decoded.
    """
    with _opened(path) as (container, stream):
        first = next(_decoded(container, stream, _Tally()), None)
        if first is None:
            raise VideoError(f"{path}: no frame can be decoded. Copy the file again")
        height, width = _upright(first, _Turn.of(first)).shape[:2]
        duration, codec = _duration_s(container, stream), stream.codec_context.name
        return VideoInfo(width, height, _fps(stream), stream.frames or None, duration, codec, container.format.name)


def read_video(path: Path | str, start: int = 0) -> Iterator[VideoFrame]:
    """Every frame that can be read, in order of presentation.

    A damaged file yields the frames that are whole, then raises: pictures that the decoder patched up are not given.
    A cut is seen by what the container's header promises; formats without one (MPEG programme and transport streams)
    show it only by a damaged last picture.

    Args:
        start: index of the first frame to give. Those before are decoded, because times and later pictures rest on
            them, and are not converted.

    Raises:
        VideoError: missing, zero bytes, not a video, no video stream, cut short, or damaged.
    """
    with _opened(path) as (container, stream):
        yield from _frames(path, container, stream, start)


def read_live(address: Address) -> tuple[float, Iterator[VideoFrame]]:
    """Connect to a camera or network stream: its frames a second, 0 where unknown, and its frames as they come.

    Raises:
        VideoError: no connection, no video, nothing came for 10 s, or it broke off.
    """
    opened = ExitStack()
    container, stream = opened.enter_context(_opened(address))

    def frames() -> Iterator[VideoFrame]:
        with opened:
            yield from _frames(address, container, stream, 0)

    return _fps(stream), frames()


def _frames(
    place: Path | str | Address, container: InputContainer, stream: VideoStream, start: int
) -> Iterator[VideoFrame]:
    tally = _Tally()
    index, zero, latest, turn = -1, None, 0.0, None
    fps = _fps(stream) or 25
    for index, frame in enumerate(_decoded(container, stream, tally)):
        time_s = frame.time if frame.time is not None else index / fps
        zero = time_s if zero is None else zero
        latest = max(latest, time_s - zero)  # a broken clock must not run backwards
        turn = turn or _Turn.of(frame)
        if index >= start:
            yield VideoFrame(index, latest, _upright(frame, turn))
    remedy = "Check the connection" if isinstance(place, Address) else "Copy the file again"
    if tally.broken:
        raise VideoError(f"{place}: broke off after {index + 1} frames ({tally.broken}). {remedy}")
    if tally.cut_short(container, stream):
        raise VideoError(f"{place}: the file is cut short; {index + 1} frames could be read. {remedy}")
    if tally.damaged:
        raise VideoError(f"{place}: damaged frames: {tally.damaged}; {index + 1} could be read. {remedy}")
    if index < 0:
        raise VideoError(f"{place}: no frame can be decoded. {remedy}")


@contextmanager
def _opened(place: Path | str | Address) -> Iterator[tuple[InputContainer, VideoStream]]:
    with _container(place) as container:
        # FFmpeg shows a text as a video of text, and an audio file's cover picture as a stream
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if container.format.name == "tty" or (not streams and not container.streams.audio):
            raise VideoError(f"{place}: not a video; expected moving pictures")
        if not streams:
            raise VideoError(f"{place}: audio only; expected moving pictures")
        streams[0].thread_type = "AUTO"
        yield container, streams[0]


def _container(place: Path | str | Address) -> InputContainer:
    if isinstance(place, Address):
        try:
            # the time limit is FFmpeg's for opening and for every read; a camera may take as long as it likes
            limit = None if place.device else _SILENT_S
            return av.open(place.url, format=place.device, timeout=limit, metadata_errors="replace")
        except (FFmpegError, OSError, ValueError) as error:
            raise VideoError(f"{place}: cannot be opened ({_reason(error)}). Check the address") from error
    path = Path(place)
    if not path.is_file():
        raise VideoError(f"{path}: no such video file")
    if path.stat().st_size == 0:
        raise VideoError(f"{path}: zero bytes; expected a video. Copy the file again")
    try:
        return av.open(str(path), metadata_errors="replace")
    except (FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{path}: cannot be opened as a video, or is cut short ({_reason(error)})") from error


@dataclass
class _Tally:
    """What was met while reading: packets with data, damaged packets and frames, the latest end of any packet in s,
    and why nothing more could be read, or ""."""

    packets: int = 0
    damaged: int = 0
    end_s: float = 0.0
    broken: str = ""

    def cut_short(self, container: InputContainer, stream: VideoStream) -> bool:
        """Whether the container's header promises more than came. Headers of other formats promise nothing."""
        name = container.format.name
        if "mov" in name:
            return self.packets < stream.frames
        duration = _duration_s(container, stream)
        stated = any(known in name for known in ("matroska", "avi", "flv"))
        return stated and duration is not None and self.end_s < duration - _SHORT_S


def _decoded(container: InputContainer, stream: VideoStream, tally: _Tally) -> Iterator[av.VideoFrame]:
    origin = (container.start_time or 0) / av.time_base
    packets = container.demux()  # of all streams: a video may end before its sound does
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except FFmpegError as error:
            tally.broken = _reason(error)
            return
        if packet.size and packet.pts is not None:
            tally.end_s = max(tally.end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base) - origin)
        if packet.stream is not stream:
            continue
        tally.packets += bool(packet.size)
        try:
            frames = packet.decode()
        except FFmpegError:
            tally.damaged += 1
            continue
        for frame in frames:
            if not isinstance(frame, av.VideoFrame):
                continue
            if frame.is_corrupt:
                tally.damaged += 1
            else:
                yield frame


def _fps(stream: VideoStream) -> float:
    return float(stream.average_rate or stream.guessed_rate or 0)


def _duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration is not None else None


class _Turn(NamedTuple):
    """How a stored picture becomes upright: rows and columns swapped, then rows, then columns reversed."""

    swapped: bool = False
    upside_down: bool = False
    mirrored: bool = False

    @classmethod
    def of(cls, frame: av.VideoFrame) -> "_Turn":
        """What the display matrix says, to the nearest quarter turn.

        To be asked of a video's first frame only: PyAV's side data keep their frame alive in a reference cycle, and
        frames that wait for the garbage collector make memory grow.
        """
        if (matrix := frame.side_data.get("DISPLAYMATRIX")) is None:
            return cls()
        # a stored point (x, y) is shown at (a x + c y, b x + d y); libavutil/display.h
        a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
        x, y = (a, d) if abs(a) >= abs(b) else (c, b)
        return cls(abs(a) < abs(b), y < 0, x < 0)


def _upright(frame: av.VideoFrame, turn: _Turn) -> NDArray[np.uint8]:
    """The frame as RGB, turned and mirrored."""
    image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    image = image.swapaxes(0, 1) if turn.swapped else image
    return np.ascontiguousarray(image[:: -1 if turn.upside_down else 1, :: -1 if turn.mirrored else 1])


def _reason(error: Exception) -> str:
    if isinstance(error, ExitError):
        return f"nothing came for {_SILENT_S:g} s"
    return getattr(error, "strerror", None) or str(error)


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
