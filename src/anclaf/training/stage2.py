"""Stage 2: C on latents of frozen G and D over windows of n frames (Eq. 4, 8), a window length at a time (section 3.4).

`curriculum.plan` says which model starts from which; `train_recurrent` trains one of them.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from anclaf.config import RunConfig, WindowMode
from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, TrainingError
from anclaf.core.files import fingerprint
from anclaf.core.progress import Progress, silent
from anclaf.core.seeds import Purpose, seed_of
from anclaf.core.windows import with_lead_in
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import agreement_score, choose_trust, estimate_windows
from anclaf.losses.class_balance import class_weights_of
from anclaf.losses.terms import TermInput, make_terms
from anclaf.models.anclaf import Estimate
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import Variant
from anclaf.training.beginning import Beginning
from anclaf.training.latents import LatentSource, features, features_from
from anclaf.training.phases import Phase, Terms, gather, make_optimizer
from anclaf.training.stage1 import Trained, appearance_shown, c_loss
from anclaf.training.trainer import Networks, Schedule, Trainer
from anclaf.training.windows import loss_frames, window_draw


@checked
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
    updates: int | None = None,
    progress: Progress = silent,
    beginning: Beginning | None = None,
) -> Trained:
    """Train S-n, SA-n or another sequence model from its parent, or go on where a killed run stopped.

    Args:
        train, validation: where latents come from. The weights with the best mean CCC on `validation` are kept.
        parent: the model it starts from, see `curriculum.plan`.
        windows: how validation frames are estimated, which is how the protocol tests.
        parent_fingerprint: of the parent model.
        updates: exactly so many; None: `stage2.steps` at most, until validation has not improved for so long as
            `stage2.patience` says.
        beginning: a trained model whose head this one begins with, in place of the parent's.

    Raises:
        ConfigError: as `check_head`, or a term has no effect in this stage.
        TrainingError: no clip is as long as the window, or a loss is not finite.
        StaleError: `folder` holds a checkpoint of other settings, data or parent.
    """
    settings, n = config.stage2, variant.n
    torch.manual_seed(seed_of(config.seed, Purpose.STAGE2_WEIGHTS, n, variant.head.attends))
    networks = Networks(*(parent.successor(variant).to(fabric.device) for _ in range(3)))
    if beginning is not None:
        beginning.into_head(networks.trained)
    check_head(networks.trained)
    stage = Stage2(fabric, corpus, train, networks.trained, windows, config)
    steps = settings.steps if updates is None else updates
    truth, segments = corpus.targets[validation.rows], corpus.segment_positions(validation.rows)

    def validate() -> dict[str, float]:
        averaged = networks.averaged
        x, motion = features_from(averaged, validation, fabric.device)

        def score() -> dict[str, float]:
            return agreement_score(estimate_windows(averaged, x, motion, segments, n, windows)[0], truth)

        return choose_trust(averaged, score)

    schedule = Schedule(
        steps,
        "constant",  # a falling rate would need an end that early stopping does not know beforehand
        settings.warmup_steps,
        settings.ema_decay,
        settings.checkpoint_every,
        evaluate=lambda done: done % settings.evaluate_every == 0 or done == steps,
        dropout_seed=lambda step: seed_of(config.seed, Purpose.STAGE2_DROPOUT, n, step),
        patience=settings.patience if updates is None else None,
    )
    identity = {
        "config": asdict(settings), "seed": config.seed, "variant": str(variant), "parent": parent_fingerprint,
        "windows": windows, "updates": updates,
        **({} if beginning is None else {"beginning": beginning.fingerprint}),
    }  # fmt: skip
    trainer = Trainer(
        fabric, folder, fingerprint(identity), networks, {"terms": stage.terms}, [stage.phase()], schedule
    )  # fmt: skip
    summary = trainer.fit(stage.draw, validate, f"stage 2, {variant}", progress)
    return Trained(networks.best.eval(), trainer.log, summary)


def check_head(network: AffectNetwork) -> None:
    """Check that the head gives what `Head` says, for a full window and for the shortest one, and sees no later frame.

    Raises:
        ConfigError: it does not.
    """
    head, window = network.head.eval(), network.variant.n
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
    with torch.inference_mode():
        x = torch.linspace(-1, 1, window * network.head_inputs).view(1, window, -1)
        x = x.to(next(head.parameters()).device)
        whole, first = head(x).affect[:, :1], head(x[:, :1]).affect
    if not torch.allclose(whole, first, rtol=1e-3, atol=1e-5):
        raise ConfigError(
            f"{network.variant}: its head's estimate of a window's first frame changes with the frames after it; "
            "expected one of each frame and those before it alone"
        )
    head.train()


@dataclass
class Stage2Batch:
    """W windows of T frames, K of which are in the loss. latents: what the source gives, (W * T, …). scored: (K,) which
    of the W * T frames; target, weight: (K, 2) of those."""

    latents: dict[str, Tensor]
    scored: Tensor
    target: Tensor
    weight: Tensor


class Stage2:
    """One iteration of stage 2: its windows, its loss, and its phase."""

    def __init__(
        self,
        fabric: Fabric,
        corpus: PreparedCorpus,
        source: LatentSource,
        network: AffectNetwork,
        windows: WindowMode,
        config: RunConfig,
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
        self.terms = make_terms(self.config.terms, network.feature_size, points=0).to(fabric.device)
        if absent := [name for name, weight in self.config.terms.items() if weight > 0 and name not in self.terms]:
            raise ConfigError(f"stage2.terms: {absent[0]} has no effect, for stage 2 has no landmarks; leave it out")
        frames = loss_frames(self.config.loss_frames, windows)
        self.windows = window_draw(self.segments, self.n, frames, self.config, config.seed)

    def draw(self, step: int) -> Stage2Batch:
        """The windows of a step, each in a view drawn for it, a function of (seed, n, step) alone."""
        positions, scored = with_lead_in(*self.windows.at(step), self.segments, self.network.head.lead_in)
        rng = np.random.default_rng((self.run.seed, int(Purpose.STAGE2_VIEWS), self.n, step))
        views = rng.integers(0, self.source.views, len(positions))
        part = slice(self.fabric.global_rank, None, self.fabric.world_size)
        positions, scored, views = positions[part], scored[part], views[part]
        frames, view_of_frame = positions.reshape(-1), views.repeat(positions.shape[1])
        latents: dict[str, NDArray] = {}
        for view in np.unique(views):
            mask = view_of_frame == view
            for name, values in self.source.read(int(view), frames[mask]).items():
                if name not in latents:
                    latents[name] = np.empty((len(frames), *values.shape[1:]), values.dtype)
                latents[name][mask] = values
        target = torch.from_numpy(self.targets[positions[scored]])
        device = self.fabric.device
        arrays = {name: torch.from_numpy(value).to(device) for name, value in latents.items()}
        of_scored = torch.from_numpy(np.flatnonzero(scored)), target, self.class_weights.of(target)
        return Stage2Batch(arrays, *(value.to(device) for value in of_scored))

    def loss(self, batch: Stage2Batch) -> Terms:
        """L_afc (Eq. 10) over the frames that are in the loss, and further terms."""
        x, motion = features(self.network, batch.latents), batch.latents["motion"].float()
        length = self.n + self.network.head.lead_in
        count = len(x) // length
        beside = self.network.landmarks is not None  # without geometry, appearance is all there is
        shown = appearance_shown(count, self.config.appearance_dropout, x.device) if beside else None
        windows = x.view(count, length, -1), motion.view(count, length, -1)
        affect = self.network.estimate(*windows, self.config.dropout, shown).affect.flatten(0, 1)[batch.scored]
        values = (gather(self.fabric, v) for v in (affect, batch.target, batch.weight))
        return c_loss(TermInput(x[batch.scored], None, *values), self.terms, self.config.terms)

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
