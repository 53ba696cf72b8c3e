"""Runs that begin from a trained model: whose weights they take, whom they refuse, what they record."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from anclaf.cli.main import main
from anclaf.config import RunConfig
from anclaf.core.errors import ConfigError, LeakError, ModelError, StaleError
from anclaf.data.store import PreparedCorpus
from anclaf.experiment.engine import train_run
from anclaf.experiment.init import Init
from anclaf.experiment.job import RunSpec
from anclaf.faces.align import five_point_weights
from anclaf.models.folder import load_spec
from anclaf.models.geometry import LandmarkFinder
from anclaf.models.io import load_model
from anclaf.models.spec import Variant
from tiny_run import CONFIG

STILL = 1e-7
"""A learning rate's scale with which nothing is learnt."""
OTHER = replace(CONFIG, seed=3)
"""With other random weights to begin with."""
SA4 = [Variant("SA", 4)]


def train(
    corpus: PreparedCorpus, out: Path, init: Init | None = None, config: RunConfig = CONFIG, **more: Any
) -> dict[str, Any]:
    settings = {name: more.pop(name) for name in ("protocol", "recipe") if name in more}
    spec = RunSpec("", corpus.folder, out, config, init=init, **settings)
    arguments = {"variants": SA4, "comparators": [], **more}
    return train_run(Fabric(accelerator="cpu", devices=1), spec, **arguments)


@pytest.fixture(scope="module")
def first(corpus: PreparedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("first") / "run"
    train(corpus, out)
    return out / "fold0"


@pytest.fixture(scope="module")
def others(make_corpus) -> PreparedCorpus:
    return _renamed(make_corpus(seed=5))


def _renamed(corpus: PreparedCorpus) -> PreparedCorpus:
    index = corpus.index.assign(subject=corpus.index["subject"].str.replace("p", "q"))
    index.to_parquet(corpus.folder / "index.parquet")
    return PreparedCorpus.open(corpus.folder)


def weights(folder: Path) -> dict[str, Tensor]:
    found = load_model(folder)[0].state_dict()
    return {name: value for name, value in found.items() if name != "trust"}  # chosen anew


def apart(one: Path, other: Path) -> float:
    a, b = weights(one), weights(other)
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a)


def test_every_model_begins_with_the_weights_of_its_own(first: Path, others: PreparedCorpus, tmp_path: Path):
    train(others, tmp_path / "still", Init(first / "SA-4", STILL), OTHER)
    train(others, tmp_path / "plain", None, OTHER)
    for name in ("base", "S-2", "S-4", "SA-4"):
        assert apart(first / name, tmp_path / "still" / "fold0" / name) < 1e-4, name
        assert apart(first / name, tmp_path / "plain" / "fold0" / name) > 0.1, name
    scale = [load_model(run / "base")[0].landmarks.scale for run in (first, tmp_path / "still" / "fold0")]  # pyright: ignore[reportOptionalMemberAccess]
    torch.testing.assert_close(*scale)
    spec = load_spec(tmp_path / "still" / "fold0" / "SA-4")
    assert set(spec.subjects) > set(load_spec(first / "SA-4").subjects)
    assert len(spec.known(others.subjects.tolist())) == 8
    begun = json.loads((tmp_path / "still" / "run.json").read_text())["init"]
    assert begun.pop("model") == str((first / "SA-4").resolve())
    assert begun == spec.training["init"]
    assert (begun["variant"], begun["people"], begun["lr_scale"]) == ("SA-4", 8, STILL)
    assert "init" not in json.loads((tmp_path / "plain" / "run.json").read_text())


def test_it_learns_from_there(first: Path, others: PreparedCorpus, tmp_path: Path):
    train(others, tmp_path, Init(first / "base"), variants=[Variant("base")])
    moved = apart(first / "base", tmp_path / "fold0" / "base")
    assert moved > 1e-4
    train(others, tmp_path / "slow", Init(first / "base", 0.03), variants=[Variant("base")])
    assert apart(first / "base", tmp_path / "slow" / "fold0" / "base") < moved


def test_a_model_alone_gives_g_d_and_c(first: Path, others: PreparedCorpus, tmp_path: Path):
    alone = tmp_path / "given"
    alone.mkdir()
    for name in ("model.json", "model.safetensors"):
        (alone / name).write_bytes((first / "SA-4" / name).read_bytes())
    train(others, tmp_path / "run", Init(alone, STILL), OTHER)
    fold = tmp_path / "run" / "fold0"
    assert apart(first / "SA-4", fold / "SA-4") < 1e-4
    base, own = weights(fold / "base"), weights(first / "base")
    for name in base:
        same = float((base[name] - own[name]).abs().max()) < 1e-4
        assert same != name.startswith("head."), name


def test_a_model_beside_it_of_another_training_is_not_taken(first: Path, others: PreparedCorpus, tmp_path: Path):
    train(others, tmp_path / "plain", config=OTHER)
    mixed = tmp_path / "mixed"
    for name, source in (("S-4", first), ("base", tmp_path / "plain" / "fold0")):
        (mixed / name).mkdir(parents=True)
        for file in ("model.json", "model.safetensors"):
            (mixed / name / file).write_bytes((source / name / file).read_bytes())
    found = Init(mixed / "S-4").beginning(Variant("base"))
    assert found is not None
    assert str(found.network.variant) == "S-4", "its own G, D and C, not those of the other training"


def test_people_to_be_tested_must_be_new(first: Path, corpus: PreparedCorpus, tmp_path: Path):
    with pytest.raises(LeakError, match=r"learnt from \d of the 2 people to be tested in fold 1 \(p\d"):
        train(corpus, tmp_path / "one", Init(first / "base"), fold=1)
    with pytest.raises(LeakError):
        train(corpus, tmp_path / "all", Init(first / "base"), fold=None)
    assert not (tmp_path / "one").exists()
    train(corpus, tmp_path / "zero", Init(first / "base", STILL), fold=0, variants=[Variant("base")])


def test_another_beginning_is_another_run(first: Path, others: PreparedCorpus, tmp_path: Path):
    base = [Variant("base")]
    scores = train(others, tmp_path / "run", Init(first / "base"), variants=base)
    model = tmp_path / "run" / "fold0" / "base" / "model.safetensors"
    written = model.stat().st_mtime_ns
    assert train(others, tmp_path / "run", Init(first / "base"), variants=base) == scores
    assert model.stat().st_mtime_ns == written
    for other in (None, Init(first / "S-4"), Init(first / "base", 0.1)):
        with pytest.raises(StaleError, match="holds a run with other settings"):
            train(others, tmp_path / "run", other, variants=base)


def test_killed_and_resumed_it_ends_the_same(first: Path, others: PreparedCorpus, tmp_path: Path):
    init = Init(first / "SA-4")

    def kill(done: int, total: int, task: str, note: str = ""):
        if "S-4" in task and done == 4:
            raise KeyboardInterrupt

    train(others, tmp_path / "whole", init)
    with pytest.raises(KeyboardInterrupt):
        train(others, tmp_path / "killed", init, progress=kill)
    train(others, tmp_path / "killed", init)
    for name in ("base", "S-4", "SA-4"):
        assert apart(tmp_path / "whole" / "fold0" / name, tmp_path / "killed" / "fold0" / name) == 0


def test_what_does_not_fit(first: Path, others: PreparedCorpus, tmp_path: Path):
    wide = replace(CONFIG, model=replace(CONFIG.model, c_width=16, crop_motion=False))
    flags = r"take those of the model with --config\.model\.c-width 8 --config\.model\.crop-motion$"
    with pytest.raises(ConfigError, match=flags):
        train(others, tmp_path / "a", Init(first / "base"), wide)
    with pytest.raises(ConfigError, match="as-written begins with random weights"):
        train(others, tmp_path / "a", Init(first / "base"), recipe="as-written")
    with pytest.raises(ModelError, match=r"no model\.json here"):
        train(others, tmp_path / "a", Init(first))
    with pytest.raises(ConfigError, match="lr_scale=0; expected more than 0"):
        Init(first / "base", 0)
    assert not (tmp_path / "a").exists()


def test_landmarks_of_another_kind_are_held_by_their_five_points():
    torch.manual_seed(0)
    finder = LandmarkFinder(8, 8, 68, 4, 0)
    found = torch.rand(3, 68, 2)
    five = torch.from_numpy(five_point_weights(68)).float() @ found
    assert float(finder.five_point_loss([found, found], five)) == pytest.approx(0, abs=1e-6)
    assert float(finder.five_point_loss([found + 0.1], five)) == pytest.approx(0.1, abs=1e-5)


def test_a_corpus_with_other_landmarks_than_the_model_finds(first: Path, make_corpus, tmp_path: Path):
    corpus = _renamed(make_corpus(seed=9))
    with np.load(corpus.folder / "geometry.npz") as file:
        geometry = dict(file)
    many = np.random.default_rng(0).normal(16, 4, (len(corpus), 68, 2))
    np.savez(corpus.folder / "geometry.npz", **{**geometry, "landmarks": many})
    train(PreparedCorpus.open(corpus.folder), tmp_path / "run", Init(first / "base"), variants=[Variant("S", 2)])
    network, spec = load_model(tmp_path / "run" / "fold0" / "S-2")
    assert network.points == spec.points == 5


def test_the_command(make_corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    one, two = make_corpus(10, 1, 8, size=64), _renamed(make_corpus(10, 1, 8, size=64, seed=2))
    short = "--config.stage1.steps 2 --config.stage1.batch-size 8 --config.bootstrap 10 --comparators none --threads 1"
    words = ["--recipe", "tiny", "--variants", "base", *short.split()]
    assert main(["train", str(one.folder), "--out", str(tmp_path / "one"), *words]) == 0
    more = ["train", str(two.folder), "--out", str(tmp_path / "two"), *words]
    capsys.readouterr()
    assert main([*more, "--init", str(tmp_path / "one" / "fold0" / "base"), "--init-lr-scale", "0.5"]) == 0
    said = capsys.readouterr().err
    assert "begins from base in" in said
    assert "which learnt from" in said
    assert "learning rates × 0.5" in said
    assert main([*more, "--init-lr-scale", "0.5"]) == 2
    assert "--init-lr-scale has no effect without --init" in capsys.readouterr().err
