"""One fold of a run: its rows, and the jobs that make its models, caches and comparators.

In the fold's folder::

    split.json
    base/model.safetensors, model.json, history.csv, predictions.parquet, job.json      S-2/…  SA-8/… (attention.npz)
    latents/              removed when nothing waits for it any more
    ridge-1/predictions.parquet …
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from anclaf.comparators.classical import WINDOWED
from anclaf.comparators.networks import COMPARATORS, SEQUENTIAL
from anclaf.core.errors import ConfigError
from anclaf.core.files import fingerprint, write_json
from anclaf.data.folds import Split, split
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import Windows
from anclaf.experiment.job import LATENTS, Job, RunSpec
from anclaf.models.spec import Variant
from anclaf.training.curriculum import plan

WINDOWS: dict[str, Windows] = {"strict": "sliding", "paper": "tumbling"}
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
        return cls(run, corpus, split(corpus, run.protocol, number, run.folds, run.seed))

    @property
    def folder(self) -> Path:
        return self.run.fold_folder(self.split.fold)

    @property
    def windows(self) -> Windows:
        return WINDOWS[self.split.protocol]

    @cached_property
    def mark(self) -> str:
        """Fingerprint of the data and how it is split."""
        parts = {name: getattr(self.split, name).tolist() for name in ("train", "validation", "test")}
        return fingerprint({"corpus": self.corpus.card.fingerprint, "protocol": self.split.protocol, **parts})

    def jobs(self, variants: Sequence[Variant], references: Sequence[str]) -> list[Job]:
        """Parents before children.

        Raises:
            ConfigError: sequence models are wanted of stills.
        """
        config = self.run.config
        lessons = plan(variants, config.lengths, config.curriculum) if variants else []
        if not self.corpus.card.fps and any(lesson.parent is not None for lesson in lessons):
            raise ConfigError("this corpus holds stills, which have no sequence; use --variants base")
        found: dict[str, Job] = {}

        def add(name: str, settings: dict[str, Any], *parents: str) -> None:
            marks = {parent: found[parent].mark for parent in parents}
            content = {"name": name, "data": self.mark, "windows": self.windows, "parents": marks, **settings}
            found[name] = Job(self.run, self.split.fold, name, parents, fingerprint(content))

        sizes = asdict(config.sizes)
        for lesson in lessons:
            name = str(lesson.variant)
            if lesson.parent is None:
                add(name, {"sizes": sizes, "config": asdict(config.stage1)})
                if len(lessons) > 1:
                    views = {"views": config.stage2.views, "augmentation": asdict(config.stage1.augmentation)}
                    add(LATENTS, views | {"seed": config.stage2.seed}, name)
            else:
                add(name, {"sizes": sizes, "config": asdict(config.stage2)}, str(lesson.parent), LATENTS)
        for name in references:
            if name in (*WINDOWED, *SEQUENTIAL) and not self.corpus.card.fps:
                continue  # stills have no sequences
            trained = name in COMPARATORS
            settings = {"sizes": sizes, "config": asdict(config.comparators)} if trained else {}
            add(name, settings, *(("cnn",) if name == "cnn-ma" else ()))
        return list(found.values())

    def write_split(self) -> None:
        """split.json: who trains, chooses the checkpoint, and tests."""
        part, corpus = self.split, self.corpus
        content: dict[str, Any] = {
            "protocol": part.protocol,
            "fold": part.fold,
            "folds": part.folds,
            "seed": part.seed,
            "fingerprint": self.mark,
        }
        for name in ("train", "validation", "test"):
            rows = getattr(part, name)
            content[name] = sorted(set(corpus.clips[rows].tolist()))
            content[f"{name}_subjects"] = sorted(set(corpus.subjects[rows].tolist()))
            content[f"{name}_frames"] = len(rows)
        write_json(self.folder / "split.json", content)


@lru_cache(maxsize=4)
def open_corpus(folder: Path) -> PreparedCorpus:
    """Open a prepared corpus once a process."""
    return PreparedCorpus.open(folder)
