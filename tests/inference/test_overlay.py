from pathlib import Path

import av
import numpy as np
import pytest

from anclaf.core.errors import OutputError
from anclaf.core.labels import LabelScale
from anclaf.inference.overlay import LONGEST_SIDE, OverlayVideo
from anclaf.inference.table import FaceEstimate

SCALE = LabelScale(-10, 10)


def face(frame: int, valence: float = 5.0, arousal: float = 5.0, track: int = 0, x: float = 200) -> FaceEstimate:
    return FaceEstimate(
        frame,
        frame / 25,
        track,
        x,
        100,
        120,
        160,
        0.9,
        valence,
        arousal,
        "V+A+",
        0.4,
        0.2,
        0.2,
        0.2,
        "ok",
        200,
        0.3,
        0.9,
    )


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as box:
        assert box.streams.video[0].average_rate is not None
        return [np.asarray(frame.to_ndarray(format="rgb24")) for frame in box.decode(video=0)]


def draw(path: Path, times: list[float], fps: float = 25, size: tuple[int, int] = (640, 360)) -> list[np.ndarray]:
    with OverlayVideo(path, fps, SCALE) as video:
        for k, time_s in enumerate(times):
            image = np.full((size[1], size[0], 3), 20 + 8 * k, np.uint8)
            video.add(time_s, image, [face(k)])
    return frames_of(path)


def levels(frames: list[np.ndarray]) -> list[int]:
    """Which of the frames each is."""
    return [round((float(np.median(frame[:60])) - 20) / 8) for frame in frames]


def test_a_frame_for_every_frame(tmp_path: Path):
    frames = draw(tmp_path / "a.mp4", [k / 25 for k in range(20)])
    assert levels(frames) == list(range(20))
    with av.open(str(tmp_path / "a.mp4")) as box:
        stream = box.streams.video[0]
        assert stream.codec_context.name in ("h264", "mpeg4")
        assert stream.average_rate == 25


@pytest.mark.parametrize("fps", [23.976, 25, 29.97, 30, 60])
def test_rounded_times_neither_repeat_nor_lose_a_frame(tmp_path: Path, fps: float):
    assert levels(draw(tmp_path / "a.mp4", [round(k / fps, 3) for k in range(25)], fps)) == list(range(25))


def test_a_variable_frame_rate_becomes_constant(tmp_path: Path):
    frames = draw(tmp_path / "a.mp4", [0, 0.04, 0.2, 0.21, 0.24])
    assert levels(frames) == [0, 1, 1, 1, 1, 3, 4]


def test_box_dial_and_traces_are_drawn(tmp_path: Path):
    plain = draw(tmp_path / "a.mp4", [0, 0.04, 0.08])[2]
    assert plain.shape[1] == 640
    assert plain.shape[0] > 360
    box_top = plain[100, 230:300].astype(int)
    assert (box_top.max(1) > 150).mean() > 0.8
    strip = plain[360:]
    assert strip.max() > 120


def test_the_dial_s_point_follows_valence_and_arousal(tmp_path: Path):
    def point(valence: float, arousal: float) -> np.ndarray:
        path = tmp_path / "a.mp4"
        with OverlayVideo(path, 25, SCALE) as video:
            for k in range(2):
                video.add(k / 25, np.zeros((360, 640, 3), np.uint8), [face(k, valence, arousal)])
        beside = frames_of(path)[1][:360, 330:440].astype(int)
        yellow = (beside[..., 0] > 180) & (beside[..., 2] < 140)
        y, x = np.nonzero(yellow)
        return np.array([np.median(x), np.median(y)])

    up, down = point(0, 9), point(0, -9)
    left, right = point(-9, 0), point(9, 0)
    assert up[1] < down[1] - 20
    assert left[0] < right[0] - 20


def test_odd_small_and_huge_sizes(tmp_path: Path):
    for size in ((1, 1), (33, 91), (7680, 4320)):
        frame = draw(tmp_path / "a.mp4", [0, 0.04], size=size)[0]
        assert frame.shape[0] % 2 == 0
        assert frame.shape[1] % 2 == 0
        assert max(frame.shape) <= 1.4 * LONGEST_SIDE


def test_rows_without_a_face_or_estimate_are_drawn_too(tmp_path: Path):
    with OverlayVideo(tmp_path / "a.mp4", 25, SCALE) as video:
        for k, estimates in enumerate(
            (
                [FaceEstimate(0, 0.0)],
                [FaceEstimate(1, 0.04, 3)],
                [FaceEstimate(2, 0.08, 3, 5, 5, 20, 20, 0.7, status="too_small")],
            )
        ):
            video.add(k / 25, np.zeros((120, 160, 3), np.uint8), estimates)
    assert len(frames_of(tmp_path / "a.mp4")) == 3


def test_no_frames_leave_no_file(tmp_path: Path):
    with OverlayVideo(tmp_path / "a.mp4", 25, SCALE):
        pass
    assert not (tmp_path / "a.mp4").exists()


def test_what_is_kept_does_not_grow(tmp_path: Path):
    video = OverlayVideo(tmp_path / "a.mp4", 25, SCALE)
    for k in range(600):
        video._history.append((k / 25, []))
    video.add(24, np.zeros((64, 64, 3), np.uint8), [])
    video.close()
    assert len(video._history) <= 252


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        OverlayVideo(tmp_path / "file" / "a.mp4", 25, SCALE)
