import pytest

from anclaf.core.errors import ConfigError
from anclaf.models import HEADS, Head
from anclaf.training.curriculum import parse_variants, plan


def _names(text: str, lengths=(2, 4, 8, 16, 32)) -> list[tuple[str, str | None]]:
    lessons = plan(parse_variants(text, lengths), lengths)
    return [(str(lesson.variant), str(lesson.parent) if lesson.parent else None) for lesson in lessons]


def test_everything_is_eleven_models_and_six_controls():
    names = _names("all")
    lengths = (2, 4, 8, 16, 32)
    controls = ["S-8-direct", *(f"S-{n}+" for n in lengths)]
    assert sorted(name for name, _ in names) == sorted(
        ["base", *(f"S-{n}" for n in lengths), *(f"SA-{n}" for n in lengths), *controls]
    )
    assert dict(_names("all", (2, 4)))["S-4-direct"] == "base", "where 8 is not among the lengths, the longest"
    assert names[0] == ("base", None)
    assert ("S-2", "base") in names
    assert ("S-32", "S-16") in names
    assert ("SA-8", "S-8") in names
    place = {name: i for i, (name, _) in enumerate(names)}
    assert all(parent is None or place[parent] < place[name] for name, parent in names)


def test_what_a_model_starts_from_is_trained_too():
    assert _names("SA-8") == [
        ("base", None), ("S-2", "base"), ("S-4", "S-2"), ("S-8", "S-4"), ("SA-8", "S-8"), ("S-8+", "S-8"),
    ]  # fmt: skip
    assert _names("base") == [("base", None)]
    assert _names("S-6")[-1] == ("S-6", "S-4")


def test_without_a_curriculum_every_length_starts_from_base():
    lessons = plan(parse_variants("S-4,S-16,SA-8"), curriculum=False)
    assert [(str(x.variant), str(x.parent)) for x in lessons[1:]] == [
        ("S-4", "base"), ("S-8", "base"), ("S-16", "base"), ("SA-8", "S-8"), ("S-8+", "S-8"),
    ]  # fmt: skip


def _as_many_as(text: str, curriculum: bool = True) -> dict[str, list[str]]:
    lessons = plan(parse_variants(text), curriculum=curriculum)
    return {str(x.variant): [str(v) for v in x.as_many_as] for x in lessons if x.as_many_as}


def test_controls_get_the_updates_of_what_they_control():
    assert _as_many_as("SA-8") == {"S-8+": ["SA-8"]}
    assert _as_many_as("S-8+,S-8-direct") == {"S-8+": ["SA-8"], "S-8-direct": ["S-2", "S-4", "S-8"]}
    assert _names("S-8-direct")[-2:] == [("S-8", "S-4"), ("S-8-direct", "base")]
    assert _as_many_as("S-8-direct", curriculum=False) == {"S-8-direct": ["S-8"]}
    names = [name for name, _ in _names("S-2+,SA-4,SA-2")]
    assert names.index("SA-2") < names.index("S-2+")
    assert names.index("SA-4") < names.index("S-4+")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SA-8+", r"variant SA-8\+: a control of SA-8 that is given the updates of SA-8, for which there would have"),
        ("S-8+GRU", r"variant S-8\+GRU: .* there would have to be a model GRU-8 that starts from S-8; leave it out"),
        ("SA-8-direct", "variant SA-8-direct: SA-8 does not go through the windows from the base model by itself"),
    ],
)
def test_controls_that_show_nothing_are_refused(text: str, message: str):
    with pytest.raises(ConfigError, match=message):
        _names(text)


@pytest.fixture
def heads():
    starts = {"GRU": None, "FLAT": "base", "NEXT": "GRU", "LOOP": "BACK", "BACK": "LOOP"}
    for kind, start in starts.items():
        HEADS.register(kind, type(kind, (Head,), {"starts_from": start}))
    yield
    for kind in starts:
        HEADS.unregister(kind)


def test_heads_of_other_packages(heads):
    assert _names("SA-4,GRU-4,FLAT-4,FLAT-8") == [
        ("base", None), ("S-2", "base"), ("S-4", "S-2"), ("GRU-2", "base"), ("GRU-4", "GRU-2"),
        ("SA-4", "S-4"), ("FLAT-4", "base"), ("FLAT-8", "base"), ("S-4+", "S-4"),
    ]  # fmt: skip
    assert _names("NEXT-2") == [("base", None), ("GRU-2", "base"), ("NEXT-2", "GRU-2"), ("GRU-2+NEXT", "GRU-2")]
    assert _as_many_as("NEXT-2,GRU-4-direct") == {"GRU-2+NEXT": ["NEXT-2"], "GRU-4-direct": ["GRU-2", "GRU-4"]}
    with pytest.raises(ConfigError, match="variant LOOP-2: what it starts from leads back to itself"):
        _names("BACK-2")


def test_all_is_every_kind_that_is_installed(heads):
    kinds = [variant.kind for variant in parse_variants("all", (2, 4)) if not variant.control]
    assert kinds == ["base", *(kind for kind in ("S", "SA", "GRU", "FLAT", "NEXT", "LOOP", "BACK") for _ in range(2))]


def test_nonsense():
    with pytest.raises(ConfigError, match="expected base, S-n, SA-n, with n"):
        parse_variants("S8")
    with pytest.raises(ConfigError, match="no variants"):
        plan([])
