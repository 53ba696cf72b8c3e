"""The leak check: refuses a shared person by name, lets strangers pass."""

import pytest

from anclaf.core.errors import LeakError
from anclaf.evaluation.leak import refuse_leak
from anclaf.models.spec import ModelSpec, Sizes


def spec(*subjects: str) -> ModelSpec:
    return ModelSpec("SA-8", Sizes(), -10, 10, "five-point", 25.0, ("afew-va",), subjects, "strict", 2, {}, {})


def test_strangers_pass():
    refuse_leak(spec("a", "b"), ["c", "d", "c"])
    refuse_leak(spec(), ["c"])
    refuse_leak(spec("a"), [])


def test_a_tested_subject_is_refused_by_name():
    with pytest.raises(
        LeakError, match=r"SA-8 of fold 2 was trained on 1 of the 2 people to be tested \(b\); test it on"
    ):
        refuse_leak(spec("a", "b"), ["b", "c", "b"])


def test_many_are_counted_and_some_are_named():
    people = [f"p{i}" for i in range(7)]
    with pytest.raises(LeakError, match=r"7 of the 7 people to be tested \(p0, p1, p2 and 4 more\)"):
        refuse_leak(spec(*people), people)
