"""One fold of a run: stage 1 -> latents -> S-2 -> S-4 -> … ; SA-n from S-n; then the predictions on the test rows.

In the fold's folder::

    split.json            predictions.parquet     attention/SA-8.npz
    base/model.safetensors, model.json, history.csv        S-2/…  SA-8/…
    latents/              removed when the fold is finished

What is finished is not done again; what is half done goes on from its last checkpoint.
"""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from anclaf.core.errors import ConfigError, StaleError
from anclaf.core.files import atomic_path, fingerprint, versions, write_json
from anclaf.core.progress import Progress, silent
from anclaf.data.folds import Split
from anclaf.data.latents import LatentCache, write_latents
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.baselines import baseline_estimates
from anclaf.evaluation.estimate import Windows, estimate_windows
from anclaf.evaluation.leak import refuse_leak
from anclaf.models.folder import SPEC, load_model, load_spec, save_model
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import ModelSpec, Variant
from anclaf.recipes.run import RunConfig
from anclaf.training.curriculum import Lesson, plan
from anclaf.training.fresh import FreshLatents
from anclaf.training.history import History
from anclaf.training.stage1 import train_base
from anclaf.training.stage2 import features_from, train_recurrent

WINDOWS: dict[str, Windows] = {"strict": "sliding", "paper": "tumbling"}
"""How each protocol cuts clips into windows for testing."""


@dataclass(frozen=True)
class Fold:
    """All that one fold's models depend on."""

    corpus: PreparedCorpus
    split: Split
    config: RunConfig
    folder: Path
    keep_latents: bool = False

    @property
    def name(self) -> str:
        return f"fold {self.split.fold}"

    @property
    def windows(self) -> Windows:
        return WINDOWS[self.split.protocol]

    @property
    def mark(self) -> str:
        """Fingerprint of the data and how it is split."""
        parts = {name: getattr(self.split, name).tolist() for name in ("train", "validation", "test")}
        return fingerprint({"corpus": self.corpus.card.fingerprint, "protocol": self.split.protocol, **parts})

    def model_mark(self, lesson: Lesson, parent_mark: str) -> str:
        """Fingerprint of a model: of its data, its settings and all its ancestors."""
        config = self.config.stage1 if lesson.parent is None else self.config.stage2
        content = {"variant": str(lesson.variant), "config": asdict(config), "sizes": asdict(self.config.sizes)}
        return fingerprint(content | {"data": self.mark, "parent": parent_mark, "windows": self.windows})


def run_fold(fabric: Fabric, fold: Fold, variants: Sequence[Variant], progress: Progress = silent) -> pd.DataFrame:
    """Train and test what is not yet there; returns the fold's predictions table.

    Raises:
        StaleError: the folder holds models of other settings or data.
        ConfigError: sequence models are wanted of stills.
    """
    lessons = plan(variants, fold.config.lengths)
    if not fold.corpus.card.fps and any(lesson.parent is not None for lesson in lessons):
        raise ConfigError("this corpus holds stills, which have no sequence; use --variants base")
    if fabric.is_global_zero:
        _write_split(fold)
    marks: dict[Variant, str] = {}
    for lesson in lessons:
        marks[lesson.variant] = fold.model_mark(lesson, marks[lesson.parent] if lesson.parent else "")
    missing = [lesson for lesson in lessons if not _finished(fold, lesson, marks)]
    if missing and missing[0].parent is None:
        _train_base(fabric, fold, marks[missing[0].variant], progress)
        missing = missing[1:]
    predictions = fold.folder / "predictions.parquet"
    wanted = [str(lesson.variant) for lesson in lessons]
    if not missing and predictions.is_file():
        table = pd.read_parquet(predictions)
        if set(wanted) <= set(table["variant"]):
            return table
    caches = None
    if len(lessons) > 1:
        caches = _latents(fabric, fold, marks[Variant("base")], progress)
    for lesson in missing:
        assert caches is not None
        assert lesson.parent is not None
        _train_lesson(fabric, fold, lesson, marks, caches, progress)
    table = _predict(fabric, fold, lessons, caches, progress)
    if fabric.is_global_zero and not fold.keep_latents:
        shutil.rmtree(fold.folder / "latents", ignore_errors=True)
    fabric.barrier()
    return table


def _finished(fold: Fold, lesson: Lesson, marks: dict[Variant, str]) -> bool:
    folder = fold.folder / str(lesson.variant)
    if not (folder / SPEC).is_file():
        return False
    if load_spec(folder).fingerprints.get("model") != marks[lesson.variant]:
        raise StaleError(
            f"{folder}: a model trained with other settings, another corpus or another split; use another --out"
        )
    return True


def _write_split(fold: Fold) -> None:
    split, corpus = fold.split, fold.corpus
    content: dict[str, Any] = {
        "protocol": split.protocol,
        "fold": split.fold,
        "folds": split.folds,
        "seed": split.seed,
        "fingerprint": fold.mark,
    }
    for part in ("train", "validation", "test"):
        rows = getattr(split, part)
        content[part] = sorted(set(corpus.clips[rows].tolist()))
        content[f"{part}_subjects"] = sorted(set(corpus.subjects[rows].tolist()))
        content[f"{part}_frames"] = len(rows)
    write_json(fold.folder / "split.json", content)


def _save(
    fabric: Fabric, fold: Fold, network: AffectNetwork, history: History, known: dict[str, Any], mark: str, parent: str
) -> None:
    """Write the model's folder; it has all that is needed to use the model."""
    split, corpus = fold.split, fold.corpus
    seen = np.concatenate([split.train, split.validation])
    spec = ModelSpec(
        variant=str(network.variant), sizes=network.sizes, low=corpus.card.low, high=corpus.card.high,
        crop=corpus.card.crop,  # pyright: ignore[reportArgumentType] - written by prepare from the same names
        fps=corpus.card.fps, corpora=(corpus.card.source,), subjects=tuple(sorted(set(corpus.subjects[seen].tolist()))),
        protocol=split.protocol, fold=split.fold,
        fingerprints={"model": mark, "parent": parent, "corpus": corpus.card.fingerprint, "data": fold.mark},
        versions=versions(),
        training={"recipe": fold.config.recipe, "clips": len(set(corpus.clips[seen].tolist())), **known},
    )  # fmt: skip
    folder = fold.folder / str(network.variant)
    if fabric.is_global_zero:
        history.write(folder / "history.csv")
        save_model(folder, network, spec)
        (folder / "checkpoint.safetensors").unlink(missing_ok=True)
    fabric.barrier()


def _train_base(fabric: Fabric, fold: Fold, mark: str, progress: Progress) -> None:
    network, history, known = train_base(
        fabric, fold.corpus, fold.split.train, fold.split.validation, fold.config.sizes, fold.config.stage1,
        fold.folder / "base", lambda done, total, what: progress(done, total, f"{fold.name}  {what}"),
    )  # fmt: skip
    _save(fabric, fold, network, history, known, mark, "")


def _train_lesson(
    fabric: Fabric,
    fold: Fold,
    lesson: Lesson,
    marks: dict[Variant, str],
    caches: dict[str, LatentCache],
    progress: Progress,
) -> None:
    assert lesson.parent is not None
    parent, _ = load_model(fold.folder / str(lesson.parent))
    network, history, known = train_recurrent(
        fabric, fold.corpus, caches["train"], caches["validation"], parent, lesson.variant, fold.windows,
        fold.config.stage2, fold.folder / str(lesson.variant), marks[lesson.variant],
        lambda done, total, what: progress(done, total, f"{fold.name}  {what}"),
    )  # fmt: skip
    _save(fabric, fold, network, history, known, marks[lesson.variant], marks[lesson.parent])


def _latents(fabric: Fabric, fold: Fold, base_mark: str, progress: Progress) -> dict[str, LatentCache]:
    """Z and Q of the training rows in all views, of validation and test rows as they are."""
    config = fold.config
    rows = {"train": fold.split.train, "validation": fold.split.validation, "test": fold.split.test}
    caches: dict[str, LatentCache] = {}
    base = None
    for part, part_rows in rows.items():
        views = 1 + config.stage2.views if part == "train" else 1
        folder = fold.folder / "latents" / part
        mark = fingerprint(
            {"base": base_mark, "part": part, "views": views, "augmentation": asdict(config.stage1.augmentation)}
        )
        cache = LatentCache.open(folder, part_rows, mark)
        if cache is None:
            if base is None:
                base = load_model(fold.folder / "base", fabric.device)[0]
            if fabric.is_global_zero:
                source = FreshLatents(
                    base, fold.corpus, part_rows, views, config.stage1.augmentation, config.stage2.seed, fabric.device
                )
                for done, total in write_latents(folder, source, mark):
                    progress(done, total, f"{fold.name}  latents, {part}")
            fabric.barrier()
            cache = LatentCache.open(folder, part_rows, mark)
            assert cache is not None
        caches[part] = cache
    return caches


def _predict(
    fabric: Fabric, fold: Fold, lessons: Sequence[Lesson], caches: dict[str, LatentCache] | None, progress: Progress
) -> pd.DataFrame:
    """Estimates of every model and of the baselines on the test rows, in the corpus's own units."""
    corpus, rows, scale = fold.corpus, fold.split.test, fold.corpus.card.scale
    runs = corpus.run_positions(rows)
    labels = corpus.index.iloc[rows][["clip", "subject", "frame", "time_s", "valence", "arousal"]].reset_index(
        drop=True
    )
    tables: list[pd.DataFrame] = []

    def add(variant: str, estimate: NDArray[np.float64]) -> None:
        known = np.isfinite(estimate).all(1)
        table = labels[known].copy()
        table.insert(0, "variant", variant)
        tables.append(table.assign(valence_hat=estimate[known, 0], arousal_hat=estimate[known, 1]))

    for done, lesson in enumerate(lessons):
        variant = lesson.variant
        progress(done, len(lessons) + 1, f"{fold.name}  testing {variant}")
        network, spec = load_model(fold.folder / str(variant), fabric.device)
        if fold.split.protocol == "strict":
            refuse_leak(spec, corpus.subjects[rows])
        if caches is None:
            source = FreshLatents(network, corpus, rows, 1, fold.config.stage1.augmentation, 0, fabric.device)
        else:
            source = caches["test"]
        x = features_from(network, source, fabric.device)
        if variant.kind == "base":
            with torch.inference_mode():
                add(str(variant), scale.restore(network.estimate(x).float().cpu().numpy()))
            continue
        estimate, attention = estimate_windows(network, x, runs, variant.n, fold.windows)
        add(str(variant), scale.restore(estimate))
        if attention is not None and fabric.is_global_zero:
            known = np.isfinite(estimate).all(1)
            with atomic_path(fold.folder / "attention" / f"{variant}.npz") as path, open(path, "wb") as file:
                np.savez(file, weights=attention[known], row=np.arange(int(known.sum())))
    progress(len(lessons), len(lessons) + 1, f"{fold.name}  baselines")
    for name, estimate in baseline_estimates(corpus, fold.split.train, rows).items():
        add(name, estimate)
    table = pd.concat(tables, ignore_index=True)
    if fabric.is_global_zero:
        with atomic_path(fold.folder / "predictions.parquet") as path:
            table.to_parquet(path, index=False)
    return table
