"""What every reader gives: clips of labelled frames, and the frames that it could not use, each with a reason."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from anclaf.core.labels import LabelScale


@dataclass(frozen=True)
class LabelledFrame:
    """One usable frame.

    index: the frame's number as the database counts it. time_s: seconds from the clip's first frame.
    image: (H, W, 3) uint8 RGB. valence, arousal: the corpus's own units.
    landmarks: (68, 2) or (49, 2) float pixels of `image`, or None where the database has none (a detector finds five).
    """

    index: int
    time_s: float
    image: NDArray[np.uint8]
    valence: float
    arousal: float
    landmarks: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class SkippedFrame:
    """A frame, or with index -1 a whole clip, that cannot be used. `reason` is one of a few short words."""

    clip: str
    index: int
    reason: str
    detail: str = ""


class Clip(Protocol):
    """One clip of a corpus. Light and picklable: workers open the files."""

    @property
    def name(self) -> str: ...

    @property
    def subject(self) -> str: ...

    @property
    def fold(self) -> int:
        """The user's own fold, or -1."""
        ...

    def frames(self) -> Iterator[LabelledFrame | SkippedFrame]:
        """Frames in time order. Never raises for what is on disk: an unusable clip yields one SkippedFrame."""
        ...


@dataclass(frozen=True)
class CorpusListing:
    """A corpus on disk, found but not yet read.

    source: `afew-va`, `sewa`, `table` or `puppet`. fps: frames a second, 0 for stills.
    skipped: clips that could not even be listed. notes: what a reader of results must know (assumed fps, label range…).
    options: the reader's settings, part of the prepared corpus's fingerprint.
    """

    source: str
    scale: LabelScale
    fps: float
    clips: list[Clip]
    skipped: list[SkippedFrame] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
