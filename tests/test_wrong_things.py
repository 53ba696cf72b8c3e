"""Whatever a function or command is given, a user gets one clear line."""

import importlib
import inspect
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import anclaf
from anclaf.cli import main as cli
from anclaf.core.arguments import checked
from anclaf.core.errors import AnclafError, ConfigError
from anclaf.corpora.subjects import near_duplicates

SOURCE = Path(anclaf.__file__).parent

WRONG: dict[str, Any] = {
    "None": None,
    "an empty text": "",
    "a name of nothing": "no such thing",
    "bytes": b"bytes",
    "a number": 3.5,
    "a negative number": -1,
    "not a number": float("nan"),
    "a truth": True,
    "an object": object(),
    "a type": int,
    "a function": len,
    "an empty list": [],
    "a list of texts": ["a", "b"],
    "a dict": {"a": 1},
    "a path": Path("/dev/null/no/such/thing"),
    "a file": io.BytesIO(b"x"),
    "an array": np.zeros((2, 2)),
    "an array of no use": np.array(["a", None], object),
    "a picture": np.zeros((4, 4, 3), np.uint8),
    "a tensor": torch.zeros(3, 4, 4),
    "a Pillow image": Image.new("RGB", (4, 4)),
    "a table": pd.DataFrame({"a": [1]}),
}


RIGHT = {("anclaf.synthetic.puppet.write_puppet", "a name of nothing")}
"""A folder that can be made."""


@cache
def public() -> dict[str, Callable[..., Any]]:
    """Every public function by its full name."""
    found = {}
    for path in SOURCE.rglob("__init__.py"):
        package = importlib.import_module(".".join(("anclaf", *path.parent.relative_to(SOURCE).parts)))
        for name in getattr(package, "__all__", ()):
            if inspect.isfunction(function := getattr(package, name)):
                found[f"{function.__module__}.{function.__qualname__}"] = function
    return found


def required(function: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = inspect.signature(function).parameters.values()
    return [one for one in parameters if one.default is one.empty]


def one_line(error: BaseException) -> str:
    text = str(error)
    assert text.strip(), "an error without a word"
    assert "\n" not in text, text
    return text


def test_every_public_function_is_walked():
    assert len(public()) > 60
    assert {"anclaf.inference.summary.summarize", "anclaf.metrics.regression.ccc_score"} <= {*public()}


@pytest.mark.parametrize("name", sorted(public()))
def test_wrong_things_for_a_public_function(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """All required arguments are the same wrong thing: an AnclafError of one line, or a result."""
    monkeypatch.chdir(tmp_path)
    function = public()[name]
    parameters = required(function)
    refused = 0
    for what, thing in WRONG.items():
        if (name, what) in RIGHT:
            continue
        positional = [thing for one in parameters if one.kind is not one.KEYWORD_ONLY]
        keywords = {one.name: thing for one in parameters if one.kind is one.KEYWORD_ONLY}
        try:
            result = function(*positional, **keywords)
            if isinstance(result, Iterator):
                next(result, None)
        except AnclafError as error:
            one_line(error)
            refused += 1
        except Exception as error:
            # of arrays and tensors, whose shape or values are not what a function expects
            clear = isinstance(error, ValueError) and "expected" in one_line(error)
            if not clear:
                pytest.fail(f"{name} of {what}: {type(error).__name__}: {error}")
    assert refused or not parameters


@pytest.mark.parametrize("name", sorted(public()))
def test_every_argument_is_checked(name: str):
    """A complex number is of no kind that any function takes, wherever it is given."""
    function = public()[name]
    parameters = inspect.signature(function).parameters
    hints = inspect.get_annotations(inspect.unwrap(function))
    for one in parameters:
        if hints[one] in (Any, object) or one == "batch":
            continue
        right = {other: _Anything() for other in parameters if other != one}
        with pytest.raises(ConfigError) as error:
            function(**right, **{one: 1j})
        assert one_line(error.value).startswith(f"{function.__name__}: ")


class _Anything:
    """Stands for whatever is right."""


def test_a_check_says_what_was_got_and_what_is_expected():
    def plain(path: Path, size: int = 3, names: "tuple[str, ...]" = (), points: "np.ndarray | None" = None) -> Any:
        """Nothing."""
        return path, size

    cut: Any = checked(plain)
    assert cut("a") == (Path("a"), 3), "a text is a path"
    assert cut("a", 2, ("b", np.str_("c"))) == (Path("a"), 2)
    columns: Any = near_duplicates
    for texts in (np.array(["ann", "bob"]), np.array(["ann", "bob"], object)):
        assert columns(texts) == [], "a column of texts is several texts"
    with pytest.raises(ConfigError, match="several of a text"):
        columns(np.zeros(3))
    for arguments, said in (
        ((None,), "plain: path: got None; expected a path"),
        (("a", 2.5), "plain: size: got 2.5; expected a whole number"),
        (("a", True), "plain: size: got True; expected a whole number"),
        (("a", 2, ("a", 1)), "plain: names: got ('a', 1); expected a tuple of a text"),
        ((np.zeros(3),), "plain: path: got a ndarray of shape (3,); expected a path"),
    ):
        with pytest.raises(ConfigError) as error:
            cut(*arguments)
        assert str(error.value) == said
    assert cut.__doc__ == "Nothing."


# commands

PLACES = ("", "no/such/thing", "x" * 300, "\N{SNOWMAN}", ".", "/dev/null", "/proc/self/mem")
COMMANDS = (
    "train {} --out {out}",
    "train {corpus} --out {}",
    "train {corpus} --out {out} --recipe {}",
    "train {corpus} --out {out} --variants {}",
    "train {corpus} --out {out} --comparators {}",
    "train {corpus} --out {out} --fold {}",
    "train {corpus} --out {out} --device {}",
    "train {corpus} --out {out} --init {}",
    "report {}",
    "evaluate {} --out {out}",
    "evaluate {model} {} --out {out}",
    "evaluate {corpus} --out {out} --predictions {}",
    "predict {} --model {model} --out {out}",
    "predict x.mp4 --model {} --out {out}",
    "predict x.mp4 --model {model} --out {out} --detector {}",
    "predict x.mp4 --model {model} --out {out} --device {}",
    "summarize {}",
    "summarize {table} --out {}",
    "push {} {out}",
    "push {model} {}",
    "pull {} {out}",
    "pull {model} {out} --fingerprint {}",
    "prepare table {} {out}",
    "prepare table {table} {out} --root {}",
    "prepare afew-va {} {out}",
    "prepare sewa {} {out}",
    "grid plan {} --out {out}",
    "grid plan {corpus} --out {out} --recipes {}",
    "grid run {}",
    "grid status {}",
    "grid report {}",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_things_for_a_command(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    (tmp_path / "empty").mkdir()
    (tmp_path / "t.csv").write_text("image,valence,arousal\na.png,0.5,-0.5\n")
    places = {"out": "out", "corpus": "empty", "model": "empty", "table": "t.csv"}
    for thing in PLACES:
        words = [thing if word == "{}" else word.format(**places) for word in command.split()]
        try:
            code = cli.main(words)
        except SystemExit as end:  # tyro's box of a word that is not understood
            code = end.code
            capsys.readouterr()
            assert code == 2
            continue
        said = capsys.readouterr().err.strip().splitlines()
        assert code == 2, (thing, said)
        assert said, thing
        assert all(line.startswith(("anclaf: ", "detector: ", "  ", "recipe ")) for line in said), said
        assert not any("fault of anclaf" in line for line in said), said
    assert not (tmp_path / "home").exists()


def test_a_fault_of_the_program_is_one_line_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def fault(words: list[str]):
        raise ZeroDivisionError("of\nnothing")

    monkeypatch.setattr(cli, "parse", fault)
    assert cli.main(["demo"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "unexpected ZeroDivisionError (of nothing). This is a fault of anclaf: please report it" in line
    monkeypatch.setenv("ANCLAF_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        cli.main(["demo"])


# outputs that cannot be written

TABLE = "frame,time_s,track,valence,arousal,quadrant,status\n0,0.0,0,1.0,1.0,V+A+,ok\n"


def run(*words: str | Path, out: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    with open(out or os.devnull, "w") as stream:
        return subprocess.run(
            [sys.executable, "-m", "anclaf", *map(str, words)],
            stdout=stream if out else subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment,
            errors="replace", check=False, timeout=120,
        )  # fmt: skip


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_the_terminal_cannot_show(tmp_path: Path, encoding: str):
    name = "\N{SNOWMAN} sch\N{LATIN SMALL LETTER O WITH DIAERESIS}n.csv"
    (tmp_path / name).write_text(TABLE)
    done = run("summarize", tmp_path / name, "--out", tmp_path / "s.csv", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1.00" in done.stdout
    assert pd.read_csv(tmp_path / "s.csv")["source"].tolist() == [Path(name).stem]
    failed = run("summarize", tmp_path / f"no {name}", PYTHONIOENCODING=encoding)
    assert failed.returncode == 2
    assert "Traceback" not in failed.stderr
    assert all(line.startswith("anclaf: ") for line in failed.stderr.splitlines())


def test_a_name_that_is_no_text(tmp_path: Path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/m\xfcller.csv")
    Path(name).write_text(TABLE)
    done = run("summarize", name)
    assert done.returncode == 0, done.stderr
    assert "ller" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_standard_output_that_is_full(tmp_path: Path, unbuffered: str):
    (tmp_path / "talk.csv").write_text(TABLE)
    done = run("summarize", tmp_path / "talk.csv", out="/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 2
    assert "standard output" in done.stderr
    assert "No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
