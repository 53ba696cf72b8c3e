"""Seeds as functions of where in a run they are used, so that no generator's state has to be kept."""

import numpy as np


def seed_of(*parts: int) -> int:
    """A 63-bit seed for torch from any few whole numbers (run seed, purpose, step…)."""
    return int(np.random.SeedSequence([int(part) for part in parts]).generate_state(1, np.uint64)[0] >> np.uint64(1))
