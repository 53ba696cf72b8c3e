"""Stage 2: children start as their parents, the loss is Eq. 10 over all frames of all windows, and G and D stay."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from anclaf.config import AttentionConfig, AugmentationConfig, RunConfig
from anclaf.core.errors import ConfigError, TrainingError
from anclaf.data.folds import Split
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import estimate_windows, features_of
from anclaf.faces.align import mirrored_motion
from anclaf.losses.affect import affect_loss
from anclaf.losses.terms import TERMS, LossTerm
from anclaf.models.anclaf import Estimate, LstmHead
from anclaf.models.geometry import motion_input
from anclaf.models.network import AffectNetwork, Latents, to_input
from anclaf.models.spec import Variant
from anclaf.training.latents import FreshLatents, LatentCache, features_from, write_latents
from anclaf.training.stage1 import Trained
from anclaf.training.stage2 import Stage2, Stage2Batch, check_head, train_recurrent

Sources = tuple[FreshLatents, FreshLatents]


@pytest.fixture(scope="module")
def sources(corpus: PreparedCorpus, fold: Split, base: AffectNetwork) -> Sources:
    return _sources(corpus, fold, base)


def _sources(corpus: PreparedCorpus, fold: Split, base: AffectNetwork) -> Sources:
    train, validation = (
        FreshLatents(base, corpus, rows, 2, AugmentationConfig(), 0, "cpu") for rows in (fold.train, fold.validation)
    )
    return train, validation


def _with(config: RunConfig, **changes: Any) -> RunConfig:
    return replace(config, stage2=replace(config.stage2, **changes))


def _train(
    corpus: PreparedCorpus,
    sources: Sources,
    parent: AffectNetwork,
    name: str,
    config: RunConfig,
    folder: Path,
    updates: int | None = None,
) -> Trained:
    fabric, variant = Fabric(accelerator="cpu", devices=1), Variant.parse(name)
    return train_recurrent(
        fabric, corpus, *sources, parent, variant, "sliding", config, folder / name, "parent's fingerprint", updates
    )


def _same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def test_children_start_as_their_parents(
    corpus: PreparedCorpus, sources: Sources, base: AffectNetwork, config: RunConfig, tmp_path: Path
):
    plain = _train(corpus, sources, base, "S-2", config, tmp_path).network
    assert _same(plain.generator, base.generator)
    assert _same(plain.discriminator, base.discriminator)
    assert _same(plain.combiner, base.combiner), "combiner_lr_scale is 0 by default"
    assert base.landmarks is not None
    assert plain.landmarks is not None
    assert _same(plain.landmarks, base.landmarks)
    trained = _train(corpus, sources, base, "S-2", _with(config, combiner_lr_scale=0.5), tmp_path / "C").network
    assert not _same(trained.combiner, base.combiner)
    still = _with(config, lr=1e-30, weight_decay=0.0, ema_decay=0.0)
    for name in ("S-4", "SA-2"):
        child = _train(corpus, sources, plain, name, still, tmp_path).network
        x = torch.randn(3, child.variant.n, plain.head_inputs)
        assert torch.equal(child.head(x).affect, plain.eval().head(x).affect)
        assert _same(child.combiner, plain.combiner)


def test_it_learns(
    corpus: PreparedCorpus,
    sources: Sources,
    base: AffectNetwork,
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("anclaf.training.metric_log.LOG_EVERY", 4)
    longer = _with(config, steps=24, evaluate_every=8, lr=3e-3)
    _, log, summary = _train(corpus, sources, base, "S-4", longer, tmp_path)
    losses = [value for _, phase, name, value in log.rows if (phase, name) == ("train", "loss")]
    assert losses[-1] < losses[0]
    assert summary["steps"] == 24
    scored = [step for step, phase, name, _ in log.rows if (phase, name) == ("validation", "ccc")]
    assert scored == [8, 16, 24]


class _OfLandmarks(LossTerm):
    """Has nothing to work on where there are no landmarks."""

    @classmethod
    def make(cls, features: int, points: int) -> Self | None:
        return cls() if points else None


def test_refusals(corpus: PreparedCorpus, sources: Sources, base: AffectNetwork, config: RunConfig, tmp_path: Path):
    with pytest.raises(TrainingError, match="S-16: the longest training clip has 9 frames"):
        _train(corpus, sources, base, "S-16", config, tmp_path)
    TERMS.register("of-landmarks", _OfLandmarks)
    try:
        with pytest.raises(ConfigError, match=r"stage2\.terms: of-landmarks has no effect"):
            _train(corpus, sources, base, "S-2", _with(config, terms={"of-landmarks": 1.0}), tmp_path)
    finally:
        TERMS.unregister("of-landmarks")


def test_half_precision_trains_alike(
    corpus: PreparedCorpus, fold: Split, config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Both stages in bf16: weights stay whole, and losses are those of full precision but for rounding."""
    from anclaf.training.stage1 import train_base

    monkeypatch.setattr("anclaf.training.metric_log.LOG_EVERY", 1)
    short = _with(replace(config, stage1=replace(config.stage1, steps=3)), steps=6)
    for adversary in ("gan", "wgan-gp"):
        settings = replace(short, stage1=replace(short.stage1, adversarial_loss=adversary))

        def losses(precision: Any, settings: RunConfig = settings, adversary: str = adversary) -> np.ndarray:
            fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
            folder = tmp_path / adversary / str(precision)
            network, of_base, _ = train_base(fabric, corpus, fold, settings, folder / "base")
            last, of_last, _ = train_recurrent(
                fabric, corpus, *_sources(corpus, fold, network), network, Variant("S", 4), "sliding", settings,
                folder / "S-4", "parent",
            )  # fmt: skip
            assert {value.dtype for value in last.state_dict().values()} == {torch.float32}
            rows = [row for found in (of_base, of_last) for row in found.rows if row[1] != "validation"]
            return np.array([value for *_, value in rows])

        whole, half = losses("32-true"), losses("bf16-mixed")
        assert len(whole) > 10
        assert not np.array_equal(whole, half)
        np.testing.assert_allclose(half, whole, rtol=0.1, atol=0.05)


def _stage(
    fabric: Fabric, corpus: PreparedCorpus, sources: Sources, base: AffectNetwork, config: RunConfig, **changes: Any
) -> Stage2:
    torch.manual_seed(0)
    network = base.successor(Variant("S", 3))
    plain = {"dropout": 0.0, "appearance_dropout": 0.0}
    return Stage2(fabric, corpus, sources[0], network, "sliding", _with(config, **(plain | changes)))


def test_the_batch_and_its_loss(
    fabric: Fabric, corpus: PreparedCorpus, fold: Split, sources: Sources, base: AffectNetwork, config: RunConfig
):
    """L_afc over every frame of every window, weighted by class; C and the head move, G, D and landmarks do not."""
    stage = _stage(fabric, corpus, sources, base, config, loss_frames="all", combiner_lr_scale=1.0)
    positions = stage.windows.at(0).positions
    assert positions.shape == (10, 3), "frames_per_step / n windows"
    batch, again = stage.draw(0), stage.draw(0)
    assert batch.latents.keys() == again.latents.keys() == {"z", "q", "landmarks", "motion"}
    assert all(torch.equal(values, again.latents[name]) for name, values in batch.latents.items())
    target = torch.from_numpy(corpus.targets[fold.train[positions]]).flatten(0, 1)
    assert torch.equal(batch.target, target)
    assert torch.equal(batch.weight, stage.class_weights.of(target))
    # each window is read in one view, some plain and some changed
    z = batch.latents["z"]
    plain = torch.from_numpy(sources[0].read(0, positions.reshape(-1))["z"])
    same = torch.isclose(plain, z, atol=1e-4).flatten(1).all(1).view(10, 3).all(1)
    assert 0 < int(same.sum()) < 10
    terms = stage.loss(batch)
    network = stage.network
    affect = network.head(_inputs(stage, batch)).affect
    expected = affect_loss(affect.flatten(0, 1), target, batch.weight).total
    torch.testing.assert_close(terms["loss"], expected)
    assert not torch.isclose(expected, affect_loss(affect.flatten(0, 1), target).total)
    moved = {
        name
        for name, module in network.named_children()
        if any(p.requires_grad for p in module.parameters())
        and any(
            g is not None and g.abs().max() > 0
            for g in torch.autograd.grad(terms["loss"], list(module.parameters()), allow_unused=True, retain_graph=True)
        )
    }
    assert moved == {"combiner", "head"}


class Watched(LstmHead):
    """Keeps its estimates, so that a test can ask for their gradients."""

    def forward(self, x: torch.Tensor, dropout: float = 0.0) -> Estimate:
        self.said = super().forward(x, dropout)
        return self.said


def test_the_loss_on_last_frames_has_gradients_from_them_alone(
    fabric: Fabric, corpus: PreparedCorpus, fold: Split, sources: Sources, base: AffectNetwork, config: RunConfig
):
    stage = _stage(fabric, corpus, sources, base, config)
    head = Watched(stage.network.head_inputs, stage.network.config)
    stage.network.head = head
    positions, scored = stage.windows.at(0)
    assert positions.shape == (16, 3), "windows_per_step"
    batch = stage.draw(0)
    assert torch.equal(batch.target, torch.from_numpy(corpus.targets[fold.train[positions[scored]]]))
    loss = stage.loss(batch)["loss"]
    (gradient,) = torch.autograd.grad(loss, head.said.affect)
    assert torch.equal(gradient.abs().sum(2) > 0, torch.from_numpy(scored))
    # the loss is that of windows cut to their own length, as testing cuts them
    lengths = torch.from_numpy(scored).int().argmax(1) + 1
    assert set(lengths.tolist()) == {1, 2, 3}
    with torch.no_grad():
        x = _inputs(stage, batch)
        affect = torch.cat([head(x[i : i + 1, : int(n)]).affect[:, -1] for i, n in enumerate(lengths)])
    torch.testing.assert_close(loss, affect_loss(affect, batch.target, batch.weight).total)


@pytest.mark.parametrize("lead_in", [False, True])
def test_the_loss_is_of_the_estimates_that_are_tested(
    fabric: Fabric, corpus: PreparedCorpus, fold: Split, base: AffectNetwork, config: RunConfig, lead_in: bool
):
    """The frames before a window are there in training as they are in testing, where a clip begins too."""
    torch.manual_seed(0)
    attention = AttentionConfig("general", "present", normalise_states=True, lead_in=lead_in)
    network = AffectNetwork(replace(base.config, attention=attention), Variant("SA", 3), base.points)
    for parameter in network.head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    source = FreshLatents(base, corpus, fold.train, 1, AugmentationConfig(), 0, "cpu")
    exact = _with(config, dropout=0.0, appearance_dropout=0.0)
    stage = Stage2(fabric, corpus, source, network, "sliding", exact)
    loss = stage.loss(stage.draw(0))["loss"]
    x, motion = features_from(network, source, "cpu")
    segments = corpus.segment_positions(fold.train)
    affect, _ = estimate_windows(network, x, motion, segments, 3, "sliding")
    positions, scored = stage.windows.at(0)
    at = positions[scored]
    target = torch.from_numpy(corpus.targets[fold.train[at]])
    expected = affect_loss(torch.from_numpy(affect[at]), target, stage.class_weights.of(target)).total
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)


class Foresight(LstmHead):
    """Also sees the window's last frame."""

    def forward(self, x: torch.Tensor, dropout: float = 0.0) -> Estimate:
        return super().forward(x + x[:, -1:], dropout)


def test_a_head_that_sees_later_frames_is_refused(base: AffectNetwork):
    network = base.successor(Variant("S", 3))
    check_head(network)
    network.head = Foresight(network.head_inputs, network.config)
    with pytest.raises(
        ConfigError, match=r"S-3: its head's estimate of a window's first frame changes with the frames"
    ):
        check_head(network)


def test_controls_get_the_updates_and_the_windows_of_the_model_they_control(
    corpus: PreparedCorpus,
    sources: Sources,
    base: AffectNetwork,
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """SA-n stops early; S-n+ takes as many updates, of the same windows and what is before them, in the same views with
    the same dropout."""
    plain = _train(corpus, sources, base, "S-4", config, tmp_path).network
    attention = AttentionConfig("general", "present", normalise_states=True, lead_in=True)
    plain.config = replace(plain.config, attention=attention)
    drawn: list[tuple[int, Stage2Batch, float]] = []
    draw = Stage2.draw

    def watched(self: Stage2, step: int) -> Stage2Batch:
        batch = draw(self, step)
        drawn.append((step, batch, torch.initial_seed()))
        return batch

    monkeypatch.setattr(Stage2, "draw", watched)
    scores = iter([0.1, 0.3, 0.2, 0.25, *(0.1 * step for step in range(9))])
    monkeypatch.setattr("anclaf.training.stage2.choose_trust", lambda _, score: score())
    monkeypatch.setattr(
        "anclaf.training.stage2.agreement_score",
        lambda *_: dict.fromkeys(("ccc", "valence_ccc", "arousal_ccc"), next(scores)),
    )
    settings = _with(config, steps=30, evaluate_every=2, patience=2)
    attending = _train(corpus, sources, plain, "SA-4", settings, tmp_path)
    assert (attending.summary["steps"], attending.summary["best_step"]) == (8, 4)
    of_attending, drawn = drawn, []
    further = _train(corpus, sources, plain, "S-4+", settings, tmp_path, attending.summary["steps"])
    assert (further.summary["steps"], further.summary["best_step"]) == (8, 8)
    assert str(further.network.variant) == "S-4+"
    for (step, batch, seed), (other_step, other, other_seed) in zip(of_attending, drawn, strict=True):
        assert (step, seed) == (other_step, other_seed)
        for name in ("scored", "target", "weight"):
            assert torch.equal(getattr(batch, name), getattr(other, name))
        assert batch.latents.keys() == other.latents.keys()
        assert all(torch.equal(values, other.latents[name]) for name, values in batch.latents.items())
        assert len(batch.latents["motion"]) == 16 * (4 + 4), "windows_per_step, each with its lead-in"


def _inputs(stage: Stage2, batch: Stage2Batch) -> torch.Tensor:
    """(W, n, …) what the head is given of a batch of Z and Q."""
    x = stage.network.features(Latents(*(batch.latents[name] for name in ("z", "q", "landmarks"))))
    x = x.view(-1, stage.n, stage.network.feature_size)
    return torch.cat([x, motion_input(batch.latents["motion"].view(-1, stage.n, 4))], -1)


def test_the_phase(fabric: Fabric, corpus: PreparedCorpus, sources: Sources, base: AffectNetwork, config: RunConfig):
    stage = _stage(fabric, corpus, sources, base, config, lr=0.5, combiner_lr_scale=0.25, weight_decay=0.125)
    phase = stage.phase()
    combiner, head = phase.optimizer.param_groups
    assert (combiner["lr"], head["lr"], combiner["weight_decay"], head["weight_decay"]) == (0.125, 0.5, 0.125, 0.125)
    assert {id(p) for p in combiner["params"]} == {id(p) for p in stage.network.combiner.parameters()}
    assert {id(p) for p in head["params"]} == {id(p) for p in stage.network.head.parameters()}
    assert len(phase.trained) == len(combiner["params"]) + len(head["params"])
    frozen = _stage(fabric, corpus, sources, base, config, combiner_lr_scale=0.0).phase()
    assert len(frozen.trained) == len(head["params"]) == len(frozen.optimizer.param_groups[0]["params"])
    assert len(frozen.optimizer.param_groups) == 1
    assert (type(phase.optimizer), phase.clip_norm) == (torch.optim.AdamW, 1.0)
    authors = _stage(fabric, corpus, sources, base, config, optimizer="adam", clip_norm=0.0).phase()
    assert (type(authors.optimizer), authors.clip_norm) == (torch.optim.Adam, 0.0)
    assert authors.optimizer.defaults["betas"] == (0.5, 0.999)


def test_what_attention_adds_has_its_own_rate(
    fabric: Fabric, corpus: PreparedCorpus, sources: Sources, base: AffectNetwork, config: RunConfig
):
    network = base.successor(Variant("SA", 3))
    changed = _with(config, lr=0.5, attention_lr_scale=3.0)
    phase = Stage2(fabric, corpus, sources[0], network, "sliding", changed).phase()
    rates = {id(p): group["lr"] for group in phase.optimizer.param_groups for p in group["params"]}
    names = {name: rates[id(p)] for name, p in network.head.named_parameters()}
    assert {name for name, lr in names.items() if lr == 1.5} == {
        "align_past.weight", "align_now.weight", "align_now.bias", "align_score.weight", "from_context.weight",
    }  # fmt: skip
    assert set(names.values()) == {0.5, 1.5}
    assert len(phase.trained) == len(rates)


def test_dropout_is_before_the_head(
    fabric: Fabric, corpus: PreparedCorpus, sources: Sources, base: AffectNetwork, config: RunConfig
):
    stage = _stage(fabric, corpus, sources, base, config, dropout=0.5)
    batch = stage.draw(0)
    with torch.no_grad():
        assert len({float(stage.loss(batch)["loss"]) for _ in range(3)}) == 3


def test_views_share_one_augmentation_a_clip(corpus: PreparedCorpus, base: AffectNetwork):
    still = AugmentationConfig(noise=0.0)
    rows = corpus.segments()[0]
    source = FreshLatents(base, corpus, rows, 3, still, 0, "cpu")
    plain, first, second = (source.read(v, np.arange(4))["z"] for v in range(3))
    assert not np.allclose(plain, first, atol=1e-3)
    assert not np.allclose(first, second, atol=1e-3)
    alone = np.concatenate([source.read(1, np.array([i]))["z"] for i in range(4)])
    np.testing.assert_allclose(first, alone, atol=1e-4)


def test_a_mirrored_view_has_the_mirrored_motion(corpus: PreparedCorpus, base: AffectNetwork):
    rows = corpus.segments()[0]
    moving, rng = copy.copy(corpus), np.random.default_rng(0)
    moving.crop_motion = rng.normal(0, 0.02, (len(corpus), 4)).astype(np.float32)  # takes the cached property's place
    source = FreshLatents(base, moving, rows, 2, replace(AugmentationConfig.none(), flip=1.0), 0, "cpu")
    plain, mirrored = (source.read(view, np.arange(9)) for view in (0, 1))
    np.testing.assert_array_equal(plain["motion"], moving.crop_motion[rows])
    np.testing.assert_array_equal(mirrored["motion"], mirrored_motion(moving.crop_motion[rows]))
    flipped = to_input(torch.from_numpy(corpus.images(rows))).flip(3)
    with torch.inference_mode():
        np.testing.assert_allclose(mirrored["z"], base.latents(flipped).z, atol=1e-2)


def test_appearance_is_left_out_of_whole_windows(
    fabric: Fabric,
    corpus: PreparedCorpus,
    sources: Sources,
    base: AffectNetwork,
    config: RunConfig,
    monkeypatch: pytest.MonkeyPatch,
):
    stage = _stage(fabric, corpus, sources, base, config, appearance_dropout=0.5, loss_frames="all")
    network, given = stage.network, list[torch.Tensor]()
    forward, size = network.head.forward, network.combiner.features
    monkeypatch.setattr(network.head, "forward", lambda x, dropout=0.0: given.append(x) or forward(x, dropout))
    stage.loss(stage.draw(0))
    left_out = (given[0][..., :size] == 0).all(2)
    assert 0 < int(left_out.all(1).sum()) < 10
    assert torch.equal(left_out.all(1), left_out.any(1))
    assert not (given[0][..., size : size + 10] == 0).all(2).any()


def test_the_cache_of_x_and_that_of_z_and_q_give_the_same_x(
    corpus: PreparedCorpus, base: AffectNetwork, fold: Split, tmp_path: Path
):
    found: list[torch.Tensor] = []
    for name in ("z", "x"):
        source = FreshLatents(base, corpus, fold.validation, 1, AugmentationConfig(), 0, "cpu", features=name == "x")
        list(write_latents(tmp_path / name, source, "a"))
        cache = LatentCache.open(tmp_path / name, fold.validation, "a")
        assert cache is not None
        arrays = {"x"} if name == "x" else {"z", "q", "landmarks"}
        assert cache.read(0, np.arange(3)).keys() == arrays | {"motion"}
        x, motion = features_from(base, cache, "cpu")
        found.append(x)
        np.testing.assert_allclose(motion, corpus.crop_motion[fold.validation], atol=1e-3)
    # 16-bit floats, of Z or of x
    torch.testing.assert_close(found[0], found[1], atol=1e-3, rtol=2e-3)
    assert float(found[1].std(0).max()) > 0.02, "x does not move, so that equality would say nothing"


def test_there_is_one_x(corpus: PreparedCorpus, base: AffectNetwork, fold: Split, sources: Sources):
    """From pictures and through latents x is the same."""
    x, _ = features_from(base, sources[1], "cpu")
    torch.testing.assert_close(x, features_of(base, corpus, fold.validation, "cpu"), atol=1e-5, rtol=1e-4)
