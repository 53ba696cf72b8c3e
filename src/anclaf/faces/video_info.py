"""What is known of a video before it is decoded. This module opens none, so that a server may import it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class VideoInfo:
    """What a container says of its video before it is decoded; width and height are of the upright frame.

    fps: average frames a second, 0 where unknown. frames, duration_s: None where the container does not say.
    """

    width: int
    height: int
    fps: float
    frames: int | None
    duration_s: float | None
    codec: str
    container: str
