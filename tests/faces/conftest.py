"""Small films whose frames say their own number, and the real pictures beside the checkout."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.video.stream import VideoStream


@pytest.fixture(scope="session")
def yunet(shared: Path) -> Path:
    return shared / "models" / "yunet_n_dynamic.onnx"


@pytest.fixture
def film() -> Callable[..., Path]:
    """`film(path, frames=20, …)`: frame k has grey 20 + 4 k, and a red corner top left."""

    def write(
        path: Path,
        frames: int = 20,
        size: tuple[int, int] = (64, 48),
        fps: int = 25,
        codec: str = "mpeg4",
        times: list[int] | None = None,
        turn: int | None = None,
        mirror: bool = False,
        options: dict[str, str] | None = None,
        audio_s: float = 0,
    ) -> Path:
        width, height = size
        with av.open(str(path), "w", options=options or {}) as box:
            stream = box.add_stream(codec, rate=fps)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 4_000_000
            if turn is not None:
                stream.set_display_rotation(turn, hflip=mirror)
            sound = box.add_stream("aac", rate=16000) if audio_s else None
            for k in range(frames):
                image = np.full((height, width, 3), 20 + 4 * k, np.uint8)
                image[: height // 3, : width // 3] = (250, 0, 0)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts = k if times is None else times[k]
                box.mux(stream.encode(frame))
            box.mux(stream.encode())
            if isinstance(sound, AudioStream):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, int(16000 * audio_s)), np.float32), "fltp", "mono")
                silence.sample_rate = 16000
                box.mux(sound.encode(silence))
                box.mux(sound.encode())
        return path

    return write
