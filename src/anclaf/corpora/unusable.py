"""Why something of a corpus cannot be used, in the few words that `skipped` counts."""

from collections import Counter
from collections.abc import Sequence

from anclaf.core.errors import CorpusError
from anclaf.corpora.base import SkippedFrame


class Unusable(Exception):
    """Raised inside a reader for a clip that cannot be used; never reaches the user, who gets a `SkippedFrame`."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail

    def skipped(self, clip: str) -> SkippedFrame:
        return SkippedFrame(clip, -1, self.reason, self.detail)


def nothing_usable(source: str, skipped: Sequence[SkippedFrame]) -> CorpusError:
    """The error for a corpus without a usable frame: how often each reason, and one example of the most frequent."""
    counts = Counter(frame.reason for frame in skipped).most_common()
    text = ", ".join(f"{reason} {count}" for reason, count in counts) or "no clip"
    example = ""
    if counts:
        first = next(frame for frame in skipped if frame.reason == counts[0][0])
        where = f"{first.clip} frame {first.index}" if first.index >= 0 else first.clip
        example = f"; for example {where}: {first.detail or first.reason}"
    return CorpusError(f"nothing in this {source} corpus is usable: {text}{example}")
