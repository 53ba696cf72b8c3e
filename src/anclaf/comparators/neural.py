"""Comparators that are networks, trained on the same frames as ANCLaF, augmented and weighted alike.

Each takes faces (B, 3, S, S) in [-1, 1] to valence and arousal (B, 2). Their widths follow from ANCLaF's, so that they
are about as large as what it uses at inference: at the paper's sizes `cnn` has 11.2 million parameters, ANCLaF's base
model 14.5.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tensorly.backend import backend_context  # pyright: ignore[reportAttributeAccessIssue] - made at import
from tensorly.tucker_tensor import tucker_to_tensor
from torch import Tensor, nn
from torch.nn import functional

from anclaf.comparators.registry import Task
from anclaf.config import ComparatorConfig, ModelConfig
from anclaf.core.errors import ModelError, StaleError
from anclaf.core.files import atomic_path, write_json
from anclaf.core.seeds import Purpose, seed_of
from anclaf.core.windows import trailing_mean
from anclaf.data.sampling import check_frames, draw_frames
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import agreement_score
from anclaf.losses.affect import affect_loss
from anclaf.losses.class_balance import class_weights_of
from anclaf.models.anclaf import Discriminator, Generator
from anclaf.models.network import to_input
from anclaf.training.phases import Phase, gather, local, make_optimizer
from anclaf.training.stage1 import DTask, adversarial_phases, clean, d_loss, g_loss, stage1_schedule
from anclaf.training.trainer import Networks, Trainer

AVERAGED = (2, 4, 8, 16, 32)
"""Frames among which the moving average chooses."""


@dataclass
class FrameBatch:
    """This process's part of a step. image: I (B, 3, S, S); target, weight: (B, 2); cleaned, u: as in `Stage1Batch`."""

    image: Tensor
    target: Tensor
    weight: Tensor
    cleaned: Tensor | None = None
    u: Tensor | None = None


def _convolutions(image_size: int, width: int, plane: int) -> tuple[nn.Sequential, int]:
    """Stride-2 convolutions with doubling channels down to a plane of this side, and how many channels it has."""
    depth = (image_size // plane).bit_length() - 1
    channels = [3, *(width * 2**i for i in range(depth))]
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        # one group: the statistics are of one face, so that a batch's parts and single frames give the same numbers
        layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.GroupNorm(1, after), nn.LeakyReLU(0.01)]
    return nn.Sequential(*layers), channels[-1]


class PlainCnn(nn.Module):
    """Convolutions down to 2x2, all of which is the feature x (B, F), and a linear layer."""

    def __init__(self, model: ModelConfig):
        super().__init__()
        self.body, channels = _convolutions(model.image_size, max(1, model.c_width // 2), plane=2)
        self.affect = nn.Linear(4 * channels, 2)

    def features(self, image: Tensor) -> Tensor:
        return self.body(image).flatten(1)

    def forward(self, image: Tensor, dropout: float = 0.0) -> Tensor:
        return self.affect(nn.functional.dropout(self.features(image), dropout))


class TuckerCnn(nn.Module):
    """The same convolutions down to 4x4, and a regression whose weights are a Tucker tensor (Mitenkova et al. 2019).

    The regression's weights (F, 4, 4, 2) are core (r, 2, 2, 2) x factors (F, r), (4, 2), (4, 2), (2, 2), so that the
    map keeps its structure.
    """

    def __init__(self, model: ModelConfig, rank: int):
        super().__init__()
        self.body, channels = _convolutions(model.image_size, max(1, model.c_width // 2), plane=4)
        shape, ranks = (channels, 4, 4, 2), (min(rank, channels), 2, 2, 2)
        self.core = nn.Parameter(torch.randn(ranks) / ranks[0] ** 0.5)
        self.factors = nn.ParameterList(
            nn.Parameter(torch.randn(n, r) / n**0.5) for n, r in zip(shape, ranks, strict=True)
        )
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, image: Tensor, dropout: float = 0.0) -> Tensor:
        with backend_context("pytorch", local_threadsafe=True):
            weight = tucker_to_tensor((self.core, list(self.factors)))
        plane = nn.functional.dropout(self.body(image), dropout)
        return torch.einsum("bfyx,fyxd->bd", plane, weight) + self.bias


class AegCd(nn.Module):
    """The parent model AEG-CD (Aspandi et al. 2020): G and D as in ANCLaF, D tells valence and arousal, no C."""

    def __init__(self, model: ModelConfig):
        super().__init__()
        self.generator = Generator(model.g_width)
        self.discriminator = Discriminator(model.image_size, model.d_width, 2, norm=model.discriminator_norm)

    def forward(self, image: Tensor) -> Tensor:
        return self.discriminator(self.generator(image)).quadrant


Network = PlainCnn | TuckerCnn | AegCd

NETWORKS: dict[str, Callable[[ModelConfig, int], Network]] = {
    "cnn": lambda model, _: PlainCnn(model),
    "coherence": lambda model, _: PlainCnn(model),
    "tucker": TuckerCnn,
    "aeg-cd": lambda model, _: AegCd(model),
}
"""Comparator -> untrained network of (model's configuration, rank of `tucker`). `coherence` is `cnn` with another
loss."""


def network(task: Task) -> NDArray[np.floating]:
    """Estimates of one of `NETWORKS`, which is trained here unless it is finished in `task.folder`.

    The weights with the best mean CCC on the validation rows are kept, as `model.safetensors` and `model.json`, with
    `history.csv`. A killed training goes on from its last checkpoint.

    Raises:
        ConfigError: the corpus holds faces of another size.
        StaleError: `task.folder` holds a checkpoint or model of other settings or data.
        TrainingError: a loss is not finite, or there are fewer training frames than a batch.
    """
    if not (task.folder / "model.json").is_file():
        _train(task)
    trained, card = load_network(task.folder)
    if card.get("fingerprint") != task.fingerprint:
        raise StaleError(f"{task.folder}: a {task.name} of other settings or data; use another folder, or delete it")
    return task.corpus.card.scale.restore(_estimate(trained.to(task.fabric.device), task, task.split.test))


def moving_average(task: Task) -> NDArray[np.floating]:
    """Mean estimate of `cnn` over the last frames of a segment, of as many of `AVERAGED` as do best on validation."""
    split, targets = task.split, task.corpus.targets
    cnn, _ = load_network(task.parents["cnn"])
    cnn.to(task.fabric.device)
    estimate = _estimate(cnn, task, split.validation)
    scores = {
        n: agreement_score(_smooth(task.corpus, split.validation, estimate, n), targets[split.validation])["ccc"]
        for n in AVERAGED
    }
    window = max(scores, key=lambda n: scores[n] if np.isfinite(scores[n]) else -1.0)
    if task.fabric.is_global_zero:
        card = {"comparator": task.name, "window": window, "scores": scores, "fingerprint": task.fingerprint}
        write_json(task.folder / "model.json", card)
    smooth = _smooth(task.corpus, split.test, _estimate(cnn, task, split.test), window)
    return task.corpus.card.scale.restore(smooth)


def save_network(folder: Path, trained: Network, card: dict[str, Any]) -> None:
    """Write `model.safetensors`, then `model.json`: card holds `comparator`, `model`, `rank` and what else is known."""
    weights = {name: value.detach().cpu().contiguous() for name, value in trained.state_dict().items()}
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file(weights, temporary)
    write_json(folder / "model.json", card)


def load_network(folder: Path) -> tuple[Network, dict[str, Any]]:
    """A finished network, in evaluation mode, and its card.

    Raises:
        ModelError: none there, or a damaged one.
    """
    try:
        card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        trained = NETWORKS[card["comparator"]](ModelConfig.from_json(card["model"]), card["rank"])
        trained.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder}: no whole comparator ({error}); delete the folder to train it again") from error
    return trained.eval(), card


def _train(task: Task) -> None:
    fabric, corpus, config = task.fabric, task.corpus, task.config
    settings, train, validation = config.training, task.split.train, task.split.validation
    check_frames(corpus, train, task.model, settings.batch_size)
    torch.manual_seed(seed_of(task.seed, Purpose.STAGE1_WEIGHTS))
    trained, averaged, best = (NETWORKS[task.name](task.model, config.tucker_rank).to(fabric.device) for _ in range(3))
    items = _adjacent(corpus, train) if task.name == "coherence" else train[:, None]
    batch_size = items.shape[1] * settings.batch_size
    weights = class_weights_of(settings, corpus.targets[train])

    def draw(step: int) -> FrameBatch:
        frames = draw_frames(corpus, items, batch_size, settings.augmentation, task.seed, step)
        values = (local(fabric, value) for value in (frames.image, frames.target, weights.of(frames.target)))
        batch = FrameBatch(*values)
        if isinstance(trained, AegCd) and step % settings.adversarial_interval == 0:
            batch.cleaned, batch.u = clean(fabric, trained.generator, frames.image, frames.rng, settings)
        return batch

    def validate() -> dict[str, float]:
        return agreement_score(_estimate(averaged, task, validation), corpus.targets[validation])

    phases = _phases(fabric, trained, config, coherent=task.name == "coherence")
    trainer = Trainer(
        fabric, task.folder, task.fingerprint, Networks(trained, averaged, best), {}, phases,
        stage1_schedule(settings, task.seed),
    )  # fmt: skip
    known = trainer.fit(draw, validate, task.name, task.progress)
    if fabric.is_global_zero:
        trainer.log.write(task.folder / "history.csv")
        card = {"comparator": task.name, "model": asdict(task.model), "rank": config.tucker_rank}
        save_network(task.folder, best, card | {"fingerprint": task.fingerprint, "training": known})
        (task.folder / "checkpoint.safetensors").unlink(missing_ok=True)
    fabric.barrier()


def _phases(fabric: Fabric, trained: Network, config: ComparatorConfig, coherent: bool) -> list[Phase[Any]]:
    settings = config.training

    def agree(estimate: Tensor, batch: FrameBatch) -> Tensor:
        # the statistics are of the whole batch, whatever the number of processes
        return affect_loss(*(gather(fabric, v) for v in (estimate, batch.target, batch.weight))).total

    if isinstance(trained, AegCd):
        d = trained.discriminator

        def affect(batch: FrameBatch) -> DTask:
            return lambda estimate: agree(estimate, batch)

        return adversarial_phases(
            trained.generator,
            d,
            lambda batch: d_loss(d, batch, affect(batch), "affect", settings),
            lambda batch: g_loss(d, batch, affect(batch), "affect", settings),
            settings,
        )

    def loss(batch: FrameBatch) -> dict[str, Tensor]:
        if not coherent:
            return {"loss": agree(trained(batch.image, settings.dropout), batch)}
        assert isinstance(trained, PlainCnn)
        x = trained.features(batch.image)
        affect = agree(trained.affect(functional.dropout(x, settings.dropout)), batch)
        coherence = coherence_loss(x, batch.target)
        return {"loss": affect + config.coherence_weight * coherence, "affect": affect, "coherence": coherence}

    parameters = list(trained.parameters())
    optimizer = make_optimizer(settings.optimizer, parameters, settings.lr, settings.weight_decay)
    return [Phase("train", loss, parameters, optimizer, clip_norm=settings.clip_norm)]


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


def _adjacent(corpus: PreparedCorpus, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """(M, 2) a row and that of the next frame, wherever there is one."""
    return np.concatenate([np.stack([segment[:-1], segment[1:]], 1) for segment in corpus.segments(rows)])


@torch.inference_mode()
def _estimate(trained: Network, task: Task, rows: NDArray[np.int64], batch: int = 256) -> NDArray[np.float32]:
    """(N, 2) in [-1, 1] units."""
    trained.eval()
    images = (task.corpus.images(rows[i : i + batch]) for i in range(0, len(rows), batch))
    parts = [trained(to_input(torch.from_numpy(part).to(task.fabric.device))).float().cpu().numpy() for part in images]
    trained.train()
    return np.concatenate(parts)


def _smooth(
    corpus: PreparedCorpus, rows: NDArray[np.int64], estimate: NDArray[np.float32], n: int
) -> NDArray[np.float32]:
    out = np.empty_like(estimate)
    for positions in corpus.segment_positions(rows):
        out[positions] = trailing_mean(estimate[positions], n)
    return out
