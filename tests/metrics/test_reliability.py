"""Intraclass correlations and their intervals: pingouin, values worked by hand, invariances, what is not defined."""

import numpy as np
import pandas as pd
import pingouin
import pytest

from anclaf.metrics import intraclass

NAMES = ("ICC(A,1)", "ICC(C,1)", "ICC(A,k)", "ICC(C,k)")
FIELDS = ("a1", "c1", "ak", "ck")


def drawn(raters: int, targets: int, shift: float, noise: float) -> np.ndarray:
    rng = np.random.default_rng(raters * targets)
    own = noise * rng.normal(size=(raters, targets)) + shift * np.arange(raters)[:, None]
    return rng.normal(size=targets) + own


@pytest.mark.parametrize(
    ("raters", "targets", "shift", "noise"),
    [(2, 40, 0, 1), (4, 60, 0, 0.5), (3, 30, 2, 1), (2, 5, 1, 3), (5, 100, 0.5, 0.01), (3, 25, 0, 30)],
)
def test_against_pingouin(raters, targets, shift, noise):
    values = drawn(raters, targets, shift, noise)
    table = pd.DataFrame(
        [(r, m, values[r, m]) for r in range(raters) for m in range(targets)], columns=["rater", "target", "value"]
    )
    pingouin.options["round.column.CI95"] = None
    expected = pingouin.intraclass_corr(table, targets="target", raters="rater", ratings="value").set_index("Type")
    for name, found in zip(NAMES, intraclass(values), strict=True):
        assert found.value == pytest.approx(expected["ICC"][name], abs=1e-12), name
        assert found[1:] == pytest.approx(tuple(expected["CI95"][name]), abs=1e-9), name


def test_the_ratings_of_shrout_and_fleiss():
    """Shrout & Fleiss 1979, tables 2 and 4: ICC(2,1) .29, ICC(3,1) .71, ICC(2,4) .62, ICC(3,4) .91."""
    judges = [[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]]
    found = intraclass(judges)
    assert [round(getattr(found, name).value, 2) for name in FIELDS] == [0.29, 0.71, 0.62, 0.91]


def test_consistency_does_not_know_a_rater_s_own_level():
    values = drawn(3, 30, 0, 1)
    found, shifted = intraclass(values), intraclass(values + [[0], [5], [-3]])
    np.testing.assert_allclose(np.concatenate([shifted.c1, shifted.ck]), np.concatenate([found.c1, found.ck]))
    assert shifted.a1.value < found.a1.value
    np.testing.assert_allclose(np.ravel(intraclass(7 * values + 2)), np.ravel(found), err_msg="units do not matter")
    np.testing.assert_allclose(np.ravel(intraclass(values[::-1])), np.ravel(found), err_msg="nor does the order")


def test_raters_who_say_the_same():
    assert np.all(np.ravel(intraclass([[1, 2, 4], [1, 2, 4]])) == 1)
    apart = intraclass([[1, 2, 4], [2, 3, 5]])
    assert apart.c1 == (1, 1, 1)
    assert 0 < apart.a1.low < apart.a1.value < apart.a1.high < 1


@pytest.mark.parametrize("values", [[[1, 1], [1, 1]], [[1, 1], [2, 2]], [[1], [2]], [[1, np.nan, 3], [1, 2, 3]]])
def test_what_is_not_defined(values):
    assert np.isnan(np.ravel(intraclass(values))).all()


def test_a_mean_that_never_changes():
    found = intraclass([[1, 2], [2, 1]])
    assert found.c1.value == -1
    assert np.isnan([found.a1.value, found.ak.value, found.ck.value]).all()


def test_one_rater():
    with pytest.raises(ValueError, match=r"got values \(1, 3\); expected \(R, M\) of two raters or more"):
        intraclass([[1, 2, 3]])
