"""Scores of quadrants: by hand, against scikit-learn, and where they are not defined."""

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

from anclaf.metrics.classification import LEAST, QuadrantScores


def test_by_hand():
    q = [[0.7, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1], [0.25, 0.5, 0.125, 0.125], [0.1, 0.2, 0.3, 0.4]]
    scores = QuadrantScores.of(q, [0, 0, 1, 0])
    # of the three frames of quadrant 0 two are right, the one of quadrant 1 is
    assert scores.accuracy == pytest.approx(3 / 4)
    assert scores.balanced_accuracy == pytest.approx((2 / 3 + 1) / 2)
    assert scores.cross_entropy == pytest.approx(-(math.log(0.7 * 0.4 * 0.5 * 0.1)) / 4)
    assert scores.frames == 4


def test_against_scikit_learn():
    rng = np.random.default_rng(0)
    q, label = rng.dirichlet(np.ones(4), 500), rng.integers(0, 4, 500)
    scores = QuadrantScores.of(q, label)
    assert scores.accuracy == pytest.approx(accuracy_score(label, q.argmax(1)))
    assert scores.balanced_accuracy == pytest.approx(balanced_accuracy_score(label, q.argmax(1)))
    assert scores.cross_entropy == pytest.approx(log_loss(label, q))


def test_a_constant_is_no_better_than_its_largest_class():
    label = np.repeat([0, 1, 2, 3], [50, 30, 15, 5])
    prior = np.bincount(label) / len(label)
    scores = QuadrantScores.of(np.tile(prior, (len(label), 1)), label)
    assert (scores.accuracy, scores.balanced_accuracy) == (0.5, 0.25)
    assert scores.cross_entropy == pytest.approx(-(prior * np.log(prior)).sum())


def test_impossible_quadrants_do_not_make_the_mean_infinite():
    assert QuadrantScores.of([[1, 0, 0, 0]], [1]).cross_entropy == pytest.approx(-math.log(LEAST))


def test_no_frames_and_wrong_shapes():
    empty = QuadrantScores.of(np.empty((0, 4)), [])
    assert empty.frames == 0
    assert math.isnan(empty.balanced_accuracy)
    with pytest.raises(ValueError, match=r"got probabilities \(2, 3\) and labels \(2,\); expected \(N, 4\)"):
        QuadrantScores.of(np.ones((2, 3)), [0, 1])
    with pytest.raises(ValueError, match="not one of 0 to 3"):
        QuadrantScores.of(np.ones((1, 4)), [4])
