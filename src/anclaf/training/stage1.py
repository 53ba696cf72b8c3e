"""Stage 1: G, D and C together, adversarially (Eq. 9). The result is the base model, ANCLaF."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from anclaf.core.errors import ConfigError, TrainingError
from anclaf.core.files import fingerprint
from anclaf.core.progress import Progress, silent
from anclaf.core.quadrants import quadrant
from anclaf.data import augmentation
from anclaf.data.augmentation import AugmentationConfig
from anclaf.data.distortion import distort
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import agreement_score, estimate_frames
from anclaf.losses.adversarial import discriminator_loss, generator_loss, gradient_penalty
from anclaf.losses.affect import affect_loss
from anclaf.losses.class_weights import ClassWeights, class_weights
from anclaf.models.network import AffectNetwork, Latent, to_input
from anclaf.models.spec import Sizes, Variant
from anclaf.training.course import Course
from anclaf.training.distributed import gather, local
from anclaf.training.history import History
from anclaf.training.phases import Phase, cosine, run_phases, set_rate
from anclaf.training.seeds import seed_of


@dataclass(frozen=True)
class Stage1Config:
    """How the base model is trained.

    steps: updates of C. batch: frames a step, of all processes together. rate: learning rate of C's phase (AdamW);
    adversarial_rate: of D's and G's (Adam). decay: weight decay of C's phase. warmup: steps of rising rate.
    adversary: Eq. 9's log loss (`gan`) or `wgan-gp`. interval: D and G are updated at every interval-th step.
    reconstruction: weight of L1(G(distorted I), I). quadrant: weight of the cross-entropies. penalty: of WGAN-GP's.
    dropout: of x, before the affect layer. landmarks: weight of an auxiliary task, where the corpus has landmarks: a
    linear layer on x tells where they are on the crop. It is dropped after training, and so is what it knows of a
    database's landmarks. Deviation: not in the paper, which uses landmarks to crop only; without it people are
    memorised (docs/results.md).
    class_limit: largest class weight f_i/F, 1 turns them off. average: decay of the running average of the weights
    that is evaluated and kept, 0 for none. evaluate_every, checkpoint_every: steps.
    """

    steps: int = 3000
    batch: int = 48
    rate: float = 1e-3
    adversarial_rate: float = 5e-4
    decay: float = 0.01
    warmup: int = 50
    adversary: Literal["gan", "wgan-gp"] = "gan"
    interval: int = 1
    reconstruction: float = 10.0
    quadrant: float = 1.0
    penalty: float = 10.0
    landmarks: float = 50.0
    dropout: float = 0.3
    class_limit: float = 3.0
    average: float = 0.99
    distortion: float = 0.5
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    evaluate_every: int = 250
    checkpoint_every: int = 250
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.interval < 1 or self.evaluate_every < 1 or self.checkpoint_every < 1:
            raise ConfigError("stage 1: steps, interval, evaluate_every and checkpoint_every must be 1 or more")
        if self.batch < 4:
            raise ConfigError(f"stage 1: batch {self.batch}; a correlation needs at least 4 frames")
        if not 0 <= self.average < 1:
            raise ConfigError(f"stage 1: average {self.average}; expected 0 <= average < 1")


@dataclass
class _Batch:
    """image: I (B, 3, S, S); target, weight: (B, 2); quadrant: (B,); landmarks: (B, P, 2) or None; u: (B, 1, 1, 1)."""

    image: Tensor
    distorted: Tensor
    target: Tensor
    weight: Tensor
    quadrant: Tensor
    landmarks: Tensor | None
    u: Tensor
    generator: nn.Module

    @cached_property
    def cleaned(self) -> Tensor:
        """G(distorted I), made once for D's and G's phases."""
        return self.generator(self.distorted)


class _Batches:
    """The batch of each step, a function of (seed, step) alone."""

    def __init__(self, corpus: PreparedCorpus, rows: NDArray[np.int64], config: Stage1Config, fabric: Fabric):
        self.corpus, self.config, self.fabric = corpus, config, fabric
        self.rows = rows
        self.weights: ClassWeights = class_weights(corpus.targets[rows], limit=config.class_limit)
        has_landmarks = config.landmarks > 0 and np.isfinite(corpus.crop_landmarks[rows]).all()
        self.points = corpus.crop_landmarks.shape[1] if has_landmarks else 0

    def __call__(self, step: int, generator: nn.Module) -> _Batch:
        config, fabric = self.config, self.fabric
        rng = torch.Generator().manual_seed(seed_of(config.seed, 1, step))
        # an epoch is a shuffle of all frames; a step takes the next `batch` of them
        rows = self.rows[_shuffled(len(self.rows), config.batch, step, config.seed)]
        changes = augmentation.draw(len(rows), config.augmentation, rng)
        image = augmentation.apply(to_input(torch.from_numpy(self.corpus.images(rows))), changes, rng)
        distorted = distort(image, rng, config.distortion)
        target = torch.from_numpy(self.corpus.targets[rows])
        landmarks = None
        if self.points:
            points = torch.from_numpy(self.corpus.crop_landmarks[rows])
            landmarks = augmentation.move_points(points, changes, augmentation.mirrored_points(self.points))
        u = torch.rand(len(rows), 1, 1, 1, generator=rng)
        return _Batch(
            local(fabric, image),
            local(fabric, distorted),
            local(fabric, target),
            local(fabric, self.weights.of(target)),
            local(fabric, torch.from_numpy(quadrant(*target.numpy().T))),
            None if landmarks is None else local(fabric, landmarks),
            local(fabric, u),
            generator,
        )


def _shuffled(count: int, batch: int, step: int, seed: int) -> NDArray[np.int64]:
    """Positions of step's batch in an endless sequence of shuffles of `count` items."""
    position = np.arange(step * batch, (step + 1) * batch)
    out = np.empty(batch, np.int64)
    for epoch in np.unique(position // count):
        order = np.random.default_rng((seed, 2, int(epoch))).permutation(count)
        mask = position // count == epoch
        out[mask] = order[position[mask] % count]
    return out


class _Losses:
    """Eq. 9, a method for each phase."""

    def __init__(self, network: AffectNetwork, pointer: nn.Linear | None, config: Stage1Config, fabric: Fabric):
        self.network, self.pointer, self.config, self.fabric = network, pointer, config, fabric

    def discriminator(self, batch: _Batch) -> dict[str, Tensor]:
        """D: real on I, fake on G(distorted I), the quadrant of I."""
        config, judge = self.config, self.network.discriminator
        fake = batch.cleaned.detach()
        real = judge(batch.image)
        adversarial = discriminator_loss(config.adversary, real.real, judge(fake).real)
        terms = {"adversarial": adversarial, "quadrant": functional.cross_entropy(real.quadrant, batch.quadrant)}
        loss = adversarial + config.quadrant * terms["quadrant"]
        if config.adversary == "wgan-gp":
            terms["penalty"] = gradient_penalty(lambda x: judge(x).real, batch.image, fake, batch.u)
            loss = loss + config.penalty * terms["penalty"]
        return {"loss": loss, **terms}

    def generator(self, batch: _Batch) -> dict[str, Tensor]:
        """G: fool D, give back I, keep its quadrant visible."""
        config = self.config
        judged = self.network.discriminator(batch.cleaned)
        terms = {
            "adversarial": generator_loss(config.adversary, judged.real),
            "reconstruction": functional.l1_loss(batch.cleaned, batch.image),
            "quadrant": functional.cross_entropy(judged.quadrant, batch.quadrant),
        }
        loss = (
            terms["adversarial"] + config.reconstruction * terms["reconstruction"] + config.quadrant * terms["quadrant"]
        )
        return {"loss": loss, **terms}

    def combiner(self, batch: _Batch) -> dict[str, Tensor]:
        """C: L_afc (Eq. 10); its gradient reaches G's encoder through Z, not through Q."""
        network = self.network
        latent = network.generator.encode(batch.image)
        with torch.no_grad():
            seen = network.discriminator(network.generator.decode(latent)).quadrant.softmax(1)
        x = network.features(Latent(latent, seen))
        estimate = network.estimate(functional.dropout(x, self.config.dropout))
        # the statistics are of the whole batch, whatever the number of processes
        estimate, target, weight = (gather(self.fabric, v) for v in (estimate, batch.target, batch.weight))
        terms = affect_loss(estimate, target, weight)
        loss = terms.total
        named = {"affect": terms.total, "rmse": terms.rmse, "cor": terms.cor, "ccc": terms.ccc, "icc": terms.icc}
        if self.pointer is not None and batch.landmarks is not None:
            pointed = self.pointer(x).view(batch.landmarks.shape)
            named["landmarks"] = functional.l1_loss(pointed, batch.landmarks)
            loss = loss + self.config.landmarks * named["landmarks"]
        return {"loss": loss, **named}


def train_base(
    fabric: Fabric,
    corpus: PreparedCorpus,
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    sizes: Sizes,
    config: Stage1Config,
    folder: Path,
    progress: Progress = silent,
) -> tuple[AffectNetwork, History, dict[str, Any]]:
    """Train the base model, or go on where a killed run stopped.

    Args:
        train, validation: rows of the corpus. The weights with the best mean CCC on `validation` are kept.
        folder: where `checkpoint.safetensors` lives while training.

    Returns the network with the best weights, the losses over time, and what is worth knowing (best step, seconds).

    Raises:
        StaleError: `folder` holds a checkpoint of other settings or data.
        TrainingError: a loss is not finite, or there are fewer training frames than a batch.
    """
    if sizes.image_size != corpus.card.image_size:
        raise ConfigError(
            f"the networks take {sizes.image_size}x{sizes.image_size} faces, {corpus.folder} holds "
            f"{corpus.card.image_size}x{corpus.card.image_size}: prepare it with --image-size {sizes.image_size}"
        )
    if len(train) < config.batch:
        raise TrainingError(
            f"{len(train)} training frames; a batch takes {config.batch}. "
            "Use a larger corpus, or a smaller --config.stage1.batch"
        )
    torch.manual_seed(seed_of(config.seed, 0))
    batches = _Batches(corpus, train, config, fabric)
    network = AffectNetwork(sizes, Variant("base"))
    pointer = nn.Linear(network.combiner.features, 2 * batches.points) if batches.points else None
    averaged = AffectNetwork(sizes, Variant("base"))
    best = AffectNetwork(sizes, Variant("base"))
    for module in (network, averaged, best, *([pointer] if pointer else [])):
        module.to(fabric.device)
    phases = _phases(network, pointer, config, fabric)
    others: dict[str, nn.Module] = {"pointer": pointer} if pointer is not None else {}
    optimizers = {phase.name: phase.optimizer for phase in phases}
    mark = fingerprint(
        {"config": asdict(config), "sizes": asdict(sizes), "corpus": corpus.card.fingerprint, "train": train.tolist()}
    )
    course = Course(fabric, folder, mark, network, averaged, best, others, optimizers, config.average)
    for step in range(course.step, config.steps):
        torch.manual_seed(seed_of(config.seed, 9, step))  # dropout
        set_rate(phases, cosine(step, config.steps, config.warmup))
        losses = run_phases(fabric, phases, batches(step, network.generator), step)
        course.follow(step, losses)
        done = step + 1
        if done % config.evaluate_every == 0 or done == config.steps:
            estimate = estimate_frames(averaged, corpus, validation, fabric.device)
            course.score(done, agreement_score(estimate, corpus.targets[validation]))
        if done % config.checkpoint_every == 0 or done == config.steps:
            course.save(done)
        progress(done, config.steps, course.history.line("base"))
    known = course.end()
    speed = round(config.steps * config.batch / max(known["seconds"], 1e-9), 1)
    return best.eval(), course.history, known | {"frames_per_second": speed}


def _phases(
    network: AffectNetwork, pointer: nn.Linear | None, config: Stage1Config, fabric: Fabric
) -> list[Phase[_Batch]]:
    losses = _Losses(network, pointer, config, fabric)
    assert network.affect is not None
    d, g = list(network.discriminator.parameters()), list(network.generator.parameters())
    c = [*network.generator.encoder.parameters(), *network.combiner.parameters(), *network.affect.parameters()]
    if pointer is not None:
        c += list(pointer.parameters())
    betas = (0.5, 0.999)
    return [
        Phase("D", losses.discriminator, d, torch.optim.Adam(d, config.adversarial_rate, betas), config.interval),
        Phase("G", losses.generator, g, torch.optim.Adam(g, config.adversarial_rate, betas), config.interval),
        Phase("C", losses.combiner, c, torch.optim.AdamW(c, config.rate, weight_decay=config.decay), 1, clip_norm=5.0),
    ]
