"""What is said of one person in one frame, and the table of all that is said."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
import pandas as pd

Status = Literal["ok", "warming_up", "no_face", "too_small", "blurred"]
"""ok: estimated from a full window. warming_up: estimated from a shorter one, at a track's start or after a gap.
The others say why there is no estimate. no_face: nobody is seen in the frame, or this track is not."""

NAN = float("nan")


@dataclass(frozen=True)
class FaceEstimate:
    """One row of the table.

    frame: 0-based. time_s: seconds from the first frame. track: the person, from 0; None where nobody is tracked.
    x, y, w, h: the face's box in pixels. detection: the detector's score. valence, arousal: in the units of the corpus
    that the model was trained on. quadrant: of valence and arousal, as in `core.quadrants.QUADRANTS`; q1 to q4: the
    probabilities of those four by the model's discriminator, which sees one frame. size, sharpness, frontalness: see
    `faces.quality`. attention: weight of the state 1, 2, … frames before, NaN where there is none; empty if not asked.
    What is not known is NaN, or None.
    """

    frame: int
    time_s: float
    track: int | None = None
    x: float = NAN
    y: float = NAN
    w: float = NAN
    h: float = NAN
    detection: float = NAN
    valence: float = NAN
    arousal: float = NAN
    quadrant: str | None = None
    q1: float = NAN
    q2: float = NAN
    q3: float = NAN
    q4: float = NAN
    status: Status = "no_face"
    size: float = NAN
    sharpness: float = NAN
    frontalness: float = NAN
    attention: tuple[float, ...] = field(default=())

    @property
    def estimated(self) -> bool:
        return self.status in ("ok", "warming_up")

    def row(self) -> dict[str, Any]:
        """Column -> value; the attention as columns attention_1, attention_2, …"""
        row = {name: getattr(self, name) for name in COLUMNS}
        return row | {f"attention_{i + 1}": weight for i, weight in enumerate(self.attention)}


COLUMNS = tuple(f.name for f in fields(FaceEstimate) if f.name != "attention")


def column_names(attention: int = 0) -> list[str]:
    """The table's columns, with so many attention weights."""
    return [*COLUMNS, *(f"attention_{i + 1}" for i in range(attention))]


def table(estimates: Iterable[FaceEstimate], attention: int = 0) -> pd.DataFrame:
    """A row for each estimate; `track` is a nullable integer, unknown numbers are NaN."""
    frame = pd.DataFrame([estimate.row() for estimate in estimates], columns=column_names(attention))
    numbers = [name for name in frame.columns if name not in ("frame", "track", "quadrant", "status")]
    return frame.astype(
        {"frame": np.int64, "track": "Int64", "quadrant": "string", "status": "string"}
        | dict.fromkeys(numbers, np.float64)
    )
