"""What readers must find out about labels: their range, where frames are counted from, and which cannot be used."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anclaf.core.errors import ConfigError, CorpusError
from anclaf.core.labels import LabelScale
from anclaf.corpora.base import SkippedFrame

_RANGES = ((0, 1), (-1, 1), (-10, 10))
_INSIDE = 0.99
"""Share of the labels that a detected range must hold: a few wrong ones must not widen it."""

_NO_LABEL = (-2, -5)
"""What AffectNet and Aff-Wild2 write for `no label` beside labels in [-1, 1]."""


def label_scale(values: ArrayLike, low: float | None, high: float | None) -> tuple[LabelScale, str]:
    """The stated range, or the one that the values show, and a note that says so.

    [0, 1] is taken where all values lie in it, else the narrower of [-1, 1] and [-10, 10] that holds 99 %. Where all
    that lies outside [-1, 1] means `no label` (-2 or -5), the range is [-1, 1] too.

    Raises:
        ConfigError: only one end is stated, or low >= high.
        CorpusError: the values fit no known range.
    """
    if (low is None) != (high is None):
        raise ConfigError(f"label range: got low={low}, high={high}; state both or none")
    if low is not None and high is not None:
        return LabelScale(low, high), f"label range [{low:g}, {high:g}] as stated"
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        raise CorpusError("label range: not one label is a number. Look at the label files or columns")
    seen = f"the labels lie in [{values.min():g}, {values.max():g}]"
    scales = [LabelScale(*ends) for ends in _RANGES]
    share = [float(scale.contains(values).mean()) for scale in scales]
    marked = scales[1].contains(values) | np.isin(values, _NO_LABEL)
    if share[0] == 1:
        scale = scales[0]
    elif share[1] >= _INSIDE or (share[1] > 0 and marked.all()):
        scale = scales[1]
    elif share[2] >= _INSIDE:
        scale = scales[2]
    else:
        raise CorpusError(f"label range: {seen}; expected one of {_RANGES}. State the range (low, high)")
    return scale, f"label range [{scale.low:g}, {scale.high:g}] detected: {seen}"


def label_problem(
    clip: str, index: int, valence: float | None, arousal: float | None, scale: LabelScale
) -> SkippedFrame | None:
    """Why these two labels cannot be used, or None where they can."""
    if valence is None or arousal is None:
        missing = " and ".join(n for n, label in (("valence", valence), ("arousal", arousal)) if label is None)
        return SkippedFrame(clip, index, "no_label", f"no {missing}")
    if math.isnan(valence) or math.isnan(arousal):
        return SkippedFrame(clip, index, "label_nan", f"valence={valence} arousal={arousal}")
    if not scale.contains([valence, arousal]).all():
        expected = f"expected {scale.low:g}..{scale.high:g}"
        return SkippedFrame(clip, index, "label_out_of_range", f"valence={valence} arousal={arousal}, {expected}")
    return None


@dataclass(frozen=True)
class Numbering:
    """The numbers that labels, landmarks or images give to a clip's frames.

    lowest, highest: of the numbers that occur. frames: how many frames the video has, None where unknown.
    segment_start: the number of the clip's first frame in the recording that it was cut from, None where unknown.
    """

    lowest: int
    highest: int
    frames: int | None = None
    segment_start: int | None = None

    def first(self) -> str | None:
        """Where this clip seems to be counted from: `zero`, `one` or `segment`; None where it does not show."""
        if self.lowest == 0:
            return "zero"
        if self.lowest == 1:
            # 1 ... N-1 of N frames: counted from 0, the first frame having no label
            return "zero" if self.frames is not None and self.highest == self.frames - 1 else "one"
        return "segment" if self.lowest == self.segment_start else None


def shifts(clips: Sequence[Numbering], what: str) -> tuple[list[int], str]:
    """What to subtract from each clip's numbers to count from 0, and a note where that is not 0.

    The clips vote, because a single clip may lack its first frame; without a vote numbers are taken to begin at 0.

    Args:
        clips: the numbers of each.
        what: is numbered, for the note.
    """
    votes = Counter(vote for clip in clips if (vote := clip.first()) is not None)
    first = max(("zero", "one", "segment"), key=lambda vote: votes[vote])
    if first == "one":
        return [1] * len(clips), f"{what} count frames from 1: shifted by one to meet the video"
    if first == "segment":
        note = f"{what} count frames from the segment's own first frame: shifted by it to meet the video"
        return [clip.segment_start or 0 for clip in clips], note
    return [0] * len(clips), ""
