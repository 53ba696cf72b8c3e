"""Stage 1: G, D and C together, adversarially (Eq. 9). The result is the base model, ANCLaF."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from anclaf.core.files import fingerprint
from anclaf.core.labels import label_quadrant
from anclaf.core.progress import Progress, silent
from anclaf.data import augmentation
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import estimate_frames, told_quadrants
from anclaf.losses.affect import affect_loss
from anclaf.losses.class_weights import ClassWeights, class_weights
from anclaf.models.network import AffectNetwork, Latent
from anclaf.models.spec import Sizes, Variant
from anclaf.training.adversarial import AdversarialBatch, AdversarialLosses
from anclaf.training.course import Course
from anclaf.training.distributed import gather, local
from anclaf.training.frames import draw_frames, refuse_unfit, train_frames
from anclaf.training.history import History
from anclaf.training.phases import Phase
from anclaf.training.seeds import seed_of
from anclaf.training.stage1_config import Stage1Config


@dataclass
class _Batch(AdversarialBatch):
    """quadrant, told: (B,), of the label, and what C is told of it if it is; landmarks: (B, P, 2) or None."""

    quadrant: Tensor
    told: Tensor | None
    landmarks: Tensor | None


class _Batches:
    """The batch of each step, a function of (seed, step) alone."""

    def __init__(
        self,
        corpus: PreparedCorpus,
        rows: NDArray[np.int64],
        network: AffectNetwork,
        config: Stage1Config,
        fabric: Fabric,
    ):
        self.corpus, self.rows, self.network, self.config, self.fabric = corpus, rows, network, config, fabric
        self.weights: ClassWeights = class_weights(corpus.targets[rows], limit=config.class_limit)
        has_landmarks = config.landmarks > 0 and np.isfinite(corpus.crop_landmarks[rows]).all()
        self.points = corpus.crop_landmarks.shape[1] if has_landmarks else 0

    def __call__(self, step: int) -> _Batch:
        corpus, fabric = self.corpus, self.fabric
        drawn = draw_frames(corpus, self.rows[:, None], self.config, step)
        landmarks = None
        if self.points:
            points = torch.from_numpy(corpus.crop_landmarks[drawn.rows])
            landmarks = augmentation.move_points(points, drawn.changes, augmentation.mirrored_points(self.points))
        told = told_quadrants(self.network, corpus, drawn.rows)
        return _Batch.of(
            fabric,
            drawn,
            self.weights.of(drawn.target),
            self.network.generator,
            self.config.distortion,
            quadrant=local(fabric, torch.from_numpy(label_quadrant(*drawn.target.numpy().T))),
            told=None if told is None else local(fabric, told),
            landmarks=None if landmarks is None else local(fabric, landmarks),
        )


@dataclass(frozen=True)
class _CombinerLoss:
    """C's phase: L_afc (Eq. 10); its gradient reaches G's encoder through Z, not through Q."""

    network: AffectNetwork
    pointer: nn.Linear | None
    config: Stage1Config
    fabric: Fabric

    def __call__(self, batch: _Batch) -> dict[str, Tensor]:
        network = self.network
        latent = network.generator.encode(batch.image)
        with torch.no_grad():
            seen = network.quadrant(batch.image, latent, batch.told)
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
    refuse_unfit(corpus, train, sizes, config.batch)
    torch.manual_seed(seed_of(config.seed, 0))
    network = AffectNetwork(sizes, Variant("base"))
    batches = _Batches(corpus, train, network, config, fabric)
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

    def validate() -> NDArray[np.float32]:
        return estimate_frames(averaged, corpus, validation, fabric.device)

    truth = corpus.targets[validation]
    train_frames(fabric, course, phases, batches, validate, truth, config, "stage 1, base", progress)
    known = course.end()
    speed = round(config.steps * config.batch / max(known["seconds"], 1e-9), 1)
    return best.eval(), course.history, known | {"frames_per_second": speed}


def _phases(
    network: AffectNetwork, pointer: nn.Linear | None, config: Stage1Config, fabric: Fabric
) -> list[Phase[_Batch]]:
    def quadrants(judged: Tensor, batch: _Batch) -> Tensor:
        return functional.cross_entropy(judged, batch.quadrant)

    assert network.affect is not None
    c = [*network.generator.encoder.parameters(), *network.combiner.parameters(), *network.affect.parameters()]
    if pointer is not None:
        c += list(pointer.parameters())
    loss = _CombinerLoss(network, pointer, config, fabric)
    optimizer = torch.optim.AdamW(c, config.rate, weight_decay=config.decay)
    adversarial = AdversarialLosses(network.generator, network.discriminator, quadrants, "quadrant", config)
    return [*adversarial.phases(), Phase("C", loss, c, optimizer, clip_norm=5.0)]
