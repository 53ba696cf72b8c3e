"""Videos whose pictures show their own number, made in any container, and what is read of it back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

SIZE = (96, 64)
_BITS, _COLUMNS, _BLOCK = 10, 6, (24, 16)


def numbered(number: int) -> NDArray[np.uint8]:
    """(64, 96, 3) RGB: ten bits of the number and two of its parity, as light and dark blocks on grey."""
    image = np.full((SIZE[1], SIZE[0], 3), 96, np.uint8)
    for k, bit in enumerate(_code(number)):
        row, column = divmod(k, _COLUMNS)
        y, x = row * _BLOCK[0], column * _BLOCK[1]
        image[y + 4 : y + 24, x : x + 16] = 235 if bit else 20
    return image


def number_in(image: NDArray[np.uint8]) -> int | None:
    """The number that a picture shows; None where it shows none."""
    bits = []
    for k in range(_BITS + 2):
        row, column = divmod(k, _COLUMNS)
        y, x = row * _BLOCK[0], column * _BLOCK[1]
        grey = float(np.median(image[y + 8 : y + 20, x + 4 : x + 12, 1]))
        if 70 < grey < 170:
            return None
        bits.append(grey > 120)
    number = sum(bit << k for k, bit in enumerate(bits[:_BITS]))
    return number if bits == _code(number) else None


def _code(number: int) -> list[bool]:
    bits = [bool(number >> k & 1) for k in range(_BITS)]
    odd = sum(bits) % 2 == 1
    return [*bits, odd, not odd]


Damage = Callable[[bytes], bytes]


def zeros(data: bytes) -> bytes:
    return bytes(len(data))


def zeros_after_head(data: bytes) -> bytes:
    return data[:12] + bytes(max(len(data) - 12, 0))


def noise(data: bytes) -> bytes:
    return np.random.default_rng(len(data)).integers(0, 256, len(data)).astype(np.uint8).tobytes()


def zeros_in_second_half(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes(len(data) - len(data) // 2)


def damage_packet(path: Path, number: int, damage: Damage) -> None:
    """Change the content of a packet, in the order of decoding, in its file, which stays as long as it is."""
    with av.open(str(path)) as box:
        packets = [bytes(packet) for packet in box.demux(video=0) if packet.size]
    content, at = path.read_bytes(), 0
    for data in packets[:number]:
        at = content.index(data, at) + len(data)
    data = packets[number]
    at, changed = content.index(data, at), damage(data)
    assert len(changed) == len(data)
    path.write_bytes(content[:at] + changed + content[at + len(data) :])


def damage_middle(path: Path, size: int = 376) -> None:
    """Zero bytes in the middle of a file."""
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(size) + content[middle + size :])


@dataclass(frozen=True)
class Film:
    """How a video is made.

    at: the pictures' times in units of 1 / rate; default 0, 1, 2, … start: added to all of them. retime: number,
    presentation and decoding time of a packet, in the same unit -> other times. b_frames: between others, at most.
    group: a key picture every so many. container: the muxer's options. first: what the first picture shows.
    """

    codec: str = "libx264"
    frames: int = 24
    rate: Fraction = field(default_factory=lambda: Fraction(25))
    b_frames: int = 0
    group: int = 8
    at: Sequence[int] | None = None
    start: int = 0
    retime: Callable[[int, int, int], tuple[int, int]] | None = None
    container: Mapping[str, str] = field(default_factory=dict)
    first: int = 0

    @property
    def times(self) -> Sequence[int]:
        return range(self.frames) if self.at is None else self.at

    def write(self, path: Path) -> Path:
        """Make the file."""
        with av.open(str(path), "w", options=dict(self.container)) as box:
            stream = box.add_stream(self.codec, rate=self.rate)
            assert isinstance(stream, VideoStream)
            (stream.width, stream.height), stream.pix_fmt = SIZE, "yuvj420p" if self.codec == "mjpeg" else "yuv420p"
            context = stream.codec_context
            context.gop_size, context.max_b_frames, context.thread_count = self.group, self.b_frames, 1
            context.time_base = 1 / self.rate
            stream.bit_rate = 2_000_000
            stream.options = _codec_options(self)
            for number, packet in enumerate(_encoded(stream, self)):
                if self.retime is not None:
                    assert packet.pts is not None
                    assert packet.dts is not None
                    unit = 1 / self.rate / packet.time_base
                    pts, dts = (round(at / unit) for at in (packet.pts, packet.dts))
                    packet.pts, packet.dts = (round(at * unit) for at in self.retime(number, pts, dts))
                box.mux(packet)
        return path


def _encoded(stream: VideoStream, film: Film) -> Iterable[av.Packet]:
    for k, at in enumerate(film.times):
        frame = av.VideoFrame.from_ndarray(numbered(film.first + k), format="rgb24")
        frame.pts, frame.time_base = at + film.start, 1 / film.rate
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _codec_options(film: Film) -> dict[str, object]:
    match film.codec:
        case "libx264":
            return {"preset": "veryfast", "bf": str(film.b_frames), "x264-params": "scenecut=0:log-level=error"}
        case "libx265":
            params = f"log-level=error:bframes={film.b_frames}:keyint={film.group}:pools=none:frame-threads=1"
            return {"preset": "ultrafast", "x265-params": params}
        case "libvpx" | "libvpx-vp9":
            return {"deadline": "realtime", "cpu-used": "8"}
    return {}
