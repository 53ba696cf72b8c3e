from typing import get_args

import numpy as np
import pytest

from anclaf.config import WindowMode
from anclaf.inference.window import FeatureWindow, TrackFrame


def feed(window: FeatureWindow, times: np.ndarray) -> list[list[int]]:
    """The windows after each frame; feature and matrix of frame k hold k."""
    frames = [TrackFrame(np.array([k], np.float32), np.full((2, 3), k)) for k in range(len(times))]
    windows = [window.add(float(time), frame) for time, frame in zip(times, frames, strict=True)]
    assert all(int(one.feature[0]) == one.matrix[0, 0] for found in windows for one in found)
    return [[int(one.feature[0]) for one in found] for found in windows]


def test_a_window_slides_and_grows_from_the_start():
    window = FeatureWindow(3, 25, 25)
    assert feed(window, np.arange(5) / 25) == [[0], [0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4]]


def test_a_window_of_one_is_the_newest_feature_and_always_full():
    for windows in get_args(WindowMode):
        window = FeatureWindow(1, 25, 50, windows)
        assert feed(window, np.array([0, 0, 0.02, 0.02, 7])) == [[0], [1], [2], [3], [4]]
        assert window.full


def test_full_says_when_it_is():
    window = FeatureWindow(3, 25, 25)
    full = []
    for k in range(4):
        window.add(k / 25, TrackFrame(np.zeros(1, np.float32), np.eye(2, 3)))
        full.append(window.full)
    assert full == [False, False, True, True]


def test_tumbling_windows_do_not_overlap():
    window = FeatureWindow(3, 25, 25, "tumbling")
    assert feed(window, np.arange(7) / 25) == [[0], [0, 1], [0, 1, 2], [3], [3, 4], [3, 4, 5], [6]]


def test_a_lead_in_is_what_there_is_before_the_window():
    window = FeatureWindow(2, 25, 25, lead_in=2)
    # a gap ends it as it ends the window
    times = np.array([0, 1, 2, 3, 4, 225]) / 25
    assert feed(window, times) == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [1, 2, 3, 4], [5]]
    full = []
    for k in range(4):
        window.add(20 + k / 25, TrackFrame(np.zeros(1, np.float32), np.eye(2, 3)))
        full.append(window.full)
    assert full == [False, True, True, True]


@pytest.mark.parametrize("fps", [25, 0])
def test_a_tumbling_window_has_the_one_before_as_its_lead_in(fps: float):
    window = FeatureWindow(3, fps, 25, "tumbling", lead_in=3)
    given = [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5], [3, 4, 5, 6], [3, 4, 5, 6, 7]]
    assert feed(window, np.arange(8) / 25) == given
    short = FeatureWindow(3, fps, 25, "tumbling", lead_in=1)
    assert feed(short, np.arange(5) / 25) == [[0], [0, 1], [0, 1, 2], [2, 3], [2, 3, 4]]


def test_it_goes_on_where_it_was():
    def given(window: FeatureWindow, frames: range) -> list[list[int]]:
        track = [TrackFrame(np.array([k], np.float32), np.eye(2, 3)) for k in frames]
        return [[int(f.feature[0]) for f in window.add(k / 30, frame)] for k, frame in zip(frames, track, strict=True)]

    for windows in get_args(WindowMode):
        whole, first, second = (FeatureWindow(3, 25, 30, windows, lead_in=3) for _ in range(3))
        expected = given(whole, range(20))
        assert given(first, range(11)) == expected[:11]
        second.restore(first.state())
        assert given(second, range(11, 20)) == expected[11:]


@pytest.mark.parametrize(("missing", "window"), [(1, [1, 2, 3, 3, 4]), (2, [2, 2, 3, 3, 4]), (3, [3, 4]), (9, [3, 4])])
def test_a_gap_of_more_than_three_and_a_half_periods_starts_anew(missing: int, window: list[int]):
    """A shorter one is filled with the nearest frames, the later where two are equally near."""
    times = np.array([0, 1, 2, 3 + missing, 4 + missing]) / 25
    assert feed(FeatureWindow(5, 25, 25), times)[-1] == window


def test_a_faster_video_is_thinned_out_to_the_models_instants():
    assert feed(FeatureWindow(4, 25, 50), np.arange(9) / 50)[-1] == [2, 4, 6, 8]
    assert feed(FeatureWindow(3, 25, 100), np.arange(12) / 100)[-1] == [3, 7, 11]
    thirty = feed(FeatureWindow(8, 25, 30), np.arange(30) / 30)[-1]
    np.testing.assert_allclose(np.array(thirty) / 30, 29 / 30 - np.arange(7, -1, -1) / 25, atol=0.5 / 30 + 1e-9)


def test_in_a_slower_video_frames_stand_for_their_neighbours():
    window = FeatureWindow(6, 25, 10)
    last = feed(window, np.arange(9) / 10)[-1]
    assert len(last) == 6
    assert window.full
    assert last == sorted(last)
    assert last[-1] == 8
    assert set(last) == {6, 7, 8}


@pytest.mark.parametrize("fps", [10, 12.5, 15, 23.976, 24, 25, 29.97, 30, 50, 59.94, 60, 120, 240])
def test_rounded_times_choose_the_same_frames(fps: float):
    exact = np.arange(200) / fps
    for rounded in (np.round(exact, 3), np.round(exact * 90000) / 90000):
        assert feed(FeatureWindow(8, 25, fps), exact) == feed(FeatureWindow(8, 25, fps), rounded)


def test_close_frame_rates_take_every_frame():
    for fps in (24, 25.0, 25.2):
        assert feed(FeatureWindow(8, 25, fps), np.arange(40) / fps)[-1] == list(range(32, 40))


def test_a_slow_video_is_no_gap():
    assert len(feed(FeatureWindow(4, 25, 5), np.arange(6) / 5)[-1]) == 4


def test_without_a_model_frame_rate_frames_are_taken_as_they_come():
    assert feed(FeatureWindow(3, 0, 7), np.arange(5) / 7)[-1] == [2, 3, 4]


@pytest.mark.parametrize("fps", [10, 25, 240])
def test_what_is_kept_does_not_grow(fps: float):
    for windows in get_args(WindowMode):
        for lead_in in (0, 8):
            window = FeatureWindow(8, 25, fps, windows, lead_in)
            feed(window, np.arange(3000) / fps)
            assert len(window._items) <= (8 + lead_in) * fps / 25 + 2
