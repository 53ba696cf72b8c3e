"""Metrics against hand, SciPy and pingouin; degenerate input. Their twins are tied in tests/losses."""

import warnings

import numpy as np
import pandas as pd
import pingouin
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import mean_squared_error

from anclaf.metrics.regression import (
    METRICS,
    ccc_score,
    cor_score,
    icc_score,
    metrics,
    rmse_error,
    sagr_score,
)


def series(frames: int = 80, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """AFEW-VA's units."""
    rng = np.random.default_rng(seed)
    target = rng.uniform(-9, 9, frames)
    return 0.6 * target + 1 + rng.normal(0, 2, frames), target


def test_values_worked_by_hand():
    estimate, target = [0.0, 1.0, 0.5], [0.25, 0.75, 1.25]
    # variances 1/6, covariance 1/12, means 1/4 apart; squared errors 1/16, 1/16, 9/16
    assert metrics(estimate, target, middle=0.6) == pytest.approx(
        {
            "rmse": np.sqrt(11 / 48),
            "cor": 0.5,
            "ccc": (1 / 6) / (1 / 3 + 1 / 16),
            "icc": 0.5,
            "sagr": 2 / 3,
        }
    )


@pytest.mark.parametrize("seed", range(3))
def test_independent_references(seed: int):
    estimate, target = series(seed=seed)
    assert rmse_error(estimate, target) == pytest.approx(np.sqrt(mean_squared_error(target, estimate)), abs=1e-6)
    assert cor_score(estimate, target) == pytest.approx(pearsonr(estimate, target)[0], abs=1e-6)
    assert icc_score(estimate, target) == pytest.approx(intraclass(estimate, target, "C"), abs=1e-6)
    # for many frames CCC is the ICC of absolute agreement (Nickerson 1997); repeated, a series keeps its moments
    agreement = intraclass(np.tile(estimate, 1000), np.tile(target, 1000), "A")
    assert ccc_score(estimate, target) == pytest.approx(agreement, abs=1e-5)


def intraclass(estimate: np.ndarray, target: np.ndarray, kind: str) -> float:
    """pingouin's ICC of single ratings, of consistency (C) or absolute agreement (A)."""
    long = pd.DataFrame(
        {
            "frame": np.tile(np.arange(len(target)), 2),
            "rater": np.repeat([0, 1], len(target)),
            "score": np.concatenate([estimate, target]),
        }
    )
    table = pingouin.intraclass_corr(long, targets="frame", raters="rater", ratings="score")
    (value,) = table.loc[table["Type"].isin([f"ICC({kind},1)", {"C": "ICC3", "A": "ICC2"}[kind]]), "ICC"]
    return float(value)


def test_invariances():
    estimate, target = series()
    assert cor_score(3 * estimate - 7, target) == pytest.approx(cor_score(estimate, target))
    assert icc_score(estimate + 5, target) == pytest.approx(icc_score(estimate, target))
    assert ccc_score(estimate + 5, target) < ccc_score(estimate, target) - 0.1
    order = np.random.default_rng(0).permutation(len(target))
    assert metrics(estimate[order], target[order]) == pytest.approx(metrics(estimate, target))
    # a corpus's units and [-1, 1] differ by an affine map of both: only RMSE follows the scale
    scaled = metrics(estimate / 10 + 0.5, target / 10 + 0.5, middle=0.5)
    same = metrics(estimate, target)
    assert scaled == pytest.approx(same | {"rmse": same["rmse"] / 10})


def test_perfect_and_reversed():
    _, target = series()
    assert metrics(target, target) == pytest.approx({"rmse": 0, "cor": 1, "ccc": 1, "icc": 1, "sagr": 1})
    assert cor_score(-target, target) == pytest.approx(-1)


def test_sagr_is_about_the_middle_of_the_scale():
    estimate, target = [0.2, 0.6, 0.7, 0.1], [0.3, 0.9, 0.1, 0.8]
    assert sagr_score(estimate, target, middle=0.5) == 0.5
    assert sagr_score(estimate, target, middle=0.0) == 1
    # a label on the middle has no side; only an estimate on it agrees
    assert sagr_score([0.0, 0.1, -0.1], [0.0, 0.0, 0.0]) == pytest.approx(1 / 3)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, -7.0, 1e6])
def test_constant_series_have_no_correlation(value: float):
    moving, flat = np.linspace(-1, 1, 7), np.full(7, value)
    for estimate, target in ((flat, moving), (moving, flat), (flat, flat)):
        for score in (cor_score, ccc_score, icc_score):
            with pytest.warns(RuntimeWarning, match="not defined"):
                assert np.isnan(score(estimate, target))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert rmse_error(estimate, target) >= 0
            assert 0 <= sagr_score(estimate, target) <= 1


@pytest.mark.parametrize(("estimate", "target"), [([], []), ([1.0, np.nan], [1.0, 2.0]), ([1.0, 2.0], [np.inf, 2.0])])
def test_no_frames_or_no_numbers_give_nan_and_a_warning(estimate, target):
    with pytest.warns(RuntimeWarning, match="RMSE, COR, CCC, ICC, SAGR not defined"):
        got = metrics(estimate, target)
    assert tuple(got) == METRICS
    assert all(np.isnan(value) for value in got.values())


def test_a_small_variance_far_from_zero_is_not_taken_for_a_constant():
    rng = np.random.default_rng(0)
    target = 1000 + 0.01 * rng.normal(size=50)
    assert ccc_score(target, target) == pytest.approx(1)


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((3, 2), (3, 2)), ((), ())])
def test_shapes_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ValueError, match="expected two"):
        metrics(np.zeros(shapes[0]), np.zeros(shapes[1]))
