"""Small corpora on disk, in the layouts that the readers take."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from lookalike import points, sewa_landmarks, sewa_segment

WIDTH, HEIGHT = 64, 48


def picture(level: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB, red above and blue below, green as told."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[: HEIGHT // 2, :, 0], image[HEIGHT // 2 :, :, 2], image[..., 1] = 200, 200, level
    return image


def _write_picture(path: Path, level: int = 50) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture(level)[..., ::-1])


def _write_video(path: Path, frames: int, fps: int = 50) -> None:
    """A film whose green grows from frame to frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as box:
        stream = box.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = WIDTH, HEIGHT, "yuv420p", 2_000_000
        for k in range(frames):
            box.mux(stream.encode(av.VideoFrame.from_ndarray(picture(green(k)), format="rgb24")))
        box.mux(stream.encode())


def green(frame: int) -> int:
    return 20 + 10 * (frame % 20)


@pytest.fixture
def afew_clip() -> Callable[..., Path]:
    """Writes a clip of AFEW-VA: `afew_clip(folder / "001", frames=4, first=0, actor=…, edit=…)`."""

    def write(
        folder: Path,
        frames: int = 4,
        first: int = 0,
        actor: str | None = "Ann",
        edit: Callable[[dict[str, Any]], Any] = lambda record: None,
        label: Callable[[float], Any] = int,
    ) -> Path:
        keys = [f"{first + k:05d}" for k in range(frames)]
        record: dict[str, Any] = {"video_id": folder.name, "frames": {}}
        if actor is not None:
            record["actor"] = actor
        for k, key in enumerate(keys):
            _write_picture(folder / f"{key}.png", green(k))
            entry = {"valence": label(k - 2), "arousal": label(k), "landmarks": points(68).tolist()}
            record["frames"][key] = entry
        edit(record)
        (folder / f"{folder.name}.json").write_text(json.dumps(record))
        return folder

    return write


@pytest.fixture
def sewa_clip() -> Callable[..., Path]:
    """Writes a segment of SEWA with zips: `lookalike.sewa_segment`, its video as `write_video` writes it."""
    return partial(sewa_segment, _write_video)


@pytest.fixture
def write_picture() -> Callable[..., None]:
    """`write_picture(path, level)`: a PNG or JPEG, by the path's suffix."""
    return _write_picture


@pytest.fixture
def write_video() -> Callable[..., None]:
    """`write_video(path, frames, fps)`: frame k has green 20 + 10 k."""
    return _write_video


@pytest.fixture
def landmark_text() -> Callable[..., str]:
    """`landmark_text(number, count=49)`: a landmark file of SEWA."""
    return sewa_landmarks
