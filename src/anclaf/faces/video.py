"""Video files as upright RGB frames with their presentation times."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from anclaf.core.errors import VideoError

_SHORT_S = 0.5
"""A container's stated duration is rounded; a video that ends this much before it was cut."""


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


def probe(path: Path | str) -> VideoInfo:
    """Open a video and decode its first frame.

    Raises:
        VideoError: as `read_video`, or no frame can be decoded.
    """
    with _opened(path) as (container, stream):
        first = next(_decoded(container, stream, _Tally()), None)
        if first is None:
            raise VideoError(f"{path}: no frame can be decoded. Copy the file again")
        height, width = _upright(first).shape[:2]
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        duration, codec = _duration_s(container, stream), stream.codec_context.name
        return VideoInfo(width, height, fps, stream.frames or None, duration, codec, container.format.name)


def read_video(path: Path | str) -> Iterator[VideoFrame]:
    """Every frame that can be read, in order of presentation.

    A damaged file yields the frames that are whole, then raises: pictures that the decoder patched up are not given.
    A cut is seen by what the container's header promises; formats without one (MPEG programme and transport streams)
    show it only by a damaged last picture.

    Raises:
        VideoError: missing, zero bytes, not a video, no video stream, cut short, or damaged.
    """
    tally = _Tally()
    index, start, latest = -1, None, 0.0
    with _opened(path) as (container, stream):
        fps = float(stream.average_rate or stream.guessed_rate or 25)
        for index, frame in enumerate(_decoded(container, stream, tally)):
            time_s = frame.time if frame.time is not None else index / fps
            start = time_s if start is None else start
            latest = max(latest, time_s - start)  # a broken clock must not run backwards
            yield VideoFrame(index, latest, _upright(frame))
        if tally.cut_short(container, stream):
            raise VideoError(f"{path}: the file is cut short; {index + 1} frames could be read. Copy the file again")
    if tally.damaged:
        raise VideoError(f"{path}: damaged frames: {tally.damaged}; {index + 1} could be read. Copy the file again")
    if index < 0:
        raise VideoError(f"{path}: no frame can be decoded. Copy the file again")


@contextmanager
def _opened(path: Path | str) -> Iterator[tuple[InputContainer, VideoStream]]:
    path = Path(path)
    if not path.is_file():
        raise VideoError(f"{path}: no such video file")
    if path.stat().st_size == 0:
        raise VideoError(f"{path}: zero bytes; expected a video. Copy the file again")
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{path}: cannot be opened as a video, or is cut short ({_reason(error)})") from error
    with container:
        # FFmpeg shows a text as a video of text, and an audio file's cover picture as a stream
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if container.format.name == "tty" or (not streams and not container.streams.audio):
            raise VideoError(f"{path}: not a video; expected a file with moving pictures")
        if not streams:
            raise VideoError(f"{path}: audio only; expected a file with moving pictures")
        streams[0].thread_type = "AUTO"
        yield container, streams[0]


@dataclass
class _Tally:
    """What was met while reading: packets with data, damaged packets and frames, the latest end of any packet in s."""

    packets: int = 0
    damaged: int = 0
    end_s: float = 0.0

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
        except FFmpegError:
            tally.damaged += 1
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


def _duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration is not None else None


def _upright(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """The frame as RGB, turned and mirrored as its display matrix says, to the nearest quarter turn."""
    image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    if (matrix := frame.side_data.get("DISPLAYMATRIX")) is None:
        return image
    # a stored point (x, y) is shown at (a x + c y, b x + d y); libavutil/display.h
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    x, y = (a, d) if abs(a) >= abs(b) else (c, b)
    image = image if abs(a) >= abs(b) else image.swapaxes(0, 1)
    return np.ascontiguousarray(image[:: -1 if y < 0 else 1, :: -1 if x < 0 else 1])


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
