from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anclaf.core.errors import VideoError
from anclaf.faces.image import read_image

PICTURE = np.random.default_rng(0).integers(0, 256, (6, 9, 3)).astype(np.uint8)


def test_colours_are_kept(tmp_path: Path):
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
    with pytest.raises(VideoError, match="expected 8 or 16 bits a channel"):
        read_image(tmp_path / "a.tif")


@pytest.mark.realdata
def test_real_exif_variants_agree_with_the_upright_picture(shared: Path):
    images = shared / "realdata" / "images"
    upright = read_image(images / "pillow_hopper.jpg").astype(float)
    for orientation in range(2, 9):
        turned = read_image(images / f"pillow_hopper_orientation_{orientation}.jpg").astype(float)
        assert turned.shape == upright.shape
        assert np.abs(turned - upright).mean() < 6, orientation
