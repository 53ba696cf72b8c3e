"""Stage 1: G, D and C together, adversarially (Eq. 9). The result is the base model, ANCLaF.

One iteration is this page from top to bottom: Ĩ and G(Ĩ) (`clean`); the losses of D and G, of D's quadrants, and of C
(`d_loss`, `g_loss`, `q_loss`, `c_loss`), which the phases minimise in this order; their batch (`Stage1.draw`); and the
training around them (`train_base`).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from anclaf.config import RunConfig, Stage1Config
from anclaf.core.arguments import checked
from anclaf.core.files import fingerprint
from anclaf.core.labels import label_quadrant
from anclaf.core.progress import Progress, silent
from anclaf.core.seeds import Purpose, seed_of
from anclaf.data import augmentation
from anclaf.data.distortion import distort
from anclaf.data.folds import Split
from anclaf.data.sampling import check_frames, draw_frames
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import (
    agreement_score,
    choose_trust,
    estimate_of_frames,
    features_of,
    labelled_quadrants,
)
from anclaf.losses.adversarial import discriminator_loss, generator_loss, gradient_penalty
from anclaf.losses.affect import affect_loss
from anclaf.losses.class_balance import class_weights_of
from anclaf.losses.terms import TermInput, make_terms, term_values
from anclaf.models.anclaf import Discriminator, Generator, Planes
from anclaf.models.network import AffectNetwork, Latents
from anclaf.models.spec import Variant
from anclaf.training.beginning import Beginning
from anclaf.training.metric_log import MetricLog
from anclaf.training.phases import AUTHORS_BETAS, Batch, Phase, Terms, gather, local, make_optimizer
from anclaf.training.trainer import Networks, Schedule, Trainer

DTask = Callable[[Tensor], Tensor]
"""What D tells of faces beside real or not: its outputs (B, outputs) -> loss. Quadrants, or V and A in AEG-CD."""


class AdversarialBatch(Protocol):
    """What D's and G's losses need of a batch; see `Stage1Batch`."""

    image: Tensor
    cleaned: Tensor | None
    u: Tensor | None


def clean(
    fabric: Fabric, generator: Generator, image: Tensor, rng: torch.Generator, config: Stage1Config
) -> tuple[Tensor, Tensor]:
    """G(Ĩ) of this process's part of I (B, 3, S, S), made once for D's and G's phases; and u for the penalty."""
    distorted = local(fabric, distort(image, rng, config.distortion_probability))
    u = local(fabric, torch.rand(len(image), 1, 1, 1, generator=rng))
    with fabric.autocast():
        return generator(distorted), u


def d_loss(d: Discriminator, batch: AdversarialBatch, task: DTask, name: str, config: Stage1Config) -> Terms:
    """-log D(I) - log(1 - D(G(Ĩ))) (Eq. 9), or WGAN-GP's, + quadrant_weight * task on I (the term called `name`)."""
    assert batch.cleaned is not None
    assert batch.u is not None
    fake, real = batch.cleaned.detach(), d(batch.image)
    terms = {
        "adversarial": discriminator_loss(config.adversarial_loss, real.real, d(fake).real),
        name: task(real.quadrant),
    }
    loss = terms["adversarial"] + config.quadrant_weight * terms[name]
    if config.adversarial_loss == "wgan-gp":
        terms["penalty"] = gradient_penalty(lambda x: d(x).real, batch.image, fake, batch.u)
        loss = loss + config.gradient_penalty_weight * terms["penalty"]
    return {"loss": loss, **terms}


def g_loss(d: Discriminator, batch: AdversarialBatch, task: DTask, name: str, config: Stage1Config) -> Terms:
    """-log D(G(Ĩ)) + reconstruction_weight * L1(G(Ĩ), I) + quadrant_weight * task on G(Ĩ) (the term called `name`)."""
    assert batch.cleaned is not None
    judged = d(batch.cleaned)
    terms = {
        "adversarial": generator_loss(config.adversarial_loss, judged.real),
        "reconstruction": functional.l1_loss(batch.cleaned, batch.image),
        name: task(judged.quadrant),
    }
    reconstruction = config.reconstruction_weight * terms["reconstruction"]
    loss = terms["adversarial"] + reconstruction + config.quadrant_weight * terms[name]
    return {"loss": loss, **terms}


def c_loss(seen: TermInput, terms: nn.ModuleDict, weights: dict[str, float]) -> Terms:
    """L_afc (Eq. 10) and its parts, + weight * each further term of another package."""
    afc = affect_loss(seen.estimate, seen.target, seen.weight)
    loss = afc.total
    named = {"affect": afc.total, "rmse": afc.rmse, "cor": afc.cor, "ccc": afc.ccc, "icc": afc.icc}
    for name, value in term_values(terms, seen).items():
        named[name] = value
        loss = loss + weights[name] * value
    return {"loss": loss, **named}


def adversarial_phases(
    generator: Generator,
    discriminator: Discriminator,
    d: Callable[[Batch], Terms],
    g: Callable[[Batch], Terms],
    config: Stage1Config,
) -> list[Phase[Batch]]:
    """D's phase, where there is anything for it to learn, and G's. d, g: their losses."""
    of_d, of_g = list(discriminator.parameters()), list(generator.parameters())
    options: dict[str, Any] = {"lr": config.adversarial_lr, "betas": AUTHORS_BETAS}
    phases = [Phase("G", g, of_g, torch.optim.Adam(of_g, **options), config.adversarial_interval)]
    if config.adversarial_loss != "none" or config.quadrant_weight > 0:
        phases.insert(0, Phase("D", d, of_d, torch.optim.Adam(of_d, **options), config.adversarial_interval))
    return phases


@dataclass
class Stage1Batch:
    """This process's part of a step, B frames.

    image: I (B, 3, S, S). cleaned: G(Ĩ) (B, 3, S, S), and u: (B, 1, 1, 1) uniform in [0, 1]; None in steps in which D
    and G are not updated. target, weight: (B, 2), θ and f_i/F. quadrant: (B,), of the label. labelled: (B,), what C is
    given of it, if it is. landmarks: (B, P, 2) on the crop in [-1, 1], or None. seen: what phase Q leaves to phase C.
    """

    image: Tensor
    cleaned: Tensor | None
    u: Tensor | None
    target: Tensor
    weight: Tensor
    quadrant: Tensor
    labelled: Tensor | None
    landmarks: Tensor | None
    seen: "Seen | None" = None


class Seen(NamedTuple):
    """What the encoder and D make of a batch. q: (B, 4), without a gradient."""

    planes: Planes
    q: Tensor


class Stage1:
    """One iteration of stage 1 (Eq. 9): its batch, its losses, and their phases."""

    def __init__(
        self,
        fabric: Fabric,
        corpus: PreparedCorpus,
        rows: NDArray[np.int64],
        config: RunConfig,
        beginning: Beginning | None = None,
    ):
        self.fabric, self.corpus, self.rows, self.run, self.config = fabric, corpus, rows, config, config.stage1
        self.points = corpus.landmarks_of(rows)
        finds = self.points if beginning is None else beginning.network.points
        self.network = AffectNetwork(config.model, Variant("base"), finds)
        if beginning is not None:
            beginning.into_base(self.network)
        elif self.network.landmarks is not None:
            self.network.landmarks.fit_scale(torch.from_numpy(corpus.crop_landmarks[rows]))
        self.class_weights = class_weights_of(self.config, corpus.targets[rows])
        self.terms = make_terms(self.config.terms, self.network.feature_size, self.points)
        self.judges = self.config.quadrant_lr > 0 and self.config.quadrant_weight > 0
        """Whether there is a phase Q."""
        self.judge_landmarks: nn.Linear | None = None
        if self.judges and self.config.quadrant_landmarks > 0 and self.points:
            self.judge_landmarks = nn.Linear(self.network.discriminator.features, 2 * self.points)
        self.network.to(fabric.device)
        for module in self.others.values():
            module.to(fabric.device)

    @property
    def others(self) -> dict[str, nn.Module]:
        """What is trained with the network and dropped afterwards."""
        judge = {} if self.judge_landmarks is None else {"judge_landmarks": self.judge_landmarks}
        return {"terms": self.terms, **judge}

    def draw(self, step: int) -> Stage1Batch:
        """The batch of a step, a function of (seed, step) alone: I, changed, and G(Ĩ) of its distortion."""
        corpus, fabric, config = self.corpus, self.fabric, self.config
        frames = draw_frames(corpus, self.rows[:, None], config.batch_size, config.augmentation, self.run.seed, step)
        cleaned = u = landmarks = None
        if step % config.adversarial_interval == 0:
            cleaned, u = clean(fabric, self.network.generator, frames.image, frames.rng, config)
        if self.points and (self.network.points or len(self.terms) or self.judge_landmarks is not None):
            points = torch.from_numpy(corpus.crop_landmarks[frames.rows])
            points = augmentation.move_points(points, frames.changes, augmentation.mirrored_points(self.points))
            landmarks = local(fabric, points)
        labelled = labelled_quadrants(self.network, corpus, frames.rows)
        return Stage1Batch(
            local(fabric, frames.image),
            cleaned,
            u,
            local(fabric, frames.target),
            local(fabric, self.class_weights.of(frames.target)),
            quadrant=local(fabric, torch.from_numpy(label_quadrant(*frames.target.numpy().T))),
            labelled=None if labelled is None else local(fabric, labelled),
            landmarks=landmarks,
        )

    def d_loss(self, batch: Stage1Batch) -> Terms:
        """D: real on I, fake on G(Ĩ); the quadrant of I's label."""
        return d_loss(self.network.discriminator, batch, self._quadrants(batch), "quadrant", self.config)

    def g_loss(self, batch: Stage1Batch) -> Terms:
        """G: fool D, give back I, keep the quadrant visible."""
        return g_loss(self.network.discriminator, batch, self._quadrants(batch), "quadrant", self.config)

    @staticmethod
    def _quadrants(batch: Stage1Batch) -> DTask:
        return lambda logits: functional.cross_entropy(logits, batch.quadrant)

    def q_loss(self, batch: Stage1Batch) -> Terms:
        """D's quadrants of all G(I), which is what D judges in use, and of every other I; and where the landmarks are.

        Its gradient is D's alone. Leaves Z and Q to phase C: they are of the same weights. Every other I is of each
        process's own, so that in this alone several processes do not train as one.
        """
        network, d = self.network, self.network.discriminator
        planes = network.generator.planes(batch.image)
        with torch.no_grad():
            cleaned = network.generator.decode(planes.z)
        plane = d.body(torch.cat([cleaned, batch.image[::2]]))
        quadrants = d.judge(plane).quadrant
        batch.seen = self._seen(batch, planes, quadrants[: len(planes.z)].detach().softmax(1))
        label = torch.cat([batch.quadrant, batch.quadrant[::2]])
        terms = {"quadrant": functional.cross_entropy(quadrants, label)}
        loss = terms["quadrant"]
        if self.judge_landmarks is not None and batch.landmarks is not None:
            points = torch.cat([batch.landmarks, batch.landmarks[::2]])
            terms["landmarks"] = functional.l1_loss(self.judge_landmarks(plane.flatten(1)).view(points.shape), points)
            loss = loss + self.config.quadrant_landmarks * terms["landmarks"]
        return {"loss": loss, **terms}

    def _seen(self, batch: Stage1Batch, planes: Planes, judged: Tensor | None = None) -> Seen:
        """judged: what D says of G(I) (B, 4), if it is known already."""
        if judged is not None and self.network.config.quadrant_source == "reconstruction":
            return Seen(planes, judged)
        with torch.no_grad():
            return Seen(planes, self.network.quadrants(batch.image, planes.z, batch.labelled))

    def c_loss(self, batch: Stage1Batch) -> Terms:
        """C: L_afc (Eq. 10) of C(I), the landmarks' error, and further terms.

        Its gradient reaches G's encoder through Z, not through Q.
        """
        network, config = self.network, self.config
        planes, q = batch.seen or self._seen(batch, network.generator.planes(batch.image))
        finder, found, landmarks = network.landmarks, None, None
        if finder is not None:
            found = finder(planes, config.landmark_jitter)
            landmarks = finder.standardise(found[-1])
        x = network.features(Latents(planes.z, q, landmarks))
        shown = None if landmarks is None else appearance_shown(len(x), config.appearance_dropout, x.device)
        estimate = network.estimate(x[:, None], dropout=config.dropout, shown=shown).affect[:, 0]
        # the statistics are of the whole batch, whatever the number of processes
        estimate, target, weight = (gather(self.fabric, v) for v in (estimate, batch.target, batch.weight))
        terms = c_loss(TermInput(x, batch.landmarks, estimate, target, weight), self.terms, config.terms)
        if found is not None and batch.landmarks is not None:
            assert finder is not None
            # a model that training begins with may find other landmarks than this corpus has
            whole = finder.points == self.points
            terms["landmarks"] = (finder.loss if whole else finder.five_point_loss)(found, batch.landmarks)
            terms["loss"] = terms["loss"] + config.landmark_weight * terms["landmarks"]
        return terms

    def phases(self) -> list[Phase[Stage1Batch]]:
        """D, G, Q if D's quadrants have a phase of their own, and C, in the order of their updates."""
        network, config = self.network, self.config
        adversarial = adversarial_phases(network.generator, network.discriminator, self.d_loss, self.g_loss, config)
        q = self._phase_of_quadrants() if self.judges else []
        c = [*network.generator.encoder.parameters(), *network.combiner.parameters(), *network.head.parameters()]
        c += [] if network.landmarks is None else list(network.landmarks.parameters())
        c += list(self.terms.parameters())
        optimizer = make_optimizer(config.optimizer, c, config.lr, config.weight_decay)
        return [*adversarial, *q, Phase("C", self.c_loss, c, optimizer, clip_norm=config.clip_norm)]

    def _phase_of_quadrants(self) -> list[Phase[Stage1Batch]]:
        d, config = self.network.discriminator, self.config
        trained = [*d.body.parameters(), *d.quadrant.parameters()]
        if self.judge_landmarks is not None:
            trained += list(self.judge_landmarks.parameters())
        optimizer = torch.optim.AdamW(trained, config.quadrant_lr, weight_decay=config.weight_decay)
        return [Phase("Q", self.q_loss, trained, optimizer, clip_norm=config.clip_norm)]


def appearance_shown(count: int, dropout: float, device: torch.device) -> Tensor:
    """(count,) 1 where appearance is shown, 0 where it is left out; by torch's own generator."""
    return (torch.rand(count, device=device) >= dropout).float()


class Trained(NamedTuple):
    """network: with the best weights, in evaluation mode. log: losses over time. summary: best step, seconds…"""

    network: AffectNetwork
    log: MetricLog
    summary: dict[str, Any]


@checked
def train_base(
    fabric: Fabric,
    corpus: PreparedCorpus,
    split: Split,
    config: RunConfig,
    folder: Path,
    progress: Progress = silent,
    beginning: Beginning | None = None,
) -> Trained:
    """Train the base model, or go on where a killed run stopped.

    Args:
        split: the weights with the best mean CCC on its validation rows are kept.
        folder: where `checkpoint.safetensors` lives while training.
        beginning: a trained model to begin with, of the same networks; None: begin with random weights.

    Raises:
        StaleError: `folder` holds a checkpoint of other settings, data or beginning.
        TrainingError: a loss is not finite, or there are fewer training frames than a batch.
    """
    settings = config.stage1
    check_frames(corpus, split.train, config.model, settings.batch_size)
    torch.manual_seed(seed_of(config.seed, Purpose.STAGE1_WEIGHTS))
    stage = Stage1(fabric, corpus, split.train, config, beginning)
    points = stage.network.points
    averaged, best = (AffectNetwork(config.model, Variant("base"), points).to(fabric.device) for _ in range(2))
    truth = corpus.targets[split.validation]

    def validate() -> dict[str, float]:
        x = features_of(averaged, corpus, split.validation, fabric.device)
        return choose_trust(averaged, lambda: agreement_score(estimate_of_frames(averaged, x), truth))

    identity = {
        "config": asdict(settings), "seed": config.seed, "model": asdict(config.model),
        "corpus": corpus.card.fingerprint, "train": split.train.tolist(),
        **({} if beginning is None else {"beginning": beginning.fingerprint}),
    }  # fmt: skip
    networks = Networks(stage.network, averaged, best)
    trainer = Trainer(
        fabric, folder, fingerprint(identity), networks, stage.others, stage.phases(),
        stage1_schedule(settings, config.seed),
    )  # fmt: skip
    summary = trainer.fit(stage.draw, validate, "stage 1, base", progress)
    speed = round(settings.steps * settings.batch_size / max(summary["seconds"], 1e-9), 1)
    return Trained(best.eval(), trainer.log, summary | {"frames_per_second": speed})


def stage1_schedule(config: Stage1Config, seed: int) -> Schedule:
    """Validation at every so many steps and at the last."""
    return Schedule(
        config.steps,
        config.schedule,
        config.warmup_steps,
        config.ema_decay,
        config.checkpoint_every,
        evaluate=lambda done: done % config.evaluate_every == 0 or done == config.steps,
        dropout_seed=lambda step: seed_of(seed, Purpose.STAGE1_DROPOUT, step),
    )
