from dataclasses import asdict, dataclass, field
from typing import Annotated, ClassVar, Literal

import pytest

from anclaf.core.errors import ConfigError
from anclaf.core.settings import Range, Settings


@dataclass(frozen=True)
class Inner(Settings):
    """Of the inside."""

    section: ClassVar[str] = "elsewhere"

    part: Annotated[float, Range(0, 1, below=True)] = 0.5
    """A part, in
    two lines."""


@dataclass(frozen=True)
class Outer(Settings):
    """Of the outside."""

    count: Annotated[int, Range(1)] = 3
    """How many."""
    name: Literal["a", "b"] = "a"
    """Which."""
    lengths: tuple[Annotated[int, Range(2)], ...] = (2, 4)
    """How long."""
    weights: dict[str, Annotated[float, Range(0)]] = field(default_factory=dict)
    """How much, by name."""
    on: bool = True
    limit: float | None = None
    """What there is at most."""
    inner: Inner = field(default_factory=Inner)
    """What is inside."""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 0}, "count: got 0; expected 1 or more"),
        ({"count": 2.5}, "count: got 2.5; expected a whole number"),
        ({"count": True}, "count: got True; expected a whole number"),
        ({"name": "c"}, "name: got 'c'; expected one of a, b"),
        ({"lengths": [4, 1]}, "lengths: got 1; expected 2 or more"),
        ({"lengths": 4}, "lengths: got 4; expected a sequence"),
        ({"weights": {"x": -1}}, "weights x: got -1; expected 0 or more"),
        ({"on": 1}, "on: got 1; expected true or false"),
        ({"limit": float("nan")}, "limit: got nan; expected a finite number"),
        ({"inner.part": 1.0}, "inner.part: got 1.0; expected 0 or more and below 1"),
        ({"inner.parts": 1.0}, "inner.parts: no such setting"),
        ({"inner": 1.0}, "inner: no such setting"),
        ({"count.part": 1}, "count.part: no such setting"),
    ],
)
def test_what_is_not_allowed_is_one_line(changes: dict, message: str):
    with pytest.raises(ConfigError) as error:
        Outer().changed(changes)
    assert str(error.value) == message


def test_a_range_that_0_stands_outside_of():
    limit = Range(1, or_zero=True)
    assert [value in limit for value in (0, 0.5, 1, 7)] == [True, False, True, True]
    assert str(limit) == "1 or more, or 0"
    assert 0 not in Range(1)


def test_construction_names_the_section():
    with pytest.raises(ConfigError, match=r"^elsewhere\.part: got 1; expected 0 or more and below 1$"):
        Inner(1)


def test_single_settings_are_changed_and_found_again():
    before = Outer()
    changes = {"count": 5, "lengths": (8,), "weights": {"x": 2.0}, "limit": 0.5, "inner.part": 0.25}
    after = before.changed(changes)
    assert after == Outer(5, lengths=(8,), weights={"x": 2.0}, limit=0.5, inner=Inner(0.25))
    assert after.differences(before) == changes
    assert before.changed(after.flat()) == after
    assert before == Outer()
    assert before.changed({}) == before


def test_a_sequence_of_json():
    assert Outer().changed({"lengths": [8, 16]}).lengths == (8, 16)
    changed = Outer(lengths=(8, 16), limit=1)
    assert Outer.from_json(asdict(changed) | {"lengths": [8, 16]}) == changed


def test_json_of_other_settings():
    with pytest.raises(ConfigError, match="Outer: old is unknown"):
        Outer.from_json(asdict(Outer()) | {"old": 1})
    with pytest.raises(ConfigError, match="elsewhere: part is missing"):
        Outer.from_json(asdict(Outer()) | {"inner": {}})


def test_texts_of_fields():
    assert Inner.texts() == {"part": "A part, in two lines."}
    assert Outer.kinds().keys() - Outer.texts().keys() == {"on"}
    assert Outer.texts()["limit"] == "What there is at most."
