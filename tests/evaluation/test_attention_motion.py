"""Attention against motion: known answers, missing values, intervals over people."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.attention_motion import (
    OFFSETS,
    Attended,
    attended,
    landmark_motion,
    mean_correlation,
    variance_of_place,
    within_window,
)
from anclaf.report.sections.attention import verdicts
from fake_run import FakeRun

RNG = np.random.default_rng(0)
MOTION = RNG.gamma(2.0, size=(400, 7))
PEOPLE = np.repeat([f"person {k}" for k in range(8)], 50)


def softmax(score: np.ndarray) -> np.ndarray:
    return np.exp(score) / np.exp(score).sum(1, keepdims=True)


def test_known_answers() -> None:
    follows = mean_correlation(within_window(softmax(MOTION), MOTION), PEOPLE)
    avoids = mean_correlation(within_window(softmax(-MOTION), MOTION), PEOPLE)
    ignores = mean_correlation(within_window(softmax(RNG.normal(size=MOTION.shape)), MOTION), PEOPLE)
    assert (follows.value, follows.low, follows.high) == pytest.approx((1, 1, 1))
    assert (avoids.value, avoids.low, avoids.high) == pytest.approx((-1, -1, -1))
    assert ignores.low < 0 < ignores.high
    assert ignores.high - ignores.low < 0.15
    assert (follows.frames, follows.subjects) == (400, 8)


def test_each_window_is_spearmans() -> None:
    weights = softmax(RNG.normal(size=MOTION.shape))
    found = within_window(weights, MOTION)
    for i in range(0, 400, 40):
        assert found[i] == pytest.approx(spearmanr(weights[i], MOTION[i])[0])


def test_unit_and_length_of_the_window_do_not_matter() -> None:
    weights = softmax(RNG.normal(size=MOTION.shape))
    np.testing.assert_allclose(within_window(5 * weights - 1 / 7, 100 * MOTION), within_window(weights, MOTION))


def test_what_is_not_defined_is_left_out() -> None:
    weights = np.array([[0.5, 0.3, 0.2], [1 / 3, 1 / 3, 1 / 3], [0.5, np.nan, 0.5], [0.2, 0.3, 0.5]])
    motion = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [np.nan, 2.0, 1.0]])
    np.testing.assert_array_equal(within_window(weights, motion), [1, np.nan, np.nan, np.nan])
    assert np.isnan(within_window(np.ones((2, 1)), np.ones((2, 1)))).all(), "SA-2 has nothing to choose between"
    nothing = mean_correlation(np.full(3, np.nan), np.array(["a", "b", "c"]))
    assert np.isnan(nothing.value)
    assert nothing.frames == 0
    one = mean_correlation(np.array([0.2, 0.4]), np.array(["a", "a"]))
    assert one.value == pytest.approx(0.3)
    assert np.isnan(one.low), "one person says nothing of others"


def test_interval_is_over_people_and_not_over_frames() -> None:
    """A hundred equal frames of each of two people are two people."""
    values = np.repeat([0.0, 1.0], 100)
    found = mean_correlation(values, np.repeat(["a", "b"], 100))
    assert (found.low, found.high) == (0.0, 1.0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    folder = tmp_path_factory.mktemp("motion")
    FakeRun(clips=6, frames=20, variants=("base",)).write(folder)
    return PreparedCorpus.open(folder / "people_1")


def test_motion_is_how_far_the_points_went(corpus: PreparedCorpus) -> None:
    moved = landmark_motion(corpus)
    assert np.flatnonzero(np.isnan(moved)).tolist() == [0, 20, 40, 60, 80, 100], "a clip's first frame has none"
    points = corpus.source_landmarks
    expected = np.mean([np.hypot(*(points[7, p] - points[6, p])) for p in range(5)]) / 32
    assert moved[7] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("offset", [-1, 0, 2])
def test_weights_are_set_against_the_motion_of_their_own_state(corpus: PreparedCorpus, offset: int) -> None:
    """Weights made from the motion so many frames after each state follow it there, and nowhere else."""
    n = 6
    moved = landmark_motion(corpus)
    rows = np.arange(len(corpus))
    place = rows[:, None] - 1 - np.arange(n - 1) + offset
    weights = softmax(50 * np.nan_to_num(moved)[place % len(corpus)])
    weights[rows % 20 < n - 1] = np.nan
    table = corpus.index[["clip", "subject", "frame"]]
    windows = attended(corpus, [(table, weights, rows)])
    assert len(windows.weights) == 6 * 15
    found = {k: windows.correlation(k, resamples=50) for k in OFFSETS}
    assert found[offset].value == pytest.approx(1)
    assert all(abs(found[k].value) < 0.5 for k in OFFSETS if k != offset)
    # windows whose motion would lie outside the clip are left out
    assert found[0].frames == 6 * 14
    assert found[3].frames == 6 * 13


def test_place_in_the_window_can_be_taken_off(corpus: PreparedCorpus) -> None:
    """A model that weighs by place alone has nothing left to follow with."""
    rows = np.arange(len(corpus))
    weights = np.tile(np.array([0.5, 0.3, 0.15, 0.05]), (len(rows), 1))
    table = pd.DataFrame({"subject": corpus.subjects})
    windows = attended(corpus, [(table, np.where((rows % 20 >= 4)[:, None], weights, np.nan), rows)])
    assert np.isfinite(windows.correlation().value)
    assert np.isnan(windows.correlation(beyond_place=True).value)


def test_words_fall_as_the_numbers_do() -> None:
    up, down = (mean_correlation(np.array([x, x]), np.array(["a", "b"])) for x in (0.3, -0.2))
    open_ = mean_correlation(np.array([-0.5, 0.5]), np.array(["a", "b"]))
    first, second = verdicts(["SA-4", "SA-8", "SA-16"], [up, down, open_], [open_, open_, up])
    assert "as the paper says, in SA-4 (0.300)" in first
    assert "against the paper, in SA-8 (-0.200)" in first
    assert "no relation is shown in SA-16 (0.000)" in first
    assert "as the paper says, in SA-16 (0.300); no relation is shown in SA-4 (0.000), SA-8 (0.000)" in second


def test_share_of_place() -> None:
    """All of it where every window has the same weights, none where each place is as heavy as any other."""
    fixed = np.tile(softmax(np.arange(7.0)[None]), (400, 1))
    found = variance_of_place(fixed, PEOPLE)
    assert (found.value, found.low, found.high) == pytest.approx((1, 1, 1))
    free = variance_of_place(softmax(3 * RNG.normal(size=(400, 7))), PEOPLE)
    assert 0 <= free.value < 0.02
    mixed = np.where((np.arange(400) % 2 == 0)[:, None], fixed, softmax(np.roll(np.arange(7.0), 3)[None]))
    found = variance_of_place(mixed, PEOPLE)
    total, within = ((mixed - 1 / 7) ** 2).sum(), ((mixed - mixed.mean(0)) ** 2).sum()
    assert found.value == pytest.approx(1 - within / total)
    assert np.isnan(variance_of_place(np.full((400, 7), 1 / 7), PEOPLE).value), "nothing varies"
    assert np.isnan(variance_of_place(np.ones((400, 1)), PEOPLE).value), "SA-2 has nothing to choose between"


def test_intensity_is_spearmans_across_windows() -> None:
    strength = MOTION.mean(1)
    sharp = softmax(strength[:, None] * np.linspace(0, 2, 7))
    windows = Attended(sharp, {0: MOTION}, PEOPLE)
    assert windows.intensity().value == pytest.approx(1, abs=1e-6)
    noisy = softmax((strength + RNG.normal(size=400))[:, None] * np.linspace(0, 2, 7))
    found = Attended(noisy, {0: MOTION}, PEOPLE).intensity()
    assert found.value == pytest.approx(spearmanr((noisy**2).sum(1), strength)[0], abs=1e-3)
    assert found.low < found.value < found.high
    unknown = MOTION.copy()
    unknown[:50, 2] = np.nan
    assert Attended(noisy, {0: unknown}, PEOPLE).intensity().frames == 350
    assert np.isnan(Attended(np.tile(sharp[:1], (400, 1)), {0: MOTION}, PEOPLE).intensity().value)
