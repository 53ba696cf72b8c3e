from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from anclaf.core.errors import ConfigError, VideoError
from anclaf.inference.source import open_source


def test_images_of_a_folder_come_by_the_number_in_their_name(tmp_path: Path):
    for k in (0, 2, 10, 9):
        Image.fromarray(np.full((4, 4, 3), k, np.uint8)).save(tmp_path / f"frame{k}.png")
    (tmp_path / "notes.txt").touch()
    source = open_source(tmp_path, image_fps=10)
    frames = list(source.read())
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 2, 9, 10]
    assert [frame.time_s for frame in frames] == [0, 0.1, 0.2, 0.3]
    assert (source.name, source.fps, source.frames) == (tmp_path.name, 10, 4)


def test_one_image_is_one_frame(tmp_path: Path):
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / "a.b.JPG")
    source = open_source(tmp_path / "a.b.JPG")
    assert [frame.image.shape for frame in source.read()] == [(4, 6, 3)]
    assert (source.name, source.frames) == ("a.b", 1)


@pytest.mark.realdata
def test_a_video_says_its_frame_rate(shared: Path):
    source = open_source(shared / "realdata" / "videos" / "pyfeat_single_face.mp4")
    assert (source.name, source.fps, source.frames) == ("pyfeat_single_face", 30, 72)


def test_what_cannot_be_read_is_refused(tmp_path: Path, folder_of: Callable[[Path, Sequence[NDArray]], Path]):
    with pytest.raises(VideoError, match="no such video file"):
        open_source(tmp_path / "none.mp4")
    with pytest.raises(VideoError, match="a folder without images; expected"):
        open_source(folder_of(tmp_path / "empty", []))
    with pytest.raises(ConfigError, match="image_fps 0: expected a positive number"):
        open_source(tmp_path, image_fps=0)
