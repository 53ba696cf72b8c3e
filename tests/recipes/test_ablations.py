"""Every ablation changes what it says, and nothing else."""

from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from anclaf.core.errors import ConfigError
from anclaf.core.labels import label_quadrant
from anclaf.data.augmentation import AugmentationConfig
from anclaf.data.folds import split
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import estimate_frames, latents_of, told_quadrants
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import Sizes, Variant
from anclaf.recipes.ablations import ABLATIONS
from anclaf.recipes.run import make_run
from anclaf.training.fresh import FreshLatents
from anclaf.training.history import History
from anclaf.training.stage1 import train_base
from anclaf.training.stage1_config import Stage1Config

SIZES = Sizes(image_size=32, generator=4, discriminator=4, combiner=8, hidden=12)
STAGE1 = Stage1Config(steps=25, batch=16, evaluate_every=25, checkpoint_every=25, warmup=2)
_STILL = [f"stage1.augmentation.{field.name}" for field in fields(AugmentationConfig)]


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {path: value}
    return {k: v for name, part in value.items() for k, v in _leaves(part, f"{path}.{name}".lstrip(".")).items()}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("no-quadrant", {"sizes.quadrant": "none", "stage1.quadrant": 0.0}),
        ("true-quadrant", {"sizes.quadrant": "true"}),
        ("false-quadrant", {"sizes.quadrant": "false"}),
        ("real-discriminator", {"sizes.quadrant": "image"}),
        ("wgan-gp", {"stage1.adversary": "wgan-gp"}),
        ("no-adversary", {"stage1.adversary": "none"}),
        ("hidden-only", {"sizes.attention_cell": False}),
        ("divided-context", {"sizes.attention_divide": True}),
        ("no-curriculum", {"curriculum": False}),
        ("no-class-weights", {"stage1.class_limit": 1.0, "stage2.class_limit": 1.0}),
        ("location-score", {"sizes.attention_score": "location"}),
        ("no-landmarks", {"stage1.landmarks": 0.0}),
        ("no-change", {"sizes.motion": False}),
        ("no-augmentation", dict.fromkeys(_STILL, 0.0) | {"stage2.views": 0}),
    ],
)
def test_settings(name: str, changes: dict[str, Any]):
    assert name in ABLATIONS
    plain, changed = _leaves(asdict(make_run("small", 3))), _leaves(asdict(make_run(f"small+{name}", 3)))
    assert changed == plain | changes | {"recipe": f"small+{name}"}


def test_all_are_looked_at_above():
    assert len(ABLATIONS) == 14


def test_several_are_joined_and_unknown_ones_refused():
    run = make_run("tiny+wgan-gp+no-quadrant")
    assert (run.stage1.adversary, run.sizes.quadrant) == ("wgan-gp", "none")
    with pytest.raises(ConfigError, match="ablation 'no-attention': expected one of no-quadrant, true-quadrant, "):
        make_run("tiny+no-attention")
    with pytest.raises(ConfigError, match="recipe 'huge': expected one of demo, paper, small, tiny"):
        make_run("huge+no-quadrant")


def _train(corpus: PreparedCorpus, folder: Path, sizes: Sizes = SIZES, **stage1: Any) -> tuple[AffectNetwork, History]:
    fold = split(corpus, "strict", 0)
    fabric = Fabric(accelerator="cpu", devices=1)
    return train_base(fabric, corpus, fold.train, fold.validation, sizes, replace(STAGE1, **stage1), folder)[:2]


def _losses(history: History) -> set[tuple[str, str]]:
    return {(phase, name) for _, phase, name, _ in history.rows}


def test_without_quadrants_d_learns_none_and_c_sees_none(corpus: PreparedCorpus, tmp_path: Path):
    network, _ = _train(corpus, tmp_path, replace(SIZES, quadrant="none"), quadrant=0.0, average=0.0)
    rows = np.arange(5)
    before = estimate_frames(network, corpus, rows, "cpu")
    torch.nn.init.normal_(network.discriminator.quadrant.weight)
    np.testing.assert_array_equal(before, estimate_frames(network, corpus, rows, "cpu"))
    # neither D's nor G's phase has moved the quadrant head from where it started
    torch.manual_seed(0)
    again, _ = _train(corpus, tmp_path / "again", replace(SIZES, quadrant="none"), quadrant=0.0, steps=1, average=0.0)
    other, _ = _train(corpus, tmp_path / "other", replace(SIZES, quadrant="none"), quadrant=0.0, average=0.0)
    assert torch.equal(again.discriminator.quadrant.weight, other.discriminator.quadrant.weight)
    assert not torch.equal(again.discriminator.real.weight, other.discriminator.real.weight)


def test_without_an_adversary_real_and_fake_are_not_learnt(corpus: PreparedCorpus, tmp_path: Path):
    short, _ = _train(corpus, tmp_path / "a", adversary="none", steps=1, average=0.0)
    long, history = _train(corpus, tmp_path / "b", adversary="none", average=0.0)
    assert torch.equal(short.discriminator.real.weight, long.discriminator.real.weight)
    assert not torch.equal(short.discriminator.quadrant.weight, long.discriminator.quadrant.weight)
    assert {value for _, _, name, value in history.rows if name == "adversarial"} == {0.0}
    _, history = _train(corpus, tmp_path / "c", replace(SIZES, quadrant="none"), adversary="none", quadrant=0.0)
    assert ("G", "reconstruction") in _losses(history)
    assert not any(phase == "D" for phase, _ in _losses(history))


def test_told_quadrants(corpus: PreparedCorpus):
    rows = np.arange(len(corpus))
    labels = label_quadrant(*corpus.targets.T)

    def told(source: Any) -> np.ndarray:
        got = told_quadrants(AffectNetwork(replace(SIZES, quadrant=source), Variant("base")), corpus, rows)
        assert got is not None
        return got.numpy()

    np.testing.assert_array_equal(told("true"), labels)
    wrong = told("false")
    assert not (wrong == labels).any()
    assert set((wrong - labels) % 4) == {1, 2, 3}, "a fixed wrong one would tell as much as the right one"
    assert told_quadrants(AffectNetwork(SIZES, Variant("base")), corpus, rows) is None


def test_the_true_quadrant_is_told_in_training_validation_test_and_latents(corpus: PreparedCorpus, tmp_path: Path):
    network, history = _train(corpus, tmp_path, replace(SIZES, quadrant="true"))
    assert any(phase == "validation" for phase, _ in _losses(history))
    rows = np.arange(7, 19)
    expected = torch.eye(4)[torch.from_numpy(label_quadrant(*corpus.targets[rows].T))]
    assert torch.equal(latents_of(network, corpus, rows, "cpu").quadrant, expected)
    source = FreshLatents(network, corpus, rows, 2, AugmentationConfig(), 0, "cpu")
    for view in (0, 1):
        np.testing.assert_array_equal(source.read(view, np.arange(3, 9))[1], expected[3:9])
