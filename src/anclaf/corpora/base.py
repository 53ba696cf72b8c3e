"""What every reader gives: clips of labelled frames, and the frames that it could not use, each with a reason."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from anclaf.config import CorpusKind
from anclaf.core.errors import CorpusError
from anclaf.core.labels import LabelScale

Column = str | float | None


@dataclass(frozen=True)
class LabelledFrame:
    """One usable frame.

    index: the frame's number as the database counts it. time_s: seconds from the clip's first frame.
    image: (H, W, 3) uint8 RGB. valence, arousal: the corpus's own units.
    landmarks: (68, 2) or (49, 2) float pixels of `image`, or None where the database has none (a detector finds five).
    columns: what else is known of the frame, or of its clip or person, by which results can be split: name -> number or
    text, with None or an empty text where it is not known.
    """

    index: int
    time_s: float
    image: NDArray[np.uint8]
    valence: float
    arousal: float
    landmarks: NDArray[np.float64] | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)


@dataclass(frozen=True)
class SkippedFrame:
    """A frame, or with index -1 a whole clip, that cannot be used.

    reason: a short identifier such as `no_label`, by which the skipped are counted. detail: what was found.
    """

    clip: str
    index: int
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class ClipNote:
    """What must be known of a clip that is used, such as a clock that starts again."""

    clip: str
    text: str


class Clip(Protocol):
    """One clip of a corpus: small and picklable, for it is sent to the process that opens its files."""

    @property
    def name(self) -> str: ...

    @property
    def subject(self) -> str: ...

    @property
    def fold(self) -> int:
        """The user's own fold, or -1."""
        ...

    def frames(self) -> Iterator[LabelledFrame | SkippedFrame | ClipNote]:
        """Frames in time order. Never raises for what is on disk: an unusable clip yields one SkippedFrame."""
        ...


class LazyClips(Sequence[Clip]):
    """Clips that are made each time they are asked for, so that what is in memory is what they are made from.

    Args:
        count: how many.
        make: the clip of a number from 0.
    """

    def __init__(self, count: int, make: Callable[[int], Clip]):
        self._numbers, self._make = range(count), make

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, number: int) -> Clip: ...
    @overload
    def __getitem__(self, number: slice) -> list[Clip]: ...
    def __getitem__(self, number: int | slice) -> Clip | list[Clip]:
        if isinstance(number, slice):
            return [self._make(one) for one in self._numbers[number]]
        return self._make(self._numbers[number])


@dataclass(frozen=True)
class CorpusListing:
    """A corpus on disk, found but not yet read.

    Args:
        source: the reader's name, such as `afew-va`.
        scale: the labels' range.
        fps: frames a second, 0 for stills.
        clips: of different names. Of very many best `LazyClips` in the order of their names, which need not be sorted.
        skipped: what is already known to be unusable.
        notes: what must be known to read results (an assumed frame rate, for example).
        options: the reader's settings, part of the prepared corpus's fingerprint.
        kind: whose faces these are, where the reader knows; a folder in a database's layout may be rendered as well.
        consecutive: windows hold frames with consecutive numbers only; otherwise a few may be missing between two.
    """

    source: str
    scale: LabelScale
    fps: float
    clips: Sequence[Clip]
    skipped: list[SkippedFrame] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    kind: CorpusKind = "unknown"
    consecutive: bool = False


class Unusable(Exception):
    """A clip cannot be used. Raised and caught within a reader; the user gets a `SkippedFrame`."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail

    def skipped(self, clip: str) -> SkippedFrame:
        return SkippedFrame(clip, -1, self.reason, self.detail)


def nothing_usable(source: str, skipped: Iterable[SkippedFrame]) -> CorpusError:
    """The error for a corpus without a usable frame: each reason's count, and an example of the most frequent one."""
    count, firsts = Counter[str](), dict[str, SkippedFrame]()
    for frame in skipped:
        count[frame.reason] += 1
        firsts.setdefault(frame.reason, frame)
    text = ", ".join(f"{reason} {number}" for reason, number in count.most_common()) or "no clip"
    example = ""
    if count:
        first = firsts[count.most_common(1)[0][0]]
        where = f"{first.clip} frame {first.index}" if first.index >= 0 else first.clip
        example = f"; for example {where}: {first.detail or first.reason}"
    return CorpusError(f"nothing in this {source} corpus is usable: {text}{example}")
