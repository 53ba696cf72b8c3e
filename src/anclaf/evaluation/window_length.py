"""Which window length is best, and which others the test people cannot tell from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from anclaf.core.arguments import checked
from anclaf.evaluation.bootstrap import RESAMPLES, Repeats, aligned, draws, resampled_means


@dataclass(frozen=True)
class Optimum:
    """Of one kind of model by the CCC averaged over valence and arousal.

    n: the best length. behind: other length -> 95 % interval of how much lower its CCC is, by paired bootstrap over
    subjects (and over seeds, where there are several). share: length -> share of the resamples in which it is the best.
    """

    n: int
    behind: Mapping[int, tuple[float, float]]
    share: Mapping[int, float]

    @property
    def alike(self) -> list[int]:
        """The lengths that are not shown to be worse, the best one among them, shortest first."""
        return sorted([self.n, *(n for n, (low, _) in self.behind.items() if not low > 0)])


@checked
def optimum(
    tables: Mapping[int, pd.DataFrame | Sequence[pd.DataFrame]],
    middle: float,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Optimum | None:
    """The best of several lengths, on the frames that all of them have.

    The best is chosen and compared on the same people, which flatters it a little: `alike` may leave out a length that
    is as good, more than 1 time in 20.

    Args:
        tables: window length -> predictions of the model; or such a table for each seed, the same seeds for all.

    Returns None for fewer than two lengths, fewer than two subjects, or a CCC that is not defined.
    """
    of_seeds = {n: [one] if isinstance(one, pd.DataFrame) else list(one) for n, one in sorted(tables.items())}
    lengths, seeds = list(of_seeds), len(next(iter(of_seeds.values()), []))
    flat = [table for one in of_seeds.values() for table in one]
    if len(tables) < 2 or any(len(table) == 0 for table in flat):
        return None
    rows = aligned(flat)
    repeats = [Repeats.of(rows[i * seeds : (i + 1) * seeds], "subject", middle) for i in range(len(lengths))]
    groups = repeats[0].groups
    if groups < 2:
        return None
    counts = draws(groups, resamples, seed)
    whole = {n: float(one.scores()["mean"]["ccc"].mean()) for n, one in zip(lengths, repeats, strict=True)}
    drawn = np.stack([resampled_means(one.scores(counts)["mean"]["ccc"], seed) for one in repeats], 1)
    drawn = drawn[np.isfinite(drawn).all(1)]
    if len(drawn) == 0 or not np.isfinite(list(whole.values())).all():
        return None
    best = max(lengths, key=whole.__getitem__)
    gaps = drawn[:, [lengths.index(best)]] - drawn
    behind = {}
    for place, n in enumerate(lengths):
        if n != best:
            low, high = np.percentile(gaps[:, place], [2.5, 97.5])
            behind[n] = (float(low), float(high))
    won = np.bincount(drawn.argmax(1), minlength=len(lengths)) / len(drawn)
    return Optimum(best, behind, dict(zip(lengths, won.tolist(), strict=True)))
