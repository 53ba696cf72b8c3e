"""The recipe as-written: none of the deviations in docs/method.md; trained end to end at tiny sizes; its crop."""

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightning_fabric import Fabric

from anclaf.cli.main import parse
from anclaf.core.errors import ConfigError
from anclaf.data.store import PreparedCorpus
from anclaf.experiment.engine import train_run
from anclaf.experiment.job import RunSpec
from anclaf.models.spec import Variant
from anclaf.recipes import make_run

TINY: dict[str, Any] = {
    "lengths": (2, 4), "bootstrap": 20,
    "model.image_size": 32, "model.g_width": 4, "model.d_width": 4, "model.c_width": 8, "model.lstm.hidden_size": 12,
    "stage1.steps": 6, "stage1.batch_size": 16, "stage1.evaluate_every": 3, "stage1.checkpoint_every": 3,
    "stage2.steps": 4, "stage2.evaluate_every": 2, "stage2.frames_per_step": 32,
}  # fmt: skip


@pytest.fixture(scope="module")
def paper_crop(make_corpus) -> PreparedCorpus:
    """A corpus that says that its faces have the paper's crop."""
    folder = make_corpus(seed=7).folder
    card = json.loads((folder / "corpus.json").read_text())
    (folder / "corpus.json").write_text(json.dumps(card | {"crop": "paper"}))
    return PreparedCorpus.open(folder)


def _run(corpus: PreparedCorpus, out: Path, **changes: Any) -> RunSpec:
    return RunSpec("", corpus.folder, out, make_run("as-written", 0, TINY | changes), "paper", recipe="as-written")


def test_it_trains_end_to_end(paper_crop: PreparedCorpus, tmp_path: Path):
    fabric = Fabric(accelerator="cpu", devices=1)
    scores = train_run(fabric, _run(paper_crop, tmp_path), variants=[Variant("SA", 4)], comparators=["mean"])
    assert set(scores["variants"]) == {"base", "S-2", "S-4", "S-4+", "SA-4"}
    assert scores["protocol"] == "paper"
    for entry in scores["variants"].values():
        assert np.isfinite(entry["valence"]["rmse"])
    history = (tmp_path / "fold0" / "base" / "history.csv").read_text()
    assert "landmarks" not in history


def test_another_crop_is_refused_with_what_to_do(corpus: PreparedCorpus, tmp_path: Path):
    fabric = Fabric(accelerator="cpu", devices=1)
    message = r"this run takes faces cut out in the paper way, .* has the five-point crop: prepare it with `anclaf prep"
    with pytest.raises(ConfigError, match=message):
        train_run(fabric, _run(corpus, tmp_path / "run"), variants=[Variant("base")], comparators=[])
    assert not (tmp_path / "run").exists()
    run = _run(corpus, tmp_path / "any", crop="any")
    train_run(fabric, replace(run, protocol="strict"), variants=[Variant("base")], comparators=[])


PAGE = (Path(__file__).parents[1] / "docs" / "method.md").read_text(encoding="utf-8")
THE_PAPERS = {
    "lengths": (2, 4, 8, 16, 32), "curriculum": True, "model.image_size": 128, "model.g_width": 16,
    "model.d_width": 16, "model.c_width": 64, "model.lstm.hidden_size": 512, "model.quadrant_source": "reconstruction",
    "model.attention.attend_cell": True, "model.options": {}, "stage1.class_bins": 10, "stage2.class_bins": 10,
    "stage1.quadrant_weight": 1.0, "stage1.distortion_probability": 0.5, "stage1.terms": {}, "stage2.terms": {},
}  # fmt: skip
"""Settings that have the paper's way in every recipe (but for sizes), and what it is."""
BUDGET = {
    "seed", "fold_seed", "bootstrap", "stage1.steps", "stage1.batch_size", "stage1.evaluate_every",
    "stage1.checkpoint_every", "stage2.steps", "stage2.evaluate_every", "stage2.patience", "stage2.windows_per_step",
    "stage2.frames_per_step", "stage2.checkpoint_every",
}  # fmt: skip
"""How long is trained, of which the paper says nothing."""
WITHOUT_EFFECT = {
    "stage1.landmark_weight", "stage1.landmark_jitter", "model.landmark_refinements", "stage1.gradient_penalty_weight",
}  # fmt: skip
"""Of what as-written does not do."""


@cache
def _deviations() -> dict[str, dict[str, Any]]:
    """The numbered deviations of docs/method.md, by title: the settings that take each back."""
    section = PAGE[PAGE.index("## As written, and what we do beyond it") : PAGE.index("### How the paper is read")]
    words: dict[str, list[str]] = {}
    for number, (told, title, text) in enumerate(
        re.findall(r"^(\d+)\. \*\*(.+?)\*\*(.*?)(?=^\d+\. |^### |\Z)", section, re.M | re.S), 1
    ):
        assert int(told) == number, f"deviation {told} follows {number - 1}"
        assert "Worth: " in text, f"{title}: what it is worth, measured or not"
        flags = re.findall(r"`(--config\.[^`]+)`", text.partition("As written: ")[2].partition("Worth: ")[0])
        words[title] = flags
    flat = " ".join(flag for flags in words.values() for flag in flags).split()
    stated = parse(["train", "corpus", "--out", "run", *flat]).config.stated()
    found: dict[str, dict[str, Any]] = {}
    for title, flags in words.items():
        names = [flag.split()[0].removeprefix("--config.").replace("-", "_") for flag in flags]
        names = [name if name in stated else re.sub(r"\bno_", "", name) for name in names]
        found[title] = {name: stated[name] for name in names}
    assert sum(map(len, found.values())) == len(stated), "a setting belongs to one deviation"
    return found


def test_it_takes_no_deviation_and_the_other_recipes_take_each():
    written = make_run("as-written").flat()
    others = {name: make_run(name).flat() for name in ("small", "paper")}
    for title, settings in _deviations().items():
        if title == "The protocol":
            assert settings == {}, "it is chosen by the command"
            continue
        assert settings, f"{title}: no setting takes it back"
        for name, value in settings.items():
            assert written[name] == value, f"{title}: as-written has {name} {written[name]!r}"
        assert any(other[name] != value for other in others.values() for name, value in settings.items()), title


def test_every_setting_is_a_deviation_s_the_paper_s_or_of_the_budget():
    """So that whoever adds a setting says which it is, and as-written cannot take a new deviation unnoticed."""
    listed = {name for settings in _deviations().values() for name in settings}
    config = make_run("as-written")
    every = {name for name in config.flat() if not name.startswith("comparators.")}
    groups = [listed, set(THE_PAPERS), BUDGET, WITHOUT_EFFECT]
    assert set().union(*groups) == every
    assert sum(map(len, groups)) == len(every), "a setting is in one group"
    assert {name: config.flat()[name] for name in THE_PAPERS} == THE_PAPERS


def test_paper_with_all_deviations_taken_back_is_as_written():
    back = {name: value for settings in _deviations().values() for name, value in settings.items()}
    left = make_run("paper", 0, back).differences(make_run("as-written"))
    assert left.keys() <= BUDGET


def test_it_can_be_tried_at_64():
    config = make_run("as-written", 0, {"model.image_size": 64})
    assert config.model == replace(make_run("as-written").model, image_size=64)
