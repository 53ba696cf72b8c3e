"""Stage 1: it learns, refuses what is not its own, and each loss has its sign, its weight and its stop-gradient."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional

from anclaf.config import AugmentationConfig, RunConfig
from anclaf.core.errors import ConfigError, StaleError, TrainingError
from anclaf.core.seeds import Purpose, seed_of
from anclaf.data.folds import Split, split
from anclaf.data.sampling import Frames, draw_frames
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import agreement_score, estimate_of_frames, features_of
from anclaf.losses.affect import affect_loss
from anclaf.models.anclaf import FewOutputs, condition
from anclaf.models.geometry import CloserLook
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import Variant
from anclaf.training.phases import Terms, run_phases
from anclaf.training.stage1 import Stage1, appearance_shown, train_base

PLAIN = AugmentationConfig.none()


def _with(config: RunConfig, **changes: Any) -> RunConfig:
    return replace(config, stage1=replace(config.stage1, **changes))


def _same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.allclose(x, y, rtol=0, atol=1e-20) for x, y in pairs)


def _plain_look(look: CloserLook, plane: Tensor, landmarks: Tensor) -> Tensor:
    along = (torch.arange(7, dtype=plane.dtype) - 3) * (2 / look.size)
    y, x = torch.meshgrid(along, along, indexing="ij")
    grid = landmarks[:, :, None].to(plane) + torch.stack([x, y], -1).view(-1, 2)
    squares = functional.grid_sample(plane.permute(0, 3, 1, 2), grid, padding_mode="border", align_corners=False)
    shown = torch.baddbmm(look.bias, squares.permute(2, 0, 1, 3).flatten(2), look.weight)
    return look.move(functional.leaky_relu(shown, 0.01).transpose(0, 1).flatten(1)).float().view(landmarks.shape)


def _in_double(corpus: PreparedCorpus, *arguments: Any) -> Frames:
    frames = draw_frames(corpus, *arguments)
    return replace(frames, image=frames.image.double())


def test_steps_end_as_those_of_plain_convolutions_and_samples(
    fabric: Fabric, corpus: PreparedCorpus, fold: Split, config: RunConfig, monkeypatch: pytest.MonkeyPatch
):
    """After four steps of all phases, in float64."""
    monkeypatch.setattr("anclaf.training.stage1.draw_frames", _in_double)
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    ends: list[Tensor] = []
    for plain in (False, True):
        if plain:
            monkeypatch.setattr(FewOutputs, "forward", torch.nn.Conv2d.forward)
            monkeypatch.setattr(CloserLook, "forward", _plain_look)
        torch.manual_seed(0)
        stage = _stage(fabric, corpus, fold, config)
        stage.network.double()
        for module in stage.others.values():
            module.double()
        phases = stage.phases()
        for step in range(4):
            torch.manual_seed(step)
            run_phases(fabric, phases, stage.draw(step), step)
        ends.append(torch.cat([value.detach().flatten() for value in stage.network.parameters()]))
    assert ends[0].dtype == torch.float64
    torch.testing.assert_close(*ends, rtol=0, atol=1e-9)


@pytest.mark.parametrize("adversary", ["gan", "wgan-gp"])
def test_it_learns(
    fabric: Fabric, corpus: PreparedCorpus, fold: Split, config: RunConfig, tmp_path: Path, adversary: str
):
    longer = _with(
        config, steps=120, batch_size=32, adversarial_interval=4, adversarial_loss=adversary, lr=2e-3, evaluate_every=60
    )
    network, log, summary = train_base(fabric, corpus, fold, longer, tmp_path)
    estimate = estimate_of_frames(network, features_of(network, corpus, fold.test, "cpu"))
    assert np.corrcoef(estimate[:, 0], corpus.targets[fold.test, 0])[0, 1] > 0.5
    losses = {
        (phase, name): [v for _, p, n, v in log.rows if (p, n) == (phase, name)] for _, phase, name, _ in log.rows
    }
    assert losses["G", "reconstruction"][-1] < losses["G", "reconstruction"][0]
    assert losses["C", "affect"][-1] < losses["C", "affect"][0]
    assert losses["C", "landmarks"][-1] < losses["C", "landmarks"][0]
    assert ("D", "penalty") in losses or adversary == "gan"
    assert summary["best_step"] in (60, 120)
    # how far appearance is trusted was chosen on the validation people, and is kept with the weights
    trusts = {step: value for step, _, name, value in log.rows if name == "trust"}
    assert trusts.keys() == {60, 120}
    assert trusts[summary["best_step"]] == float(network.trust)
    found = estimate_of_frames(network, features_of(network, corpus, fold.validation, "cpu"))
    score = agreement_score(found, corpus.targets[fold.validation])["ccc"]
    assert score == pytest.approx(summary["best_score"], abs=1e-6)


def test_the_affect_loss_reaches_g_through_z_and_d_only_through_its_own_phase(
    fabric: Fabric, corpus: PreparedCorpus, fold: Split, config: RunConfig, tmp_path: Path
):
    """With D and G all but off, C's phase still moves G's encoder, and never D or the decoder."""
    still = _with(
        config, steps=6, adversarial_interval=1000, evaluate_every=100, checkpoint_every=100, adversarial_lr=1e-30,
        ema_decay=0.0, quadrant_lr=0.0,
    )  # fmt: skip
    network = train_base(fabric, corpus, fold, still, tmp_path).network
    torch.manual_seed(seed_of(config.seed, Purpose.STAGE1_WEIGHTS))
    start = AffectNetwork(config.model, Variant("base"), 5)
    assert not _same(network.generator.encoder, start.generator.encoder)
    assert _same(network.generator.decoder, start.generator.decoder)
    assert _same(network.discriminator, start.discriminator)


def test_refusals(fabric: Fabric, corpus: PreparedCorpus, fold: Split, config: RunConfig, tmp_path: Path):
    with pytest.raises(ConfigError, match="prepare it with --image-size 64"):
        train_base(fabric, corpus, fold, replace(config, model=replace(config.model, image_size=64)), tmp_path)
    with pytest.raises(TrainingError, match="9 training frames; a batch takes 16"):
        train_base(fabric, corpus, replace(fold, train=fold.train[:9]), config, tmp_path)
    with pytest.raises(ConfigError, match="loss term 'nothing': no package brings any"):
        train_base(fabric, corpus, fold, _with(config, terms={"nothing": 1.0}), tmp_path)
    train_base(fabric, corpus, fold, config, tmp_path)
    for other in (_with(config, lr=0.1), replace(config, seed=1)):
        with pytest.raises(StaleError, match="made with other settings"):
            train_base(fabric, corpus, fold, other, tmp_path)
    (tmp_path / "checkpoint.safetensors").write_bytes(b"half a checkpoint")
    with pytest.raises(StaleError, match="damaged checkpoint"):
        train_base(fabric, corpus, fold, config, tmp_path)


def test_a_corpus_without_landmarks_trains_without_geometry(
    fabric: Fabric, make_corpus, config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    corpus = make_corpus()
    found = split(corpus, "strict", 0)
    assert Stage1(fabric, corpus, found.train, config).network.points == 5
    without = np.array(corpus.crop_landmarks)
    without[found.train[3]] = np.nan
    monkeypatch.setitem(vars(corpus), "crop_landmarks", without)
    stage = Stage1(fabric, corpus, found.train, config)
    assert stage.network.landmarks is None
    assert stage.draw(0).landmarks is None
    monkeypatch.setattr("anclaf.training.metric_log.LOG_EVERY", 1)
    network, log, _ = train_base(fabric, corpus, found, config, tmp_path)
    assert (network.points, network.head_inputs) == (0, network.combiner.features)
    assert "affect" in {name for _, phase, name, _ in log.rows if phase == "C"}
    assert not {"landmarks", "trust"} & {name for _, _, name, _ in log.rows}
    assert float(network.trust) == 1, "without geometry, appearance is all there is"


def test_landmarks_are_standardised_as_the_training_faces_are(stage: Stage1, corpus: PreparedCorpus, fold: Split):
    finder = stage.network.landmarks
    assert finder is not None
    seen = finder.standardise(torch.from_numpy(corpus.crop_landmarks[fold.train])).view(-1, 5, 2)
    torch.testing.assert_close(seen.mean(0), torch.zeros(5, 2), atol=1e-4, rtol=0)
    spread = seen.std(0, correction=0)
    # faces are symmetric, so that the nose's tip never leaves the middle
    torch.testing.assert_close(spread[[0, 1, 3, 4]], torch.ones(4, 2), atol=1e-4, rtol=0)
    torch.testing.assert_close(spread[2], torch.tensor([0.0, 1.0]), atol=1e-4, rtol=0)


# One iteration, against the paper by hand. Nothing is drawn at random but the batch: no augmentation, no dropout.


@pytest.fixture
def stage(fabric: Fabric, corpus: PreparedCorpus, fold: Split, config: RunConfig) -> Stage1:
    return _stage(fabric, corpus, fold, config)


def _stage(fabric: Fabric, corpus: PreparedCorpus, fold: Split, config: RunConfig, **changes: Any) -> Stage1:
    torch.manual_seed(0)
    plain = {
        "augmentation": PLAIN, "dropout": 0.0, "appearance_dropout": 0.0, "landmark_jitter": 0.0,
        "adversarial_interval": 2,
    }  # fmt: skip
    return Stage1(fabric, corpus, fold.train, _with(config, **(plain | changes)))


def _parameters(module: torch.nn.Module) -> list[torch.nn.Parameter]:
    return list(module.parameters())


def _gradient(terms: Terms, module: torch.nn.Module) -> list[Tensor | None]:
    return list(torch.autograd.grad(terms["loss"], _parameters(module), allow_unused=True, retain_graph=True))


def _moves(terms: Terms, module: torch.nn.Module) -> bool:
    return any(gradient is not None and bool(gradient.abs().max() > 0) for gradient in _gradient(terms, module))


def _assert_same_gradient(terms: Terms, loss: Tensor, module: torch.nn.Module) -> None:
    expected = torch.autograd.grad(loss, _parameters(module), retain_graph=True)
    for got, wanted in zip(_gradient(terms, module), expected, strict=True):
        assert got is not None
        torch.testing.assert_close(got, wanted)
    assert any(gradient.abs().max() > 0 for gradient in expected)


def test_the_batch(stage: Stage1, corpus: PreparedCorpus):
    batch = stage.draw(0)
    assert batch.image.shape == (16, 3, 32, 32)
    assert batch.cleaned is not None
    assert batch.u is not None
    assert batch.u.shape == (16, 1, 1, 1)
    assert 0 < float(batch.u.min()) < float(batch.u.max()) < 1
    # some of Ĩ are distorted and some are not
    same = torch.isclose(batch.cleaned, stage.network.generator(batch.image), atol=1e-6).flatten(1).all(1)
    assert 0 < int(same.sum()) < 16
    again = stage.draw(0)
    assert torch.equal(batch.image, again.image)
    assert again.cleaned is not None
    assert torch.equal(batch.cleaned, again.cleaned)
    later = stage.draw(1)
    assert later.cleaned is None
    assert not torch.equal(batch.image, later.image)
    assert batch.landmarks is not None
    assert batch.landmarks.shape == (16, 5, 2)
    # labels, weights, quadrants and landmarks are those of the pictures
    places = [int(np.flatnonzero((corpus.targets == target.numpy()).all(1))[0]) for target in batch.target]
    assert torch.equal(stage.class_weights.of(torch.from_numpy(corpus.targets[places])), batch.weight)
    expected = [(0 if v >= 0 else 1) if a >= 0 else (3 if v >= 0 else 2) for v, a in batch.target.tolist()]
    assert batch.quadrant.tolist() == expected


def test_distorted_pictures_are_what_g_sees(fabric, corpus, fold, config):
    for probability, same in ((0.0, True), (1.0, False)):
        stage = _stage(fabric, corpus, fold, config, distortion_probability=probability)
        batch = stage.draw(0)
        assert batch.cleaned is not None
        assert torch.allclose(batch.cleaned, stage.network.generator(batch.image), atol=1e-6) == same


def test_d_loss(fabric, corpus, fold, config):
    """Eq. 9: -log D(I) - log(1 - D(G(Ĩ))), and the quadrant on I."""
    stage = _stage(fabric, corpus, fold, config, quadrant_weight=0.25)
    batch, d = stage.draw(0), stage.network.discriminator
    assert batch.cleaned is not None
    terms = stage.d_loss(batch)
    real, fake = d(batch.image), d(batch.cleaned)
    adversarial = -torch.log(torch.sigmoid(real.real)).mean() - torch.log(1 - torch.sigmoid(fake.real)).mean()
    quadrant = -functional.log_softmax(real.quadrant, 1)[torch.arange(16), batch.quadrant].mean()
    torch.testing.assert_close(terms["adversarial"], adversarial)
    torch.testing.assert_close(terms["quadrant"], quadrant)
    torch.testing.assert_close(terms["loss"], adversarial + 0.25 * quadrant)
    assert _moves(terms, d)
    # G(Ĩ) is given to D without its gradient
    assert not terms["loss"].requires_grad or not _moves(terms, stage.network.generator)


def test_d_loss_of_wgan_gp(fabric, corpus, fold, config):
    stage = _stage(fabric, corpus, fold, config, adversarial_loss="wgan-gp", gradient_penalty_weight=7.0)
    batch, d = stage.draw(0), stage.network.discriminator
    assert batch.cleaned is not None
    assert batch.u is not None
    terms = stage.d_loss(batch)
    adversarial = d(batch.cleaned).real.mean() - d(batch.image).real.mean()
    between = (batch.u * batch.image + (1 - batch.u) * batch.cleaned).detach().requires_grad_()
    (slope,) = torch.autograd.grad(d(between).real.flatten(1).mean(1).sum(), between)
    penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
    torch.testing.assert_close(terms["adversarial"], adversarial)
    torch.testing.assert_close(terms["penalty"], penalty)
    torch.testing.assert_close(terms["loss"], adversarial + terms["quadrant"] + 7 * penalty)


def test_g_loss(fabric, corpus, fold, config):
    """G: fool D, give back I (not Ĩ), keep the quadrant visible in G(Ĩ). Only G moves."""
    stage = _stage(fabric, corpus, fold, config, reconstruction_weight=3.0, quadrant_weight=0.5)
    batch, network = stage.draw(0), stage.network
    assert batch.cleaned is not None
    terms = stage.g_loss(batch)
    judged = network.discriminator(batch.cleaned)
    adversarial = -torch.log(torch.sigmoid(judged.real)).mean()
    reconstruction = (batch.cleaned - batch.image).abs().mean()
    quadrant = -functional.log_softmax(judged.quadrant, 1)[torch.arange(16), batch.quadrant].mean()
    for name, value in (("adversarial", adversarial), ("reconstruction", reconstruction), ("quadrant", quadrant)):
        torch.testing.assert_close(terms[name], value)
    loss = adversarial + 3 * reconstruction + 0.5 * quadrant
    torch.testing.assert_close(terms["loss"], loss)
    _assert_same_gradient(terms, loss, network.generator)


def test_c_loss(fabric, corpus, fold, config):
    """L_afc (Eq. 10) with class weights, plus the landmarks'. Q is a constant in it."""
    stage = _stage(fabric, corpus, fold, config, landmark_weight=4.0)
    batch, network = stage.draw(0), stage.network
    terms = stage.c_loss(batch)
    planes = network.generator.planes(batch.image)
    z = planes.z
    q = network.discriminator(network.generator.decode(z)).quadrant.softmax(1).detach()
    finder = network.landmarks
    assert finder is not None
    assert batch.landmarks is not None
    found = finder(planes)
    geometry = ((finder.aligned(found[-1]) - finder.mean) / finder.scale).view(16, 10)
    x = torch.cat([network.combiner(condition(z, q)), geometry], 1)
    estimate = network.head(x[:, None]).affect[:, 0]
    affect = affect_loss(estimate, batch.target, batch.weight).total
    goal = finder.aligned(batch.landmarks)
    errors = [(one - batch.landmarks).abs().mean() + (finder.aligned(one) - goal).abs().mean() for one in found]
    assert len(errors) == 3
    landmarks = sum(errors) / 3
    torch.testing.assert_close(terms["affect"], affect)
    torch.testing.assert_close(terms["landmarks"], landmarks)
    torch.testing.assert_close(terms["loss"], affect + 4 * landmarks)
    assert not torch.isclose(affect, affect_loss(estimate, batch.target).total), "class weights change nothing"
    _assert_same_gradient(terms, affect + 4 * landmarks, network.generator.encoder)
    for still in (network.discriminator, network.generator.decoder):
        assert not _moves(terms, still)
    for moved in (network.combiner, network.head, finder):
        assert _moves(terms, moved)
    assert _moves({"loss": terms["affect"]}, finder), "which landmarks matter is learnt from labels"
    _assert_same_gradient(terms, affect + 4 * landmarks, finder)


def test_q_loss(fabric, corpus, fold, config):
    """The quadrants of G(I), and of every other I, and landmarks; only D moves, but for what tells real from not."""
    stage = _stage(fabric, corpus, fold, config, quadrant_landmarks=3.0)
    batch, network, d = stage.draw(1), stage.network, stage.network.discriminator
    assert stage.judge_landmarks is not None
    assert batch.landmarks is not None
    terms = stage.q_loss(batch)
    cleaned = network.generator(batch.image).detach()
    seen, rows = torch.cat([cleaned, batch.image[::2]]), [*range(16), *range(0, 16, 2)]
    said = functional.log_softmax(d(seen).quadrant, 1)[torch.arange(24), batch.quadrant[rows]]
    found = stage.judge_landmarks(d.body(seen).flatten(1)).view(24, 5, 2)
    loss = -said.mean() + 3 * (found - batch.landmarks[rows]).abs().mean()
    torch.testing.assert_close(terms["loss"], loss)
    _assert_same_gradient(terms, loss, d.body)
    for moved in (d.quadrant, stage.judge_landmarks):
        assert _moves(terms, moved)
    for still in (network.generator, network.combiner, d.real):
        assert not _moves(terms, still)
    last = network.generator.decoder[-1]
    assert isinstance(last, torch.nn.Conv2d)
    torch.nn.init.zeros_(last.weight)
    assert not torch.isclose(stage.q_loss(batch)["loss"], loss), "G(I) is not looked at"


@pytest.mark.parametrize("source", ["reconstruction", "image", "none", "true"])
def test_phase_q_leaves_to_c_what_c_would_have_found_itself(fabric, corpus, fold, config, source):
    stage = _stage(fabric, corpus, fold, replace(config, model=replace(config.model, quadrant_source=source)))
    batch, again, network = stage.draw(1), stage.draw(1), stage.network
    stage.q_loss(batch)
    assert batch.seen is not None
    assert again.seen is None
    torch.testing.assert_close(batch.seen.q, network.latents(batch.image, batch.labelled).q)
    torch.manual_seed(1)  # which appearance is left out
    terms = stage.c_loss(batch)
    torch.manual_seed(1)
    torch.testing.assert_close(terms, stage.c_loss(again))
    assert _moves(terms, network.generator.encoder)
    assert not _moves(terms, network.discriminator)


def test_without_landmarks_q_learns_quadrants_alone(fabric, corpus, fold, config):
    stage = _stage(fabric, corpus, fold, config, quadrant_landmarks=0.0)
    assert stage.judge_landmarks is None
    assert set(stage.q_loss(stage.draw(1))) == {"loss", "quadrant"}


def test_c_is_given_the_quadrant_of_the_label_where_settings_say_so(fabric, corpus, fold, config):
    given = replace(config, model=replace(config.model, quadrant_source="true"))
    stage = _stage(fabric, corpus, fold, given)
    batch, network = stage.draw(0), stage.network
    assert batch.labelled is not None
    assert torch.equal(batch.labelled, batch.quadrant)
    q = functional.one_hot(batch.quadrant, 4).float()
    x = network.features(network.latents(batch.image, batch.labelled)._replace(q=q))
    affect = affect_loss(network.head(x[:, None]).affect[:, 0], batch.target, batch.weight).total
    torch.testing.assert_close(stage.c_loss(batch)["affect"], affect)


def test_landmarks_move_with_the_picture(fabric, corpus, fold, config):
    plain = _stage(fabric, corpus, fold, config).draw(0)
    mirrored = _stage(fabric, corpus, fold, config, augmentation=replace(PLAIN, flip=1.0)).draw(0)
    assert plain.landmarks is not None
    assert mirrored.landmarks is not None
    torch.testing.assert_close(mirrored.image, plain.image.flip(3), atol=2e-3, rtol=0)
    expected = plain.landmarks[:, [1, 0, 2, 4, 3]] * torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(mirrored.landmarks, expected)
    shifted = _stage(fabric, corpus, fold, config, augmentation=replace(PLAIN, shift=0.2)).draw(0)
    assert shifted.landmarks is not None
    moved = shifted.landmarks - plain.landmarks
    torch.testing.assert_close(moved, moved[:, :1].expand_as(moved), atol=1e-5, rtol=0)
    assert float(moved.abs().mean()) > 0.05


def test_landmarks_are_moved_before_they_are_corrected(fabric, corpus, fold, config):
    stage = _stage(fabric, corpus, fold, config, landmark_jitter=0.05)
    batch, finder, given = stage.draw(0), stage.network.landmarks, list[float]()
    assert finder is not None
    finder.register_forward_pre_hook(lambda _, arguments: given.append(arguments[1]))
    stage.c_loss(batch)
    assert given == [0.05]


def test_dropout_is_of_x_in_c(fabric, corpus, fold, config):
    dropped = _stage(fabric, corpus, fold, config, dropout=0.5)
    batch = dropped.draw(0)
    with torch.no_grad():
        losses = {float(dropped.c_loss(batch)["affect"]) for _ in range(3)}
        landmarks = {float(dropped.c_loss(batch)["landmarks"]) for _ in range(3)}
    assert len(losses) == 3
    assert len(landmarks) == 1


def test_appearance_is_left_out_of_some_frames(fabric, corpus, fold, config):
    """In all: C is not trained and what it says of a face counts for nothing. In some: losses differ."""
    for part, moved, different in ((0.0, True, 1), (0.5, True, 3), (1.0, False, 1)):
        stage = _stage(fabric, corpus, fold, config, appearance_dropout=part)
        batch = stage.draw(0)
        terms = stage.c_loss(batch)
        assert _moves(terms, stage.network.combiner) == moved
        assert _moves(terms, stage.network.head)
        with torch.no_grad():
            assert len({float(stage.c_loss(batch)["affect"]) for _ in range(3)}) == different
    shown = appearance_shown(4000, 0.2, torch.device("cpu"))
    assert set(shown.tolist()) == {0.0, 1.0}
    assert float(shown.mean()) == pytest.approx(0.8, abs=0.03)


def test_phases(fabric, corpus, fold, config):
    stage = _stage(fabric, corpus, fold, config, adversarial_lr=0.25, lr=0.125, weight_decay=0.5, quadrant_lr=0.0625)
    network, d = stage.network, stage.network.discriminator
    phases = {phase.name: phase for phase in stage.phases()}
    assert list(phases) == ["D", "G", "Q", "C"]
    assert [phase.interval for phase in phases.values()] == [2, 2, 1, 1]
    assert [phase.optimizer.param_groups[0]["lr"] for phase in phases.values()] == [0.25, 0.25, 0.0625, 0.125]
    assert stage.judge_landmarks is not None
    assert network.landmarks is not None
    assert phases["C"].optimizer.param_groups[0]["weight_decay"] == 0.5
    encoder, decoder = network.generator.encoder, network.generator.decoder
    trained = {
        "D": _parameters(network.discriminator),
        "G": [*_parameters(encoder), *_parameters(decoder)],
        "Q": [p for m in (d.body, d.quadrant, stage.judge_landmarks) for p in _parameters(m)],
        "C": [p for m in (encoder, network.combiner, network.head, network.landmarks) for p in _parameters(m)],
    }
    for name, parameters in trained.items():
        assert {id(p) for p in phases[name].trained} == {id(p) for p in parameters}
        assert {id(p) for g in phases[name].optimizer.param_groups for p in g["params"]} == {id(p) for p in parameters}
    alone = _stage(fabric, corpus, fold, config, adversarial_loss="none", quadrant_weight=0.0)
    assert [phase.name for phase in alone.phases()] == ["G", "C"]
    assert type(phases["C"].optimizer) is torch.optim.AdamW
    assert phases["C"].clip_norm == 5.0
    authors = _stage(fabric, corpus, fold, config, optimizer="adam", clip_norm=0.0, weight_decay=0.0)
    c = {phase.name: phase for phase in authors.phases()}["C"]
    assert type(c.optimizer) is torch.optim.Adam
    assert (c.optimizer.defaults["betas"], c.optimizer.defaults["weight_decay"], c.clip_norm) == ((0.5, 0.999), 0, 0)
    as_the_paper = _stage(fabric, corpus, fold, config, quadrant_lr=0.0)
    assert [phase.name for phase in as_the_paper.phases()] == ["D", "G", "C"]
    assert as_the_paper.judge_landmarks is None
