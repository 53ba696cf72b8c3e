"""What is taken for a video, and what hostile files get."""

from pathlib import Path

import pytest

from anclaf.app.limits import Limits, RefusedError
from anclaf.app.look import look_at, media_of, media_type
from app_helpers import HOSTILE, write_video


def test_a_video_is_described(tmp_path: Path):
    path = write_video(tmp_path / "a.mp4")
    look = look_at(path, Limits())
    assert (look.width, look.height, look.fps, look.frames, look.codec) == (64, 48, 25.0, 12, "h264")
    assert (media_of(path), look.first_s) == ("video/mp4", 0.0)
    assert look.duration_s == pytest.approx(0.48)


CONTAINERS = [("a.mov", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.mpg", "mpeg2video"),
              ("a.ts", "libx264"), ("a.flv", "flv"), ("a.webm", "libvpx"), ("a.asf", "msmpeg4")]  # fmt: skip


@pytest.mark.parametrize(("name", "codec"), CONTAINERS)
def test_every_kind_that_the_message_names_is_taken(tmp_path: Path, name: str, codec: str):
    look = look_at(write_video(tmp_path / name, codec=codec), Limits())
    assert (look.width, look.height) == (64, 48)


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_video_is_refused_in_one_line(tmp_path: Path, what: str):
    path = tmp_path / "talk.mp4"
    path.write_bytes(HOSTILE[what])
    with pytest.raises(RefusedError) as refused:
        look_at(path, Limits())
    assert str(refused.value).startswith("talk.mp4: ")
    assert "\n" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


def test_what_begins_as_text_is_never_given_to_a_decoder(tmp_path: Path):
    assert [media_type(HOSTILE[what]) for what in ("a playlist", "a list of files", "a session", "a page")] == [
        None
    ] * 4


SIZES = [((100_000, 1), "16 or more a side"), ((2, 50), "16 or more a side"), ((16, 16384), "at most 8192 a side"),
         ((128, 96), "at most 8192 a side and 12,000 together")]  # fmt: skip


@pytest.mark.parametrize(("size", "expected"), SIZES)
def test_frames_of_absurd_sizes_are_refused(tmp_path: Path, size: tuple[int, int], expected: str):
    path = write_video(tmp_path / "wide.mkv", frames=1, size=size, codec="ffv1", pixels="gray")
    with pytest.raises(RefusedError, match=rf"frames of {size[0]}×{size[1]} pixels; expected {expected}"):
        look_at(path, Limits(pixels=12_000 if size == (128, 96) else Limits().pixels))


def test_a_header_that_lies_about_its_size(tmp_path: Path):
    """65,535 × 1 pixels in the header of a file whose frames are others."""
    path = write_video(tmp_path / "lies.mp4", codec="mpeg4")
    data = path.read_bytes()
    # the sample entry of the picture: width and height, two bytes each
    at = data.index(b"mp4v") + 4 + 24
    assert data[at : at + 4] == bytes([0, 64, 0, 48])
    path.write_bytes(data[:at] + (65535).to_bytes(2, "big") + (1).to_bytes(2, "big") + data[at + 4 :])
    look = look_at(path, Limits())
    assert (look.width, look.height) == (64, 48), "what is decoded counts"


def test_a_decoder_that_breaks_or_takes_for_ever_breaks_nothing_else(tmp_path: Path):
    path = write_video(tmp_path / "a.mp4")
    with pytest.raises(RefusedError, match=r"its header took more than 0.001 s"):
        look_at(path, Limits(look_s=0.001))


def test_when_sound_begins_first_the_picture_s_own_beginning_is_known(tmp_path: Path):
    import av
    import numpy as np

    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as container:
        sound, video = container.add_stream("aac", rate=44100), container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"  # type: ignore[attr-defined]
        noise = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
        noise.rate, noise.pts = 44100, 0
        container.mux(sound.encode(noise))  # type: ignore[arg-type]
        for k in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 50 * k, np.uint8), format="rgb24")
            frame.pts = 10 + k
            container.mux(video.encode(frame))  # type: ignore[arg-type]
        container.mux(video.encode())  # type: ignore[call-arg]
        container.mux(sound.encode())  # type: ignore[call-arg]
    assert look_at(path, Limits()).first_s == pytest.approx(0.4, abs=0.05)
