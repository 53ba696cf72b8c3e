"""What the interface of ratings takes and gives, as OpenAPI describes it."""

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, Base64Bytes, BaseModel, ConfigDict, Field, model_validator

from anclaf.corpora.ratings import Dimension
from anclaf.corpora.readers import Join

RATE = 20.0
"""Values a second that are taken while a video plays, as CARMA's and DARMA's."""
MOST_SAMPLES = 4000
"""Of one message."""
LONGEST_S = 24 * 3600.0
LONGEST_LAG_S = 60.0
MOST_RATERS = 100
"""Of a video."""
MOST_IMPORT = 8_000_000
"""Bytes of the files of one import, together."""


def _tidy(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())


Rater = Annotated[
    str,
    Field(min_length=1, max_length=50, pattern=r"^[\p{L}\p{N}][\p{L}\p{N}\p{M} ._'-]*$"),
    AfterValidator(_tidy),
]
"""A name that can be part of a file's: letters, numbers, blanks and . _ ' -"""
Seconds = Annotated[float, Field(ge=0, le=LONGEST_S, allow_inf_nan=False)]
End = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
Value = Annotated[float, Field(allow_inf_nan=False)] | None
Kept = Literal["valence", "arousal", "unfinished"]
"""A rating that is there: of a dimension, or one that was broken off."""
ImportFormat = Literal["carma", "darma", "nova", "pagan", "recola"]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RatingBegin(_Asked):
    """A person begins to rate. low, high: the scale. bin_s: length of the bins of which means are kept.

    replace: what this rater said before of these dimensions is set aside, and kept. go_on: from where a rating of the
    same dimensions was broken off, with its scale and bins.
    """

    rater: Rater
    dimensions: Annotated[list[Dimension], Field(min_length=1, max_length=2)]
    low: End = -100.0
    high: End = 100.0
    bin_s: Annotated[float, Field(ge=0.05, le=10, allow_inf_nan=False)] = 0.25
    replace: bool = False
    go_on: bool = False

    @model_validator(mode="after")
    def _sound(self) -> "RatingBegin":
        if not self.low < self.high:
            raise ValueError(f"low is {self.low:g}, high is {self.high:g}; expected low < high")
        if len(set(self.dimensions)) < len(self.dimensions):
            raise ValueError("dimensions: expected each once")
        if self.replace and self.go_on:
            raise ValueError("replace and go_on: expected one of them")
        return self


class RatingSession(BaseModel):
    """A rating that goes on. session: what further messages name. from_s: where it begins. saved: samples so far."""

    session: str
    from_s: float
    saved: int
    dimensions: list[Dimension]
    low: float
    high: float
    bin_s: float


class RatingSamples(_Asked):
    """first: how many samples came before these, so that some may be sent again. samples: seconds from the video's
    first frame, rising; valence; arousal; null for what is not rated."""

    rater: Rater
    session: Annotated[str, Field(max_length=64)]
    first: Annotated[int, Field(ge=0)]
    samples: Annotated[list[tuple[Seconds, Value, Value]], Field(max_length=MOST_SAMPLES)]


class RatingSaved(BaseModel):
    """How many samples are on disk."""

    saved: int


class RatingFinish(_Asked):
    """session: null to finish what was broken off elsewhere."""

    rater: Rater
    session: Annotated[str, Field(max_length=64)] | None = None


class ImportedFile(_Asked):
    """name: of the file. content: its bytes, in base64."""

    name: Annotated[str, Field(min_length=1, max_length=500)]
    content: Base64Bytes


class RatingImport(_Asked):
    """A file that another tool wrote; NOVA's are two.

    rater: who; where the file names its raters, it may be left out. dimension: of a file that does not say it. low,
    high: of a format whose files have no range (pagan).
    """

    format: ImportFormat
    files: Annotated[list[ImportedFile], Field(min_length=1, max_length=2)]
    rater: Rater | None = None
    dimension: Dimension | None = None
    low: End | None = None
    high: End | None = None
    replace: bool = False


class RaterAnswer(BaseModel):
    """One rater's rating of one dimension. rated_s: seconds that have a value."""

    rater: str
    dimension: Dimension
    low: float
    high: float
    bin_s: float
    rated_s: float


class UnfinishedAnswer(BaseModel):
    """A rating that was broken off at `at_s`."""

    rater: str
    dimensions: list[Dimension]
    at_s: float
    saved: int


class VideoRatings(BaseModel):
    """What there is of a video. first_s: when its first frame is shown on the clock of a player. folder: where the
    ratings are. lasting: false of an upload, whose ratings are removed with it."""

    raters: list[RaterAnswer]
    unfinished: list[UnfinishedAnswer]
    subject: str
    folder: str
    lasting: bool
    first_s: float
    duration_s: float | None


class Subject(_Asked):
    """Who is in the video; empty: not known, a person of its own."""

    subject: Annotated[str, Field(max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]


class JoinChoice(_Asked):
    """How raters of the folder are joined, and the seconds that they answer late."""

    join: Join = "mean"
    lag_s: Annotated[float, Field(ge=0, le=LONGEST_LAG_S, allow_inf_nan=False)] = 0.0


class JoinSettings(JoinChoice):
    """lag_told: how the lag was found; empty where a person stated it."""

    lag_told: str = ""


class FolderRatings(BaseModel):
    """Of all videos of the folder. complete: videos that have both dimensions, which are what a corpus takes.
    commands: that make a corpus of them, and train on it; none of an upload."""

    settings: JoinSettings
    videos: int
    complete: int
    table: str
    commands: list[str]


class CurveAnswer(BaseModel):
    """time_s: middle of each bin, as rated: the lag is not taken off. value: null where there is none."""

    time_s: list[float]
    value: list[float | None]


class RaterCurve(CurveAnswer):
    """weight: in the joined rating."""

    rater: str
    weight: float


class Coefficient(BaseModel):
    """low, high: of the 95 % interval. null: not defined."""

    value: float | None
    low: float | None
    high: float | None


class AgreementAnswer(BaseModel):
    """Over `bins` bins of `bin_s` seconds that all have rated. ccc: mean over pairs. icc: by name."""

    bins: int
    bin_s: float
    ccc: float | None
    icc: dict[str, Coefficient]


class ModelScore(BaseModel):
    """A rater, or `joined`, against the model's estimates of one person, the lag taken off. rmse: in the units of the
    ratings."""

    rater: str
    frames: int
    ccc: float | None
    cor: float | None
    rmse: float | None


class DimensionAnswer(BaseModel):
    """Of one dimension. estimates: of the model, in the units of the ratings."""

    raters: list[RaterCurve]
    joined: CurveAnswer
    agreement: AgreementAnswer | None
    estimates: CurveAnswer | None
    model: list[ModelScore]


class JoinedAnswer(BaseModel):
    """The ratings of a video together. track: the person whose estimates are compared."""

    low: float
    high: float
    settings: JoinSettings
    notes: list[str]
    track: int | None
    dimensions: dict[Dimension, DimensionAnswer]
