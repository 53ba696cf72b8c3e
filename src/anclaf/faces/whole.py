"""Whether a video file holds all that it declares."""

from pathlib import Path
from typing import BinaryIO

_MOV_BOXES = frozenset({b"mdat", b"moof", b"moov"})
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_FLV_TAGS = (8, 9, 18)
_MXF_PARTITION = bytes.fromhex("060e2b34020501010d010201")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_SHORT_S = 0.5
"""A container's stated duration is rounded; a video that ends this much before it was cut."""


def ends_early(
    path: Path,
    container: str,
    frames: int,
    read: int,
    duration_s: float | None,
    end_s: tuple[float, float],
) -> bool:
    """Whether the file's headers promise more than is there, or it ends amid what it is made of. MPEG programme streams
    and streams without a container promise nothing.

    Args:
        container: FFmpeg's name of the format.
        frames: that the header declares, 0 where it does not. read: pictures, by the decoding clock of the last packet.
        duration_s: that the header declares. end_s: of the last packet, by the file's clock and from its beginning.
    """
    if container == "avi" and frames:
        return read < frames
    if container == "flv" and duration_s is not None and max(end_s) < duration_s - _SHORT_S:
        return True
    declared = _declared_bytes(path, container)
    return declared is not None and declared > path.stat().st_size


def _declared_bytes(path: Path, container: str) -> int | None:
    """How long the file should be at least; None where it does not say."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(2**16)
        if container.startswith("mov"):
            return _mov_bytes(file, size)
        if container == "flv":
            return _flv_bytes(file, size)
        if container == "mxf":
            return _mxf_bytes(file, size, head)
        if container.startswith("matroska") and head[:4] == _EBML:
            return _matroska_bytes(file, size, head)
    if container == "mpegts":
        return _transport_bytes(size, head)
    if container == "avi" and head[:4] == b"RIFF":
        return int.from_bytes(head[4:8], "little") or None
    if container == "asf" and (at := head.find(_ASF_FILE)) >= 0 and not head[at + 88] & 1:  # not a broadcast
        return int.from_bytes(head[at + 40 : at + 48], "little")
    return None


def _mov_bytes(file: BinaryIO, size: int) -> int:
    """The end of the last box that holds pictures or says where they are (ISO/IEC 14496-12, 4.2)."""
    at, end, kind, fragmented = 0, 0, b"", False
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0: to the end of the file
            break
        fragmented |= kind == b"moof"
        at += length
        if kind in _MOV_BOXES:
            end = at
    # the pictures of a fragment's last box, or the beginning of another fragment
    return size + 1 if kind == b"moof" or (fragmented and size - 8 < at < size) else end


def _flv_bytes(file: BinaryIO, size: int) -> int:
    """The end of the last tag, without its length behind it (Adobe's FLV specification 10.1, E.4.1)."""
    file.seek(5)
    at = int.from_bytes(file.read(4), "big") + 4
    while at < size:
        file.seek(at)
        head = file.read(4)
        if head[0] & 0x1F not in _FLV_TAGS:
            return size
        if len(head) < 4:
            return size + 1
        at += 11 + int.from_bytes(head[1:4], "big") + 4
    return at - 4


def _matroska_bytes(file: BinaryIO, size: int, head: bytes) -> int | None:
    """The end of the segment (RFC 9559); of its last element where its length was not known when it was written."""
    length, width = _ebml_number(head, 4)
    at = 4 + width + length
    if head[at : at + 4] != _SEGMENT:
        return None
    length, width = _ebml_number(head, at + 4)
    at += 4 + width
    if length != _unknown(width):
        return at + length
    while at < size:
        file.seek(at)
        element = file.read(12)
        name = 9 - element[0].bit_length()
        if name > 4:  # none
            return size
        if len(element) <= name:
            return size + 1
        length, width = _ebml_number(element, name)
        at += name + width + (0 if length == _unknown(width) else length)  # one of unknown length is walked through
    return at


def _mxf_bytes(file: BinaryIO, size: int, head: bytes) -> int | None:
    """The end of the last packet, and the beginning of the footer (SMPTE ST 377-1)."""
    at, footer = head.find(_MXF_PARTITION), 0
    if at < 0:
        return None
    while at + 17 <= size:
        file.seek(at)
        packet = file.read(64)
        if not packet.startswith(_MXF_PARTITION[:4]):
            return None
        width = packet[16] & 0x7F if packet[16] & 0x80 else 0
        if packet.startswith(_MXF_PARTITION) and packet[13] in (2, 3, 4):  # of header, body or footer
            footer = max(footer, int.from_bytes(packet[41 + width : 49 + width], "big"))
        at += 17 + width + int.from_bytes(packet[17 : 17 + width] or packet[16:17], "big")
    return max(at, footer + 16)


def _transport_bytes(size: int, head: bytes) -> int | None:
    """The end of the last packet (ISO/IEC 13818-1, 2.4.3.2), with what Blu-ray puts before each or DVB behind it."""
    for length, before in ((188, 0), (192, 4), (204, 0)):
        for first in range(length):
            syncs = head[first::length]
            if len(syncs) > 4 and syncs[:-1] == b"G" * (len(syncs) - 1):
                return size + -(size - first + before) % length
    return None


def _unknown(width: int) -> int:
    """What stands for a length that is not known, in so many bytes."""
    return (1 << 7 * width) - 1


def _ebml_number(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length (RFC 8794), and how many bytes it takes."""
    size = 9 - data[at].bit_length() if data[at] else 8
    return int.from_bytes(data[at : at + size], "big") & _unknown(size), size
