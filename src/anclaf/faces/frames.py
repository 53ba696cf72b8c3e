"""Frames as upright 8-bit RGB with their times: of videos, of animated pictures, of cameras and network streams."""

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import av
import numpy as np
from av.container import InputContainer
from av.error import ExitError, FFmpegError
from av.format import Flags
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.core.errors import VideoError
from anclaf.faces.clock import LostPicture
from anclaf.faces.decode import Decoding, duration_s, frame_rate
from anclaf.faces.images import animation, foreign, read_animation
from anclaf.faces.picture import Screen
from anclaf.faces.video_info import VideoInfo

_SILENT_S = 10.0
"""A network stream that sends nothing for so long has broken off."""
_ELSEWHERE = frozenset({"avfoundation", "dshow", "gdigrab", "v4l2", "video4linux2", "vfwcap", "android_camera"})
"""Devices that only the FFmpeg of some platforms knows."""
_MOST_NAMED = 5


@dataclass(frozen=True)
class VideoFrame:
    """One frame.

    index: 0-based place in the file, whether or not the frames before it can be decoded. time_s: seconds from the first
    frame, going up; see `faces.clock`. image: (H, W, 3) uint8 RGB, upright, of square pixels. stretch: how much wider
    and higher it is than it is stored; points in stored pixels, such as a database's landmarks, are multiplied by it.
    file: the name of its own file, in a folder of pictures. problem: why it cannot be read, or ""; its image is then a
    black pixel. A video gives no frame in place of one that cannot be decoded.
    """

    index: int
    time_s: float
    image: NDArray[np.uint8]
    stretch: tuple[float, float] = (1.0, 1.0)
    file: str | None = None
    problem: str = ""


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


@checked
def probe(path: Path | str) -> VideoInfo:
    """Open a video, or an animated picture, and decode its first frame.

    Raises:
        VideoError: as `read_video`, or no frame can be decoded.
    """
    if (film := animation(Path(path))) is not None:
        fps, count = film
        height, width = next(read_animation(Path(path)))[1].shape[:2]
        kind = Path(path).suffix[1:].lower()
        return VideoInfo(width, height, fps, count, count / fps, kind, kind)
    with _opened(path) as (container, stream):
        _, first = next(Decoding(container, stream).pictures(), (None, None))
        if first is None:
            raise VideoError(f"{path}: no frame can be decoded. Copy the file again")
        width, height = Screen(first, stream).size(first)
        duration, codec = duration_s(container, stream), stream.codec_context.name
        frames, kind = stream.frames or None, container.format.name
        return VideoInfo(width, height, frame_rate(stream), frames, duration, codec, kind)


@checked
def read_video(path: Path | str, start: int = 0, notes: list[str] | None = None) -> Iterator[VideoFrame]:
    """Every frame that can be read, in order of presentation.

    A damaged file yields the frames that are whole, then raises; the others keep their numbers. Not given are pictures
    that the decoder says it patched up; what it does not notice, such as remains of a lost picture in the next ones,
    nobody can tell. A cut is seen by what the container's header promises, or amid what the file is made of; MPEG
    programme streams show it only by a damaged last picture. Of several video streams the one that FFmpeg would play
    is read: the default one, else the largest. Animated WebP, AVIF, PNG and GIF are videos too.

    Args:
        start: index of the first frame to give. Those before are decoded, because times and later pictures rest on
            them, and are not converted.
        notes: gets a line for whatever a reader of the numbers must know, such as a clock that starts again, at the
            latest when the last frame was given.

    Raises:
        VideoError: missing, zero bytes, not a video, no video stream, cut short, or damaged.
    """
    if animation(Path(path)) is not None:
        for index, (time_s, image) in enumerate(read_animation(Path(path))):
            if index >= start:
                yield VideoFrame(index, time_s, image)
        return
    with _opened(path) as (container, stream):
        yield from _frames(path, container, stream, start, [] if notes is None else notes)


@checked
def read_live(address: Address) -> tuple[float, Iterator[VideoFrame]]:
    """Connect to a camera or network stream: its frames a second, 0 where unknown, and its frames as they come.

    Raises:
        VideoError: no connection, no video, nothing came for 10 s, or it broke off.
    """
    opened = ExitStack()
    container, stream = opened.enter_context(_opened(address))

    def frames() -> Iterator[VideoFrame]:
        with opened:
            yield from _frames(address, container, stream, 0, [])

    return frame_rate(stream), frames()


def _frames(
    place: Path | str | Address, container: InputContainer, stream: VideoStream, start: int, notes: list[str]
) -> Iterator[VideoFrame]:
    reading, screen = Decoding(container, stream, None if isinstance(place, Address) else Path(place)), None
    clock = reading.clock
    if (several := len(_moving(container))) > 1:
        kind = f"{stream.width}x{stream.height}, {stream.codec_context.name}"
        notes.append(f"{several} video streams: number {stream.index} ({kind}) is read")
    try:
        for stamp, frame in reading.pictures():
            screen = screen or Screen(frame, stream)
            if stamp.number >= start:
                yield VideoFrame(stamp.number, stamp.time_s, screen.show(frame), screen.stretch)
    finally:
        notes += clock.notes
    remedy = "Check the connection" if isinstance(place, Address) else "Copy the file again"
    lost = _lost_text(clock.lost)
    if reading.broken is not None:
        raise VideoError(f"{place}: broke off after {clock.given} frames ({_reason(reading.broken)}). {remedy}")
    if reading.ends_early:
        lost = f"; {lost}" if clock.lost else ""
        raise VideoError(f"{place}: the file is cut short{lost}; {clock.given} frames could be read. {remedy}")
    if clock.lost:
        raise VideoError(f"{place}: {lost}; {clock.given} could be read. {remedy}")
    if not clock.given:
        raise VideoError(f"{place}: no frame can be decoded. {remedy}")


def _lost_text(lost: Iterable[LostPicture]) -> str:
    """`damaged: frames 19 and 23 to 25 cannot be decoded (no picture came of it)`."""
    runs: list[list[int]] = []
    for number in [picture.number for picture in lost if picture.number is not None]:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    words = [str(first) if first == last else f"{first} to {last}" for first, last in runs[:_MOST_NAMED]]
    if more := sum(last - first + 1 for first, last in runs[_MOST_NAMED:]):
        words.append(f"{more} more")
    if unplaced := sum(picture.number is None for picture in lost):
        words.append(f"{unplaced} of unknown place")
    text = " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    one = sum(1 for _ in lost) == 1
    reasons = ", ".join(dict.fromkeys(picture.reason for picture in lost))
    return f"damaged: frame{'' if one else 's'} {text} cannot be decoded ({reasons})"


def _moving(container: InputContainer) -> list[VideoStream]:
    """Without the pictures of covers, which FFmpeg shows as streams."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return [stream for stream in container.streams.video if not stream.disposition & still]


@contextmanager
def _opened(place: Path | str | Address) -> Iterator[tuple[InputContainer, VideoStream]]:
    with _container(place) as container:
        # FFmpeg shows a text as a video of text
        streams = _moving(container)
        if container.format.name == "tty" or (not streams and not container.streams.audio):
            raise VideoError(f"{place}: not a video; expected moving pictures")
        if not streams:
            raise VideoError(f"{place}: audio only; expected moving pictures")
        stream = max(streams, key=lambda s: (bool(s.disposition & Disposition.default), s.width * s.height, -s.index))
        # threads that work on several frames report an error late, with another packet, and lose pictures by it
        stream.thread_type = "SLICE"
        stream.codec_context.copy_opaque = True  # each frame says which packet it is of
        yield container, stream


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
        raise VideoError(f"{path}: no such video file{'; it is a folder' if path.is_dir() else ''}")
    try:
        if path.stat().st_size == 0:
            raise VideoError(f"{path}: zero bytes; expected a video. Copy the file again")
        if what := foreign(path):
            raise VideoError(f"{path}: {what}")
        return av.open(str(path), metadata_errors="replace")
    except (FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{path}: cannot be opened as a video, or is cut short ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    if isinstance(error, ExitError):
        return f"nothing came for {_SILENT_S:g} s"
    return getattr(error, "strerror", None) or str(error)
