"""The commands as a user types them."""

import json
import shlex
from pathlib import Path
from typing import Any, ClassVar, get_origin, get_type_hints

import pytest
from docstring_parser import parse_from_object

import anclaf
from anclaf.cli import main as cli
from anclaf.cli.completion import Completion
from anclaf.cli.demo import Demo
from anclaf.cli.evaluate import Evaluate
from anclaf.cli.grid import GridReport, Plan, Run, Status
from anclaf.cli.predict import Predict
from anclaf.cli.prepare import reader_command
from anclaf.cli.report import Report
from anclaf.cli.summarize import Summarize
from anclaf.cli.train import Train
from anclaf.corpora.readers import READERS
from anclaf.recipes import RECIPES, make_run


def _fails(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.main(list(words)) == 2
    line = capsys.readouterr().err.strip()
    assert line.startswith("anclaf: ")
    assert "Traceback" not in line
    return line


@pytest.mark.parametrize(
    "command", ["", "prepare", "prepare afew-va", "prepare sewa", "prepare table", "prepare puppet"]
)
def test_help_of_prepare(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command.split(), "--help"])
    assert stop.value.code == 0
    assert "usage: anclaf" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", ["train", "report", "evaluate", "predict", "demo", "completion", "grid", "grid run"]
)
def test_help_of_the_others(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command.split(), "--help"])
    assert stop.value.code == 0
    assert f"usage: anclaf {command}" in capsys.readouterr().out


COMMANDS = [Train, Report, Evaluate, Predict, Summarize, Demo, Completion, Plan, Run, Status, GridReport]


@pytest.mark.parametrize("command", [*COMMANDS, *map(reader_command, READERS.names())])
def test_every_flag_has_a_text_without_broken_lines(command: Any):
    """tyro keeps the line breaks of a text below a field."""
    texts = {
        one.arg_name: one.description or "" for kind in command.__mro__[:-1] for one in parse_from_object(kind).params
    }
    for name, kind in get_type_hints(command, include_extras=True).items():
        about = [getattr(one, "help", None) for one in getattr(kind, "__metadata__", ())]
        if get_origin(kind) is not ClassVar and name != "config":
            assert any(about) or (texts.get(name) and "\n" not in texts[name]), f"{name}: one line, or arg(help=...)"


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version(flag: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main([flag]) == 0
    assert capsys.readouterr().out.strip() == anclaf.__version__


def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = str(tmp_path / "out")
    assert "not a prepared corpus" in _fails(capsys, "train", str(tmp_path), "--out", out)
    assert "expected one of as-written, demo, paper, small" in _fails(
        capsys, "train", "x", "--out", out, "--recipe", "large"
    )
    assert "no run.json" in _fails(capsys, "report", str(tmp_path))
    assert "no model.json here" in _fails(capsys, "predict", "a.mp4", "--model", str(tmp_path), "--out", out)
    assert str(tmp_path) in _fails(capsys, "prepare", "afew-va", str(tmp_path), out)
    assert not (tmp_path / "out").exists()


def test_bad_settings(corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["train", str(corpus.folder), "--out", str(tmp_path / "run")]
    assert "expected a number from 0, or all" in _fails(capsys, *words, "--fold", "first")
    assert "expected base, S-n, SA-n, with n" in _fails(capsys, *words, "--variants", "S8")
    assert "prepare it with --image-size 64" in _fails(capsys, *words)
    assert "--threads 0" in _fails(capsys, *words, "--threads", "0")
    for device, count in (("abacus", "1"), ("cpu", "0"), ("cpu", "-1")):
        said = _fails(capsys, *words, "--device", device, "--devices", count)
        assert f"device {device}, {count} of it: " in said
        assert "\n" not in said


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def stop(words: list[str]):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "parse", stop)
    assert cli.main(["demo"]) == 130
    assert "the same command goes on" in capsys.readouterr().err


TINY = shlex.split(
    "--threads 1 --config.stage1.steps 4 --config.stage1.batch-size 8 --config.stage1.evaluate-every 2 "
    "--config.stage1.checkpoint-every 2 --config.stage2.steps 2 --config.stage2.evaluate-every 1 "
    "--config.stage2.windows-per-step 16 --config.stage2.augmented-views 1 --config.bootstrap 20"
)


@pytest.fixture(scope="module")
def puppet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("puppet")
    words = ["prepare", "puppet", str(folder / "corpus"), "--clips", "8", "--subjects", "8", "--frames", "8", "10"]
    assert cli.main(words) == 0
    return folder / "corpus"


def test_from_corpus_to_video(puppet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from anclaf.synthetic.puppet import write_puppet_video

    run, video, out = tmp_path / "run", tmp_path / "new.mp4", tmp_path / "out"
    words = ["train", str(puppet), "--out", str(run), "--recipe", "demo", "--variants", "SA-4", *TINY]
    assert cli.main(words) == 0
    printed = capsys.readouterr().out
    assert all(
        name in printed for name in ("base", "S-2", "S-4", "SA-4", "training mean", "ridge on landmarks, 8 frames")
    )
    settings = json.loads((run / "run.json").read_text())
    assert settings["recipe"] == "demo"
    assert settings["overrides"].items() >= {"stage1.steps": 4, "bootstrap": 20, "stage2.windows_per_step": 16}.items()
    assert not {"stage1.dropout", "seed"} & settings["overrides"].keys(), "only what was changed"
    assert cli.main(["report", str(run)]) == 0
    assert (run / "report" / "index.html").is_file()
    write_puppet_video(video, subject=99, frames=12, seed=0)
    predict = ["predict", str(video), "--model", str(run / "fold0" / "SA-4"), "--out", str(out), "--detector", "haar"]
    assert cli.main(predict) == 0
    rows = (out / "new.csv").read_text().splitlines()
    assert len(rows) >= 13, "a row for every frame, and the heading"
    assert (out / "new.overlay.mp4").stat().st_size > 1000
    capsys.readouterr()
    assert cli.main(predict) == 2
    assert "exists; use --overwrite" in capsys.readouterr().err
    assert cli.main([*predict, "--overwrite"]) == 0


def test_prepare_puppet_again_does_nothing(puppet: Path):
    stamp = (puppet / "corpus.json").stat().st_mtime_ns
    words = ["prepare", "puppet", str(puppet), "--clips", "8", "--subjects", "8", "--frames", "8", "10"]
    assert cli.main(words) == 0
    assert (puppet / "corpus.json").stat().st_mtime_ns == stamp


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe", [pytest.param(one, marks=[pytest.mark.thorough] * (one == "as-written")) for one in sorted(RECIPES)]
)
def test_every_recipe_runs(recipe: str, make_corpus, tmp_path: Path):
    corpus = make_corpus(subjects=12, clips=1, frames=4, size=make_run(recipe).model.image_size)
    words = [
        "train",
        str(corpus.folder),
        "--out",
        str(tmp_path / "run"),
        "--recipe",
        recipe,
        "--variants",
        "SA-2",
        *TINY,
    ]
    assert cli.main([*words, "--folds", "3", "--config.crop", "any"]) == 0
    assert (tmp_path / "run" / "fold0" / "SA-2" / "model.json").is_file()
