"""Random draws as functions of (seed, purpose, position in the run), so that no generator's state has to be saved."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Purpose(IntEnum):
    """What is drawn; each purpose has numbers of its own."""

    STAGE1_WEIGHTS = 0
    STAGE1_CHANGES = 1
    STAGE1_ORDER = 2
    STAGE2_WEIGHTS = 3
    STAGE2_VIEWS = 4
    STAGE2_DROPOUT = 5
    STAGE2_ORDER = 6
    VIEW_CHANGES = 7
    VIEW_NOISE = 8
    STAGE1_DROPOUT = 9


def seed_of(seed: int, purpose: Purpose, *where: int) -> int:
    """A 63-bit seed for torch."""
    parts = [int(part) for part in (seed, purpose, *where)]
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))


def shuffled(count: int, size: int, step: int, seed: int, purpose: Purpose, *where: int) -> NDArray[np.int64]:
    """(size,) which of `count` items step number `step` takes, from an endless sequence of shuffles of all of them."""
    position = np.arange(step * size, (step + 1) * size)
    out = np.empty(size, np.int64)
    for epoch in np.unique(position // count):
        order = np.random.default_rng((seed, int(purpose), *where, int(epoch))).permutation(count)
        mask = position // count == epoch
        out[mask] = order[position[mask] % count]
    return out
