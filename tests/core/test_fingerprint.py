"""The digits by which the same content is recognised."""

import pytest

from anclaf.core.files import fingerprint, fingerprint_of_rows


@pytest.mark.parametrize("rows", [[], [("a", 1, 2.5)], [("ä", None, float("nan")), ("b", {"k": [1]}, "")]])
def test_row_by_row_and_at_once_are_the_same(rows):
    first = ["reader", (-1, 1), {"b": 1, "a": None}]
    assert fingerprint_of_rows(first, iter(rows), iter([(1,)])) == fingerprint([*first, rows, [(1,)]])


def test_another_row_gives_other_digits():
    assert fingerprint_of_rows(["r"], [("a",)], []) != fingerprint_of_rows(["r"], [], [("a",)])
