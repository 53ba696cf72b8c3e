"""`--config.*`: every setting of a recipe as a flag, in `train` and in `grid plan`."""

import re
from typing import Any

import pytest

from anclaf.cli import main as cli
from anclaf.config import RunConfig
from anclaf.core.settings import Settings
from anclaf.recipes import ABLATIONS, RECIPES, make_run

COMMANDS = {"train": "train corpus --out run", "grid plan": "grid plan corpus --out grid"}


def _stated(command: str, *words: str) -> dict[str, Any]:
    return cli.parse([*COMMANDS[command].split(), *words]).config.stated()


def _words(settings: dict[str, Any]) -> list[str]:
    """Settings as they are written on the command line."""
    words: list[str] = []
    for name, value in settings.items():
        *path, last = name.replace("_", "-").split(".")
        if isinstance(value, bool):
            words.append("--" + ".".join(["config", *path, last if value else f"no-{last}"]))
            continue
        words.append("--" + ".".join(["config", *path, last]))
        if isinstance(value, dict):
            words += [str(word) for pair in value.items() for word in pair]
        else:
            words += map(str, value if isinstance(value, tuple) else [value])
    return words


def _help(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What is printed, without the boxes around it and on one line."""
    monkeypatch.setenv("COLUMNS", "110")
    with pytest.raises(SystemExit):
        cli.main([*command.split(), "--help"])
    return " ".join(re.sub(r"[│─]", " ", capsys.readouterr().out).split())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_prints_every_setting_s_text(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    printed = _help(command, capsys, monkeypatch)

    def check(settings: type[Settings], path: str) -> None:
        for name, kind in settings.kinds().items():
            flag, text = f"{path}.{name}".replace("_", "-"), settings.texts()[name]
            if isinstance(kind, type) and issubclass(kind, Settings):
                check(kind, flag)
            elif flag != "--config.seed":
                about = rf"{re.escape(flag)}(, --config\S+| (\[.*?\]|\S+)) {re.escape(text)} \([^)]*default: "
                assert re.search(about, printed), flag

    check(RunConfig, "--config")
    assert "--config.seed" not in printed


def test_help_names_recipes_with_what_they_say_of_themselves(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    printed = _help("train", capsys, monkeypatch)
    for name, function in RECIPES.items():
        assert f"{name}: {(function.__doc__ or '').splitlines()[0]}" in printed
    assert all(name in printed for name in ABLATIONS)
    steps = "tiny 40, demo 1000, small 1000, starter 2000, paper 20000, as-written 10000"
    assert f"Updates of C. (1 or more; default: {steps})" in printed
    values = ", ".join(f"{name} 0.001" for name in ("tiny", "demo", "small", "starter", "paper"))
    assert f"Learning rate of C's phase. (above 0; default: {values}, as-written 0.0001)" in printed
    assert (
        "0 is no limit. (1 or more, or 0; default: tiny 3, demo 3, small 3, starter 3, paper 3, as-written 0)"
        in printed
    )
    assert "Weights of further terms in C's loss, by name (docs/extending.md). (0 or more; default: none)" in printed


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_not_stated_is_the_recipe_s(command: str):
    assert _stated(command) == {}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_kind_of_value(command: str):
    changes = {
        "stage1.steps": 7, "stage1.lr": 0.5, "stage1.adversarial_loss": "none", "lengths": (2, 4), "curriculum": False,
        "model.attention.divide_context": True, "stage1.terms": {"other": 2.0, "own": 0.5}, "stage2.terms": {},
        "comparators.training.augmentation.flip": 0.0,
    }  # fmt: skip
    assert _stated(command, *_words(changes)) == changes


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_can_be_written_out(command: str, recipe: str):
    flat = make_run(recipe).flat()
    del flat["seed"]
    stated = _stated(command, *_words(flat))
    assert stated == flat
    assert make_run("small", 4, stated) == make_run(recipe, 4)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--config.stage1.steps 0", "stage1.steps: got 0; expected 1 or more"),
        ("--config.comparators.training.lr -1e-3", "comparators.training.lr: got -0.001; expected above 0"),
        ("--config.model.image-size 100", "model.image_size: got 100; expected a power of two, 32 or more"),
        ("--config.lengths 8 4", "lengths: got (8, 4); expected window lengths, each longer than the one before"),
        ("--config.lengths", "lengths: got (); expected window lengths, each longer than the one before"),
        ("--config.stage1.lr nan", "stage1.lr: got nan; expected a finite number"),
        ("--config.stage1.terms own -1", "stage1.terms own: got -1.0; expected 0 or more"),
        ("{seed} -1", "seed: got -1; expected 0 or more"),
        ("{recipe} large", "recipe 'large': expected one of as-written, demo, paper, small, starter, tiny"),
        ("{recipe} small+no-hope", "ablation 'no-hope': expected one of no-quadrant"),
        ("{recipe} small+wgan-gp --config.stage1.adversarial-loss none", "small+wgan-gp sets it itself"),
    ],
)
def test_what_is_not_allowed_is_one_line(
    command: str,
    words: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path,
):
    monkeypatch.chdir(tmp_path)
    names = {"train": ("--seed", "--recipe"), "grid plan": ("--seeds", "--recipes")}[command]
    typed = words.format(seed=names[0], recipe=names[1]).split()
    assert cli.main([*COMMANDS[command].split(), *typed]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--config.seed 3", "--config.seed"),
        ("--config.recipe paper", "--config.recipe"),
        ("--config.stage1.steps 2.5", "2.5"),
        ("--config.stage1.steps None", "None"),
        ("--config.stage1.adversarial-loss wgan", "('gan', 'minimax', 'wgan-gp', 'none')"),
    ],
)
def test_what_is_not_understood(command: str, words: str, message: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        cli.main([*COMMANDS[command].split(), *words.split()])
    assert stop.value.code == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())
