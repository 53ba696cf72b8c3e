"""The plan of a grid: which recipes, seeds, folds and variants on which corpora, and the jobs that they come to."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from anclaf.comparators.registry import COMPARATORS
from anclaf.config import Protocol
from anclaf.core.errors import ConfigError, StaleError
from anclaf.core.files import write_json
from anclaf.experiment.fold import Fold
from anclaf.experiment.job import Job, RunSpec
from anclaf.recipes import make_run
from anclaf.training.curriculum import parse_variants

FILE = "grid.json"


@dataclass(frozen=True)
class GridPlan:
    """`grid.json`.

    corpora: folders of prepared corpora. recipes, seeds: each with each. folds: numbers, or None for all; of: how many
    there are, None being the protocol's own number. variants: as `parse_variants`; all, of each recipe's own lengths.
    comparators: names, of each run; those that are alike in several runs are done once. overrides: settings in place of
    each recipe's own, as `make_run` takes them.
    """

    corpora: tuple[str, ...]
    recipes: tuple[str, ...] = ("small",)
    seeds: tuple[int, ...] = (0,)
    folds: tuple[int, ...] | None = None
    of: int | None = None
    variants: str = "all"
    comparators: tuple[str, ...] = field(default_factory=COMPARATORS.names)
    protocol: Protocol = "strict"
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [Path(corpus).name for corpus in self.corpora]
        if not names:
            raise ConfigError("no corpus given; expected one or more prepared corpora")
        if twins := sorted(name for name, count in Counter(names).items() if count > 1):
            raise ConfigError(f"two corpora are called {twins[0]}; rename the folder of one")

    def runs(self, out: Path) -> list[RunSpec]:
        """One run for each corpus, recipe and seed; its folder is OUT/runs/CORPUS/RECIPE/seedN.

        Raises:
            ConfigError: no such recipe.
        """
        found = []
        for corpus in map(Path, self.corpora):
            for recipe in self.recipes:
                for seed in self.seeds:
                    name = f"{corpus.name}/{recipe}/seed{seed}"
                    config = make_run(recipe, seed, self.overrides)
                    overrides = config.differences(make_run(recipe, seed))
                    place = out / "runs" / name
                    found.append(RunSpec(name, corpus, place, config, self.protocol, self.of, False, recipe, overrides))
        return found

    def jobs(self, runs: Sequence[RunSpec]) -> list[Job]:
        """Every job of the grid, parents before children.

        Raises:
            CorpusError, ConfigError: a corpus cannot be read, is too small for the folds, or a variant does not exist.
        """
        found = []
        for run in runs:
            variants = parse_variants(self.variants, run.config.lengths)
            for number in self.folds if self.folds is not None else range(Fold.of(run, 0).split.folds):
                found += Fold.of(run, number).jobs(variants, self.comparators)
        return found

    def save(self, out: Path) -> None:
        """Write OUT/grid.json.

        Raises:
            StaleError: another plan is there. It may be extended: the same settings with more of them.
        """
        path = out / FILE
        if path.is_file() and not _extends(self, GridPlan.load(out)):
            raise StaleError(f"{path}: another plan, which this one does not include; use another --out")
        write_json(path, asdict(self))

    @classmethod
    def load(cls, out: Path) -> "GridPlan":
        """Raises ConfigError where there is none, StaleError where it is damaged."""
        path = out / FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if "references" in content:  # the key in earlier versions
                content["comparators"] = content.pop("references")
            return cls(**_tuples(content | {"overrides": _tuples(content.get("overrides", {}))}))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ConfigError(f"{out}: holds no grid; `anclaf grid plan CORPUS... --out {out}` makes one") from error
        except (ValueError, TypeError) as error:
            raise StaleError(f"{path}: damaged ({error}); plan the grid again") from error


def count_words(jobs: Sequence[Job]) -> str:
    """`170 models (10 base, 50 S, 50 SA, 60 controls), 10 latent caches, 90 comparators`."""
    jobs_of = Counter(job.kind for job in jobs)
    kinds = Counter("controls" if job.variant.control else job.variant.kind for job in jobs if job.kind == "model")
    models = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda it: it[0] == "controls"))
    words = [f"{kinds.total()} models ({models})" if kinds else "no models", f"{jobs_of['latents']} latent caches"]
    return ", ".join([*words, f"{jobs_of['comparator']} comparators"])


def _tuples(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}


def _extends(new: GridPlan, old: GridPlan) -> bool:
    if (new.protocol, new.of, new.overrides) != (old.protocol, old.of, old.overrides):
        return False
    folds = new.folds is None or (old.folds is not None and set(old.folds) <= set(new.folds))
    lists = ("corpora", "recipes", "seeds", "comparators")
    return folds and all(set(getattr(old, name)) <= set(getattr(new, name)) for name in lists)
