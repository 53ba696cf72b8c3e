"""Where labels, landmarks and images begin to count their frames: at 0, at 1, or at the segment's own first frame."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Numbering:
    """The numbers that one source (labels, for example) gives to a clip's frames.

    lowest, highest: of the numbers that occur. frames: how many frames the video has, None where unknown.
    segment_start: the number of the clip's first frame in the recording that it was cut from, None where unknown.
    """

    lowest: int
    highest: int
    frames: int | None = None
    segment_start: int | None = None

    def first(self) -> str | None:
        """`zero`, `one` or `segment`: what this clip speaks for; None where it says nothing."""
        if self.lowest == 0:
            return "zero"
        if self.lowest == 1:
            # 1 ... N-1 of N frames: counted from 0, the first frame having no label
            return "zero" if self.frames is not None and self.highest == self.frames - 1 else "one"
        return "segment" if self.lowest == self.segment_start else None


def shifts(clips: Sequence[Numbering], what: str) -> tuple[list[int], str]:
    """What to subtract from each clip's numbers to count from 0, and a note where that is not 0.

    The clips vote, because one clip alone may lack its first frame. Without a majority numbers are taken to begin at 0.
    """
    votes = Counter(vote for clip in clips if (vote := clip.first()) is not None)
    first = max(("zero", "one", "segment"), key=lambda vote: votes[vote])
    if first == "one":
        return [1] * len(clips), f"{what} count frames from 1: shifted by one to meet the video"
    if first == "segment":
        note = f"{what} count frames from the segment's own first frame: shifted by it to meet the video"
        return [clip.segment_start or 0 for clip in clips], note
    return [0] * len(clips), ""
