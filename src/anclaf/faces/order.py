"""In which order pictures are shown where the container does not say it (AVI): read from the coded pictures."""

from typing import Protocol

from anclaf.faces.clock import Sent

_HEADER = 256
"""Bytes of a unit that hold all that is read of it."""
_GROUP = 2**33
_STUFFED, _PLAIN = b"\0\0\3", b"\0\0"
_HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})


class PictureOrder(Protocol):
    """Sets `Sent.order`."""

    def place(self, packet: Sent, data: bytes) -> None:
        """Of a packet with this content, before it is decoded."""
        ...

    def end(self) -> None:
        """There is no other packet."""
        ...


def picture_order(codec: str, extradata: bytes | None) -> PictureOrder:
    """How to order the pictures of a stream whose decoder reorders them.

    Args:
        codec: FFmpeg's name. extradata: the codec's headers that the container holds.
    """
    if codec == "h264":
        return _H264Order(extradata or b"")
    return _ReferenceOrder(codec)


class _ReferenceOrder:
    """MPEG-1, 2 and 4: a B picture is shown at once, any other when the next other one has come."""

    def __init__(self, codec: str):
        self._codec = codec
        self._shown = 0
        self._held: Sent | None = None
        self._run = 0
        self._after_run: dict[int, bool] = {}

    def place(self, packet: Sent, data: bytes) -> None:
        passing = _is_b(self._codec, data)
        if passing is None:  # too damaged to say: as after as many B pictures before
            passing = self._after_run.get(self._run, self._held is not None)
        self._after_run[self._run] = passing
        self._run = self._run + 1 if passing else 0
        if passing:
            packet.order, self._shown = self._shown, self._shown + 1
        else:
            self.end()
            self._held = packet

    def end(self) -> None:
        if self._held is not None:
            self._held.order, self._shown = self._shown, self._shown + 1
            self._held = None


def _is_b(codec: str, data: bytes) -> bool | None:
    """Whether a packet holds a B picture; None where it cannot be told."""
    if codec == "mpeg4":
        start = data.find(b"\0\0\1\xb6")  # a video object plane; its first two bits are its kind
        return None if not 0 <= start < len(data) - 4 else data[start + 4] >> 6 == 2
    start = data.find(b"\0\0\1\0")  # a picture; its kind follows ten bits of temporal reference
    return None if not 0 <= start < len(data) - 5 else data[start + 5] >> 3 & 7 == 3


class _H264Order:
    """Picture order counts (ITU-T H.264, 8.2.1.1) of streams with pic_order_cnt_type 0."""

    def __init__(self, extradata: bytes):
        self._length = (extradata[4] & 3) + 1 if extradata[:1] == b"\1" and len(extradata) > 4 else 0
        self._group = 0
        self._high = self._low = 0
        self._frame_bits = self._order_bits = 0
        self._frames_only = True
        self._planes = False
        self._headers(extradata[8:] if self._length else extradata)

    def place(self, packet: Sent, data: bytes) -> None:
        for unit in self._units(data):
            kind = unit[0] & 31
            if kind == 7:
                self._read_headers(unit)
            elif kind in (1, 5) and self._order_bits:
                try:
                    packet.order = self._order(unit)
                except IndexError:
                    packet.order = None
                return

    def end(self) -> None:
        """Every picture says its own."""

    def _headers(self, extradata: bytes) -> None:
        if self._length:  # avcC: after its five bytes, a count and each header with its two bytes of length
            if extradata:
                self._read_headers(extradata.replace(_STUFFED, _PLAIN))
            return
        for unit in self._units(extradata):
            if unit[0] & 31 == 7:
                self._read_headers(unit)

    def _units(self, data: bytes) -> list[bytes]:
        """The beginnings of the network units of a packet, without what is stuffed between their bytes."""
        units, at = [], 0
        if self._length:
            while at + self._length < len(data):
                size = int.from_bytes(data[at : at + self._length], "big")
                at += self._length
                units.append(data[at : at + min(size, _HEADER)])
                at += size
        else:
            while (at := data.find(b"\0\0\1", at)) >= 0:
                at += 3
                stop = data.find(b"\0\0\1", at, at + _HEADER)
                units.append(data[at : stop if stop >= 0 else at + _HEADER])
        return [unit.replace(_STUFFED, _PLAIN) for unit in units if unit]

    def _read_headers(self, unit: bytes) -> None:
        """A sequence parameter set."""
        try:
            bits = _Bits(unit[1:])
            profile = bits.take(24) >> 16
            bits.golomb()
            if profile in _HIGH_PROFILES:
                chroma = bits.golomb()
                self._planes = chroma == 3 and bool(bits.take(1))
                bits.skip("uu1")
                if bits.take(1):
                    for number in range(12 if chroma == 3 else 8):
                        if bits.take(1):
                            bits.skip_scaling_list(16 if number < 6 else 64)
            self._frame_bits = bits.golomb() + 4
            self._order_bits = bits.golomb() + 4 if bits.golomb() == 0 else 0
            if self._order_bits:
                bits.skip("u1uu")
                self._frames_only = bool(bits.take(1))
        except IndexError:
            self._order_bits = 0

    def _order(self, unit: bytes) -> float:
        """Of a slice."""
        bits = _Bits(unit[1:])
        new_group = unit[0] & 31 == 5
        bits.skip("uuu")
        bits.take(2 if self._planes else 0)
        bits.take(self._frame_bits)
        if not self._frames_only and bits.take(1):
            bits.take(1)
        if new_group:
            bits.golomb()
            self._group, self._high, self._low = self._group + 1, 0, 0
        low, period = bits.take(self._order_bits), 1 << self._order_bits
        high = self._high
        if low < self._low and self._low - low >= period // 2:
            high += period
        elif low > self._low and low - self._low > period // 2:
            high -= period
        if unit[0] >> 5 & 3:  # others refer to it
            self._high, self._low = high, low
        return float(self._group * _GROUP + high + low)


class _Bits:
    """Reads bits from the first on; IndexError where there are no more."""

    def __init__(self, data: bytes):
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise IndexError("no more bits")
        return self._value >> self._left & ((1 << count) - 1)

    def golomb(self) -> int:
        """An unsigned number in Exponential-Golomb code (H.264, 9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def skip(self, kinds: str) -> None:
        """u: a number in Exponential-Golomb code; 1: a bit."""
        for kind in kinds:
            if kind == "u":
                self.golomb()
            else:
                self.take(1)

    def skip_scaling_list(self, size: int) -> None:
        """H.264, 7.3.2.1.1.1."""
        last = following = 8
        for _ in range(size):
            if following:
                code = self.golomb()
                following = (last + ((code + 1) // 2 if code % 2 else -(code // 2))) % 256
            last = following or last
