import numpy as np

from anclaf.core.windows import segments, with_lead_in

SEGMENTS = [np.arange(0, 5), np.arange(5, 12)]


def test_the_frames_before_a_window_come_with_it():
    windows = np.array([[9, 10, 11], [6, 7, 8], [5, 6, 7], [2, 3, 4]])
    got, marks = with_lead_in(windows, np.ones(windows.shape, bool), SEGMENTS, 3)
    assert got.tolist() == [
        [6, 7, 8, 9, 10, 11],
        [5, 6, 7, 8, 8, 8],  # one frame before it, and its last is repeated
        [5, 6, 7, 7, 7, 7],  # none: the segment begins here
        [0, 1, 2, 3, 4, 4],
    ]
    assert marks.sum(1).tolist() == [3, 3, 3, 3]
    np.testing.assert_array_equal(got[marks].reshape(windows.shape), windows)


def test_marks_go_with_their_frames():
    """Windows shorter than the others, which end in a repeated frame already."""
    windows = np.array([[5, 6, 6], [8, 9, 10]])
    scored = np.array([[False, True, False], [False, False, True]])
    got, marks = with_lead_in(windows, scored, SEGMENTS, 2)
    assert got.tolist() == [[5, 6, 6, 6, 6], [6, 7, 8, 9, 10]]
    assert np.argwhere(marks).tolist() == [[0, 1], [1, 4]]


def test_without_a_lead_in_nothing_changes():
    windows = np.array([[9, 10, 11], [2, 3, 4]])
    got, marks = with_lead_in(windows, windows > 3, SEGMENTS, 0)
    np.testing.assert_array_equal(got, windows)
    np.testing.assert_array_equal(marks, windows > 3)


def test_segments_by_number_join_no_gap():
    clip, time = np.array(["a"] * 6), np.array([0, 1, 2, 4, 5, 5.1]) / 25
    assert segments(clip, time, 25) == [(0, 6)]
    assert segments(clip, time, 25, np.array([1, 2, 3, 5, 6, 7])) == [(0, 3), (3, 6)]
    assert segments(clip[:0], time[:0], 25, np.array([], np.int64)) == []
