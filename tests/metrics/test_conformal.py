"""Coverage of people who were not there, worked numbers, and what must not change them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from anclaf.core.errors import ConfigError
from anclaf.metrics.conformal import least_people, person_quantile, person_weights


def test_weights_by_hand():
    people = np.array(["a", "b", "b", "b", "c"])
    np.testing.assert_allclose(person_weights(people), [1 / 4, 1 / 12, 1 / 12, 1 / 12, 1 / 4])


def test_a_quantile_by_hand():
    # of 2 people a third each, and a third at infinity: 1/6 a frame
    scores, people = np.array([3.0, 1.0, 2.0, 9.0]), np.array(["a", "a", "b", "b"])
    assert [person_quantile(scores, people, level) for level in (1 / 6, 2 / 6, 3 / 6, 4 / 6)] == [1, 2, 3, 9]
    assert person_quantile(scores, people, 0.67) == math.inf


def test_with_one_frame_each_it_is_split_conformal():
    rng = np.random.default_rng(0)
    for count in (9, 19, 30, 101):
        scores = rng.exponential(size=count)
        expected = np.sort(scores)[math.ceil(0.9 * (count + 1)) - 1]
        assert person_quantile(scores, np.arange(count), 0.9) == expected


@pytest.mark.parametrize(("level", "least"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_too_few_people_leave_it_open(level: float, least: int):
    assert least_people(level) == least
    frames = np.arange(200)
    for count in (1, least - 1, least, least + 1):
        if count:
            found = person_quantile(frames.astype(float), frames % count, level)
            assert math.isfinite(found) == (count >= least)


@given(st.integers(1, 12), st.integers(0, 10_000), st.floats(0.05, 0.95))
def test_what_changes_nothing(count: int, seed: int, level: float):
    rng = np.random.default_rng(seed)
    people = np.concatenate([np.arange(count), rng.integers(0, count, 40)])
    scores = rng.normal(size=len(people))
    found = person_quantile(scores, people, level)
    order = rng.permutation(len(people))
    assert person_quantile(scores[order], people[order], level) == found
    again = np.flatnonzero(people == people[0])  # one person filmed twice as fast is still one
    twice = np.concatenate([np.arange(len(people)), again])
    assert person_quantile(scores[twice], people[twice], level) == found
    assert person_quantile(scores, people, min(level + 0.04, 0.99)) >= found
    assert person_quantile(2 * scores, people, level) == 2 * found


def people_like(rng: np.random.Generator, count: int) -> tuple[NDArray, NDArray]:
    """Scores of so many people, of 1 to 60 frames each, who differ far more than their frames do."""
    frames = rng.integers(1, 61, count)
    people = np.repeat(np.arange(count), frames)
    size = np.exp(rng.normal(0, 1, count))[people]
    return size * np.abs(1 + 0.3 * rng.normal(size=len(people))), people


def coverage(quantile: float, scores: NDArray, people: NDArray) -> float:
    """Of frames, each person counting as one."""
    return float((np.bincount(people, scores <= quantile) / np.bincount(people)).mean())


@pytest.mark.parametrize("count", [9, 18, 40])
def test_it_covers_people_who_were_not_there(count: int):
    rng = np.random.default_rng(count)
    unseen = people_like(rng, 4000)
    by_person, by_frame = [], []
    for _ in range(400):
        scores, people = people_like(rng, count)
        by_person.append(coverage(person_quantile(scores, people, 0.9), *unseen))
        by_frame.append(coverage(float(np.quantile(scores, 0.9)), *unseen))
    error = 2 * np.std(by_person) / 400**0.5
    assert 0.9 - error <= np.mean(by_person) <= 0.9 + 1 / (count + 1) + error
    assert np.mean(by_frame) < np.mean(by_person) - 0.01, "frames taken for exchangeable cover less"


@pytest.mark.parametrize(
    ("scores", "people", "level", "message"),
    [
        ([], [], 0.9, "0 scores of 0 frames"),
        ([1.0, np.nan], [0, 1], 0.9, "2 scores of 2 frames: expected one number for each"),
        ([1.0], [0, 1], 0.9, "1 scores of 2 frames"),
        ([1.0], [0], 1.0, "level 1.0: expected a share above 0 and below 1"),
    ],
)
def test_what_is_refused(scores: list[float], people: list[int], level: float, message: str):
    with pytest.raises(ConfigError, match=message):
        person_quantile(np.array(scores), np.array(people), level)
