"""Training of the networks that ANCLaF is compared with, on the same frames, changed and weighed alike."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from anclaf.comparators.networks import (
    COMPARATORS,
    SEQUENTIAL,
    AegCd,
    Comparator,
    PlainCnn,
    load_comparator,
    make_comparator,
    save_comparator,
)
from anclaf.core.errors import ConfigError, StaleError
from anclaf.core.files import write_json
from anclaf.core.progress import Progress, silent
from anclaf.core.windows import trailing_mean
from anclaf.data.folds import Split
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import agreement_score
from anclaf.losses.affect import affect_loss
from anclaf.losses.class_weights import class_weights
from anclaf.models.network import to_input
from anclaf.models.spec import Sizes
from anclaf.training.adversarial import AdversarialBatch, AdversarialLosses
from anclaf.training.course import Course
from anclaf.training.distributed import gather, local
from anclaf.training.frames import FrameBatch, draw_frames, refuse_unfit, train_frames
from anclaf.training.phases import Phase
from anclaf.training.seeds import seed_of
from anclaf.training.stage1_config import Stage1Config

AVERAGED = (2, 4, 8, 16, 32)
"""Frames among which the moving average chooses."""


@dataclass(frozen=True)
class ComparatorConfig:
    """How the comparators are trained.

    training: as the base model; none has its landmark task, and only `aeg-cd` has an adversary. `coherence` takes
    `batch` pairs of adjacent frames a step, so that it sees as many people and moments as the others. coherence:
    weight of that comparator's term (`coherence_loss`). rank: of the channels in `tucker`'s regression.
    """

    training: Stage1Config = field(default_factory=lambda: Stage1Config(landmarks=0.0))
    coherence: float = 10.0
    rank: int = 32

    def __post_init__(self) -> None:
        if self.training.landmarks:
            raise ConfigError(f"comparators: landmarks {self.training.landmarks}; no comparator has this task, set 0")
        if not self.coherence > 0 or self.rank < 1:
            raise ConfigError("comparators: coherence must be above 0, rank 1 or more")


def train_comparator(
    fabric: Fabric,
    name: str,
    corpus: PreparedCorpus,
    split: Split,
    sizes: Sizes,
    config: ComparatorConfig,
    folder: Path,
    mark: str,
    progress: Progress = silent,
    *,
    cnn_folder: Path | None = None,
) -> NDArray[np.float32]:
    """(len(split.test), 2) valence, arousal in [-1, 1] units, of a comparator; trained here unless it is finished.

    Leaves `model.safetensors` (but for `cnn-ma`), `model.json` and `history.csv` in `folder`.

    Args:
        name: one of `COMPARATORS`.
        split: the weights (for `cnn-ma` the window) with the best mean CCC on its validation rows are kept.
        mark: fingerprint of settings and data.
        cnn_folder: where `cnn` is finished; `cnn-ma` averages it.

    Raises:
        ConfigError: no such comparator, one that needs sequences of stills, or faces of another size.
        StaleError: `folder` holds a checkpoint or model of other settings or data.
        TrainingError: a loss is not finite, or there is too little to train on.
    """
    if name not in COMPARATORS:
        raise ConfigError(f"comparator {name!r}: expected one of {', '.join(COMPARATORS)}")
    if name in SEQUENTIAL and not corpus.card.fps:
        raise ConfigError(f"{name}: {corpus.folder} holds stills, which have no sequence; leave it out")
    if name == "cnn-ma":
        assert cnn_folder is not None, "cnn-ma averages a finished cnn"
        return _moving_average(fabric, corpus, split, folder, mark, cnn_folder)
    if not (folder / "model.json").is_file():
        _train(fabric, name, corpus, split, sizes, config, folder, mark, progress)
    network, card = load_comparator(folder)
    if card.get("mark") != mark:
        raise StaleError(f"{folder}: a {name} of other settings or data; use another folder, or delete it")
    return _estimate(network.to(fabric.device), corpus, split.test, fabric.device)


def _train(
    fabric: Fabric,
    name: str,
    corpus: PreparedCorpus,
    split: Split,
    sizes: Sizes,
    config: ComparatorConfig,
    folder: Path,
    mark: str,
    progress: Progress,
) -> None:
    settings, train, validation = config.training, split.train, split.validation
    refuse_unfit(corpus, train, sizes, settings.batch)
    torch.manual_seed(seed_of(settings.seed, 0))
    network, averaged, best = (make_comparator(name, sizes, config.rank).to(fabric.device) for _ in range(3))
    items = _pairs(corpus, train) if name == "coherence" else train[:, None]
    drawing = replace(settings, batch=items.shape[1] * settings.batch)
    weights = class_weights(corpus.targets[train], limit=settings.class_limit)

    def batch(step: int) -> FrameBatch:
        drawn = draw_frames(corpus, items, drawing, step)
        weight = weights.of(drawn.target)
        if isinstance(network, AegCd):
            return AdversarialBatch.of(fabric, drawn, weight, network.generator, settings.distortion)
        return FrameBatch(*(local(fabric, value) for value in (drawn.image, drawn.target, weight)))

    def validate() -> NDArray[np.float32]:
        return _estimate(averaged, corpus, validation, fabric.device)

    phases = _phases(fabric, name, network, config)
    optimizers = {phase.name: phase.optimizer for phase in phases}
    course = Course(fabric, folder, mark, network, averaged, best, {}, optimizers, settings.average)
    train_frames(fabric, course, phases, batch, validate, corpus.targets[validation], settings, name, progress)
    known = course.end()
    if fabric.is_global_zero:
        course.history.write(folder / "history.csv")
        card = {"comparator": name, "sizes": asdict(sizes), "rank": config.rank, "mark": mark, "training": known}
        save_comparator(folder, best, card)
        (folder / "checkpoint.safetensors").unlink(missing_ok=True)
    fabric.barrier()


def _phases(fabric: Fabric, name: str, network: Comparator, config: ComparatorConfig) -> list[Phase[Any]]:
    settings = config.training

    def agree(estimate: Tensor, batch: FrameBatch) -> Tensor:
        # the statistics are of the whole batch, whatever the number of processes
        return affect_loss(*(gather(fabric, v) for v in (estimate, batch.target, batch.weight))).total

    if isinstance(network, AegCd):
        return AdversarialLosses(network.generator, network.discriminator, agree, "affect", settings).phases()

    def loss(batch: FrameBatch) -> dict[str, Tensor]:
        if name != "coherence":
            return {"loss": agree(network(batch.image, settings.dropout), batch)}
        assert isinstance(network, PlainCnn)
        x = network.features(batch.image)
        affect = agree(network.affect(functional.dropout(x, settings.dropout)), batch)
        coherence = coherence_loss(x, batch.target)
        return {"loss": affect + config.coherence * coherence, "affect": affect, "coherence": coherence}

    parameters = list(network.parameters())
    optimizer = torch.optim.AdamW(parameters, settings.rate, weight_decay=settings.decay)
    return [Phase("train", loss, parameters, optimizer, clip_norm=5.0)]


def coherence_loss(x: Tensor, target: Tensor) -> Tensor:
    """Mean of max(0, |x_t+1 - x_t| / |x| - |θ_t+1 - θ_t|): from a frame to the next a feature may change as its label.

    Our reading of temporally coherent representations (Tellamekala & Valstar 2019): features of adjacent frames are
    drawn together, in the scale of their mean length, but no closer than their labels are.

    Args:
        x: (2K, F) features of K frames, then of the frames after them.
        target: (2K, 2).
    """
    (now, after), (label, next_label) = x.chunk(2), target.chunk(2)
    change = (after - now).square().sum(1).add(1e-12).sqrt() / x.detach().norm(dim=1).mean().clamp_min(1e-6)
    return functional.relu(change - (next_label - label).norm(dim=1)).mean()


def _pairs(corpus: PreparedCorpus, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """(M, 2) a row and that of the next frame, wherever there is one."""
    return np.concatenate([np.stack([run[:-1], run[1:]], 1) for run in corpus.segments(rows)])


@torch.inference_mode()
def _estimate(
    network: Comparator, corpus: PreparedCorpus, rows: NDArray[np.int64], device: torch.device, batch: int = 256
) -> NDArray[np.float32]:
    network.eval()
    parts = [
        network(to_input(torch.from_numpy(corpus.images(rows[i : i + batch])).to(device))).float().cpu().numpy()
        for i in range(0, len(rows), batch)
    ]
    network.train()
    return np.concatenate(parts)


def _moving_average(
    fabric: Fabric,
    corpus: PreparedCorpus,
    split: Split,
    folder: Path,
    mark: str,
    cnn_folder: Path,
) -> NDArray[np.float32]:
    """The network's mean estimate of the last frames of a run, of as many as do best on validation."""
    cnn, _ = load_comparator(cnn_folder)
    cnn.to(fabric.device)
    estimate = _estimate(cnn, corpus, split.validation, fabric.device)
    truth = corpus.targets[split.validation]
    scores = {n: agreement_score(_smooth(corpus, split.validation, estimate, n), truth)["ccc"] for n in AVERAGED}
    window = max(scores, key=lambda n: scores[n] if np.isfinite(scores[n]) else -1.0)
    if fabric.is_global_zero:
        write_json(folder / "model.json", {"comparator": "cnn-ma", "window": window, "scores": scores, "mark": mark})
    return _smooth(corpus, split.test, _estimate(cnn, corpus, split.test, fabric.device), window)


def _smooth(
    corpus: PreparedCorpus, rows: NDArray[np.int64], estimate: NDArray[np.float32], n: int
) -> NDArray[np.float32]:
    out = np.empty_like(estimate)
    for positions in corpus.segment_positions(rows):
        out[positions] = trailing_mean(estimate[positions], n)
    return out
