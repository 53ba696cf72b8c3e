"""What the HTTP interface takes and gives, as OpenAPI describes it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from anclaf.app.library import State
from anclaf.config import FaceChoice


class AnalysisOptions(BaseModel):
    """As the flags of `anclaf predict`. overwrite: analyse anew what is analysed already."""

    model_config = ConfigDict(extra="forbid")

    faces: FaceChoice = "all"
    attention: bool = False
    baseline: Annotated[str | None, Field(pattern=r"^(median|first:[0-9]{1,6}(\.[0-9]{1,6})?)$")] = None
    overwrite: bool = False


class VideoAnswer(BaseModel):
    """A video and how far it is.

    position: how many are before it in the queue. done, total: frames; 0 where unknown. message: why it failed, or what
    of it could not be read. playable: whether its file is there. overlay, plot: whether they are.
    """

    id: str
    name: str
    uploaded: bool
    state: State
    position: int
    done: int
    total: int
    message: str
    playable: bool
    overlay: bool
    plot: bool


class ServerAnswer(BaseModel):
    """The server's version, its model, its limits, and its folder's name."""

    version: str
    model: dict[str, Any]
    limits: dict[str, float]
    folder: str | None


class RowsAnswer(BaseModel):
    """A table by columns (`docs/outputs.md`), with what is needed to draw it.

    columns: each as long as `rows`; null where unknown; one that is unknown throughout may be missing. first_s: when
    the first frame is shown on the clock of a player that plays the file: `time_s` + first_s. width, height, fps: of
    the video, 0 where it is not there. low, high: of the scale.
    attention: weights a row. model_fps: frames a second of the model's windows. complete: false where the analysis was
    broken off. made_with: as `NAME.json` has it.
    """

    rows: int
    columns: dict[str, list[Any]]
    first_s: float
    width: int
    height: int
    fps: float
    low: float
    high: float
    attention: int
    model_fps: float
    complete: bool
    notes: list[str]
    sureness: str
    made_with: dict[str, Any]


class Problem(BaseModel):
    """One line that says what was got, what was expected, and what to do."""

    detail: str


TableKind = Literal["csv", "parquet"]
