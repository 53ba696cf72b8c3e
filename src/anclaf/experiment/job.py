"""What a grid is made of: a run's settings, and one job for each model, latent cache and comparator of each fold."""

from dataclasses import dataclass
from pathlib import Path

from anclaf.comparators.classical import BASELINES
from anclaf.comparators.networks import COMPARATORS
from anclaf.core.errors import ConfigError
from anclaf.data.folds import Protocol
from anclaf.models.spec import Variant
from anclaf.recipes.run import RunConfig

LATENTS = "latents"
REFERENCES = (*BASELINES, *COMPARATORS)
"""What ANCLaF is compared with, under the same folds."""
QUICK = ("mean", "ridge-1", "ridge-8")
"""Those that take seconds."""


@dataclass(frozen=True)
class RunSpec:
    """One recipe with one seed on one corpus, all of its folds.

    name: of the run among others, as shown. corpus: folder of the prepared corpus. out: the run's folder.
    folds: how many; None is the protocol's own number. keep_latents: leave latents on disk.
    """

    name: str
    corpus: Path
    out: Path
    config: RunConfig
    protocol: Protocol = "strict"
    folds: int | None = None
    keep_latents: bool = False

    @property
    def seed(self) -> int:
        return self.config.stage1.seed

    def fold_folder(self, number: int) -> Path:
        return self.out / f"fold{number}"


@dataclass(frozen=True)
class Job:
    """One thing to be made of one fold, in a folder of its own.

    name: a variant, `latents`, or one of `REFERENCES`. parents: names in the same fold that must be done before.
    mark: fingerprint of all that decides its outcome: settings, data, parents.
    """

    run: RunSpec
    fold: int
    name: str
    parents: tuple[str, ...]
    mark: str

    @property
    def folder(self) -> Path:
        return self.run.fold_folder(self.fold) / self.name

    @property
    def id(self) -> str:
        parts = (self.run.name, f"fold{self.fold}", self.name)
        return "/".join(part for part in parts if part)

    @property
    def variant(self) -> Variant | None:
        return None if self.name == LATENTS or self.name in REFERENCES else Variant.parse(self.name)


def parse_references(text: str) -> list[str]:
    """`all`, `none`, or names with commas between; what one starts from is added."""
    if text in ("all", "none"):
        return list(REFERENCES) if text == "all" else []
    names = [name.strip() for name in text.split(",")]
    if unknown := sorted(set(names) - set(REFERENCES)):
        raise ConfigError(f"comparator {unknown[0]!r}: expected all, none, or some of {', '.join(REFERENCES)}")
    # the moving average needs the network that it averages
    wanted = {*names, "cnn"} if "cnn-ma" in names else set(names)
    return [name for name in REFERENCES if name in wanted]
