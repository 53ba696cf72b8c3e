"""What readers must find out about labels: their range, where frames are counted from, and which cannot be used."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anclaf.config import ScaleName
from anclaf.core.errors import ConfigError, CorpusError
from anclaf.core.labels import LabelScale
from anclaf.corpora.base import SkippedFrame

SCALES: dict[ScaleName, LabelScale] = {
    "unit": LabelScale(0, 1),
    "signed": LabelScale(-1, 1),
    "afew-va": LabelScale(-10, 10),
    "sam5": LabelScale(1, 5),
    "sam7": LabelScale(1, 7),
    "sam9": LabelScale(1, 9),
    "percent": LabelScale(0, 100),
}
"""Ranges by name. sam…: the Self-Assessment Manikin (Bradley & Lang 1994) with its lowest value for the most unpleasant
and for the calmest figure."""
_INSIDE = 0.99
"""Share of the labels that a detected range must hold: a few wrong ones must not widen it."""
_REACH = 7.0
"""Labels that go below -1 are of [-10, 10] only if they reach farther than this: within it other ranges are in use."""

_NO_LABEL = (-2, -5)
"""What AffectNet and Aff-Wild2 write for `no label` beside labels in [-1, 1]."""


def label_scale(
    values: ArrayLike, low: float | None, high: float | None, name: str | None = None
) -> tuple[LabelScale, str]:
    """The stated range, or the one that the values show, and a note that says so.

    [0, 1] is taken where all values lie in it; [-1, 1] where 99 % do and some are negative, or all that lies outside
    means `no label` (-2 or -5); [-10, 10] where 99 % lie in it, some are negative, and some farther from 0 than 7.
    Anything else could be of several ranges and is asked for.

    Args:
        low, high: the range's ends, as stated. name: of `SCALES`, as stated.

    Raises:
        ConfigError: only one end is stated, low >= high, ends beside a name, or no such name.
        CorpusError: the values do not show the range.
    """
    if name is not None:
        if name not in SCALES:
            raise ConfigError(f"label range: got scale={name!r}; expected one of {', '.join(SCALES)}")
        if (low, high) != (None, None):
            raise ConfigError(f"label range: got scale={name}, low={low} and high={high}; state the one or the other")
        scale = SCALES[name]
        return scale, f"label range [{scale.low:g}, {scale.high:g}] as stated ({name})"
    if (low is None) != (high is None):
        raise ConfigError(f"label range: got low={low}, high={high}; state both or none")
    if low is not None and high is not None:
        return LabelScale(low, high), f"label range [{low:g}, {high:g}] as stated"
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        raise CorpusError("label range: not one label is a number. Look at the label files or columns")
    seen = f"the labels lie in [{values.min():g}, {values.max():g}]"
    found = _detected(values)
    if found is None:
        possible = [f"{name} ({s.low:g} to {s.high:g})" for name, s in SCALES.items() if s.contains(values).all()]
        raise CorpusError(
            f"label range: {seen}; expected one of {', '.join([*possible, 'another by its ends'])}. "
            "State the range: --scale NAME, or --low and --high"
        )
    scale = SCALES[found]
    return scale, f"label range [{scale.low:g}, {scale.high:g}] detected: {seen}"


def _detected(values: NDArray[np.float64]) -> ScaleName | None:
    """The range that finite values show, or None where they could be of several."""
    inside = {name: scale.contains(values) for name, scale in SCALES.items()}
    if inside["unit"].all():
        return "unit"
    negative = bool((values[inside["signed"]] < 0).any())
    marked = inside["signed"] | np.isin(values, _NO_LABEL)
    if (negative and inside["signed"].mean() >= _INSIDE) or (inside["signed"].any() and marked.all()):
        return "signed"
    whole = values[inside["afew-va"]]
    if inside["afew-va"].mean() >= _INSIDE and whole.min(initial=0) < 0 and np.abs(whole).max(initial=0) > _REACH:
        return "afew-va"
    return None


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
