"""Ratings over time: at any moment, joined, and how raters agree."""

import numpy as np
import pandas as pd
import pingouin
import pytest

from anclaf.core.errors import CorpusError
from anclaf.core.labels import LabelScale
from anclaf.corpora.ratings import (
    JoinedRatings,
    Ratings,
    agreement,
    believed,
    evaluator_weights,
    weighted_mean,
)

nan = float("nan")


def test_a_bin_is_stamped_at_its_end():
    ratings = Ratings.bins([1, 2, 3], [10, nan, 30])
    assert ratings.start.tolist() == [0, 1, 2]
    found = ratings.at([-0.1, 0, 0.99, 1, 1.5, 2, 2.999, 3])
    np.testing.assert_array_equal(found, [nan, 10, 10, nan, nan, 30, 30, nan])


def test_bins_that_are_missing_are_gaps():
    ratings = Ratings.bins([0.5, 1, 2.5, 3], [1, 2, 3, 4])
    np.testing.assert_array_equal(ratings.at([0.2, 0.7, 1.2, 1.9, 2.2, 2.7]), [1, 2, nan, nan, 3, 4])


def test_a_single_bin_begins_with_the_video():
    assert Ratings.bins([4], [7]).at([0, 3.9]).tolist() == [7, 7]


def test_samples_hold_around_their_moment():
    ratings = Ratings.samples(np.arange(100) * 0.04, np.arange(100))
    frames = np.arange(100) / 25
    assert ratings.at(frames).tolist() == list(range(100)), "whatever rounding does"
    assert ratings.at(frames + 0.019).tolist() == list(range(100))
    assert np.isnan(ratings.at([-0.021, 3.99])).all()


def test_samples_with_a_gap():
    ratings = Ratings.samples([0, 0.1, 0.2, 1.0, 1.1], [0, 1, 2, 10, 11])
    np.testing.assert_array_equal(ratings.at([0.24, 0.26, 0.9, 0.96, 1.14, 1.16]), [2, nan, nan, 10, 11, nan])


def test_changes_hold_until_the_next_and_the_last_is_the_end():
    ratings = Ratings.changes([0, 2, 5], [0, 3, 0])
    np.testing.assert_array_equal(ratings.at([0, 1.9, 2, 4.9, 5, 9]), [0, 0, 3, 3, nan, nan])


def test_times_in_disorder_and_ties():
    ratings = Ratings.samples([2, 0, 1, 1, nan], [20, 0, 9, 10, 99])
    assert ratings.at([0, 1, 2]).tolist() == [0, 10, 20], "of one time the last"
    assert ratings.ties == 1


def test_no_rating_at_all():
    for make in (Ratings.bins, Ratings.samples, Ratings.changes):
        assert np.isnan(make([], []).at([0, 1])).all()
        assert np.isnan(make([], []).rate)


def test_what_is_outside_the_range_is_no_rating():
    ratings, out = Ratings.samples([0, 1, 2, 3], [-101, -100, nan, 100.1]).within(LabelScale(-100, 100))
    assert out == 2
    np.testing.assert_array_equal(ratings.value, [nan, -100, nan, nan])


def test_the_mean_of_those_who_rated():
    values = np.array([[1, nan, 3, nan], [3, 4, nan, nan], [100, nan, nan, 7]])
    np.testing.assert_array_equal(weighted_mean(values, np.array([1, 3, 0])), [2.5, 4, 3, nan])


def test_raters_of_different_rates_are_joined():
    slow, fast = Ratings.bins([1, 2], [0, 10]), Ratings.samples([0.25, 0.75, 1.25], [1, 2, 3])
    joined = JoinedRatings((slow, fast), (1.0, 1.0))
    np.testing.assert_array_equal(joined.at([0.1, 0.6, 1.1, 1.9, 2.1]), [0.5, 1, 6.5, 10, nan])


def test_evaluator_weights_by_hand():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=400)
    values = {name: truth + noise * rng.normal(size=400) for name, noise in (("good", 0.1), ("fair", 1), ("poor", 5))}
    values["against"] = -truth
    weights = evaluator_weights([values])
    for name in ("good", "fair", "poor"):
        others = np.mean([other for key, other in values.items() if key != name], 0)
        assert weights[name] == pytest.approx(max(0, np.corrcoef(values[name], others)[0, 1]))
    assert weights["against"] == 0
    assert weights["good"] > weights["fair"]
    scaled = evaluator_weights([{name: 3 * value + 1 for name, value in values.items()}])
    assert scaled == pytest.approx(weights), "a correlation does not know the scale"


def test_evaluator_weights_over_several_recordings_with_gaps():
    one = {"a": np.array([1.0, 2, 3, nan]), "b": np.array([1.0, 2, 4, 9]), "alone": np.full(4, nan)}
    two = {"a": np.array([5.0, 1]), "b": np.array([4.0, 2])}
    weights = evaluator_weights([one, two, {"c": np.array([1.0, 2])}])
    assert weights["a"] == pytest.approx(np.corrcoef([1, 2, 3, 5, 1], [1, 2, 4, 4, 2])[0, 1])
    assert np.isnan(weights["c"])
    assert np.isnan(weights["alone"])


@pytest.mark.parametrize(("raters", "shift"), [(2, 0.0), (4, 0.0), (3, 2.0)])
def test_agreement_against_pingouin(raters, shift):
    rng = np.random.default_rng(raters)
    values = rng.normal(size=60) + rng.normal(size=(raters, 60)) + shift * np.arange(raters)[:, None]
    table = pd.DataFrame(
        [(str(r), m, values[r, m]) for r in range(raters) for m in range(60)], columns=["rater", "moment", "value"]
    )
    expected = pingouin.intraclass_corr(table, targets="moment", raters="rater", ratings="value").set_index("Type")
    found = agreement(np.concatenate([values, np.full((raters, 1), nan)], 1))
    assert found.icc.a1.value == pytest.approx(expected.loc["ICC(A,1)", "ICC"], abs=1e-9), expected
    assert found.icc.ak.value == pytest.approx(expected.loc["ICC(A,k)", "ICC"], abs=1e-9), expected
    assert found.moments == 60
    pairs = [
        2 * np.cov(a, b, bias=True)[0, 1] / (a.var() + b.var() + (a.mean() - b.mean()) ** 2)
        for k, a in enumerate(values)
        for b in values[:k]
    ]
    assert found.ccc == pytest.approx(np.mean(pairs))


def test_agreement_that_is_undefined():
    for values in ([[0.1, 0.1, 0.1], [0.1, 0.1, 0.1]], [[1, nan], [nan, 2]]):
        found = agreement(np.array(values))
        assert np.isnan([found.ccc, *np.ravel(found.icc)]).all()
    with pytest.raises(ValueError, match="expected two or more"):
        agreement(np.zeros((1, 5)))


def test_bins_of_one_length_are_means_by_time():
    ratings = Ratings.changes([0, 0.6, 1.5, 2, 2.7], [0, 10, nan, 4, 0])
    found = ratings.binned(1.0)
    np.testing.assert_allclose(found.value, [0.4 * 10, 10])
    assert (found.start.tolist(), found.stop.tolist()) == ([0, 1], [1, 2]), "the last part is shorter, and dropped"
    np.testing.assert_allclose(ratings.binned(0.5).value, [0, 8, 10, nan, 4])
    assert ratings.binned(5).value.tolist() == []
    np.testing.assert_array_equal(Ratings.bins([1, 2], [nan, nan]).binned(1).value, [nan, nan])


def test_bins_stay_what_they_are():
    rng = np.random.default_rng(0)
    value = np.where(rng.random(400) < 0.1, nan, rng.normal(size=400) * 50)
    ratings = Ratings.bins(0.25 * np.arange(1, 401), value)
    np.testing.assert_allclose(ratings.binned(0.25).value, value, atol=1e-9)
    coarse = ratings.binned(1.0).value
    means = [np.nan if not np.isfinite(one).any() else np.nanmean(one) for one in value.reshape(100, 4)]
    np.testing.assert_allclose(coarse, np.array(means), atol=1e-9)


def test_who_is_believed():
    assert believed({"a": 0.5, "b": 0.0, "c": nan}, "valence") == {"a": 0.5, "b": 0.0, "c": 1.0}
    with pytest.raises(CorpusError, match="arousal: no rater agrees with the others"):
        believed({"a": 0.0, "b": nan}, "arousal")
