"""The frames of a training step on single frames: which they are, and how they are changed."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anclaf.config import AugmentationConfig, ModelConfig
from anclaf.core.errors import ConfigError, TrainingError
from anclaf.core.seeds import Purpose, seed_of, shuffled
from anclaf.data import augmentation
from anclaf.data.augmentation import Augmentation
from anclaf.data.store import PreparedCorpus
from anclaf.models.network import to_input


@dataclass(frozen=True)
class Frames:
    """A step's frames, of all processes together. rows: (B,); image: (B, 3, S, S), changed; target: (B, 2).

    rng: for whatever else the step draws.
    """

    rows: NDArray[np.int64]
    changes: Augmentation
    image: Tensor
    target: Tensor
    rng: torch.Generator


def draw_frames(
    corpus: PreparedCorpus,
    items: NDArray[np.int64],
    batch_size: int,
    config: AugmentationConfig,
    seed: int,
    step: int,
) -> Frames:
    """The frames of a step, a function of (seed, step) alone. An epoch is a shuffle of all items.

    Args:
        items: (M, k) rows that come together and share one augmentation; k is 1 for single frames. The step's rows are
            those of every item's first frame, then those of the second…
        batch_size: B, a multiple of k.
    """
    rng = torch.Generator().manual_seed(seed_of(seed, Purpose.STAGE1_CHANGES, step))
    size = items.shape[1]
    chosen = items[shuffled(len(items), batch_size // size, step, seed, Purpose.STAGE1_ORDER)]
    rows = chosen.T.reshape(-1)
    changes = augmentation.draw(len(chosen), config, rng)[torch.arange(len(chosen)).repeat(size)]
    image = augmentation.apply(to_input(torch.from_numpy(corpus.images(rows))), changes, rng)
    return Frames(rows, changes, image, torch.from_numpy(corpus.targets[rows]), rng)


def check_size(corpus: PreparedCorpus, model: ModelConfig) -> None:
    """Check that the corpus holds faces of the size that the networks take.

    Raises:
        ConfigError: it does not.
    """
    size = corpus.card.image_size
    if model.image_size != size:
        raise ConfigError(
            f"the networks take {model.image_size}x{model.image_size} faces, {corpus.folder} holds {size}x{size}: "
            f"prepare it with --image-size {model.image_size}"
        )


def check_frames(corpus: PreparedCorpus, train: NDArray[np.int64], model: ModelConfig, batch_size: int) -> None:
    """Check that there is something to train on.

    Raises:
        ConfigError: as `check_size`.
        TrainingError: fewer training frames than a batch.
    """
    check_size(corpus, model)
    if len(train) < batch_size:
        raise TrainingError(
            f"{len(train)} training frames; a batch takes {batch_size}. "
            "Use a larger corpus, or a smaller --config.stage1.batch-size"
        )
