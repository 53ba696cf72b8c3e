"""Decodes a video stream: which packets go to the decoder, and what comes of each."""

from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.format import Flags
from av.video.frame import PictureType
from av.video.stream import VideoStream

from anclaf.faces.clock import DISCONTINUOUS_JUMP_S, JUMP_S, Sent, Stamp, VideoClock
from anclaf.faces.order import PictureOrder, picture_order
from anclaf.faces.whole import ends_early

_ONE_EACH = frozenset({
    "av1", "dnxhd", "ffv1", "flv1", "h263", "h264", "hevc", "huffyuv", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4",
    "prores", "rawvideo", "vp8", "vp9",
})  # fmt: skip
"""Codecs with a picture in every packet, but for some of VP8 and MPEG-4."""
_REPEAT = 8
"""Bytes of a packet of MPEG-4 that only says that the last picture stays (a VOP that is not coded), at most."""
_FPS = (1.0, 5.0, 120.0)
"""An average frame rate below the first is a broken clock's where the shortest step is of one between the others."""


class Decoding:
    """Decodes one video stream.

    path: of its file; None of a camera or network stream. clock: numbers and times its pictures. broken: why nothing
    more could be read.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, path: Path | None = None):
        self._path = path
        self._container, self._stream = container, stream
        self._codec = stream.codec_context.name
        reorders = bool(stream.codec_context.has_b_frames)
        self._resets = bool(Flags(container.format.flags) & Flags.ts_discont)
        # AVI has no presentation times; FFmpeg makes some up
        self._untimed = container.format.name == "avi"
        self._order: PictureOrder | None = None
        if self._untimed and reorders:
            self._order = picture_order(self._codec, stream.codec_context.extradata)
        self.clock = VideoClock(
            frame_rate(stream),
            timed=self._order is None,
            reorders=reorders,
            vanishing=self._resets,
            jump_s=DISCONTINUOUS_JUMP_S if self._resets else JUMP_S,
        )
        self.broken: FFmpegError | None = None
        self._read = 0
        self._end_s = (0.0, 0.0)
        self._torn_off = False

    def pictures(self) -> Iterator[tuple[Stamp, av.VideoFrame]]:
        """Those that are whole, in order of presentation, each with its stamp."""
        packets = self._container.demux()  # of all streams: a video may end before its sound does
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except FFmpegError as error:
                self.broken = error
                return
            self._note_end(packet)
            if packet.size:
                self._torn_off = packet.is_corrupt and not self._resets
            elif packet.stream is self._stream and packet.dts is None:  # what the decoder holds comes now
                self.clock.cut = self.ends_early
            if packet.stream is self._stream and (packet.size or packet.dts is None):
                yield from self._decoded(packet)
        self.clock.end()

    @property
    def ends_early(self) -> bool:
        """Whether the file holds less than it declares, once it was read to its end."""
        if self._path is None:
            return False
        duration = duration_s(self._container, self._stream)
        name = self._container.format.name
        return self._torn_off or ends_early(self._path, name, self._stream.frames, self._read, duration, self._end_s)

    def _note_end(self, packet: av.Packet) -> None:
        if packet.size and packet.pts is not None:
            origin = (self._container.start_time or 0) / av.time_base
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._end_s = max(self._end_s[0], end), max(self._end_s[1], end - origin)

    def _decoded(self, packet: av.Packet) -> Iterator[tuple[Stamp, av.VideoFrame]]:
        sent = None
        if packet.size:
            sent = self._sent(packet)
            if self._torn_off:
                self.clock.failed(sent, "its data end early")
                return
        elif self._order is not None:
            self._order.end()
        packet.opaque = None if sent is None else sent.serial
        try:
            frames = packet.decode()
        except FFmpegError as error:
            if sent is not None and not sent.hidden:
                self.clock.failed(sent, error.strerror or str(error))
            return
        for frame in frames:
            if isinstance(frame, av.VideoFrame):
                serial = frame.opaque if isinstance(frame.opaque, int) else None
                between = frame.pict_type == PictureType.B
                stamp = self.clock.shown(
                    serial, interlaced=frame.interlaced_frame, damaged=frame.is_corrupt, between=between
                )
                if stamp is not None:
                    yield stamp, frame

    def _shows(self, packet: av.Packet) -> bool:
        """Whether a picture must come of a packet."""
        if self._codec == "vp8":
            return bool(memoryview(packet)[0] & 16)  # show_frame (RFC 6386, 9.1)
        return self._codec in _ONE_EACH and not (self._codec == "mpeg4" and packet.size <= _REPEAT)

    def _sent(self, packet: av.Packet) -> Sent:
        pts, dts = (None if at is None else _seconds(at, packet) for at in (packet.pts, packet.dts))
        if packet.dts is not None:
            self._read = max(self._read, packet.dts + 1)
        self.clock.reorders = bool(self._stream.codec_context.has_b_frames)
        sent = self.clock.sent(
            pts if not self._untimed else dts if self._order is None else None,
            dts,
            _seconds(packet.duration or 0, packet),
            key=packet.is_keyframe,
            certain=self._shows(packet),
            hidden=packet.is_discard,
            torn=packet.is_corrupt,
        )
        if self._order is not None:
            self._order.place(sent, bytes(packet))
        return sent


def _seconds(ticks: int, packet: av.Packet) -> float:
    return ticks * packet.time_base.numerator / packet.time_base.denominator


def frame_rate(stream: VideoStream) -> float:
    """Frames a second, 0 where unknown."""
    average, shortest = float(stream.average_rate or stream.guessed_rate or 0), float(stream.base_rate or 0)
    low, slow, fast = _FPS
    return shortest if average < low and slow <= shortest <= fast else average


def duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    """What the container declares."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration is not None else None
