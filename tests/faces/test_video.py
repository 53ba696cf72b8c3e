import gc
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from anclaf.core.errors import VideoError
from anclaf.faces.video import VideoFrame, probe, read_video

Film = Callable[..., Path]


def number_of(image: np.ndarray) -> int:
    """Which frame of a film this is: its grey is 20 + 4 k."""
    return round((float(np.median(image[..., 1])) - 20) / 4)


def readable(path: Path) -> tuple[list[VideoFrame], str]:
    """The frames that come, and what is said in the end."""
    frames = []
    try:
        for frame in read_video(path):
            frames.append(frame)
    except VideoError as error:
        return frames, str(error)
    return frames, ""


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "mpeg4"), ("a.avi", "mpeg4"), ("a.mpg", "mpeg1video")]
)
def test_every_frame_comes_in_order_with_its_time(tmp_path: Path, film: Film, name: str, codec: str):
    frames = list(read_video(film(tmp_path / name, 20, codec=codec)))
    assert [number_of(frame.image) for frame in frames] == list(range(20))
    assert [frame.index for frame in frames] == list(range(20))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(20) / 25, atol=1e-3)
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[0].image.dtype == np.uint8


def test_colours_are_red_green_blue(tmp_path: Path, film: Film):
    red, green, blue = next(read_video(film(tmp_path / "a.mp4", codec="libx264"))).image[4, 4]
    assert red > 200
    assert green < 60
    assert blue < 60


def test_a_variable_frame_rate_is_kept_and_time_starts_at_zero(tmp_path: Path, film: Film):
    times = [5, 6, 8, 20, 21]
    frames = list(read_video(film(tmp_path / "a.mkv", 5, times=times)))
    np.testing.assert_allclose([frame.time_s for frame in frames], (np.array(times) - 5) / 25, atol=1e-3)


@pytest.mark.parametrize(
    ("turn", "mirror", "shape", "corner"),
    [
        (0, False, (48, 64), (0, 0)),
        (90, False, (64, 48), (-1, 0)),
        (180, False, (48, 64), (-1, -1)),
        (270, False, (64, 48), (0, -1)),
        (0, True, (48, 64), (0, -1)),
        (90, True, (64, 48), (-1, -1)),
    ],
)
def test_rotation_metadata_is_applied(
    tmp_path: Path, film: Film, turn: int, mirror: bool, shape: tuple[int, int], corner: tuple[int, int]
):
    path = film(tmp_path / "a.mp4", 2, codec="libx264", turn=turn, mirror=mirror)
    image = next(read_video(path)).image
    assert image.shape[:2] == shape
    assert image[corner][0] > 200, "the red corner is elsewhere"
    assert (image[..., 0] > 128).mean() == pytest.approx(1 / 9, abs=0.03)
    assert (probe(path).height, probe(path).width) == shape


def test_frames_are_freed_as_they_are_used(tmp_path: Path, film: Film):
    path = film(tmp_path / "a.mp4", frames=30)
    gc.collect()
    gc.disable()  # what a reference cycle holds stays
    try:
        for _ in read_video(path):
            pass
        kept = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
    finally:
        gc.enable()
    assert kept < 5, "of 30"


def test_probe(tmp_path: Path, film: Film):
    info = probe(film(tmp_path / "a.mp4", 20))
    assert (info.width, info.height, info.fps, info.frames, info.codec) == (64, 48, 25, 20, "mpeg4")
    assert info.duration_s == pytest.approx(0.8)
    assert probe(film(tmp_path / "a.mpg", 20, codec="mpeg1video")).frames is None


@pytest.mark.parametrize("size", [(2, 2), (64, 48)])
def test_one_frame(tmp_path: Path, film: Film, size: tuple[int, int]):
    frames = list(read_video(film(tmp_path / "a.mp4", 1, size=size)))
    assert [(f.index, f.time_s, f.image.shape) for f in frames] == [(0, 0.0, (size[1], size[0], 3))]


def test_sound_longer_than_the_picture_is_no_damage(tmp_path: Path, film: Film):
    for name in ("a.mp4", "a.mkv"):
        frames, problem = readable(film(tmp_path / name, 20, audio_s=3))
        assert (len(frames), problem) == (20, "")


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"movflags": "faststart"}),
        ("a.mkv", "mpeg4", {}),
        ("a.avi", "mpeg4", {}),
        ("a.mpg", "mpeg1video", {}),
    ],
)
def test_a_file_cut_in_the_middle_gives_its_beginning_and_then_says_so(
    tmp_path: Path, film: Film, name: str, codec: str, options: dict[str, str]
):
    content = film(tmp_path / name, 50, (320, 240), codec=codec, options=options).read_bytes()
    cut = tmp_path / f"cut-{name}"
    cut.write_bytes(content[: int(len(content) * 0.6)])
    frames, problem = readable(cut)
    assert 5 <= len(frames) < 45
    assert [number_of(frame.image) for frame in frames] == list(range(len(frames))), "a patched picture was given"
    assert str(cut) in problem
    assert "cut short" in problem or "damaged" in problem
    assert f"{len(frames)} " in problem


def test_a_cut_mp4_without_its_index_cannot_be_opened(tmp_path: Path, film: Film):
    content = film(tmp_path / "a.mp4", 50).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) // 2])
    with pytest.raises(VideoError, match=r"cut\.mp4: cannot be opened as a video, or is cut short"):
        list(read_video(tmp_path / "cut.mp4"))


def _text(path: Path) -> None:
    path.write_text("this is a text\n" * 100)


def _audio(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as box:
        stream = box.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        box.mux(stream.encode(frame))
        box.mux(stream.encode())


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.mp4", lambda path: None, "no such video file"),
        ("a.mp4", lambda path: path.mkdir(), "no such video file"),
        ("a.mp4", lambda path: path.touch(), "zero bytes; expected a video"),
        ("a.mp4", _text, "cannot be opened as a video"),
        ("a.txt", _text, "not a video; expected moving pictures"),
        ("a.mp4", _audio, "audio only; expected moving pictures"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, name: str, make: Callable[[Path], None], message: str):
    make(tmp_path / name)
    for read in (probe, lambda path: list(read_video(path))):
        with pytest.raises(VideoError, match=message):
            read(tmp_path / name)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "frames", "shape"),
    [
        ("grid/bbaf2n.mpg", 75, (288, 360)),
        ("pyfeat_single_face.mp4", 72, (360, 640)),
        ("pyfeat_noface_face.mov", 169, (540, 960)),
        ("pyfeat_no_face.mp4", 95, (540, 960)),
    ],
)
def test_real_videos(shared: Path, name: str, frames: int, shape: tuple[int, int]):
    path = shared / "realdata" / "videos" / name
    times = []
    for frame in read_video(path):
        assert frame.image.shape[:2] == shape
        times.append(frame.time_s)
    assert len(times) == frames
    assert (np.diff(times) > 0).all()
