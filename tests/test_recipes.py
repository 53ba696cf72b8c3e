"""Every ablation changes what it says, and nothing else."""

from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from anclaf.config import AugmentationConfig, LstmConfig, ModelConfig, RunConfig, Stage1Config
from anclaf.core.errors import ConfigError
from anclaf.core.labels import label_quadrant
from anclaf.data.folds import split
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import estimate_of_frames, features_of, labelled_quadrants, latents_of
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import Variant
from anclaf.recipes import ABLATIONS, make_run
from anclaf.training.latents import FreshLatents
from anclaf.training.metric_log import MetricLog
from anclaf.training.stage1 import train_base

MODEL = ModelConfig(image_size=32, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(hidden_size=12))
STAGE1 = Stage1Config(steps=25, batch_size=16, evaluate_every=25, checkpoint_every=25, warmup_steps=2)
NONE = replace(MODEL, quadrant_source="none")
CONFIG = RunConfig(model=MODEL, stage1=STAGE1)
_STILL = [f"stage1.augmentation.{field.name}" for field in fields(AugmentationConfig)]


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {path: value}
    return {k: v for name, part in value.items() for k, v in _leaves(part, f"{path}.{name}".lstrip(".")).items()}


SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("no-quadrant", {"model.quadrant_source": "none", "stage1.quadrant_weight": 0.0}),
    ("true-quadrant", {"model.quadrant_source": "true"}),
    ("false-quadrant", {"model.quadrant_source": "false"}),
    ("real-discriminator", {"model.quadrant_source": "image"}),
    ("wgan-gp", {"stage1.adversarial_loss": "wgan-gp"}),
    ("no-adversary", {"stage1.adversarial_loss": "none"}),
    ("hidden-only", {"model.attention.attend_cell": False}),
    ("divided-context", {"model.attention.divide_context": True}),
    ("no-curriculum", {"curriculum": False}),
    ("no-class-weights", {"stage1.max_class_weight": 1.0, "stage2.max_class_weight": 1.0}),
    ("count-weights", {"stage1.class_weighting": "count", "stage2.class_weighting": "count"}),
    ("place-only", {"model.attention.score": "place"}),
    ("location-score", {"model.attention.score": "location"}),
    ("adversarial-quadrant", {"stage1.quadrant_lr": 0.0, "stage1.quadrant_landmarks": 0.0}),
    ("no-geometry", {"model.geometry": False}),
    ("no-motion", {"model.crop_motion": False}),
    ("no-change", {"model.lstm.change_input": False}),
    ("no-augmentation", dict.fromkeys(_STILL, 0.0) | {"stage2.augmented_views": 0}),
]


@pytest.mark.parametrize(("name", "changes"), SETTINGS)
def test_settings(name: str, changes: dict[str, Any]):
    assert name in ABLATIONS
    plain, changed = _leaves(asdict(make_run("small", 3))), _leaves(asdict(make_run(f"small+{name}", 3)))
    assert changes.keys() <= plain.keys()
    assert changed == plain | changes


def test_all_are_looked_at_above():
    tested = {name for name, _ in SETTINGS}
    assert tested == set(ABLATIONS)


def test_several_are_joined_and_unknown_ones_refused():
    run = make_run("tiny+wgan-gp+no-quadrant")
    assert (run.stage1.adversarial_loss, run.model.quadrant_source) == ("wgan-gp", "none")
    with pytest.raises(
        ConfigError, match="ablation 'no-attention': expected one of no-quadrant, adversarial-quadrant, "
    ):
        make_run("tiny+no-attention")
    with pytest.raises(
        ConfigError, match="recipe 'huge': expected one of as-written, demo, paper, small, starter, tiny"
    ):
        make_run("huge+no-quadrant")


def _train(
    corpus: PreparedCorpus, folder: Path, model: ModelConfig = MODEL, **stage1: Any
) -> tuple[AffectNetwork, MetricLog]:
    fold = split(corpus, "strict", 0)
    fabric = Fabric(accelerator="cpu", devices=1)
    config = replace(CONFIG, model=model, stage1=replace(CONFIG.stage1, **stage1))
    return train_base(fabric, corpus, fold, config, folder)[:2]


def _losses(history: MetricLog) -> set[tuple[str, str]]:
    return {(phase, name) for _, phase, name, _ in history.rows}


def test_without_quadrants_d_learns_none_and_c_sees_none(corpus: PreparedCorpus, tmp_path: Path):
    network, _ = _train(corpus, tmp_path, NONE, quadrant_weight=0.0, ema_decay=0.0)
    rows = np.arange(5)
    before = estimate_of_frames(network, features_of(network, corpus, rows, "cpu"))
    torch.nn.init.normal_(network.discriminator.quadrant.weight)
    np.testing.assert_array_equal(before, estimate_of_frames(network, features_of(network, corpus, rows, "cpu")))
    # neither D's nor G's phase has moved the quadrant head from where it started
    torch.manual_seed(0)
    again, _ = _train(corpus, tmp_path / "again", NONE, quadrant_weight=0.0, steps=1, ema_decay=0.0)
    other, _ = _train(corpus, tmp_path / "other", NONE, quadrant_weight=0.0, ema_decay=0.0)
    assert torch.equal(again.discriminator.quadrant.weight, other.discriminator.quadrant.weight)
    assert not torch.equal(again.discriminator.real.weight, other.discriminator.real.weight)


def test_without_an_adversary_real_and_fake_are_not_learnt(corpus: PreparedCorpus, tmp_path: Path):
    short, _ = _train(corpus, tmp_path / "a", adversarial_loss="none", steps=1, ema_decay=0.0)
    long, history = _train(corpus, tmp_path / "b", adversarial_loss="none", ema_decay=0.0)
    assert torch.equal(short.discriminator.real.weight, long.discriminator.real.weight)
    assert not torch.equal(short.discriminator.quadrant.weight, long.discriminator.quadrant.weight)
    assert {value for _, _, name, value in history.rows if name == "adversarial"} == {0.0}
    _, history = _train(corpus, tmp_path / "c", NONE, adversarial_loss="none", quadrant_weight=0.0)
    assert ("G", "reconstruction") in _losses(history)
    assert not any(phase == "D" for phase, _ in _losses(history))


def test_labelled_quadrants(corpus: PreparedCorpus):
    rows = np.arange(len(corpus))
    labels = label_quadrant(*corpus.targets.T)

    def given(source: Any) -> np.ndarray:
        got = labelled_quadrants(AffectNetwork(replace(MODEL, quadrant_source=source), Variant("base")), corpus, rows)
        assert got is not None
        return got.numpy()

    np.testing.assert_array_equal(given("true"), labels)
    wrong = given("false")
    assert not (wrong == labels).any()
    assert set((wrong - labels) % 4) == {1, 2, 3}, "a fixed wrong one would tell as much as the right one"
    assert labelled_quadrants(AffectNetwork(MODEL, Variant("base")), corpus, rows) is None


def test_the_true_quadrant_is_given_in_training_validation_test_and_latents(corpus: PreparedCorpus, tmp_path: Path):
    network, history = _train(corpus, tmp_path, replace(MODEL, quadrant_source="true"))
    assert any(phase == "validation" for phase, _ in _losses(history))
    rows = np.arange(7, 19)
    expected = torch.eye(4)[torch.from_numpy(label_quadrant(*corpus.targets[rows].T))]
    assert torch.equal(latents_of(network, corpus, rows, "cpu").q, expected)
    source = FreshLatents(network, corpus, rows, 2, AugmentationConfig(), 0, "cpu")
    for view in (0, 1):
        np.testing.assert_array_equal(source.read(view, np.arange(3, 9))["q"], expected[3:9])


def test_changes_come_after_ablations_and_do_not_undo_them():
    changed = make_run("small+no-geometry", 3, {"stage1.steps": 7})
    assert changed.differences(make_run("small+no-geometry", 3)) == {"stage1.steps": 7}
    with pytest.raises(ConfigError, match=r"^model\.geometry: small\+no-geometry sets it itself"):
        make_run("small+no-geometry", 0, {"model.geometry": True})
    assert make_run("small+no-geometry", 0, {"model.geometry": False}) == make_run("small+no-geometry")
