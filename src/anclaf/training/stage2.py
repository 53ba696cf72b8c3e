"""Stage 2: C on latents of frozen G and D over windows of n frames (Eq. 4, 8), a window length at a time (section 3.4).

`curriculum.plan` says which model starts from which; `train_recurrent` trains one of them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from anclaf.config import RunConfig, WindowMode
from anclaf.core.errors import ConfigError, TrainingError
from anclaf.core.files import fingerprint
from anclaf.core.progress import Progress, silent
from anclaf.core.seeds import Purpose, seed_of
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import agreement_score, choose_trust, estimate_windows
from anclaf.losses.class_balance import class_weights_of
from anclaf.losses.terms import TermInput, make_terms
from anclaf.models.anclaf import Estimate
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import Variant
from anclaf.training.latents import LatentSource, features, features_from
from anclaf.training.phases import Phase, Terms, gather, make_optimizer
from anclaf.training.stage1 import Trained, appearance_shown, c_loss
from anclaf.training.trainer import Networks, Schedule, Trainer


def train_recurrent(
    fabric: Fabric,
    corpus: PreparedCorpus,
    train: LatentSource,
    validation: LatentSource,
    parent: AffectNetwork,
    variant: Variant,
    windows: WindowMode,
    config: RunConfig,
    folder: Path,
    parent_fingerprint: str,
    progress: Progress = silent,
) -> Trained:
    """Train S-n, SA-n or another sequence model from its parent, or go on where a killed run stopped.

    Args:
        train, validation: where latents come from. The weights with the best mean CCC on `validation` are kept.
        parent: the model it starts from, see `curriculum.plan`.
        windows: how validation frames are estimated, which is how the protocol tests.
        parent_fingerprint: of the parent model.

    Raises:
        ConfigError: as `check_head`, or a term has no effect in this stage.
        TrainingError: no clip is as long as the window, or a loss is not finite.
        StaleError: `folder` holds a checkpoint of other settings, data or parent.
    """
    settings, n = config.stage2, variant.n
    torch.manual_seed(seed_of(config.seed, Purpose.STAGE2_WEIGHTS, n, variant.head.attends))
    networks = Networks(*(parent.successor(variant).to(fabric.device) for _ in range(3)))
    check_head(networks.trained)
    stage = Stage2(fabric, corpus, train, networks.trained, config)
    epochs = settings.first_epochs if parent.variant.kind == "base" else settings.epochs
    plan = [(epoch, positions) for epoch in range(epochs) for positions in stage.epoch(epoch)]
    ends = {done for done in range(1, len(plan) + 1) if done == len(plan) or plan[done][0] != plan[done - 1][0]}
    truth, segments = corpus.targets[validation.rows], corpus.segment_positions(validation.rows)

    def validate() -> dict[str, float]:
        averaged = networks.averaged
        x, motion = features_from(averaged, validation, fabric.device)

        def score() -> dict[str, float]:
            return agreement_score(estimate_windows(averaged, x, motion, segments, n, windows)[0], truth)

        return choose_trust(averaged, score)

    schedule = Schedule(
        len(plan),
        settings.schedule,
        settings.warmup_steps,
        settings.ema_decay,
        settings.checkpoint_every,
        evaluate=ends.__contains__,
        dropout_seed=lambda step: seed_of(config.seed, Purpose.STAGE2_DROPOUT, n, step),
    )
    identity = {
        "config": asdict(settings), "seed": config.seed, "variant": str(variant), "parent": parent_fingerprint,
        "windows": windows,
    }  # fmt: skip
    trainer = Trainer(
        fabric, folder, fingerprint(identity), networks, {"terms": stage.terms}, [stage.phase()], schedule
    )  # fmt: skip
    summary = trainer.fit(lambda step: stage.draw(step, plan[step][1]), validate, f"stage 2, {variant}", progress)
    return Trained(networks.best.eval(), trainer.log, summary | {"epochs": epochs, "steps": len(plan)})


def check_head(network: AffectNetwork) -> None:
    """Check that the head gives what `Head` says, for a full window and for the shortest one.

    Raises:
        ConfigError: it does not.
    """
    head, window = network.head, network.variant.n
    for n in (window, 1):
        with torch.inference_mode():
            got = head(next(head.parameters()).new_zeros(2, n, network.head_inputs))
        if not isinstance(got, Estimate):
            raise ConfigError(f"{network.variant}: its head gave {type(got).__name__}; expected an Estimate")
        shapes = tuple(got.affect.shape), None if got.attention is None else tuple(got.attention.shape)
        expected = (2, n, 2), (2, n, n) if head.attends else None
        if shapes != expected:
            raise ConfigError(
                f"{network.variant}: of 2 windows of {n}, its head gave affect {shapes[0]} and attention {shapes[1]}; "
                f"expected {expected[0]} and {expected[1]}"
            )


@dataclass
class Stage2Batch:
    """W windows of T frames. latents: what the source gives, (W * T, …); target, weight: (W, T, 2)."""

    latents: dict[str, Tensor]
    target: Tensor
    weight: Tensor


class Stage2:
    """One iteration of stage 2: its windows, its loss, and its phase."""

    def __init__(
        self, fabric: Fabric, corpus: PreparedCorpus, source: LatentSource, network: AffectNetwork, config: RunConfig
    ):
        self.fabric, self.source, self.network = fabric, source, network
        self.run, self.config, self.n = config, config.stage2, network.variant.n
        self.targets = corpus.targets[source.rows]
        self.class_weights = class_weights_of(self.config, self.targets)
        self.segments = corpus.segment_positions(source.rows)
        longest = max(len(segment) for segment in self.segments)
        if longest < self.n:
            raise TrainingError(
                f"{network.variant}: the longest training clip has {longest} frames; choose windows of at most that"
            )
        self.terms = make_terms(self.config.terms, network.combiner.features, points=0).to(fabric.device)
        if absent := [name for name, weight in self.config.terms.items() if weight > 0 and name not in self.terms]:
            raise ConfigError(f"stage2.terms: {absent[0]} has no effect, for stage 2 has no landmarks; leave it out")

    def epoch(self, epoch: int) -> list[NDArray[np.int64]]:
        """(W, n) positions of each step of an epoch."""
        rng = np.random.default_rng((self.run.seed, int(Purpose.STAGE2_ORDER), self.n, epoch))
        windows = epoch_windows(self.segments, self.n, rng)
        size = max(2, self.config.frames_per_step // self.n)
        # the last batch is left out when it is small, for its correlations would be noise
        count = max(1, round(len(windows) / size))
        return [windows[i * size : (i + 1) * size] for i in range(count)]

    def draw(self, step: int, positions: NDArray[np.int64]) -> Stage2Batch:
        """This process's part of a step's windows, each in one view; positions: (W, n)."""
        rng = np.random.default_rng((self.run.seed, int(Purpose.STAGE2_VIEWS), self.n, step))
        views = rng.integers(0, self.source.views, len(positions))
        part = slice(self.fabric.global_rank, None, self.fabric.world_size)
        positions, views = positions[part], views[part]
        frames, view_of_frame = positions.reshape(-1), views.repeat(self.n)
        latents: dict[str, NDArray] = {}
        for view in np.unique(views):
            mask = view_of_frame == view
            for name, values in self.source.read(int(view), frames[mask]).items():
                if name not in latents:
                    latents[name] = np.empty((len(frames), *values.shape[1:]), values.dtype)
                latents[name][mask] = values
        target = torch.from_numpy(self.targets[positions])
        device = self.fabric.device
        arrays = {name: torch.from_numpy(value).to(device) for name, value in latents.items()}
        return Stage2Batch(arrays, target.to(device), self.class_weights.of(target).to(device))

    def loss(self, batch: Stage2Batch) -> Terms:
        """L_afc (Eq. 10) over all frames of all windows, and further terms."""
        count, length = batch.target.shape[:2]
        x, motion = features(self.network, batch.latents), batch.latents["motion"].float()
        beside = self.network.landmarks is not None  # without geometry, appearance is all there is
        shown = appearance_shown(count, self.config.appearance_dropout, x.device) if beside else None
        windows = x.view(count, length, -1), motion.view(count, length, -1)
        affect = self.network.estimate(*windows, self.config.dropout, shown).affect
        values = (gather(self.fabric, v.flatten(0, 1)) for v in (affect, batch.target, batch.weight))
        return c_loss(TermInput(x, None, *values), self.terms, self.config.terms)

    def phase(self) -> Phase[Stage2Batch]:
        """The head, what attention adds to it, and C's convolutions, each at its own rate."""
        config = self.config
        combiner = list(self.network.combiner.parameters()) if config.combiner_lr_scale > 0 else []
        added = self.network.head.added()
        head = [*self.network.head.parameters(), *self.terms.parameters()]
        new = set(map(id, added))
        groups = [
            {"params": combiner, "lr": config.lr * config.combiner_lr_scale},
            {"params": [one for one in head if id(one) not in new], "lr": config.lr},
            {"params": added, "lr": config.lr * config.attention_lr_scale},
        ]
        groups = [group for group in groups if group["params"]]
        optimizer = make_optimizer(config.optimizer, groups, config.lr, config.weight_decay)
        return Phase("train", self.loss, [*combiner, *head], optimizer, clip_norm=config.clip_norm)


def epoch_windows(segments: Sequence[NDArray[np.int64]], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(W, n) positions: windows that do not overlap, from a random start in each segment, in random order.

    So no frame is computed twice in an epoch, and every frame comes to every position of a window over the epochs.
    """
    found = []
    for segment in segments:
        if len(segment) >= n:
            start = int(rng.integers(0, min(n, len(segment) - n + 1)))
            found += [segment[i : i + n] for i in range(start, len(segment) - n + 1, n)]
    if not found:
        return np.empty((0, n), np.int64)
    return np.stack(found)[rng.permutation(len(found))]
