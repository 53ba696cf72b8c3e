"""Which window length is best, and which others the test people cannot tell from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from anclaf.evaluation.bootstrap import RESAMPLES, Sums, draws

_KEYS = ["clip", "frame"]


@dataclass(frozen=True)
class Optimum:
    """Of one kind of model by the CCC averaged over valence and arousal.

    n: the best length. behind: other length -> 95 % interval of how much lower its CCC is, by paired bootstrap over
    subjects. share: length -> share of the resamples in which it is the best.
    """

    n: int
    behind: Mapping[int, tuple[float, float]]
    share: Mapping[int, float]

    @property
    def alike(self) -> list[int]:
        """The lengths that are not shown to be worse, the best one among them, shortest first."""
        return sorted([self.n, *(n for n, (low, _) in self.behind.items() if not low > 0)])


def optimum(
    tables: Mapping[int, pd.DataFrame], middle: float, resamples: int = RESAMPLES, seed: int = 0
) -> Optimum | None:
    """The best of several lengths, on the frames that all of them have.

    The best is chosen and compared on the same people, which flatters it a little: `alike` may leave out a length that
    is as good, more than 1 time in 20.

    Args:
        tables: window length -> predictions of the model.

    Returns None for fewer than two lengths, fewer than two subjects, or a CCC that is not defined.
    """
    if len(tables) < 2 or any(len(table) == 0 for table in tables.values()):
        return None
    shared = reduce(lambda a, b: a.merge(b, on=_KEYS), (table[_KEYS] for table in tables.values()))
    own = {n: shared.merge(table, on=_KEYS) for n, table in sorted(tables.items())}
    sums = {n: Sums.of(table, "subject", middle) for n, table in own.items()}
    groups = len(next(iter(sums.values())).groups)
    if groups < 2:
        return None
    counts = draws(groups, resamples, seed)
    whole = {n: float(one.scores()["mean"]["ccc"]) for n, one in sums.items()}
    drawn = np.stack([one.scores(counts)["mean"]["ccc"] for one in sums.values()], 1)
    drawn = drawn[np.isfinite(drawn).all(1)]
    if len(drawn) == 0 or not np.isfinite(list(whole.values())).all():
        return None
    lengths = list(whole)
    best = max(lengths, key=whole.__getitem__)
    gaps = drawn[:, [lengths.index(best)]] - drawn
    behind = {}
    for place, n in enumerate(lengths):
        if n != best:
            low, high = np.percentile(gaps[:, place], [2.5, 97.5])
            behind[n] = (float(low), float(high))
    won = np.bincount(drawn.argmax(1), minlength=len(lengths)) / len(drawn)
    return Optimum(best, behind, dict(zip(lengths, won.tolist(), strict=True)))
