"""What every training on single frames shares: which frames a step reads, how they are changed, and the loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from anclaf.core.errors import ConfigError, TrainingError
from anclaf.core.progress import Progress
from anclaf.data import augmentation
from anclaf.data.augmentation import Augmentation
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import agreement_score
from anclaf.models.network import to_input
from anclaf.models.spec import Sizes
from anclaf.training.course import Course
from anclaf.training.phases import Batch, Phase, cosine, run_phases, set_rate
from anclaf.training.seeds import seed_of
from anclaf.training.stage1_config import Stage1Config


@dataclass(frozen=True)
class Drawn:
    """A step's frames, of all processes together. rows: (B,); image: (B, 3, S, S), changed; target: (B, 2).

    rng: for whatever else the step draws.
    """

    rows: NDArray[np.int64]
    changes: Augmentation
    image: Tensor
    target: Tensor
    rng: torch.Generator


@dataclass
class FrameBatch:
    """This process's part of a step. image: I (B, 3, S, S); target, weight: (B, 2)."""

    image: Tensor
    target: Tensor
    weight: Tensor


def draw_frames(corpus: PreparedCorpus, items: NDArray[np.int64], config: Stage1Config, step: int) -> Drawn:
    """The frames of a step, a function of (seed, step) alone.

    Args:
        items: (M, k) rows that come together and share one augmentation; k is 1 for single frames. The step's rows are
            those of every item's first frame, then those of the second…
    """
    rng = torch.Generator().manual_seed(seed_of(config.seed, 1, step))
    # an epoch is a shuffle of all items; a step takes the next of them
    size = items.shape[1]
    chosen = items[_shuffled(len(items), config.batch // size, step, config.seed)]
    rows = chosen.T.reshape(-1)
    changes = augmentation.draw(len(chosen), config.augmentation, rng)[torch.arange(len(chosen)).repeat(size)]
    image = augmentation.apply(to_input(torch.from_numpy(corpus.images(rows))), changes, rng)
    return Drawn(rows, changes, image, torch.from_numpy(corpus.targets[rows]), rng)


def _shuffled(count: int, batch: int, step: int, seed: int) -> NDArray[np.int64]:
    """Positions of step's batch in an endless sequence of shuffles of `count` items."""
    position = np.arange(step * batch, (step + 1) * batch)
    out = np.empty(batch, np.int64)
    for epoch in np.unique(position // count):
        order = np.random.default_rng((seed, 2, int(epoch))).permutation(count)
        mask = position // count == epoch
        out[mask] = order[position[mask] % count]
    return out


def refuse_unfit(corpus: PreparedCorpus, train: NDArray[np.int64], sizes: Sizes, batch: int) -> None:
    """Do nothing, or refuse.

    Raises:
        ConfigError: the corpus holds faces of another size than the networks take.
        TrainingError: fewer training frames than a batch.
    """
    if sizes.image_size != corpus.card.image_size:
        raise ConfigError(
            f"the networks take {sizes.image_size}x{sizes.image_size} faces, {corpus.folder} holds "
            f"{corpus.card.image_size}x{corpus.card.image_size}: prepare it with --image-size {sizes.image_size}"
        )
    if len(train) < batch:
        raise TrainingError(
            f"{len(train)} training frames; a batch takes {batch}. "
            "Use a larger corpus, or a smaller --config.stage1.batch"
        )


def train_frames(
    fabric: Fabric,
    course: Course,
    phases: Sequence[Phase[Batch]],
    batch: Callable[[int], Batch],
    validate: Callable[[], NDArray[np.float32]],
    truth: NDArray[np.float32],
    config: Stage1Config,
    name: str,
    progress: Progress,
) -> None:
    """Do the steps of a course that are still to be done.

    Args:
        batch: step -> what the phases' losses take.
        validate: gives the averaged weights' estimates (N, 2) of the validation frames. truth: (N, 2), their labels.
    """
    for step in range(course.step, config.steps):
        torch.manual_seed(seed_of(config.seed, 9, step))  # dropout
        set_rate(phases, cosine(step, config.steps, config.warmup))
        course.follow(step, run_phases(fabric, phases, batch(step), step))
        done = step + 1
        if done % config.evaluate_every == 0 or done == config.steps:
            course.score(done, agreement_score(validate(), truth))
        if done % config.checkpoint_every == 0 or done == config.steps:
            course.save(done)
        progress(done, config.steps, name, course.history.note())
