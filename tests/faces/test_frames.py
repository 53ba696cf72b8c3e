"""Frames of videos, of single images, and the addresses of cameras and network streams."""

import gc
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from anclaf.core.errors import VideoError
from anclaf.faces.frames import Address, VideoFrame, probe, read_video
from anclaf.faces.images import read_image

Film = Callable[..., Path]
PICTURE = np.random.default_rng(0).integers(0, 256, (6, 9, 3)).astype(np.uint8)


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


# images


def test_colours_of_an_image_are_kept(tmp_path: Path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PICTURE)


def test_grey_becomes_three_equal_channels(tmp_path: Path):
    Image.fromarray(PICTURE[..., 0]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PICTURE[..., :1].repeat(3, 2))


def test_sixteen_bit_grey_becomes_eight(tmp_path: Path):
    Image.fromarray(PICTURE[..., 0].astype(np.uint16) * 257).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PICTURE[..., :1].repeat(3, 2))


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "1"])
def test_other_modes_become_rgb(tmp_path: Path, mode: str):
    Image.fromarray(PICTURE).convert(mode).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.shape == PICTURE.shape
    assert image.dtype == np.uint8


def test_alpha_is_dropped(tmp_path: Path):
    clear = np.dstack([PICTURE, np.zeros(PICTURE.shape[:2], np.uint8)])
    Image.fromarray(clear).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PICTURE)


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (2, PICTURE[:, ::-1]),
        (3, PICTURE[::-1, ::-1]),
        (4, PICTURE[::-1]),
        (5, PICTURE.swapaxes(0, 1)),
        (6, np.rot90(PICTURE, 1)),
        (7, PICTURE[::-1, ::-1].swapaxes(0, 1)),
        (8, np.rot90(PICTURE, -1)),
    ],
)
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, stored: np.ndarray):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PICTURE)


def test_what_is_no_image_is_refused(tmp_path: Path):
    with pytest.raises(VideoError, match=r"none\.png: no such image file"):
        read_image(tmp_path / "none.png")
    (tmp_path / "zero.png").touch()
    with pytest.raises(VideoError, match=r"zero\.png: zero bytes; expected an image"):
        read_image(tmp_path / "zero.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(VideoError, match=r"text\.png: not an image of a known format"):
        read_image(tmp_path / "text.png")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif"])
def test_a_truncated_image_is_refused(tmp_path: Path, name: str):
    large = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(large).save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(VideoError, match="damaged image"):
        read_image(tmp_path / name)


def test_damaged_bytes_are_refused(tmp_path: Path):
    Image.fromarray(PICTURE.repeat(8, 0)).save(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = b"\0" * 40
    (tmp_path / "a.png").write_bytes(bytes(content))
    with pytest.raises(VideoError, match=r"a\.png: damaged image"):
        read_image(tmp_path / "a.png")


def test_floating_point_is_refused(tmp_path: Path):
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(VideoError, match=r"a\.tif: floating-point values, .* Scale them and save it so$") as error:
        read_image(tmp_path / "a.tif")
    assert "damaged" not in str(error.value)


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
FOREIGN = {
    "a HEIC picture, as phones take them; expected pictures or a video. Save it as PNG or JPEG": HEIC,
    "a zip archive; expected pictures or a video. Unpack it and give its folder": b"PK\x03\x04" + bytes(100),
    "a web page, not the file itself": b"\n<!DOCTYPE html><html>",
    "a Git LFS pointer, not the file itself": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "what macOS keeps beside a file, not the file itself": b"\0\x05\x16\x07" + bytes(60),
    "a PDF document": b"%PDF-1.7\n" + bytes(60),
    "an SVG drawing": b"<?xml version='1.0'?><svg></svg>",
}


@pytest.mark.parametrize("name", ["a.jpg", "a.mp4"])
@pytest.mark.parametrize("what", FOREIGN)
def test_what_a_file_is_that_is_no_picture(tmp_path: Path, name: str, what: str):
    (tmp_path / name).write_bytes(FOREIGN[what])
    with pytest.raises(VideoError, match=re.escape(f"{name}: {what}")):
        read_image(tmp_path / name) if name == "a.jpg" else next(read_video(tmp_path / name))


def animated(path: Path, levels: Sequence[int], ms: int | list[int], **more: Any) -> Path:
    """A film of plain pictures, red as told."""
    pictures = [Image.new("RGB", (32, 24), (level, 90, 90)) for level in levels]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=ms, **more)
    return path


FILMS = {"a.webp": {"lossless": True}, "a.png": {}, "a.apng": {"format": "PNG"}, "a.gif": {}, "a.avif": {"quality": 95}}


@pytest.mark.parametrize("name", FILMS)
def test_animated_pictures_are_videos(tmp_path: Path, name: str):
    path = animated(tmp_path / name, [0, 40, 80, 120, 160, 200], 40, **FILMS[name])
    frames = list(read_video(path))
    assert [frame.index for frame in frames] == list(range(6))
    assert [frame.time_s for frame in frames] == pytest.approx([0.04 * k for k in range(6)])
    assert [round(float(f.image[..., 0].mean()) / 40) for f in frames] == list(range(6))
    assert [frame.index for frame in read_video(path, 4)] == [4, 5]
    info = probe(path)
    assert (info.width, info.height, info.frames, round(info.fps, 6)) == (32, 24, 6, 25)
    with pytest.raises(VideoError, match=r"6 pictures in one file; expected one\. It can be given as a video"):
        read_image(path)


def test_an_animation_has_times_of_its_own(tmp_path: Path):
    path = animated(tmp_path / "a.webp", [0, 100, 200], [20, 300, 50], lossless=True)
    assert [frame.time_s for frame in read_video(path)] == pytest.approx([0, 0.02, 0.32])


@pytest.mark.parametrize("name", FILMS)
def test_one_picture_of_a_format_that_can_move_is_a_still(tmp_path: Path, name: str):
    Image.new("RGB", (8, 6), (200, 90, 90)).save(tmp_path / name, format="PNG" if name == "a.apng" else None)
    assert read_image(tmp_path / name).shape == (6, 8, 3)


@pytest.mark.realdata
def test_real_exif_variants_agree_with_the_upright_picture(shared: Path):
    images = shared / "realdata" / "images"
    upright = read_image(images / "pillow_hopper.jpg").astype(float)
    for orientation in range(2, 9):
        turned = read_image(images / f"pillow_hopper_orientation_{orientation}.jpg").astype(float)
        assert turned.shape == upright.shape
        assert np.abs(turned - upright).mean() < 6, orientation


# addresses


@pytest.mark.parametrize(
    ("name", "address", "file_name"),
    [
        ("rtsp://10.0.0.5:554/cam/1", Address("rtsp://10.0.0.5:554/cam/1"), "rtsp_10.0.0.5_554_cam_1"),
        ("http://host/talk.mp4", Address("http://host/talk.mp4"), "http_host_talk.mp4"),
        ("udp://239.0.0.1:1234", Address("udp://239.0.0.1:1234"), "udp_239.0.0.1_1234"),
        ("lavfi:testsrc=size=64x48", Address("testsrc=size=64x48", "lavfi"), "lavfi_testsrc_size_64x48"),
    ],
)
def test_streams_and_devices(name: str, address: Address, file_name: str):
    assert Address.parse(name) == address
    assert str(address) == name
    assert address.name == file_name


def test_secrets_are_not_shown():
    address = Address.parse("rtsp://ann:secret@host:554/cam?token=secret")
    assert address is not None
    assert address.url == "rtsp://ann:secret@host:554/cam?token=secret"
    assert (str(address), address.name) == ("rtsp://host:554/cam", "rtsp_host_554_cam")


@pytest.mark.parametrize("name", ["talk.mp4", r"C:\talks\a.mp4", "at 10:30.mp4", "mov:talk", "a/b:c.mp4"])
def test_files(name: str):
    assert Address.parse(name) is None


def test_a_file_that_exists_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("lavfi:testsrc").touch()
    assert Address.parse("lavfi:testsrc") is None


def test_a_device_of_another_platform_is_refused():
    with pytest.raises(VideoError, match="android_camera:0: this PyAV has no input device 'android_camera'"):
        Address.parse("android_camera:0")
