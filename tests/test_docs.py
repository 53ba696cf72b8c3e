"""The README and docs/: files, names, settings, recipes, links and commands that they name exist."""

import ast
import importlib
import re
import shlex
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path

import pytest

import anclaf
from anclaf.cli.main import parse
from anclaf.comparators.registry import COMPARATORS
from anclaf.core.errors import ConfigError
from anclaf.corpora.rating_files import RATING_FORMATS
from anclaf.corpora.readers import READERS
from anclaf.faces.detect import DETECTORS
from anclaf.losses.terms import TERMS
from anclaf.models.spec import HEADS
from anclaf.recipes import ABLATIONS, RECIPES, make_run
from doc_pages import PAGES, ROOT, fenced, shell_lines
from docs.hooks import NAMED, line_of, source_file

SOURCE = ROOT / "src" / "anclaf"
REGISTRIES = (COMPARATORS, DETECTORS, HEADS, RATING_FORMATS, READERS, TERMS)

Check = Callable[[str, Path], list[str]]
"""A page's text and its path -> what is wrong with it."""


def files_and_names(text: str, page: Path) -> list[str]:
    """`models/anclaf.py::Generator.encode`, from src/anclaf/ or from the root."""
    wrong = []
    for file, names in re.findall(f"`{NAMED.pattern}`", text):
        path = source_file(file)
        if path is None:
            wrong.append(f"no file {file}")
        elif names and line_of(path, names) is None:
            wrong.append(f"no {names} in {file}")
    return wrong


def dotted_names(text: str, page: Path) -> list[str]:
    """`anclaf.faces.face_quality`, `AffectEstimator.predict`, and what Python examples import."""
    named = {*re.findall(r"`(anclaf(?:\.\w+)+)`", text)} - {registry.group for registry in REGISTRIES}
    wrong = [f"no {name}" for name in sorted(named) if not _resolves(name)]
    for name, attribute in re.findall(r"`([A-Z][a-z]\w+)\.([a-z_]\w*)\b", text):
        if not hasattr(_public().get(name), attribute):
            wrong.append(f"no {name}.{attribute}")
    for block in fenced(text, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                wrong += [f"no {node.module}.{one.name}" for one in node.names if not _imports(node.module, one.name)]
    return wrong


def _resolves(name: str) -> bool:
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[count:]:
            if not hasattr(found, attribute):
                return False
            found = getattr(found, attribute)
        return True
    return False


def _imports(module: str | None, name: str) -> bool:
    return not str(module).startswith("anclaf") or _resolves(f"{module}.{name}")


@cache
def _public() -> dict[str, object]:
    """Public names of all packages."""
    found = {}
    for path in SOURCE.rglob("__init__.py"):
        package = importlib.import_module(".".join(("anclaf", *path.parent.relative_to(SOURCE).parts)))
        found |= {name: getattr(package, name) for name in getattr(package, "__all__", ())}
    return found


def settings(text: str, page: Path) -> list[str]:
    """`--config.stage1.steps`."""
    named = re.findall(r"--config\.[a-z0-9.-]+[a-z0-9]", text)
    return [f"no setting {flag}" for flag in named if flag not in _flags("train")]


def recipes(text: str, page: Path) -> list[str]:
    """`small+no-quadrant`, `--recipe small`, `--recipes small paper`."""
    named = re.findall(rf"\b(?:{'|'.join(RECIPES)})(?:\+[a-z-]+)+", text)
    named += [name for names in re.findall(r"--recipes?((?: [a-z][\w+-]*)+)", text) for name in names.split()]
    named += [f"small{ablation}" for ablation in re.findall(r"`(\+[a-z+-]+)`", text)]
    wrong = []
    for name in named:
        try:
            make_run(name)
        except ConfigError as error:
            wrong.append(str(error))
    return wrong


def comparators_and_ablations(text: str, page: Path) -> list[str]:
    """The tables of method.md have all of them, and no other."""
    if page.name != "method.md":
        return []
    wrong = []
    for title, names in (("Comparators", COMPARATORS.names()), ("Ablations", tuple(ABLATIONS))):
        section = re.search(rf"^## {title}.*?(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
        first = re.findall(r"^\| (`[^|]*`) \|", section[0] if section else "", re.MULTILINE)
        listed = {name for cell in first for name in re.findall(r"`([^`]*)`", cell)}
        wrong += [f"{title}: {name} is in the table or in the code alone" for name in sorted(listed ^ {*names})]
    return wrong


def links(text: str, page: Path) -> list[str]:
    """Relative ones, to a file or to a heading."""
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, heading = target.partition("#")
        path = page.parent / file if file else page
        if not path.is_file():
            wrong.append(f"no file {target}")
        elif heading and heading not in _headings(path.read_text(encoding="utf-8") if file else text):
            wrong.append(f"no heading {target}")
    return wrong


def _headings(text: str) -> set[str]:
    """As GitHub names them in addresses."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(text: str, page: Path) -> list[str]:
    """Those in `sh` blocks as wholes; of those within a line, which may lack what is required, command and flags."""
    wrong = []
    for line in shell_lines(text):
        words = shlex.split(line, comments=True)
        if "anclaf" in words[:4] and words[0] in ("anclaf", "python", "torchrun"):
            said = _refused(words[words.index("anclaf") + 1 :])
            wrong += [f"{line}: {said}"] if said else []
        elif words[:1] == ["python"]:
            wrong += _script(words[1:])
        elif words[:1] == ["make"]:
            wrong += _targets(words[1:])
    for inline in re.findall(r"`((?:anclaf|make) [^`]*)`", text):
        program, *words = shlex.split(inline)
        if program == "make":
            wrong += _targets(words)
            continue
        names = [word for word in words[:2] if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")]
        command = " ".join(names) if names[:1] == ["grid"] else (names or [""])[0]
        known = _flags(command)
        wrong += [f"no command anclaf {command}"] if not known else []
        given = [word.partition("=")[0] for word in words if word.startswith("--")]
        wrong += [f"{inline}: no flag {flag}" for flag in given if flag not in known | {"--version"}]
    return wrong


def flags(text: str, page: Path) -> list[str]:
    """Flags alone, `--resume`: of any command."""
    known = {flag for command in COMMANDS for flag in _flags(command)} | {"--version"}
    known |= {flag.partition(".")[0] for flag in known}  # `--config.*`
    named = re.findall(r"`(--[a-z][\w-]*(?:\.[\w-]+)*)", text)
    return [f"no flag {flag}" for flag in named if flag not in known]


COMMANDS = (
    *("", "train", "report", "evaluate", "predict", "summarize", "export", "push", "pull", "web", "app", "demo"),
    "completion",
    *("prepare", "prepare afew-va", "prepare sewa", "prepare table", "prepare puppet"),
    *("prepare aff-wild2", "prepare affectnet", "prepare crema-d"),
    *("grid", "grid plan", "grid run", "grid status", "grid report"),
)


def _refused(words: list[str]) -> str:
    """What the command line says against these words."""
    said = StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            parse(words)
    except SystemExit as end:
        return said.getvalue() if end.code else ""
    return ""


@cache
def _flags(command: str) -> frozenset[str]:
    """Flags of a command by its help; none of a command that there is not."""
    said = StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            parse([*command.split(), "--help"])
    except SystemExit:
        # of a command that there is not, it is the help of those that there are
        if f"usage: anclaf {command}".strip() in said.getvalue():
            return frozenset(re.findall(r"--[a-z][\w.-]*", said.getvalue()))
    return frozenset()


def _script(words: list[str]) -> list[str]:
    """A script of this repository, with its flags."""
    if words[0].startswith("-"):
        return []
    path = ROOT / words[0]
    if not path.is_file():
        return [f"no file {words[0]}"]
    source = path.read_text(encoding="utf-8")
    return [f"{words[0]}: no flag {word}" for word in words if word.startswith("--") and f'"{word}"' not in source]


def _targets(words: list[str]) -> list[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = {*re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)}
    known |= {f"{name}=" for name in re.findall(r"\$\(([A-Z]+)\)", makefile)}
    return [f"no target {word} in the Makefile" for word in words if re.sub("=.*", "=", word) not in known]


CHECKS: list[Check] = [
    *(files_and_names, dotted_names, settings, recipes, comparators_and_ablations, links, commands, flags),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_a_page_names_exists(check: Check, page: Path):
    text = page.read_text(encoding="utf-8")
    if page.name == "CHANGELOG.md":  # names that were, in the first column of its tables
        text = re.sub(r"^\|[^|\n]*\|", "|", text, flags=re.MULTILINE)
    if page.name == "extending.md":  # its commands are of parts that it brings; test_extending.py runs them
        text = re.sub(r"^```sh\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    assert check(text, page) == []


WRONG: list[tuple[Check, str, str]] = [
    (files_and_names, "`models/anclav.py`", "no file models/anclav.py"),
    (files_and_names, "`models/anclaf.py::Generater`", "no Generater in models/anclaf.py"),
    (
        files_and_names,
        "`models/attention.py::AttentionHead._weight`",
        "no AttentionHead._weight in models/attention.py",
    ),
    (files_and_names, "`models/anclaf.py::CHANGE_GAIN.real`", "no CHANGE_GAIN.real in models/anclaf.py"),
    (dotted_names, "`anclaf.faces.face_beauty`", "no anclaf.faces.face_beauty"),
    (dotted_names, "`anclaf.feces`", "no anclaf.feces"),
    (dotted_names, "`AffectEstimator.predicts`", "no AffectEstimator.predicts"),
    (dotted_names, "`AffectEstimater.predict`", "no AffectEstimater.predict"),
    (dotted_names, "```python\nfrom anclaf import load_modell\n```\n", "no anclaf.load_modell"),
    (settings, "`--config.stage1.step`", "no setting --config.stage1.step"),
    (recipes, "`small+no-quadrants`", "ablation 'no-quadrants'"),
    (recipes, "`+no-quadrants`", "ablation 'no-quadrants'"),
    (recipes, "`--recipe tall`", "recipe 'tall'"),
    (recipes, "`--recipes small tall`", "recipe 'tall'"),
    (comparators_and_ablations, "## Comparators\n| `mean` | |\n## Ablations\n", "Comparators: svr is in the table or"),
    (comparators_and_ablations, "## Ablations\n| `no-mean` | |\n", "Ablations: no-mean is in the table or"),
    (links, "[x](nowhere.md)", "no file nowhere.md"),
    (links, "[x](results.md#no-such)", "no heading results.md#no-such"),
    (links, "# Here\n[x](#there)", "no heading #there"),
    (commands, "```sh\nanclaf train afew\n```\n", "anclaf train afew: "),
    (commands, "```sh\nanclaf train afew \\\n  --out run --recipes small\n```\n", "--out run --recipes small: "),
    (commands, "```sh\ntorchrun -m anclaf train\n```\n", "torchrun -m anclaf train: "),
    (commands, "```sh\npython benchmarks/none.py\n```\n", "no file benchmarks/none.py"),
    (commands, "```sh\npython benchmarks/predict_speed.py CLIP --yu FILE\n```\n", "predict_speed.py: no flag --yu"),
    (commands, "```sh\nmake nothing\n```\n", "no target nothing"),
    (commands, "`make nothing`", "no target nothing"),
    (commands, "`anclaf predicts --model`", "no command anclaf predicts"),
    (commands, "`anclaf predict --modell`", "no flag --modell"),
    (commands, "`anclaf grid plans`", "no command anclaf grid plans"),
    (flags, "`--resumed`", "no flag --resumed"),
]


@pytest.mark.parametrize(("check", "text", "said"), WRONG)
def test_what_does_not_exist_is_found(check: Check, text: str, said: str):
    found = check(text, ROOT / "docs" / "method.md")
    assert any(said in one for one in found), found


def test_every_check_is_shown_to_fail():
    assert {check for check, _, _ in WRONG} == {*CHECKS}


def test_the_readme_begins_with_a_picture_and_a_command():
    first = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:25]
    assert any(line.startswith("![") for line in first)
    assert "```sh" in first


def test_the_changelog_has_this_version():
    assert f"## {anclaf.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
