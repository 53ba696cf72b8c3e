"""A look at a video's header and first frame, in a process of its own: `python -m anclaf.app.look FILE LIMITS`.

What a decoder does with a hostile file, it does there. It answers with one line of JSON: a `Look`, or `{"refused": …}`.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from anclaf.app.limits import Limits, RefusedError
from anclaf.app.room import limit_memory
from anclaf.faces.video_info import VideoInfo

KINDS = ("MP4", "MOV", "Matroska", "WebM", "AVI", "MPEG", "FLV", "WMV", "Ogg")
SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".vob", ".flv", ".wmv"),
    *(".asf", ".ogv", ".ogg", ".3gp"),
)
_HEAD = 1024


@dataclass(frozen=True)
class Look(VideoInfo):
    """first_s: when the first frame is shown on the clock of a player, which starts with the file's first sound or
    frame."""

    first_s: float


def media_type(head: bytes) -> str | None:
    """MIME type by a file's first bytes; None of what is none of `KINDS`.

    FFmpeg would also open playlists, which name further files and addresses, and much else.
    """
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"):
        return "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"AVIX"):
        return "video/x-msvideo"
    if head.startswith((b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")):
        return "video/mpeg"
    for first, step in ((0, 188), (4, 192)):
        if len(head) > first + 3 * step and all(head[first + k * step] == 0x47 for k in range(4)):
            return "video/mp2t"
    if head.startswith(b"FLV\x01"):
        return "video/x-flv"
    if head.startswith(bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")):
        return "video/x-ms-wmv"
    return "video/ogg" if head.startswith(b"OggS") else None


def media_of(path: Path) -> str:
    """`media_type` of a file.

    Raises:
        RefusedError: it is none of `KINDS`, or cannot be read.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise RefusedError(404, f"{path.name}: cannot be read ({error.strerror or error})") from error
    if (media := media_type(head)) is None:
        kinds = f"{', '.join(KINDS[:-1])} or {KINDS[-1]}"
        raise RefusedError(415, f"{path.name}: not a video by its first bytes; expected {kinds}")
    return media


def look_at(path: Path, limits: Limits, name: str = "") -> Look:
    """Look at a file in another process. name: what it is called in messages; default: its own.

    Raises:
        RefusedError: no video that can be decoded, larger or longer than the limits, or it takes too long.
    """
    name = name or path.name
    media_of(path)
    words = [sys.executable, "-m", "anclaf.app.look", os.fspath(path), json.dumps(asdict(limits))]
    try:
        done = subprocess.run(words, capture_output=True, timeout=limits.look_s, check=False, stdin=subprocess.DEVNULL)
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise RefusedError(415, f"{name}: its header took more than {limits.look_s:g} s to read") from None
    except ValueError:
        raise RefusedError(415, f"{name}: the decoder broke off at it; it is damaged, or no video") from None
    if (refused := answer.get("refused")) is not None:
        raise RefusedError(415, f"{name}: {refused}")
    return Look(**answer)


def _look(path: Path, limits: Limits) -> Look:
    import av
    from av.error import FFmpegError

    from anclaf.faces.frames import probe

    media_of(path)
    try:
        with av.open(os.fspath(path)) as container:
            if not container.streams.video:
                raise RefusedError(415, "no video stream in it")
            started = container.start_time
            for stream in container.streams.video:
                _check_size(stream.codec_context.width, stream.codec_context.height, limits)
            stream = container.streams.video[0]
            base = stream.time_base
            starts = stream.start_time
    except (FFmpegError, OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "damaged"
        raise RefusedError(415, f"no video that can be read ({reason})") from error
    first_s = 0.0
    if starts is not None and base is not None and started is not None:
        first_s = max(0.0, float(starts * base) - started / av.time_base)
    info = probe(path)
    _check_size(info.width, info.height, limits)
    return Look(**asdict(info), first_s=first_s)


def _check_size(width: int, height: int, limits: Limits) -> None:
    if min(width, height) < limits.smallest:
        raise RefusedError(415, f"frames of {width}×{height} pixels; expected {limits.smallest} or more a side")
    if max(width, height) > limits.side or width * height > limits.pixels:
        raise RefusedError(
            415,
            f"frames of {width}×{height} pixels; expected at most {limits.side} a side and {limits.pixels:,} together",
        )


def main(path: str, limits: str) -> None:
    """Print what there is to say of a file."""
    from anclaf.core.errors import AnclafError

    wanted = Limits(**json.loads(limits))
    limit_memory(wanted.memory_mb)
    try:
        answer = asdict(_look(Path(path), wanted))
    except AnclafError as error:
        answer = {"refused": str(error).removeprefix(f"{path}: ")}
    except MemoryError:
        answer = {"refused": "it asks for more memory than one video may have"}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
