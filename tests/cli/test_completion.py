"""Completion as a shell asks for it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from anclaf.cli import completion
from anclaf.cli import main as cli
from anclaf.cli.completion import completion_script

ASK_BASH = r"""
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_tyro_anclaf anclaf "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
complete -p anclaf
"""
ASK_ZSH = r"""
_describe() { print -l -- "${(@)${(P)2}%%:*}" }
_files() { print FILES }
words=("${@[2,-1]}"); CURRENT=$#words
source "$1"
"""
ASK_FISH = 'source $argv[1]; complete --do-complete "$argv[2]"'


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    for shell in ("bash", "zsh", "fish"):
        (folder / shell).write_text(completion_script(shell))
    return folder


def _ask(shell: str, program: str, *words: str) -> list[str]:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    plain = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    name = ["-c", program] if shell == "fish" else ["-c", program, shell]
    done = subprocess.run([shell, *plain, *name, *words], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.splitlines()


def _bash(scripts: Path, *words: str) -> list[str]:
    *found, registered = _ask("bash", ASK_BASH, str(scripts / "bash"), "anclaf", *words)
    assert registered == "complete -o default -F _tyro_anclaf anclaf", "names of files where nothing is found"
    return [word for word in found if word]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["tr"], ["train"]),
        (["grid", ""], ["plan", "report", "run", "status"]),
        (["train", "--rec"], ["--recipe"]),
        (["train", "corpus", "--protocol", ""], ["strict", "paper", "official"]),
        (["train", "--config.stage1.adversarial-loss", ""], ["gan", "minimax", "wgan-gp", "none"]),
        (["train", "--config.stage1.st"], ["--config.stage1.steps"]),
        (["grid", "plan", "corpus", "--config.stage1.st"], ["--config.stage1.steps"]),
        (["train", ""], []),
        (["train", "corp"], []),
    ],
)
def test_bash(scripts: Path, words: list[str], found: list[str]):
    assert _bash(scripts, *words) == found


def test_bash_completes_every_command(scripts: Path):
    words = "prepare train report evaluate predict summarize export push pull web app grid demo completion"
    assert {*words.split()} == {*_bash(scripts, "")}


def test_zsh(scripts: Path):
    def ask(*words: str) -> list[str]:
        return _ask("zsh", ASK_ZSH, str(scripts / "zsh"), "anclaf", *words)

    assert ask("tr") == ["train"]
    assert ask("train", "--rec") == ["--recipe"]
    assert ask("train", "--protocol", "s") == ["strict"]
    assert ask("grid", "") == ["plan", "report", "run", "status"]
    assert ask("train", "--out", "") == ["FILES"]
    assert ask("train", "") == ["FILES"]
    assert ask("train", "corp") == ["FILES"]


def test_fish(scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "corpus").mkdir()
    monkeypatch.chdir(tmp_path)

    def ask(line: str) -> list[str]:
        return [found.split("\t")[0] for found in _ask("fish", ASK_FISH, str(scripts / "fish"), line)]

    assert ask("anclaf tr") == ["train"]
    assert ask("anclaf train --rec") == ["--recipe"]
    assert ask("anclaf train --protocol s") == ["strict"]
    assert ask("anclaf grid ") == ["plan", "report", "run", "status"]
    assert ask("anclaf train ") == ["corpus/"]
    assert ask("anclaf train cor") == ["corpus/"]
    assert ask("anclaf train corpus --out ") == ["corpus/"]


def test_another_tyro(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setitem(completion._CHANGES, "zsh", {"something else": ""})
    assert cli.main(["completion", "zsh"]) == 2
    assert "its script for zsh is unknown" in capsys.readouterr().err


def test_scripts_are_for_their_shells(capsys: pytest.CaptureFixture[str]):
    known = {"bash": "complete -o default", "zsh": "#compdef anclaf", "fish": "complete --no-files --command 'anclaf'"}
    for shell, text in known.items():
        assert cli.main(["completion", shell]) == 0
        printed = capsys.readouterr().out
        assert text in printed
        assert "wgan-gp" in printed
        assert os.sep + "site-packages" not in printed


def test_help_tells_how_to_install(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        cli.main(["completion", "--help"])
    printed = capsys.readouterr().out
    for shell in ("bash", "zsh", "fish"):
        assert f"anclaf completion {shell} > " in printed
