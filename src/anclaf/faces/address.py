"""Cameras and network streams, by FFmpeg's own names."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import av
from av.format import Flags

from anclaf.core.errors import VideoError

_ELSEWHERE = frozenset({"avfoundation", "dshow", "gdigrab", "v4l2", "video4linux2", "vfwcap", "android_camera"})
"""Devices that only the FFmpeg of some platforms knows."""


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
        """For people to read: without user, password and query, which may be secrets."""
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
