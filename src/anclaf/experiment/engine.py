"""Running jobs in this process: a run's, by all processes of a training at once; or a grid's, one after the other."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import pandas as pd
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from anclaf.comparators.registry import COMPARATORS, label_of, quick_comparators
from anclaf.config import Precision, Resources
from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError
from anclaf.core.files import write_json
from anclaf.core.progress import Progress, silent
from anclaf.data.sampling import check_size
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.attention_motion import attended
from anclaf.evaluation.quadrants import quadrant_scores
from anclaf.evaluation.scores import run_scores
from anclaf.experiment import job_record
from anclaf.experiment.execute import execute_job
from anclaf.experiment.fold import WINDOWS, Fold, open_corpus
from anclaf.experiment.job import Job, RunSpec
from anclaf.experiment.room import check_room
from anclaf.experiment.scheduler import Scheduler, State
from anclaf.models.spec import Variant, variant_order

_POLL_S = 2.0


class Watcher(Protocol):
    """Called with what happens to the jobs of a scheduler."""

    def progress(self, job: Job, done: int, total: int, task: str, note: str = "") -> None: ...

    def ended(self, job: Job, state: State, scheduler: Scheduler) -> None: ...


def make_fabric(resources: Resources) -> Fabric:
    """Of one process, whose number of threads it sets."""
    torch.set_num_threads(resources.cpus)
    return open_fabric(resources.device, 1, resources.precision)


def open_fabric(device: str, devices: int, precision: Precision) -> Fabric:
    """Of so many processes or GPUs.

    Raises:
        ConfigError: there is no such device here, or not so many.
    """
    try:
        return Fabric(accelerator=device, devices=devices, precision=precision)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"device {device}, {devices} of it: {reason}") from error


@checked
def train_run(
    fabric: Fabric,
    run: RunSpec,
    *,
    fold: int | None = 0,
    variants: Sequence[Variant],
    comparators: Sequence[str] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train, test and score; the same call again goes on where a killed one stopped. Returns `metrics.json`'s content.

    All processes of `fabric` work on each job together, as data-parallel training does.

    Args:
        fold: one fold, or None for all of them.
        comparators: names; None for those that take seconds.

    Raises:
        StaleError: the run's folder holds a run with other settings or of another corpus.
        ConfigError: another process is at work on one of the jobs.
        OutputError: the disk has not the room for stage 2's latents; nothing was trained.
        AnclafError: of the first job that fails; the others are not begun.
    """
    jobs = run_jobs(run, fold, variants, comparators)
    if fabric.is_global_zero:
        run.folder.claim(run, open_corpus(run.corpus), Fold.of(run, jobs[0].fold).split.folds)
    fabric.barrier()
    scheduler = Scheduler(jobs, retry=True)
    check_room(scheduler.unfinished())
    fabric.barrier()
    while ready := scheduler.ready():
        job = ready[0]
        if fabric.is_global_zero:
            with job_record.locked(job) as mine:
                if not mine:
                    raise ConfigError(f"{job.folder}: another process is at work on it; wait for it")
                with job_record.recorded(job) as record:
                    execute_job(fabric, job, record.progress(progress))
        else:
            execute_job(fabric, job, silent)
        fabric.barrier()
        scheduler.end(job, "done")
    scores = score_run(run, progress) if fabric.is_global_zero else {}
    fabric.barrier()
    return scores


def run_jobs(
    run: RunSpec, fold: int | None, variants: Sequence[Variant], comparators: Sequence[str] | None = None
) -> list[Job]:
    """The jobs of `train_run` with the same arguments, parents before children.

    Raises:
        ConfigError: as `Fold.jobs`, or the corpus's faces are of another size than the networks take.
    """
    if variants:
        check_size(open_corpus(run.corpus), run.config.model)
    names = quick_comparators() if comparators is None else comparators
    numbers = range(Fold.of(run, 0).split.folds) if fold is None else [fold]
    return [job for number in numbers for job in Fold.of(run, number).jobs(variants, names)]


@checked
def score_run(run: RunSpec, progress: Progress = silent) -> dict[str, Any]:
    """Write `metrics.json` from the predictions of everything that is done; returns its content."""
    tables: dict[int, pd.DataFrame] = {}
    seen: dict[int, pd.DataFrame] = {}
    models_of: dict[int, list[str]] = {}
    labels: dict[str, str] = {}
    order = COMPARATORS.names()
    for fold, tested in run.folder.tested().items():
        comparators = [name for name in tested if _is_comparator(run, fold, name)]
        models = sorted((name for name in tested if name not in comparators), key=variant_order)
        comparators.sort(key=lambda name: order.index(name) if name in order else len(order))
        names = [*models, *comparators]
        tables[fold] = pd.concat(
            [pd.read_parquet(run.folder.job(fold, name).predictions) for name in names], ignore_index=True
        )
        seen[fold], models_of[fold] = run.folder.seen(fold, models), models
        labels |= {name: label_of(name) for name in comparators}
    corpus = open_corpus(run.corpus)
    scores = run_scores(
        tables, corpus.folder.name, corpus.card, run.protocol, WINDOWS[run.protocol], labels, run.config.bootstrap,
        run.config.fold_seed, progress, seen,
    )  # fmt: skip
    scores["attention"] = _attention_scores(run, corpus, models_of)
    if judged := {f: p for f in tables if (p := run.folder.job(f, "base").quadrants).is_file()}:
        scores["quadrants"] = quadrant_scores({fold: pd.read_parquet(path) for fold, path in judged.items()})
    write_json(run.folder.metrics_file, scores)
    return scores


def _attention_scores(run: RunSpec, corpus: PreparedCorpus, models: Mapping[int, list[str]]) -> dict[str, Any]:
    """What `metrics.json` says of the weights of each model that attends to two states or more."""
    parts: dict[str, list[tuple[pd.DataFrame, NDArray, NDArray]]] = {}
    for fold, names in models.items():
        for name in names:
            if (kept := run.folder.attention(fold, name)) is not None and kept[1].shape[1] > 1:
                parts.setdefault(name, []).append((*kept, corpus.rows_of(kept[0])))
    return {name: attended(corpus, of_folds).scores(run.config.bootstrap).to_json() for name, of_folds in parts.items()}


def _is_comparator(run: RunSpec, fold: int, name: str) -> bool:
    """As the job that made the predictions has recorded."""
    record = job_record.read(run.folder.job(fold, name))
    return name in COMPARATORS if record is None else record.kind == "comparator"


def attempt(fabric: Fabric, job: Job, progress: Progress) -> State:
    """Do a job and record how it ended.

    Returns:
        done; failed; or running, where another process holds its lock.
    """
    with job_record.locked(job) as mine:
        if not mine:
            return "running"
        if job_record.is_done(job):  # by another process, since the scheduler read the records
            return "done"
        try:
            with job_record.recorded(job) as record:
                execute_job(fabric, job, record.progress(progress))
        except Exception:  # whatever it is, the other jobs go on
            return "failed"
        return "done"


def run_local(scheduler: Scheduler, fabric: Fabric, watcher: Watcher) -> None:
    """Do every job of the scheduler that can be done; failed ones are recorded. Ends when all jobs have ended.

    A job that another process is at work on is left to it.
    """
    while not scheduler.over:
        idle = True
        for job in scheduler.ready():
            state = attempt(fabric, job, partial(watcher.progress, job))
            if state in ("done", "failed"):
                scheduler.end(job, state)
                watcher.ended(job, state, scheduler)
                idle = False
                break
        if idle:
            time.sleep(_POLL_S)
