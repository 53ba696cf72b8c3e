"""How much the server takes on; what is beyond is refused in one line that says the limit."""

from dataclasses import dataclass
from typing import Annotated

from anclaf.config import Positive, PositiveInt
from anclaf.core.errors import AnclafError
from anclaf.core.settings import Range, Settings


@dataclass(frozen=True)
class Limits(Settings):
    """Of files, of lengths, and of what goes on at once."""

    section = "limits"

    jobs: PositiveInt = 1
    """Videos analysed at once; the others wait."""
    waiting: PositiveInt = 100
    """Videos that wait, at most."""
    uploads: PositiveInt = 50
    """Uploaded videos that are kept, at most."""
    upload_mb: Positive = 4096.0
    """Largest upload, in millions of bytes."""
    seconds: Positive = 4 * 3600.0
    """Longest uploaded video."""
    side: Annotated[int, Range(16)] = 8192
    """Longest side of a frame, in pixels."""
    pixels: PositiveInt = 8192 * 4320
    """Most pixels of a frame."""
    smallest: PositiveInt = 16
    """Shortest side of a frame, in pixels."""
    silent_s: Positive = 30.0
    """Seconds after which an upload, or a webcam, of which nothing comes any more is given up."""
    stalled_s: Positive = 180.0
    """Seconds after which an analysis that finishes no frame is ended."""
    look_s: Positive = 30.0
    """Seconds that a look at a file's header and first frame may take."""
    live: PositiveInt = 2
    """Webcams at once."""
    live_s: Positive = 3600.0
    """Longest session of a webcam."""
    memory_mb: Positive = 8192.0
    """Memory that a process which decodes may ask for, in millions of bytes; where the system can hold it to that."""


class RefusedError(AnclafError):
    """What a client asked for is not done. status: of the HTTP answer."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status
