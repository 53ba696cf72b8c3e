"""Stage 2: the recurrent part of C on latents of frozen G and D (Eq. 4, 8), a window length at a time."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from anclaf.core.errors import ConfigError, TrainingError
from anclaf.core.files import fingerprint
from anclaf.core.progress import Progress, silent
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import Windows, agreement_score, estimate_windows
from anclaf.losses.affect import affect_loss
from anclaf.losses.class_weights import class_weights
from anclaf.models.network import AffectNetwork, Latent
from anclaf.models.recurrent import RecurrentCombiner
from anclaf.models.spec import Variant
from anclaf.training.course import Course
from anclaf.training.distributed import gather
from anclaf.training.history import History
from anclaf.training.latents import LatentSource
from anclaf.training.phases import Phase, cosine, run_phases, set_rate
from anclaf.training.seeds import seed_of


@dataclass(frozen=True)
class Stage2Config:
    """How each S-n and SA-n is trained.

    first_epochs: of the first window length, whose LSTM starts from nothing; epochs: of every later model. An epoch
    reads every window once, in one view each. frames: frames a step, of all processes together (windows = frames / n).
    views: augmented views of each clip in the latent cache, beside the plain one. rate, decay, warmup, average,
    class_limit: as in stage 1. combiner: of C's convolutions, their learning rate as a part of `rate`; they
    come trained from the base model. dropout: of x.
    """

    first_epochs: int = 12
    epochs: int = 10
    frames: int = 512
    views: int = 5
    rate: float = 1e-3
    combiner: float = 0.1
    decay: float = 0.01
    warmup: int = 10
    dropout: float = 0.3
    class_limit: float = 3.0
    average: float = 0.95
    checkpoint_every: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.first_epochs, self.epochs, self.checkpoint_every) < 1 or self.views < 0 or self.frames < 8:
            raise ConfigError(
                "stage 2: epochs and checkpoint_every must be 1 or more, views 0 or more, frames 8 or more"
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"stage 2: dropout {self.dropout}; expected 0 <= dropout < 1")


@dataclass
class _Batch:
    """z: (B, T, c, p, p) float16; q: (B, T, 4); target, weight: (B, T, 2)."""

    z: Tensor
    q: Tensor
    target: Tensor
    weight: Tensor


def epoch_windows(runs: Sequence[NDArray[np.int64]], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(W, n) positions: windows that do not overlap, from a random start in each run, in random order.

    So no frame is computed twice in an epoch, and every frame comes to every place of a window over the epochs.
    """
    found = []
    for run in runs:
        if len(run) >= n:
            start = int(rng.integers(0, min(n, len(run) - n + 1)))
            found += [run[i : i + n] for i in range(start, len(run) - n + 1, n)]
    if not found:
        return np.empty((0, n), np.int64)
    return np.stack(found)[rng.permutation(len(found))]


def train_recurrent(
    fabric: Fabric,
    corpus: PreparedCorpus,
    train: LatentSource,
    validation: LatentSource,
    parent: AffectNetwork,
    variant: Variant,
    windows: Windows,
    config: Stage2Config,
    folder: Path,
    parent_mark: str,
    progress: Progress = silent,
) -> tuple[AffectNetwork, History, dict[str, Any]]:
    """Train S-n or SA-n from its parent, or go on where a killed run stopped.

    The parent is the base model for the first S-n, the S model of the length before for the next, and S-n for SA-n.

    Args:
        train, validation: where latents come from. The weights with the best mean CCC on `validation` are kept.
        windows: how validation frames are estimated, which is how the protocol tests.
        parent_mark: fingerprint of the parent model.

    Raises:
        TrainingError: no clip is as long as the window, or a loss is not finite.
        StaleError: `folder` holds a checkpoint of other settings, data or parent.
    """
    n = variant.n
    runs = corpus.segment_positions(train.rows)
    if not any(len(run) >= n for run in runs):
        longest = max(len(run) for run in runs)
        raise TrainingError(
            f"{variant}: the longest training clip has {longest} frames; choose windows of at most that"
        )
    torch.manual_seed(seed_of(config.seed, 3, n, variant.kind == "SA"))
    network = _child(parent, variant).to(fabric.device)
    averaged, best = (_child(parent, variant).to(fabric.device) for _ in range(2))
    targets, valid_targets = corpus.targets[train.rows], corpus.targets[validation.rows]
    weights = class_weights(targets, limit=config.class_limit)
    valid_runs = corpus.segment_positions(validation.rows)
    epochs = config.first_epochs if parent.variant.kind == "base" else config.epochs
    plan = [(epoch, positions) for epoch in range(epochs) for positions in _batches(runs, n, config, epoch)]
    trained = [*network.combiner.parameters(), *_recurrent(network).parameters()]
    groups = [
        {"params": list(network.combiner.parameters()), "lr": config.rate * config.combiner},
        {"params": list(_recurrent(network).parameters()), "lr": config.rate},
    ]
    optimizer = torch.optim.AdamW(groups, config.rate, weight_decay=config.decay)
    phase = Phase("train", _Loss(fabric, network, config), trained, optimizer, clip_norm=1.0)
    mark = fingerprint({"config": asdict(config), "variant": str(variant), "parent": parent_mark, "windows": windows})
    course = Course(fabric, folder, mark, network, averaged, best, {}, {"train": optimizer}, config.average)
    for step in range(course.step, len(plan)):
        epoch, positions = plan[step]
        rng = np.random.default_rng((config.seed, 4, n, step))
        torch.manual_seed(seed_of(config.seed, 5, n, step))  # dropout
        batch = _read(fabric, train, positions, rng.integers(0, train.views, len(positions)), targets, weights.of)
        set_rate([phase], cosine(step, len(plan), config.warmup))
        course.follow(step, run_phases(fabric, [phase], batch, step))
        done = step + 1
        if done == len(plan) or plan[done][0] != epoch:
            x = features_from(averaged, validation, fabric.device)
            estimate, _ = estimate_windows(averaged, x, valid_runs, n, windows)
            course.score(done, agreement_score(estimate, valid_targets))
        if done % config.checkpoint_every == 0 or done == len(plan):
            course.save(done)
        progress(done, len(plan), f"stage 2, {variant}", course.history.note())
    return best.eval(), course.history, course.end() | {"epochs": epochs, "steps": len(plan)}


class _Loss:
    """L_afc (Eq. 10) over all frames of all windows."""

    def __init__(self, fabric: Fabric, network: AffectNetwork, config: Stage2Config):
        self.fabric, self.network, self.dropout = fabric, network, config.dropout

    def __call__(self, batch: _Batch) -> dict[str, Tensor]:
        count, length = batch.target.shape[:2]
        network = self.network
        x = network.features(Latent(batch.z.flatten(0, 1).float(), batch.q.flatten(0, 1).float()))
        got = network.recur(x.view(count, length, -1), self.dropout).affect
        estimate, target, weight = (gather(self.fabric, v.flatten(0, 1)) for v in (got, batch.target, batch.weight))
        terms = affect_loss(estimate, target, weight)
        return {"loss": terms.total, "rmse": terms.rmse, "cor": terms.cor, "ccc": terms.ccc, "icc": terms.icc}


def _child(parent: AffectNetwork, variant: Variant) -> AffectNetwork:
    """A network of this variant with everything that the parent has."""
    child = AffectNetwork(parent.sizes, variant)
    for name in ("generator", "discriminator", "combiner"):
        getattr(child, name).load_state_dict(getattr(parent, name).state_dict())
    if parent.recurrent is not None:
        sizes = parent.sizes
        child.recurrent = (
            RecurrentCombiner.attending(
                parent.recurrent, sizes.attention_score, sizes.attention_divide, sizes.attention_cell
            )
            if variant.kind == "SA"
            else _copy(parent.recurrent, _recurrent(child))
        )
    for frozen in (child.generator, child.discriminator):
        frozen.requires_grad_(False)
    return child


def _copy(source: RecurrentCombiner, target: RecurrentCombiner) -> RecurrentCombiner:
    target.load_state_dict(source.state_dict())
    return target


def _recurrent(network: AffectNetwork) -> RecurrentCombiner:
    assert network.recurrent is not None
    return network.recurrent


def _batches(runs: Sequence[NDArray[np.int64]], n: int, config: Stage2Config, epoch: int) -> list[NDArray[np.int64]]:
    """(B, n) positions of each step of an epoch."""
    windows = epoch_windows(runs, n, np.random.default_rng((config.seed, 6, n, epoch)))
    size = max(2, config.frames // n)
    # the last batch is left out when it is small, for its correlations would be noise
    count = max(1, round(len(windows) / size))
    return [windows[i * size : (i + 1) * size] for i in range(count)]


def _read(
    fabric: Fabric,
    source: LatentSource,
    positions: NDArray[np.int64],
    views: NDArray[np.int64],
    targets: NDArray[np.float32],
    weigh: Callable[[Tensor], Tensor],
) -> _Batch:
    part = slice(fabric.global_rank, None, fabric.world_size)
    positions, views = positions[part], views[part]
    first_z, first_q = source.read(0, positions[:1, 0])
    z = np.empty((*positions.shape, *first_z.shape[1:]), first_z.dtype)
    q = np.empty((*positions.shape, *first_q.shape[1:]), first_q.dtype)
    for view in np.unique(views):
        mask = views == view
        got_z, got_q = source.read(int(view), positions[mask].reshape(-1))
        z[mask], q[mask] = got_z.reshape(-1, *z.shape[1:]), got_q.reshape(-1, *q.shape[1:])
    target = torch.from_numpy(targets[positions])
    device = fabric.device
    z_tensor, q_tensor = torch.from_numpy(z).to(device), torch.from_numpy(q).to(device)
    return _Batch(z_tensor, q_tensor, target.to(device), weigh(target).to(device))


@torch.inference_mode()
def features_from(network: AffectNetwork, source: LatentSource, device: torch.device | str, batch: int = 512) -> Tensor:
    """(N, F) x of all positions of a source, in its plain view."""
    network.eval()
    parts = []
    for start in range(0, len(source.rows), batch):
        z, q = source.read(0, np.arange(start, min(start + batch, len(source.rows))))
        latent = Latent(torch.from_numpy(z).to(device).float(), torch.from_numpy(q).to(device).float())
        parts.append(network.features(latent))
    network.train()
    return torch.cat(parts)
