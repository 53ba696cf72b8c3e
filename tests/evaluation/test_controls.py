"""Which two models show what a part of the method gives."""

import pytest

from anclaf.evaluation.controls import Contrast, contrasts
from anclaf.models.spec import Variant, variant_order


def test_each_model_against_its_control():
    models = ["base", "S-2", "S-4", "S-4+", "S-4-direct", "SA-4"]
    assert contrasts(models) == [
        Contrast("SA-4", "S-4+", "head"),
        Contrast("S-4+", "S-4", "training"),
        Contrast("S-4", "S-4-direct", "curriculum"),
    ]


def test_without_a_control_the_training_is_named_too():
    assert contrasts(["base", "S-4", "SA-4"]) == [Contrast("SA-4", "S-4", "head and training")]
    assert contrasts(["base", "SA-4"]) == []
    assert contrasts(["S-4+"]) == []
    assert contrasts(["base", "S-4", "GRU-4", "GRU-4-direct"]) == [Contrast("GRU-4", "GRU-4-direct", "curriculum")]


@pytest.mark.parametrize("name", ["base", "S-8", "SA-32", "S-8+", "S-16-direct", "S-8+GRU", "a-b-4+"])
def test_names_are_read_as_they_are_written(name: str):
    assert str(Variant.recorded(name)) == name


def test_controls_are_models_of_their_kind():
    further, direct = Variant.parse("S-8+"), Variant.parse("S-8-direct")
    assert (further.kind, further.n, further.starts_from, further.follows) == (
        "S",
        8,
        Variant("S", 8),
        Variant("SA", 8),
    )
    assert (direct.kind, direct.n, direct.starts_from, direct.follows) == ("S", 8, Variant("base"), None)
    assert Variant("SA", 8).further == further
    assert (Variant("S", 8).further, further.further) == (None, None)
    assert [further.series, direct.series, Variant("S", 8).series] == ["S-n+", "S-n-direct", "S-n"]
    names = ["SA-2", "S-4-direct", "S-4+", "S-2+", "S-4", "base", "S-2"]
    assert sorted(names, key=variant_order) == ["base", "S-2", "S-4", "S-2+", "S-4+", "S-4-direct", "SA-2"]
