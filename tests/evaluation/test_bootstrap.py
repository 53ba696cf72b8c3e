"""Bootstrap over subjects: sums against whole frames, resamples against re-indexing, coverage, and paired p values."""

import time

import numpy as np
import pandas as pd
import pytest

from anclaf.evaluation.bootstrap import DIMENSIONS, Sums, compare, draws, intervals
from anclaf.metrics.regression import METRICS, metrics


def predictions(
    subjects: int = 12, frames: int = 30, error: float = 2.0, seed: int = 0, labels: int = 0, bias: float = 0.0
) -> pd.DataFrame:
    """AFEW-VA's units; each person has an offset of their own, so frames of one are alike. labels: their seed."""
    rng, truth = np.random.default_rng((seed, 1)), np.random.default_rng((labels, 2))
    n = subjects * frames
    table = pd.DataFrame(
        {
            "clip": np.repeat([f"c{i:03d}" for i in range(2 * subjects)], frames // 2),
            "subject": np.repeat([f"s{i:03d}" for i in range(subjects)], frames),
            "frame": np.tile(np.arange(frames // 2), 2 * subjects),
        }
    )
    for name in DIMENSIONS:
        table[name] = np.repeat(truth.normal(0, 3, subjects), frames) + truth.normal(0, 2, n)
        offset = np.repeat(rng.normal(0, error, subjects), frames)
        table[f"{name}_hat"] = table[name] + offset + rng.normal(0, error, n) + bias
    return table


def test_sums_give_the_metrics_of_the_frames():
    table = predictions()
    scores = Sums.of(table, "subject", 0.5).scores()
    for name in DIMENSIONS:
        expected = metrics(table[f"{name}_hat"].to_numpy(), table[name].to_numpy(), 0.5)
        assert {metric: float(value) for metric, value in scores[name].items()} == pytest.approx(expected, abs=1e-10)
    for metric in METRICS:
        both = scores["valence"][metric] + scores["arousal"][metric]
        assert float(scores["mean"][metric]) == pytest.approx(float(both) / 2)


def test_sums_within_each_group():
    table = predictions(subjects=4)
    sums = Sums.of(table, "clip", 0.0)
    scores = sums.scores_per_group()
    for g, clip in enumerate(sums.groups):
        rows = table[table["clip"] == clip]
        expected = metrics(rows["arousal_hat"].to_numpy(), rows["arousal"].to_numpy())
        assert {m: v[g] for m, v in scores["arousal"].items()} == pytest.approx(expected, abs=1e-9)


def test_sums_far_from_zero_keep_their_precision():
    table = predictions()
    moved = table.copy()
    moved[["valence", "valence_hat", "arousal", "arousal_hat"]] += 1e5
    for name in DIMENSIONS:
        a, b = Sums.of(table, "subject", 0.0).scores()[name], Sums.of(moved, "subject", 1e5).scores()[name]
        assert {m: float(v) for m, v in a.items()} == pytest.approx({m: float(v) for m, v in b.items()}, abs=1e-7)


def test_a_resample_equals_the_frames_written_out_again():
    table = predictions(subjects=6)
    sums = Sums.of(table, "subject", 0.0)
    counts = draws(6, 20, seed=3)
    assert (counts.sum(1) == 6).all()
    resampled = sums.scores(counts)
    for r, count in enumerate(counts):
        again = pd.concat(
            [table[table["subject"] == s] for s, k in zip(sums.groups, count, strict=True) for _ in range(k)]
        )
        expected = metrics(again["valence_hat"].to_numpy(), again["valence"].to_numpy())
        assert {m: v[r] for m, v in resampled["valence"].items()} == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.3])
def test_a_constant_estimate_has_no_correlation_and_no_interval(value: float):
    table = predictions().assign(valence_hat=value)
    sums = Sums.of(table, "subject", 0.0)
    scores, ci95 = sums.scores(), intervals(sums, 200)
    for metric in ("cor", "ccc", "icc"):
        assert np.isnan(scores["valence"][metric])
        assert np.isnan(scores["mean"][metric])
        assert np.isnan(ci95["valence"][metric]).all()
        assert np.isfinite(scores["arousal"][metric])
    assert np.isfinite(ci95["valence"]["rmse"]).all()


def test_one_subject_has_no_interval():
    sums = Sums.of(predictions(subjects=1), "subject", 0.0)
    assert np.isnan(intervals(sums)["arousal"]["rmse"]).all()
    assert np.isfinite(sums.scores()["arousal"]["rmse"])


def test_intervals_hold_the_value_and_are_the_same_for_a_seed():
    sums = Sums.of(predictions(), "subject", 0.0)
    ci95, scores = intervals(sums, seed=1), sums.scores()
    for dimension, of in ci95.items():
        for metric, (low, high) in of.items():
            assert low < float(scores[dimension][metric]) < high
    assert intervals(sums, seed=1) == ci95
    assert intervals(sums, seed=2) != ci95


def test_people_not_frames_decide_how_wide_an_interval_is():
    """Ten times the frames of the same people say little more: their offsets stay."""
    few, many = (
        np.ptp(intervals(Sums.of(predictions(20, frames), "subject", 0.0))["valence"]["rmse"]) for frames in (20, 200)
    )
    more_people = np.ptp(intervals(Sums.of(predictions(200, 20), "subject", 0.0))["valence"]["rmse"])
    assert many > 0.6 * few
    assert more_people < 0.5 * few


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """RMSE of estimate = label + offset of the person + noise, over new people: sqrt(2² + 2²)."""
    truth = np.sqrt(8)
    held = 0
    for seed in range(60):
        low, high = intervals(Sums.of(predictions(40, 10, seed=seed, labels=seed), "subject", 0.0), 300)["valence"][
            "rmse"
        ]
        held += low < truth < high
    assert 50 <= held <= 60  # 57 expected


def test_a_better_variant_is_found_better():
    better, worse = predictions(40, error=1.0, seed=1), predictions(40, error=2.0, seed=2)
    found = {(c.dimension, c.metric): c for c in compare(better, worse, 0.0)}
    assert set(found) == {(d, m) for d in ("valence", "arousal", "mean") for m in METRICS}
    ccc, rmse = found["valence", "ccc"], found["valence", "rmse"]
    assert ccc.difference > 0.1
    assert rmse.difference < -0.5
    for one in (ccc, rmse):
        assert one.p == pytest.approx(2 / 1001)
        assert one.ci95[0] < one.difference < one.ci95[1]
        assert one.ci95[0] * one.ci95[1] > 0
    # the other way round everything changes its sign
    back = {(c.dimension, c.metric): c for c in compare(worse, better, 0.0)}["valence", "ccc"]
    assert back.difference == pytest.approx(-ccc.difference)
    assert back.ci95 == pytest.approx([-ccc.ci95[1], -ccc.ci95[0]])
    assert back.p == pytest.approx(ccc.p)


def test_a_variant_is_no_different_from_itself():
    table = predictions()
    for one in compare(table, table, 0.0, 100):
        assert (one.difference, one.ci95, one.p) == (0.0, [0.0, 0.0], 1.0)


def test_equal_variants_are_seldom_found_different():
    small = 0
    for seed in range(60):
        a, b = (predictions(30, 10, seed=2 * seed + k, labels=seed) for k in (0, 1))
        found = {(c.dimension, c.metric): c.p for c in compare(a, b, 0.0, 300)}
        small += found["valence", "rmse"] < 0.05
    assert small <= 9  # 3 expected


def test_pairing_sees_what_two_intervals_do_not():
    a = predictions(30, error=2.0, seed=1)
    b = a.copy()
    for name in DIMENSIONS:
        b[f"{name}_hat"] = a[name] + 1.05 * (a[f"{name}_hat"] - a[name])
    one = {(c.dimension, c.metric): c for c in compare(a, b, 0.0)}["valence", "rmse"]
    of_a, of_b = (intervals(Sums.of(t, "subject", 0.0))["valence"]["rmse"] for t in (a, b))
    assert of_a[1] > of_b[0]
    assert one.p < 0.01


def test_only_frames_that_both_have_are_compared():
    a, b = predictions(seed=1), predictions(seed=2)
    fewer = b[b["frame"] < 8].sample(frac=1, random_state=0)
    found = {(c.dimension, c.metric): c.difference for c in compare(a, fewer, 0.0, 50)}
    of_a, of_b = (t[t["frame"] < 8] for t in (a, b))
    for name in DIMENSIONS:
        ccc_a, ccc_b = (metrics(t[f"{name}_hat"].to_numpy(), t[name].to_numpy())["ccc"] for t in (of_a, of_b))
        assert found[name, "ccc"] == pytest.approx(ccc_a - ccc_b)


def test_what_cannot_be_compared_is_left_out():
    assert compare(predictions(1), predictions(1, seed=5), 0.0) == []
    a, b = predictions(), predictions(seed=2)
    assert compare(a, b[:0], 0.0) == []
    found = compare(a.assign(valence_hat=0.0), b, 0.0, 50)
    assert {(c.dimension, c.metric) for c in found} == {
        *((d, m) for d in ("valence", "mean") for m in ("rmse", "sagr")),
        *(("arousal", m) for m in METRICS),
    }


def test_a_thousand_resamples_of_many_frames_are_quick():
    sums = Sums.of(predictions(240, 200), "subject", 0.0)
    start = time.perf_counter()
    intervals(sums, 1000)
    assert time.perf_counter() - start < 2
