"""What is released: a wheel and an sdist with everything in them, and the README's commands from the wheel."""

import ast
import re
import shlex
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email.parser import Parser
from functools import partial
from importlib.metadata import distribution, packages_distributions
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import anclaf
from doc_pages import ROOT, fenced
from test_docs_commands import words_of

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FOR_USERS = ("plots", "train", "ray", "xlsx", "onnx", "export", "app", "stores", "hub")
MOST = 25
"""Packages of an installation without extras, itself among them; more must be worth it."""
WITHOUT_EXTRAS = ("predict", "summarize")
"""Those of the README's commands that need none."""
README_FROM_THE_WHEEL = """
import sys
from pathlib import Path
work, world, tests = map(Path, sys.argv[1:4])
sys.path += [str(tests), str(tests.parent)]
from doc_world import World
import anclaf, test_docs_commands
blocks = test_docs_commands.words_of(tests.parent / "README.md")
World(world).page(work, [[words for words in block if words[0] != "app"] for block in blocks])
print(anclaf.__file__)
"""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that is built from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an environment into which the wheel is installed. It sees the packages of this one, but not what is installed
    from the checkout: a path in a .pth brings a folder's packages and not the .pth files that lie in it."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (others,) = {Path(path) for path in sys.path if path.endswith("site-packages")}
    (site / "others.pth").write_text(f"{others}\n")
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--ignore-installed", str(wheel)], check=True)
    return python


def needed(extras: set[str]) -> set[str]:
    """Names of the packages that an installation with these extras has, itself among them."""
    found: set[str] = set()
    waiting = [("anclaf", frozenset(extras))]
    while waiting:
        name, wanted = waiting.pop()
        found.add(name)
        for one in map(Requirement, _requires(name)):
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                key = canonicalize_name(one.name)
                if key not in found or one.extras:
                    waiting += [(key, frozenset(one.extras))] if (key, frozenset(one.extras)) not in waiting else []
    return found


def _requires(name: str) -> list[str]:
    """As a distribution's metadata have it; of this one as the checkout now says, whatever is installed."""
    if name != "anclaf":
        return distribution(name).requires or []
    extras = PROJECT["optional-dependencies"].items()
    return [*PROJECT["dependencies"], *(f"{text}; extra == '{extra}'" for extra, texts in extras for text in texts)]


def test_the_wheel_has_every_file_of_the_package(wheel: Path):
    listed = subprocess.run(["git", "ls-files", "src/anclaf"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    with zipfile.ZipFile(wheel) as file:
        names = {*file.namelist()}
    assert {name.removeprefix("src/") for name in listed.stdout.splitlines()} - names == set()
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert {name.partition("/")[0] for name in names} == {"anclaf", f"anclaf-{anclaf.__version__}.dist-info"}


def test_the_sdist_has_what_builds_tests_and_explains_it(dist: Path):
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    wanted = {"LICENSE", "CITATION.cff", "README.md", "CHANGELOG.md", "constraints.txt", "mkdocs.yml", "Dockerfile"}
    assert names >= wanted | {"docs/index.md", "docs/hooks.py", "tests/conftest.py", "starter/cli.py", "Makefile"}
    assert not any(name.startswith((".venv", "build/")) or name.endswith(".pyc") for name in names)


def test_the_metadata_are_valid_and_agree(wheel: Path):
    with zipfile.ZipFile(wheel) as file:
        (name,) = (name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        text = file.read(name).decode()
    found = Metadata.from_email(text, validate=True)
    assert str(found.version) == anclaf.__version__ == PROJECT["version"]
    assert found.license_expression == "MIT"
    assert found.description_content_type == "text/markdown"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert str(Parser().parsestr(text).get_payload()).strip() == readme.strip()
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(rf"^version: {re.escape(anclaf.__version__)}$", citation, re.MULTILINE)


def test_pythons_are_declared_only_where_tests_run():
    assert PROJECT["requires-python"] == ">=3.11"
    stated = {one.rpartition(" ")[2] for one in PROJECT["classifiers"] if "Python :: 3." in one}
    assert stated == {"3.11"}
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in stated


def test_how_many_packages_an_installation_has():
    """As `pip install --dry-run --report` counts them with the versions of constraints.txt."""
    assert len(needed(set())) <= MOST
    assert needed(set()) >= {"torch", "tyro", "numpy"}
    assert needed({"app"}) - needed(set()) >= {"fastapi", "uvicorn", "starlette"}


@pytest.fixture(scope="module")
def alone(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `python`, of an environment that has what the wheel asks for without extras and nothing else."""
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in needed(set()) - {"anclaf"}:
        found = distribution(name)
        for top in {Path(file).parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            (site / top).symlink_to(Path(str(found.locate_file(top))))
    (wheel_site,) = python.parents[1].glob("lib/python*/site-packages")
    for path in wheel_site.glob("anclaf*"):
        (site / path.name).symlink_to(path)
    return folder / "bin" / "python"


def test_an_environment_of_its_own_is_enough_for_prediction(alone: Path, world: Any, tmp_path: Path):
    """The README's commands that need no extra, and its first Python, where no other package can be imported."""
    for one in world.folder.iterdir():
        (tmp_path / one.name).symlink_to(one)
    run = partial(subprocess.run, capture_output=True, text=True, cwd=tmp_path)
    listed = run(
        [alone, "-I", "-c", "from importlib.metadata import distributions as d; print(*{one.name for one in d()})"]
    )
    assert {canonicalize_name(name) for name in listed.stdout.split()} == needed(set())
    words = [words for block in words_of(ROOT / "README.md") for words in block if words[0] in WITHOUT_EXTRAS]
    assert {one[0] for one in words} == {*WITHOUT_EXTRAS}
    for command in words:
        done = run([alone, "-I", "-m", "anclaf", *world.cut(command, words)])
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert ("no plots: matplotlib is not installed: pip install 'anclaf[plots]'" in done.stderr) == (
            command[0] == "predict"
        )
    code = next(fenced((ROOT / "README.md").read_text(encoding="utf-8"), "python"))
    done = run([alone, "-I", "-c", f"{code}\nprint(len(table), table['valence'].notna().any())"])
    assert done.stdout.split() == ["12", "True"], done.stderr


@pytest.mark.parametrize(
    ("words", "module", "extra"),
    [
        ("train afew --out new --folds 3 --variants base", "lightning_fabric", "train"),
        ("report run", "matplotlib", "plots"),
        ("app", "uvicorn", "app"),
        ("export run/fold0/base exported", "onnx", "export"),
    ],
)
def test_what_an_extra_is_for_is_said_in_one_line(
    alone: Path, world: Any, tmp_path: Path, words: str, module: str, extra: str
):
    command = [alone, "-I", "-m", "anclaf", *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=world.folder, timeout=120)
    assert (done.returncode, done.stderr) == (2, f"anclaf: {module} is not installed: pip install 'anclaf[{extra}]'\n")
    assert not done.stdout


def test_what_the_code_imports_is_asked_for():
    """By the wheel itself or by an extra of it that users install."""
    asked, owners_of = set(), packages_distributions()
    for text in (*PROJECT["dependencies"], *chain(*(PROJECT["optional-dependencies"][extra] for extra in FOR_USERS))):
        asked.add(canonicalize_name(Requirement(text).name))
    for path in (ROOT / "src" / "anclaf").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for top in {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - {"anclaf"}:
                owners = {canonicalize_name(one) for one in owners_of.get(top, [top])}
                assert owners & asked, f"{path.relative_to(ROOT)} imports {top}"


@pytest.mark.slow
def test_the_readme_runs_from_the_wheel(python: Path, world: Any, tmp_path: Path):
    version = subprocess.run([python.with_name("anclaf"), "--version"], capture_output=True, text=True, cwd=tmp_path)
    assert version.stdout.strip() == anclaf.__version__
    command = [str(python), "-I", "-c", README_FROM_THE_WHEEL, str(tmp_path), str(world.folder), str(ROOT / "tests")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert Path(done.stdout.splitlines()[-1]).is_relative_to(python.parents[1])


def test_the_image_copies_what_there_is_and_runs_as_nobody_special():
    steps = [shlex.split(line) for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    copied = [path for word, *paths in steps if word == "COPY" for path in paths[:-1]]
    assert copied
    assert all((ROOT / path).exists() for path in copied)
    assert steps[0] == ["FROM", "python:3.11-slim"]
    kinds = [word for word, *_ in steps]
    assert kinds.index("USER") > max(place for place, kind in enumerate(kinds) if kind == "RUN")
    assert steps[kinds.index("USER")][1] != "root"
    assert steps[kinds.index("ENTRYPOINT")][1:] == ["[anclaf]"]
    assert "anclaf" in PROJECT["scripts"]
    for extra in re.findall(r"/src\[(\w+)\]", (ROOT / "Dockerfile").read_text()):
        assert extra in PROJECT["optional-dependencies"]
