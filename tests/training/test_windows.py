"""Which windows a step of stage 2 takes, and which of their frames are in the loss."""

import numpy as np
import pytest

from anclaf.config import LossFrames, Stage2Config, WindowMode
from anclaf.training.windows import EveryEnd, Tiles, epoch_windows, loss_frames, window_draw

SEGMENTS = [np.arange(0, 11), np.arange(11, 14), np.arange(14, 30)]


def test_every_frame_is_the_scored_end_of_a_window_equally_often():
    draw = EveryEnd(SEGMENTS, 4, 10, seed=0)
    steps = [draw.at(step) for step in range(6)]  # 60 windows of 30 frames: two epochs
    assert all(scored.shape == positions.shape == (10, 4) for positions, scored in steps)
    ends = np.concatenate([positions[scored] for positions, scored in steps])
    assert (np.bincount(ends, minlength=30) == 2).all()
    assert (np.concatenate([scored for _, scored in steps]).sum(1) == 1).all(), "one frame a window"


def test_windows_are_those_of_sliding_tests():
    """Up to n frames that end at the scored one, fewer at a segment's start; padding comes after the end."""
    draw, lengths = EveryEnd(SEGMENTS, 4, 30, seed=1), set()
    positions, scored = draw.at(0)
    for row, mask in zip(positions, scored, strict=True):
        place = int(np.flatnonzero(mask)[0])
        end = row[place]
        segment = next(segment for segment in SEGMENTS if end in segment)
        assert row[: place + 1].tolist() == segment[max(0, end - segment[0] - 3) : end - segment[0] + 1].tolist()
        assert (row[place:] == end).all()
        lengths.add(place + 1)
    assert lengths == {1, 2, 3, 4}


def test_segments_need_not_be_one_after_the_other():
    positions, scored = EveryEnd([np.array([5, 7, 8])], 2, 3, seed=0).at(0)
    assert {tuple(row[: int(np.flatnonzero(mask)[0]) + 1]) for row, mask in zip(positions, scored, strict=True)} == {
        (5,), (5, 7), (7, 8),
    }  # fmt: skip


def test_windows_of_an_epoch_do_not_overlap():
    seen: set[int] = set()
    for seed in range(20):
        windows = epoch_windows(SEGMENTS, 4, np.random.default_rng(seed))
        frames = windows.reshape(-1)
        assert len(frames) == len(set(frames.tolist()))
        assert (np.diff(windows, axis=1) == 1).all()
        assert not set(range(11, 14)) & set(frames.tolist())
        seen |= set(frames.tolist())
    assert seen == set(range(11)) | set(range(14, 30))


def test_tiles_are_all_scored_and_follow_epochs():
    draw = Tiles(SEGMENTS, 4, 3, seed=0)
    late = draw.at(5)
    assert late.scored.all()
    again = Tiles(SEGMENTS, 4, 3, seed=0)
    for step in range(6):
        np.testing.assert_array_equal(draw.at(step).positions, again.at(step).positions)
    first = np.concatenate([again.at(step).positions for step in range(2)]).reshape(-1)  # six windows an epoch
    assert len(first) == len(set(first.tolist()))
    assert not np.array_equal(again.at(0).positions, again.at(2).positions), "each epoch is cut anew"


def test_a_draw_depends_on_seed_length_and_step():
    def at(seed: int, n: int, step: int) -> list[int]:
        positions, scored = EveryEnd(SEGMENTS, n, 12, seed).at(step)
        return positions[scored].tolist()

    assert at(0, 4, 3) == at(0, 4, 3)
    assert len({tuple(at(*key)) for key in ((0, 4, 3), (1, 4, 3), (0, 8, 3), (0, 4, 4))}) == 4


@pytest.mark.parametrize(
    ("choice", "windows", "expected"),
    [
        ("tested", "sliding", "last"),
        ("tested", "tumbling", "all"),
        ("last", "tumbling", "last"),
        ("all", "sliding", "all"),
    ],
)
def test_the_protocol_decides_unless_a_setting_does(choice: LossFrames, windows: WindowMode, expected: str):
    assert loss_frames(choice, windows) == expected


def test_sizes_of_a_step():
    config = Stage2Config(windows_per_step=6, frames_per_step=12)
    assert window_draw(SEGMENTS, 4, "last", config, 0).at(0).positions.shape == (6, 4)
    assert window_draw(SEGMENTS, 4, "all", config, 0).at(0).positions.shape == (3, 4)
