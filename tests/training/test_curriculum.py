import pytest

from anclaf.core.errors import ConfigError
from anclaf.training.curriculum import parse_variants, plan


def _names(text: str, lengths=(2, 4, 8, 16, 32)) -> list[tuple[str, str | None]]:
    lessons = plan(parse_variants(text, lengths), lengths)
    return [(str(lesson.variant), str(lesson.parent) if lesson.parent else None) for lesson in lessons]


def test_everything_is_eleven_models():
    names = _names("all")
    assert len(names) == 11
    assert names[0] == ("base", None)
    assert ("S-2", "base") in names
    assert ("S-32", "S-16") in names
    assert ("SA-8", "S-8") in names
    place = {name: i for i, (name, _) in enumerate(names)}
    assert all(parent is None or place[parent] < place[name] for name, parent in names)


def test_what_a_model_starts_from_is_trained_too():
    assert _names("SA-8") == [("base", None), ("S-2", "base"), ("S-4", "S-2"), ("S-8", "S-4"), ("SA-8", "S-8")]
    assert _names("base") == [("base", None)]
    assert _names("S-6")[-1] == ("S-6", "S-4")


def test_without_a_curriculum_every_length_starts_from_base():
    lessons = plan(parse_variants("S-4,S-16,SA-8"), curriculum=False)
    assert [(str(x.variant), str(x.parent)) for x in lessons[1:]] == [
        ("S-4", "base"), ("S-8", "base"), ("S-16", "base"), ("SA-8", "S-8"),
    ]  # fmt: skip


def test_nonsense():
    with pytest.raises(ConfigError, match="expected base, S-n, SA-n, with n"):
        parse_variants("S8")
    with pytest.raises(ConfigError, match="no variants"):
        plan([])
