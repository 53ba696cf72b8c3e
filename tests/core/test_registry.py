"""Parts by name: own ones late, registered ones, and those of entry points."""

from importlib import metadata
from pathlib import Path

import pytest

from anclaf.core.errors import ConfigError
from anclaf.core.registry import Registry


def _registry() -> Registry[object]:
    return Registry("part", "anclaf.test_parts", {"own": "fractions:Fraction", "late": "no_such_module:thing"})


def test_own_parts_are_imported_when_they_are_asked_for():
    registry = _registry()
    from fractions import Fraction

    assert registry.get("own") is Fraction
    assert registry.names() == ("own", "late")
    with pytest.raises(ModuleNotFoundError):
        registry.get("late")


def test_registered_parts():
    registry = _registry()
    part = object()
    assert registry.register("mine", part) is part
    assert registry.get("mine") is part
    assert "mine" in registry
    registry.unregister("mine")
    with pytest.raises(ConfigError, match=r"part 'mine': expected one of own, late"):
        registry.get("mine")


@pytest.mark.parametrize(("name", "message"), [("own", "there is one"), ("9", "expected a letter"), ("", "letter")])
def test_names_that_are_refused(name: str, message: str):
    with pytest.raises(ConfigError, match=message):
        _registry().register(name, object())


def test_entry_points(monkeypatch: pytest.MonkeyPatch):
    group = "anclaf.test_parts"
    points = [metadata.EntryPoint("brought", "math:sqrt", group), metadata.EntryPoint("broken", "nowhere:x", group)]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points)
    registry = _registry()
    import math

    assert registry.names() == ("own", "late", "brought", "broken")
    assert registry.get("brought") is math.sqrt
    with pytest.raises(ConfigError, match=r"'broken': its package cannot be imported \(ModuleNotFoundError: No module"):
        registry.get("broken")


def test_a_package_with_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "faulty_package.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    point = metadata.EntryPoint("faulty", "faulty_package:Part", "anclaf.test_parts")
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point])
    with pytest.raises(ConfigError, match=r"'faulty': its package cannot be imported \(ZeroDivisionError: division"):
        _registry().get("faulty")
