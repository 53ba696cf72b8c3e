"""Public names of packages: each there, each late, and the same for type checkers as for Python."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import anclaf
from anclaf.core.lazy import attach

SOURCE = Path(anclaf.__file__).parent
PACKAGES = sorted(
    ".".join(("anclaf", *path.parent.relative_to(SOURCE).parts))
    for path in SOURCE.rglob("__init__.py")
    if "attach(" in path.read_text(encoding="utf-8")
)
WITHOUT = {
    "anclaf.app",
    "anclaf.app.rating",
    "anclaf.cli",
    "anclaf.core",
    "anclaf.corpora.rating_files",
    "anclaf.report.figures",
    "anclaf.report.sections",
}
"""Packages that nobody imports from outside."""
HEAVY = {"av", "cv2", "lightning", "lightning_fabric", "matplotlib", "pandas", "pyarrow", "scipy", "sklearn", "torch"}


def test_names_are_imported_when_they_are_asked_for():
    find, listed, names = attach("anclaf", {"late": "no_such_module", "Registry": "core.registry"})
    assert names == ["Registry", "late"]
    assert {"Registry", "late", "__version__"} <= {*listed()}
    from anclaf.core.registry import Registry

    assert find("Registry") is Registry
    with pytest.raises(ModuleNotFoundError):
        find("late")
    with pytest.raises(AttributeError, match="module 'anclaf' has no attribute 'other'"):
        find("other")


def test_every_package_for_others_lists_its_public_names():
    all_packages = {path.parent.relative_to(SOURCE).parts for path in SOURCE.rglob("__init__.py")}
    assert {".".join(("anclaf", *parts)) for parts in all_packages} - WITHOUT == {*PACKAGES}


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_are_there_and_are_those_that_type_checkers_see(name: str):
    package = importlib.import_module(name)
    assert package.__file__ is not None
    assert package.__path__ is not None
    for public in package.__all__:
        assert not public.startswith("_")
        assert getattr(package, public) is not None
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    imports = [node for part in tree.body if isinstance(part, ast.If) for node in part.body]
    assert all(isinstance(node, ast.ImportFrom) for node in imports)
    seen = [alias.asname for node in imports if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(map(str, seen)) == package.__all__
    # a module would take the place of a name
    assert not {*package.__all__} & {module.name for module in pkgutil.iter_modules(package.__path__)}


def test_importing_the_packages_imports_nothing_heavy():
    code = f"import sys, {', '.join(PACKAGES)}; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & {*said.stdout.split()}
