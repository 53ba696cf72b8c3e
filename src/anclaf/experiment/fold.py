"""One fold of a run: its rows, and the jobs that make its models, latent caches and comparators."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from anclaf.comparators.registry import COMPARATORS, with_needs
from anclaf.config import WindowMode
from anclaf.core.errors import ConfigError
from anclaf.core.files import fingerprint, write_json
from anclaf.data.folds import Split, split
from anclaf.data.store import PreparedCorpus
from anclaf.experiment.job import LATENTS, Job, JobKind, RunSpec
from anclaf.losses.terms import check_terms
from anclaf.models.spec import Variant, check_options
from anclaf.training.curriculum import plan

WINDOWS: dict[str, WindowMode] = {"strict": "sliding", "paper": "tumbling", "official": "sliding"}
"""How each protocol cuts clips into windows for testing."""


@dataclass(frozen=True)
class Fold:
    """All that one fold's jobs depend on."""

    run: RunSpec
    corpus: PreparedCorpus
    split: Split

    @classmethod
    def of(cls, run: RunSpec, number: int) -> "Fold":
        corpus = open_corpus(run.corpus)
        return cls(run, corpus, split(corpus, run.protocol, number, run.folds, run.config.fold_seed))

    @property
    def folder(self) -> Path:
        return self.run.folder.fold_folder(self.split.fold)

    @property
    def windows(self) -> WindowMode:
        return WINDOWS[self.split.protocol]

    @cached_property
    def fingerprint(self) -> str:
        """Of the data and how it is split."""
        parts = {name: getattr(self.split, name).tolist() for name in ("train", "validation", "test")}
        return fingerprint({"corpus": self.corpus.card.fingerprint, "protocol": self.split.protocol, **parts})

    def jobs(self, variants: Sequence[Variant], comparators: Sequence[str]) -> list[Job]:
        """Parents before children; what they start from is added.

        Raises:
            ConfigError: sequence models are wanted of stills, there is no such comparator or loss term, no head has
                one of `model.options`, the corpus was prepared with another crop than the run takes, or the model to
                begin from does not fit.
            LeakError: that model learnt from people who are to be tested.
        """
        config = self.run.config
        check_options(config.model)
        check_terms([*config.stage1.terms, *config.stage2.terms])
        crop = self.corpus.card.crop
        if config.crop not in ("any", crop):
            raise ConfigError(
                f"this run takes faces cut out in the {config.crop} way, {self.corpus.folder} has the {crop} crop: "
                f"prepare it with `anclaf prepare ... --crop {config.crop}`, or take --config.crop any"
            )
        init = self.run.init
        if init is not None:
            if self.run.recipe.partition("+")[0] == "as-written":
                raise ConfigError("the recipe as-written begins with random weights; leave --init out")
            init.check(config.model, self.corpus, self.split)
        lessons = plan(variants, config.lengths, config.curriculum) if variants else []
        if not self.corpus.card.fps and any(lesson.parent is not None for lesson in lessons):
            raise ConfigError("this corpus holds stills, which have no sequence; use --variants base")
        found: dict[str, Job] = {}

        def add(
            name: str, kind: JobKind, settings: dict[str, Any], *starts: str, as_many_as: tuple[str, ...] = ()
        ) -> None:
            if name in found:
                raise ConfigError(f"comparator {name!r}: a model is called the same; register it under another name")
            parents = tuple(dict.fromkeys([*starts, *as_many_as]))
            of_parents = {parent: found[parent].fingerprint for parent in parents}
            content = {"name": name, "data": self.fingerprint, "windows": self.windows, "parents": of_parents}
            identity = fingerprint(content | settings)
            found[name] = Job(self.run, self.split.fold, name, kind, parents, identity, as_many_as)

        shared = {"model": asdict(config.model), "seed": config.seed}
        for lesson in lessons:
            name = str(lesson.variant)
            begun = {} if init is None else init.to_json(lesson.variant)
            if lesson.parent is None:
                add(name, "model", shared | {"config": asdict(config.stage1)} | begun)
                if len(lessons) > 1:
                    views = {"views": config.stage2.augmented_views, "augmentation": asdict(config.stage1.augmentation)}
                    frozen = {"features": config.stage2.combiner_lr_scale == 0, "seed": config.seed}
                    add(LATENTS, "latents", views | frozen, name)
            else:
                settings = shared | {"config": asdict(config.stage2)} | begun
                followed = tuple(map(str, lesson.as_many_as))
                add(name, "model", settings, str(lesson.parent), LATENTS, as_many_as=followed)
        for name in with_needs(comparators):
            comparator = COMPARATORS.get(name)
            if comparator.needs_sequence and not self.corpus.card.fps:
                continue
            if comparator.needs_base and not ("base" in found and self._finds_landmarks):
                continue
            given = {"model": asdict(config.model.sizes()), "config": asdict(config.comparators), "seed": config.seed}
            settings = given if comparator.trains else {}
            starts = (*comparator.needs, "base") if comparator.needs_base else comparator.needs
            add(name, "comparator", settings, *starts)
        return list(found.values())

    @cached_property
    def _finds_landmarks(self) -> bool:
        """Whether the base model of this fold finds any."""
        if not self.run.config.model.geometry:
            return False
        init = self.run.init
        return bool(self.corpus.landmarks_of(self.split.train) if init is None else init.spec.points)

    def write_split(self) -> None:
        """Write `split.json`: the clips and people that train, choose the checkpoint, and test."""
        part, corpus = self.split, self.corpus
        content: dict[str, Any] = {
            "protocol": part.protocol,
            "fold": part.fold,
            "folds": part.folds,
            "fold_seed": part.seed,
            "fingerprint": self.fingerprint,
        }
        for name in ("train", "validation", "test"):
            rows = getattr(part, name)
            content[name] = sorted(set(corpus.clips[rows].tolist()))
            content[f"{name}_subjects"] = sorted(set(corpus.subjects[rows].tolist()))
            content[f"{name}_frames"] = len(rows)
        write_json(self.run.folder.split_file(part.fold), content)


@lru_cache(maxsize=4)
def open_corpus(folder: Path) -> PreparedCorpus:
    """Open a prepared corpus once a process."""
    return PreparedCorpus.open(folder)
