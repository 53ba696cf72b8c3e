"""How many seeds a difference in CCC needs to be seen, from a grid of several seeds: 80 % power at 5 %, two-sided.

    python benchmarks/seeds_needed.py GRID

For valence and arousal, from how the CCC of the test people, pooled over folds, varies between trainings:

- between runs: two recipes, each trained with so many seeds, whose trainings have nothing in common (t test of two
  samples, both with the spread of the one that the grid has);
- paired: S-8 less base of the same seed, and, where the grid has several recipes, one recipe's model less the other's
  of the same seed (paired t test).

Both are for the people of this corpus. How a difference would vary with other people does not become less with more
seeds: the last column says how many times as many people would be needed for it to be seen among people in general, had
training no spread at all. A spread from few seeds is a rough number: the range is what its 95 % interval comes to.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from anclaf.evaluation.bootstrap import DIMENSIONS, Repeats, aligned, draws
from anclaf.experiment.run_folder import RunFolder
from anclaf.grid.plan import GridPlan
from anclaf.report.grid import Grid, alike

POWER, LEVEL, MOST = 0.8, 0.05, 100_000
_EVENLY = (np.arange(2000) + 0.5) / 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grid", type=Path, help="folder of a grid with several seeds")
    parser.add_argument("--difference", type=float, default=0.02, help="in CCC")
    parser.add_argument("--models", nargs="+", default=["base", "S-8"])
    arguments = parser.parse_args()
    runs = [RunFolder(run.out) for run in GridPlan.load(arguments.grid).runs(arguments.grid)]
    finished = [RunFolder.open(run.path) for run in runs if run.metrics_file.is_file()]
    spreads = [one for one in found_spreads(Grid(finished, []), arguments.models) if len(one.by_seed) > 1]
    if not spreads:
        parser.error("no recipe of this grid has two finished seeds on the same folds")
    print(f"seeds needed to see a difference of {arguments.difference:g} in CCC")
    print(f"{'what':44} {'':8} {'seeds':>5} {'spread':>7} {'needed':>7} {'range':>15} {'people':>7}")
    for one in spreads:
        low, high = (needed(spread, arguments.difference, one.paired) for spread in spread_range(one.by_seed))
        middle, people = needed(one.spread, arguments.difference, one.paired), one.people_needed(arguments.difference)
        times = "–" if np.isnan(people) else f"x {people:.1f}"
        print(
            f"{one.name:44} {one.dimension:8} {len(one.by_seed):5} {one.spread:7.4f} {count_text(middle):>7} "
            f"{f'{count_text(low)} to {count_text(high)}':>15} {times:>7}"
        )


@dataclass(frozen=True)
class Spread:
    """Of a CCC, or where `paired` of a difference of two, with each seed.

    by_seed: (S,). of_people: standard deviation over resamples of the people, of the mean over the seeds; NaN where it
    is not of a difference.
    """

    name: str
    dimension: str
    by_seed: NDArray[np.float64]
    paired: bool
    of_people: float = np.nan

    @property
    def spread(self) -> float:
        """The standard deviation between trainings."""
        return float(self.by_seed.std(ddof=1))

    def people_needed(self, difference: float) -> float:
        """How many times as many people, for the power, had training no spread."""
        normal = stats.norm.ppf(1 - LEVEL / 2) + stats.norm.ppf(POWER)
        return float((normal * self.of_people / difference) ** 2)


def found_spreads(grid: Grid, models: Sequence[str]) -> Iterator[Spread]:
    """Of every group of seeds: each model between runs, each against the first, and against that of other recipes."""
    for group in grid.groups:
        named = [model for model in models if model in group.variants]
        for model in named:
            yield from _alone(f"{group.recipe}: {model}, between runs", group.by_seed(model))
        for model in named[1:]:
            of, less = group.by_seed(model), group.by_seed(named[0])
            yield from _difference(f"{group.recipe}: {model} - {named[0]}, paired", of, less)
    for i, less in enumerate(grid.groups):
        for of in grid.groups[i + 1 :]:
            seeds = sorted(set(of.seeds) & set(less.seeds))
            for model in models if alike(of, less) else ():
                if model in of.variants and model in less.variants:
                    pair = [
                        [table for seed, table in zip(run.seeds, run.by_seed(model), strict=True) if seed in seeds]
                        for run in (of, less)
                    ]
                    yield from _difference(f"{of.recipe} - {less.recipe}: {model}, paired", *pair)


def _alone(name: str, tables: Sequence[pd.DataFrame]) -> Iterator[Spread]:
    scores = Repeats.of(aligned(tables), "subject", 0.0).scores()
    yield from (Spread(name, dimension, scores[dimension]["ccc"], paired=False) for dimension in DIMENSIONS)


def _difference(name: str, of: Sequence[pd.DataFrame], less: Sequence[pd.DataFrame]) -> Iterator[Spread]:
    rows = aligned([*of, *less])
    first, second = (Repeats.of(part, "subject", 0.0) for part in (rows[: len(of)], rows[len(of) :]))
    counts = draws(first.groups)
    for dimension in DIMENSIONS:
        whole, drawn = (
            first.scores(each)[dimension]["ccc"] - second.scores(each)[dimension]["ccc"] for each in (None, counts)
        )
        yield Spread(name, dimension, whole, True, float(np.nanstd(drawn.mean(0), ddof=1)))


def needed(spread: float, difference: float, paired: bool) -> int | None:
    """The fewest seeds (of each recipe) with the power; None above `MOST`."""

    def enough(seeds: int) -> bool:
        return power(spread, difference, seeds, paired) >= POWER

    high = 2
    while not enough(high):
        high *= 2
        if high > MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return max(high, 2)


def power(spread: float, difference: float, seeds: int, paired: bool) -> float:
    """Of a two-sided t test at `LEVEL`: paired, spread being that of the differences; or of two samples."""
    freedom, error = (seeds - 1, spread / np.sqrt(seeds)) if paired else (2 * seeds - 2, spread * np.sqrt(2 / seeds))
    if error == 0:
        return 1.0
    # scipy's noncentral t is NaN far out: the mean, over how large the spread turns out, of the normal's tails instead
    limit = stats.t.ppf(1 - LEVEL / 2, freedom) * np.sqrt(stats.chi2.ppf(_EVENLY, freedom) / freedom)
    away = difference / error
    return float(np.mean(stats.norm.cdf(away - limit) + stats.norm.cdf(-away - limit)))


def spread_range(values: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % interval of the standard deviation of what these values are drawn from, if that is normal."""
    freedom, spread = len(values) - 1, float(values.std(ddof=1))
    low, high = stats.chi2.ppf([0.975, 0.025], freedom)
    return spread * float(np.sqrt(freedom / low)), spread * float(np.sqrt(freedom / high))


def count_text(seeds: int | None) -> str:
    return f"> {MOST}" if seeds is None else str(seeds)


if __name__ == "__main__":
    main()
