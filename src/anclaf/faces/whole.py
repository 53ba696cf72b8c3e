"""Whether a video file holds all that it declares."""

from pathlib import Path

_MOV_BOXES = frozenset({b"mdat", b"moof", b"moov"})
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
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
    """Whether the file's headers promise more than is there. Those of other formats promise nothing.

    Args:
        container: FFmpeg's name of the format.
        frames: that the header declares, 0 where it does not. read: pictures, by the decoding clock of the last packet.
        duration_s: that the header declares. end_s: of the last packet, by the file's clock and from its beginning.
    """
    if container == "avi" and frames:
        return read < frames
    if container == "flv":
        return duration_s is not None and max(end_s) < duration_s - _SHORT_S
    declared = _declared_bytes(path, container)
    return declared is not None and declared > path.stat().st_size


def _declared_bytes(path: Path, container: str) -> int | None:
    """How long the file should be at least; None where it does not say."""
    with open(path, "rb") as file:
        if container.startswith("mov"):
            return _mov_bytes(path)
        head = file.read(2**16)
    if container == "avi" and head[:4] == b"RIFF":
        return int.from_bytes(head[4:8], "little") or None
    if container.startswith("matroska") and head[:4] == _EBML:
        return _matroska_bytes(head)
    if container == "asf" and (at := head.find(_ASF_FILE)) >= 0 and not head[at + 88] & 1:  # not a broadcast
        return int.from_bytes(head[at + 40 : at + 48], "little")
    return None


def _mov_bytes(path: Path) -> int:
    """The end of the last box that holds pictures or says where they are (ISO/IEC 14496-12, 4.2)."""
    size, at, end = path.stat().st_size, 0, 0
    with open(path, "rb") as file:
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if length < 8:  # 0: to the end of the file
                break
            at += length
            if kind in _MOV_BOXES:
                end = at
    return end


def _matroska_bytes(head: bytes) -> int | None:
    """The end of the segment (RFC 9559); None where its length was not known when it was written."""
    length, size = _ebml_number(head, 4)
    at = 4 + size + length
    if head[at : at + 4] != _SEGMENT:
        return None
    length, size = _ebml_number(head, at + 4)
    return None if length == (1 << 7 * size) - 1 else at + 4 + size + length


def _ebml_number(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length (RFC 8794), and how many bytes it takes."""
    size = 9 - data[at].bit_length() if data[at] else 8
    return int.from_bytes(data[at : at + size], "big") & ((1 << 7 * size) - 1), size
