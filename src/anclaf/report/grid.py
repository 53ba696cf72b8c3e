"""The runs of a grid in groups: runs that differ in their seed only, and the ablations of a recipe.

A run's corpus, recipe and seeds are read from its run.json. A recipe with a `+` in its name is an ablation of the plain
recipe before it: `small+no-quadrant` of `small`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

from anclaf.experiment.run_folder import RunFolder
from anclaf.experiment.seed_group import SeedGroup


@dataclass(frozen=True)
class Grid:
    """The finished runs, and the folders of the unfinished ones."""

    runs: Sequence[RunFolder]
    unfinished: Sequence[Path]

    def corpora(self) -> list[str]:
        return list(dict.fromkeys(run.name for run in self.ordered))

    @cached_property
    def ordered(self) -> list[RunFolder]:
        """By corpus, recipe and seed."""
        return sorted(self.runs, key=lambda run: (run.name, tested(run), run.recipe, run.seed))

    @cached_property
    def groups(self) -> list[RunFolder]:
        """The runs, those with the same corpus, recipe and folds as one. Without predictions each stays alone."""
        found: dict[tuple[str, str, int, str], list[RunFolder]] = {}
        for run in self.ordered:
            alone = "" if run.folds else str(run.path)
            found.setdefault((tested(run), run.recipe, run.fold_seed, alone), []).append(run)
        return [runs[0] if len(runs) == 1 else SeedGroup(runs) for runs in found.values()]

    def shown(self) -> list[RunFolder]:
        """For each corpus and recipe, with ablations or without, the group of the lowest seed."""
        first: dict[tuple[str, str], RunFolder] = {}
        for group in self.groups:
            first.setdefault((tested(group), group.recipe), group)
        return list(first.values())

    def ablations(self) -> list[tuple[RunFolder, list[RunFolder]]]:
        """Each group of a plain recipe with those of its ablations on the same folds, where there are any."""
        pairs = [
            (plain, [cut for cut in self.groups if cut.recipe.startswith(f"{plain.recipe}+") and alike(cut, plain)])
            for plain in self.groups
            if "+" not in plain.recipe
        ]
        return [(plain, cuts) for plain, cuts in pairs if cuts]

    def rivals(self) -> list[tuple[RunFolder, RunFolder]]:
        """Each two groups of plain recipes on the same folds."""
        plain = [group for group in self.groups if "+" not in group.recipe]
        return [(a, b) for b, a in combinations(plain, 2) if a.recipe != b.recipe and alike(a, b)]

    def repeated(self) -> list[list[RunFolder]]:
        """Groups of two runs or more that differ in their seeds only, that of the folds included."""
        found: dict[tuple[str, str], list[RunFolder]] = {}
        for run in self.ordered:
            found.setdefault((tested(run), run.recipe), []).append(run)
        return [runs for runs in found.values() if len(runs) > 1]


def tested(run: RunFolder) -> str:
    """The corpus, by fingerprint because two may have one name, and the protocol."""
    return f"{run.card.get('fingerprint')} {run.metrics.get('protocol')}"


def alike(a: RunFolder, b: RunFolder) -> bool:
    """Whether two groups can be compared: the same people in the same folds, and a seed that both have."""
    return tested(a) == tested(b) and a.fold_seed == b.fold_seed and bool(set(a.seeds) & set(b.seeds))


def heading_of(run: RunFolder, seed: bool = True) -> str:
    """`Corpus people_1, recipe small, seeds 0, 1`."""
    said = f"Corpus {run.name}, recipe {run.recipe}"
    return f"{said}, {seed_words(run.seeds)}" if seed else said


def seed_words(seeds: Sequence[int]) -> str:
    """`seed 0`, `seeds 0, 1, 2`."""
    return f"seed{'s' * (len(seeds) != 1)} {', '.join(map(str, seeds))}"
