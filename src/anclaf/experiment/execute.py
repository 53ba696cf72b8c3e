"""Doing one job: train a model from its parents and estimate the test rows; compute latents; fit a comparator."""

from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from anclaf.comparators.classical import BASELINES, baseline_estimate
from anclaf.comparators.neural import train_comparator
from anclaf.core.files import atomic_path, fingerprint, versions
from anclaf.core.progress import Progress
from anclaf.evaluation.estimate import estimate_windows
from anclaf.evaluation.leak import refuse_leak
from anclaf.experiment.fold import Fold
from anclaf.experiment.job import LATENTS, Job
from anclaf.models.io import SPEC, load_model, load_spec, save_model
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import ModelSpec, Variant
from anclaf.training.fresh import FreshLatents
from anclaf.training.history import History
from anclaf.training.latents import LatentCache, write_latents
from anclaf.training.stage1 import train_base
from anclaf.training.stage2 import features_from, train_recurrent


def execute_job(fabric: Fabric, job: Job, progress: Progress) -> None:
    """Do a job whose parents are done; a killed one goes on from its last checkpoint.

    Raises:
        AnclafError: what the job's part raises.
    """
    fold = Fold.of(job.run, job.fold)

    def named(done: int, total: int, task: str, note: str = "") -> None:
        progress(done, total, f"fold {job.fold}, {task}", note)

    if fabric.is_global_zero:
        fold.write_split()
    if job.name == LATENTS:
        _write_latents(fabric, fold, job, named)
    elif job.variant is None:
        _compare(fabric, fold, job, named)
    else:
        _model(fabric, fold, job, job.variant, named)
    fabric.barrier()


def _model(fabric: Fabric, fold: Fold, job: Job, variant: Variant, progress: Progress) -> None:
    if not (job.folder / SPEC).is_file() or load_spec(job.folder).fingerprints.get("model") != job.mark:
        network, history, known = _train(fabric, fold, job, variant, progress)
        _save(fabric, fold, job, network, history, known)
    network, spec = load_model(job.folder, fabric.device)
    rows = fold.split.test
    if fold.split.protocol == "strict":
        refuse_leak(spec, fold.corpus.subjects[rows])
    progress(0, 1, f"{variant}, test")
    if variant.kind == "base":
        config = fold.run.config
        source = FreshLatents(network, fold.corpus, rows, 1, config.stage1.augmentation, 0, fabric.device)
        x = features_from(network, source, fabric.device)
        with torch.inference_mode():
            estimate, attention = network.estimate(x).float().cpu().numpy(), None
    else:
        x = features_from(network, _latents(fold, job)["test"], fabric.device)
        runs = fold.corpus.segment_positions(rows)
        estimate, attention = estimate_windows(network, x, runs, variant.n, fold.windows)
    if fabric.is_global_zero:
        _predictions(fold, job, estimate)
        if attention is not None:
            known = np.isfinite(estimate).all(1)
            with atomic_path(job.folder / "attention.npz") as path, open(path, "wb") as file:
                np.savez(file, weights=attention[known])
    progress(1, 1, f"{variant}, test")


def _train(
    fabric: Fabric, fold: Fold, job: Job, variant: Variant, progress: Progress
) -> tuple[AffectNetwork, History, dict[str, Any]]:
    config, rows = fold.run.config, fold.split
    if variant.kind == "base":
        return train_base(
            fabric, fold.corpus, rows.train, rows.validation, config.sizes, config.stage1, job.folder, progress
        )
    caches = _latents(fold, job)
    parent, spec = load_model(fold.folder / job.parents[0])
    return train_recurrent(
        fabric, fold.corpus, caches["train"], caches["validation"], parent, variant, fold.windows,
        config.stage2, job.folder, spec.fingerprints["model"], progress,
    )  # fmt: skip


def _save(
    fabric: Fabric, fold: Fold, job: Job, network: AffectNetwork, history: History, known: dict[str, Any]
) -> None:
    """Write the model's folder; it has all that is needed to use the model."""
    split, corpus = fold.split, fold.corpus
    seen = np.concatenate([split.train, split.validation])
    spec = ModelSpec(
        variant=str(network.variant), sizes=network.sizes, low=corpus.card.low, high=corpus.card.high,
        crop=corpus.card.crop,  # pyright: ignore[reportArgumentType] - written by prepare from the same names
        fps=corpus.card.fps, corpora=(corpus.card.source,), subjects=tuple(sorted(set(corpus.subjects[seen].tolist()))),
        protocol=split.protocol, fold=split.fold,
        fingerprints={"model": job.mark, "corpus": corpus.card.fingerprint, "data": fold.mark},
        versions=versions(),
        training={"recipe": fold.run.config.recipe, "clips": len(set(corpus.clips[seen].tolist())), **known},
    )  # fmt: skip
    if fabric.is_global_zero:
        history.write(job.folder / "history.csv")
        save_model(job.folder, network, spec)
        (job.folder / "checkpoint.safetensors").unlink(missing_ok=True)
    fabric.barrier()


def _write_latents(fabric: Fabric, fold: Fold, job: Job, progress: Progress) -> None:
    """Z and Q of the training rows in all views, of validation and test rows as they are."""
    if not fabric.is_global_zero:
        return
    config = fold.run.config
    base, _ = load_model(fold.folder / job.parents[0], fabric.device)
    for part, rows in _parts(fold).items():
        mark, folder = _part_mark(job.mark, part), job.folder / part
        if LatentCache.open(folder, rows, mark) is None:
            views = 1 + config.stage2.views if part == "train" else 1
            source = FreshLatents(
                base, fold.corpus, rows, views, config.stage1.augmentation, config.stage2.seed, fabric.device
            )
            for done, total in write_latents(folder, source, mark):
                progress(done, total, f"latents, {part}")


def _latents(fold: Fold, job: Job) -> dict[str, LatentCache]:
    """The fold's caches, which a parent of this job has written."""
    mark = next(other.mark for other in fold.jobs([Variant.parse(job.name)], ()) if other.name == LATENTS)
    caches: dict[str, LatentCache] = {}
    for part, rows in _parts(fold).items():
        cache = LatentCache.open(fold.folder / LATENTS / part, rows, _part_mark(mark, part))
        assert cache is not None, "latents are written before they are read"
        caches[part] = cache
    return caches


def _parts(fold: Fold) -> dict[str, NDArray[np.int64]]:
    return {"train": fold.split.train, "validation": fold.split.validation, "test": fold.split.test}


def _part_mark(mark: str, part: str) -> str:
    return fingerprint({"latents": mark, "part": part})


def _compare(fabric: Fabric, fold: Fold, job: Job, progress: Progress) -> None:
    split, corpus = fold.split, fold.corpus
    if job.name in BASELINES:
        progress(0, 1, job.name)
        estimate = baseline_estimate(job.name, corpus, split.train, split.test)
    else:
        config = fold.run.config
        cnn = fold.folder / job.parents[0] if job.parents else None
        estimate = train_comparator(
            fabric, job.name, corpus, split, config.sizes, config.comparators, job.folder, job.mark, progress,
            cnn_folder=cnn,
        )  # fmt: skip
    if fabric.is_global_zero:
        _predictions(fold, job, estimate, scaled=job.name in BASELINES)
    progress(1, 1, job.name)


def _predictions(fold: Fold, job: Job, estimate: NDArray[np.floating], scaled: bool = False) -> None:
    """predictions.parquet: labels and estimates of the test rows in the corpus's own units.

    Args:
        estimate: (len(test), 2), NaN where there is none; in [-1, 1] units, or if `scaled` in the corpus's.
    """
    columns = ["clip", "subject", "frame", "time_s", "valence", "arousal"]
    labels = fold.corpus.index.iloc[fold.split.test][columns].reset_index(drop=True)
    known = np.isfinite(estimate).all(1)
    values = estimate if scaled else fold.corpus.card.scale.restore(estimate)
    table = labels[known].copy()
    table.insert(0, "variant", job.name)
    table = table.assign(valence_hat=values[known, 0], arousal_hat=values[known, 1])
    with atomic_path(job.folder / "predictions.parquet") as path:
        table.to_parquet(path, index=False)
