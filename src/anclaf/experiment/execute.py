"""Doing one job: train a model from its parents and test it; compute latents; fit and test a comparator."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from lightning_fabric import Fabric
from numpy.typing import NDArray

from anclaf.comparators.registry import COMPARATORS, Task
from anclaf.core.files import fingerprint, versions
from anclaf.core.people import digests
from anclaf.core.progress import Progress
from anclaf.evaluation.calibrate import calibrate_model
from anclaf.evaluation.estimate import (
    estimate_of_frames,
    estimate_windows,
    features_and_quadrants,
    predictions_table,
)
from anclaf.evaluation.quadrants import quadrant_table
from anclaf.evaluation.scores import refuse_leak
from anclaf.experiment.fold import Fold
from anclaf.experiment.job import LATENTS, Job
from anclaf.experiment.room import check_room
from anclaf.experiment.twin import copy_twin, twin_of
from anclaf.models.folder import SPEC, load_spec
from anclaf.models.io import load_model, save_model
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import ModelSpec
from anclaf.training.latents import FreshLatents, LatentCache, features_from, write_latents
from anclaf.training.metric_log import MetricLog
from anclaf.training.stage1 import train_base
from anclaf.training.stage2 import train_recurrent

SEEN_FRAMES = 4000
"""Of how many training frames, at most, each model's estimates are kept: every k-th of each clip, the same for all."""


def execute_job(fabric: Fabric, job: Job, progress: Progress) -> None:
    """Do a job whose parents are done; a killed one goes on from its last checkpoint.

    Raises:
        AnclafError: what its training or testing raises.
    """
    fold = Fold.of(job.run, job.fold)
    config, split = fold.run.config, fold.split

    def show(done: int, total: int, task: str, note: str = "") -> None:
        progress(done, total, f"fold {job.fold}, {task}", note)

    if fabric.is_global_zero:
        fold.write_split()
    if job.kind == "latents":
        _write_latents(fabric, fold, job, show)
    elif job.kind == "comparator":
        _compare(fabric, fold, job, show)
    else:
        if not _is_trained(job):
            init, beginning = fold.run.init, None
            if init is not None:
                config, beginning = init.scaled(config, job.variant), init.beginning(job.variant)
            if job.variant.kind == "base":
                trained = train_base(fabric, fold.corpus, split, config, job.folder, show, beginning)
            else:
                caches = _latents(fold, job)
                parent, spec = load_model(fold.folder / job.parents[0])
                updates = [load_spec(fold.folder / name).training["steps"] for name in job.as_many_as]
                trained = train_recurrent(
                    fabric, fold.corpus, caches["train"], caches["validation"], parent, job.variant, fold.windows,
                    config, job.folder, spec.fingerprints["model"], sum(updates) or None, show,
                    beginning,
                )  # fmt: skip
            _save(fabric, fold, job, *trained)
        _test(fabric, fold, job, show)
    fabric.barrier()


def _is_trained(job: Job) -> bool:
    """Whether the job's folder has the model; it may still have to be tested."""
    return (job.folder / SPEC).is_file() and load_spec(job.folder).fingerprints.get("model") == job.fingerprint


def _save(
    fabric: Fabric, fold: Fold, job: Job, network: AffectNetwork, history: MetricLog, known: dict[str, Any]
) -> None:
    """Write the model's folder; it has all that is needed to use the model."""
    split, corpus = fold.split, fold.corpus
    seen = np.concatenate([split.train, split.validation])
    init, people, begun = job.run.init, set(digests(corpus.subjects[seen])), dict[str, Any]()
    corpora = [corpus.card.source]
    if init is not None:
        people |= set(init.spec.subjects)
        corpora += [source for source in init.spec.corpora if source not in corpora]
        begun = {"init": init.described()}
    spec = ModelSpec(
        variant=str(network.variant), model=network.config, low=corpus.card.low, high=corpus.card.high,
        crop=corpus.card.crop,  # pyright: ignore[reportArgumentType] - written by prepare from the same names
        fps=corpus.card.fps, corpora=tuple(corpora), subjects=tuple(sorted(people)),
        protocol=split.protocol, fold=split.fold,
        fingerprints={"model": job.fingerprint, "corpus": corpus.card.fingerprint, "data": fold.fingerprint},
        versions=versions(), points=network.points,
        training={
            "recipe": job.run.recipe, "overrides": dict(job.run.overrides),
            "clips": len(set(corpus.clips[seen].tolist())), **known, **begun,
        },
    )  # fmt: skip
    if fabric.is_global_zero:
        history.write(job.files.history)
        save_model(job.folder, network, spec)
        job.files.checkpoint.unlink(missing_ok=True)
    fabric.barrier()


def _test(fabric: Fabric, fold: Fold, job: Job, progress: Progress) -> None:
    """Write the model's estimates of the test rows, of the rows that it has seen, its attention if it attends, and how
    sure it is."""
    network, spec = load_model(job.folder, fabric.device)
    variant, rows = job.variant, fold.split.test
    if fold.split.protocol != "paper":
        refuse_leak(spec, fold.corpus.subjects[rows])
    progress(0, 1, f"{variant}, test")
    tested = _estimates(fabric, fold, job, network, "test")
    if fabric.is_global_zero:
        seen = _seen(fabric, fold, job, network)
        tables = [
            predictions_table(fold.corpus, one.rows, job.name, one.affect).assign(part=part)
            for part, one in seen.items()
        ]
        job.files.write_seen(pd.concat(tables, ignore_index=True))
        if tested.quadrants is not None:
            job.files.write_quadrants(_quadrants(fold, {**seen, "test": tested}))
        job.files.write_predictions(predictions_table(fold.corpus, rows, job.name, tested.affect))
        calibrate_model(job.folder, fold.corpus, fold.split, device=str(fabric.device))
        if tested.attention is not None:
            job.files.write_attention(tested.attention[np.isfinite(tested.affect).all(1)])
    progress(1, 1, f"{variant}, test")


class _Estimates(NamedTuple):
    """What a model says of some rows. affect: (N, 2) in the corpus's units, NaN where there is no estimate. attention:
    (N, states) of models that attend. quadrants: (N, 4) of a base model whose D estimates Q."""

    rows: NDArray[np.int64]
    affect: NDArray[np.floating]
    attention: NDArray[np.float32] | None
    quadrants: NDArray[np.float32] | None


def _estimates(
    fabric: Fabric, fold: Fold, job: Job, network: AffectNetwork, part: str, only: NDArray[np.int64] | None = None
) -> _Estimates:
    """Estimates of a part's rows.

    Args:
        part: train, validation or test. only: positions among its rows that are wanted. A base model's estimates are of
            these rows alone, a sequence model's are NaN for the others.
    """
    rows, quadrants, attention = _rows_of_parts(fold)[part], None, None
    if job.variant.kind == "base":
        rows = rows if only is None else rows[only]
        x, q = features_and_quadrants(network, fold.corpus, rows, fabric.device)
        estimate = estimate_of_frames(network, x)
        if network.config.judges_faces:
            quadrants = q.float().cpu().numpy()
    else:
        x, motion = features_from(network, _latents(fold, job)[part], fabric.device)
        segments = fold.corpus.segment_positions(rows)
        estimate, attention = estimate_windows(network, x, motion, segments, job.variant.n, fold.windows, only)
    return _Estimates(rows, fold.corpus.card.scale.restore(estimate), attention, quadrants)


def _seen(fabric: Fabric, fold: Fold, job: Job, network: AffectNetwork) -> dict[str, _Estimates]:
    """Estimates of some training rows, and of the validation rows, where they are not the test rows."""
    every = -(-len(fold.split.train) // SEEN_FRAMES)
    # rows are in the order of clips; in `paper` the validation rows are the test rows
    parts = {"train": np.arange(every // 2, len(fold.split.train), every), "validation": None}
    return {
        part: _estimates(fabric, fold, job, network, part, only)
        for part, only in parts.items()
        if part == "train" or fold.split.protocol != "paper"
    }


def _quadrants(fold: Fold, parts: Mapping[str, _Estimates]) -> pd.DataFrame:
    """`quadrants.parquet`: D's Q of each part's frames."""
    tables = [
        quadrant_table(fold.corpus, one.rows, one.quadrants).assign(part=part)
        for part, one in parts.items()
        if one.quadrants is not None
    ]
    return pd.concat(tables, ignore_index=True)


def _compare(fabric: Fabric, fold: Fold, job: Job, progress: Progress) -> None:
    """Fit a comparator and write its estimates of the test rows, unless another run of the grid has."""
    twin = twin_of(job)
    fabric.barrier()
    if twin is not None:
        if fabric.is_global_zero:
            copy_twin(twin, job)
        progress(1, 1, f"{job.name}, as in {twin.path.parents[1].relative_to(job.run.out.parents[1])}")
        return
    config = fold.run.config
    parents = {parent: fold.folder / parent for parent in job.parents}
    task = Task(
        job.name, fabric, fold.corpus, fold.split, config.model.sizes(), config.comparators, config.seed, job.folder,
        job.fingerprint, progress, parents,
    )  # fmt: skip
    comparator = COMPARATORS.get(job.name)
    if not comparator.trains:  # others report their own steps
        progress(0, 1, job.name)
    estimate = comparator.estimate(task)
    if fabric.is_global_zero:
        job.files.write_predictions(predictions_table(fold.corpus, fold.split.test, job.name, estimate))
    if not comparator.trains:
        progress(1, 1, job.name)


def _write_latents(fabric: Fabric, fold: Fold, job: Job, progress: Progress) -> None:
    """Z and Q of the training rows in all views, of validation and test rows as they are."""
    if not fabric.is_global_zero:
        return
    check_room([job])
    config = fold.run.config
    base, _ = load_model(fold.folder / job.parents[0], fabric.device)
    for part, rows in _rows_of_parts(fold).items():
        identity, folder = _part_fingerprint(job.fingerprint, part), job.folder / part
        if LatentCache.open(folder, rows, identity) is None:
            views = 1 + config.stage2.augmented_views if part == "train" else 1
            source = FreshLatents(
                base,
                fold.corpus,
                rows,
                views,
                config.stage1.augmentation,
                config.seed,
                fabric.device,
                features=config.stage2.combiner_lr_scale == 0,
            )
            for done, total in write_latents(folder, source, identity):
                progress(done, total, f"latents, {part}")


def _latents(fold: Fold, job: Job) -> dict[str, LatentCache]:
    """The fold's caches, which a parent of this job has written."""
    of_latents = next(other.fingerprint for other in fold.jobs([job.variant], ()) if other.kind == "latents")
    caches: dict[str, LatentCache] = {}
    for part, rows in _rows_of_parts(fold).items():
        cache = LatentCache.open(fold.folder / LATENTS / part, rows, _part_fingerprint(of_latents, part))
        assert cache is not None, "latents are written before they are read"
        caches[part] = cache
    return caches


def _rows_of_parts(fold: Fold) -> dict[str, NDArray[np.int64]]:
    return {"train": fold.split.train, "validation": fold.split.validation, "test": fold.split.test}


def _part_fingerprint(of_latents: str, part: str) -> str:
    return fingerprint({"latents": of_latents, "part": part})
