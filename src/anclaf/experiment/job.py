"""What a run is made of: its settings, and one job for each model, latent cache and comparator of each fold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from anclaf.config import Protocol, RunConfig
from anclaf.experiment.init import Init
from anclaf.experiment.job_folder import JobFolder
from anclaf.experiment.run_folder import RunFolder
from anclaf.models.spec import Variant

LATENTS = "latents"
JobKind = Literal["model", "latents", "comparator"]


@dataclass(frozen=True)
class RunSpec:
    """One recipe with one seed on one corpus, all of its folds.

    name: among the runs of a grid, as shown. corpus: folder of the prepared corpus. out: the run's folder. recipe: the
    name of the recipe that gave `config`. overrides: settings changed after it, by name. folds: how many; None is the
    protocol's own number. keep_latents: leave latents on disk. init: a trained model to begin from.
    """

    name: str
    corpus: Path
    out: Path
    config: RunConfig
    protocol: Protocol = "strict"
    folds: int | None = None
    keep_latents: bool = False
    recipe: str = "custom"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    init: Init | None = None

    @property
    def seed(self) -> int:
        return self.config.seed

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.out)


@dataclass(frozen=True)
class Job:
    """One thing to be made of one fold, in a folder of its own.

    name: a variant, `latents`, or a comparator. parents: names in the same fold that must be done before.
    fingerprint: of everything that decides its outcome: settings, data, parents. as_many_as: see `curriculum.Lesson`.
    """

    run: RunSpec
    fold: int
    name: str
    kind: JobKind
    parents: tuple[str, ...]
    fingerprint: str
    as_many_as: tuple[str, ...] = ()

    @property
    def files(self) -> JobFolder:
        return self.run.folder.job(self.fold, self.name)

    @property
    def folder(self) -> Path:
        return self.files.path

    @property
    def id(self) -> str:
        return self._id(self.name)

    @property
    def parent_ids(self) -> list[str]:
        return [self._id(parent) for parent in self.parents]

    @property
    def variant(self) -> Variant:
        """The model to train, of a job of kind `model`."""
        return Variant.parse(self.name)

    def _id(self, name: str) -> str:
        return "/".join(part for part in (self.run.name, f"fold{self.fold}", name) if part)
