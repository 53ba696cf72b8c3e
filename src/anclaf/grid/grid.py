"""Running a planned grid on an engine, scoring each run as it ends, and the grid's status."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anclaf.config import Engine, Resources
from anclaf.core.arguments import checked
from anclaf.core.progress import Progress
from anclaf.core.workers import Ended, Run, hand_out
from anclaf.experiment import job_record
from anclaf.experiment.engine import Watcher, attempt, make_fabric, run_local, score_run
from anclaf.experiment.fold import Fold, open_corpus
from anclaf.experiment.job import Job, RunSpec
from anclaf.experiment.room import check_room
from anclaf.experiment.scheduler import Scheduler, State
from anclaf.grid.plan import GridPlan
from anclaf.grid.ray import RayWorkers

_POLL_S = 1.0


@checked
def run_grid(
    out: Path,
    watcher: Watcher,
    *,
    engine: Engine = "local",
    resources: Resources | None = None,
    address: str | None = None,
    retry: bool = False,
) -> Scheduler:
    """Do what is not yet done of the grid planned in `out`; the same call again goes on where a killed one stopped.

    Args:
        engine: local, in this process one job after the other; ray, on a cluster.
        resources: what each job runs on. address: see `RayWorkers`.
        retry: take up failed jobs again.

    Returns:
        The scheduler at the end: what was done, what failed, and what was blocked by a failure.

    Raises:
        StaleError: a folder holds runs of other settings or data. ConfigError: no plan, or no such engine.
        OutputError: the disk has not the room for one fold's latents.
    """
    resources = resources or Resources()
    runs, jobs = _planned(out)
    for run in runs:
        run.folder.claim(run, open_corpus(run.corpus), Fold.of(run, 0).split.folds)
    scheduler = Scheduler(jobs, retry)
    check_room(scheduler.unfinished())
    scored = _Scoring(watcher)
    if engine == "local":
        run_local(scheduler, make_fabric(resources), scored)
    else:
        hand_out(_GridJobs(scheduler, scored), RayWorkers(partial(_worker, resources), resources, address))
    # a driver that was killed after a run's last job has not scored it
    for run in runs:
        if run.folder.unscored:
            score_run(run)
    return scheduler


@dataclass(frozen=True)
class GridStatus:
    """How far a grid is. states: how many jobs are in each. running: jobs that a process is at work on now, with their
    records. failed: likewise. seconds: sum over the jobs done."""

    states: Counter[State]
    running: list[tuple[Job, job_record.JobRecord]]
    failed: list[tuple[Job, job_record.JobRecord]]
    seconds: float


@checked
def grid_status(out: Path) -> GridStatus:
    """The status of the grid in `out`, whichever processes are at work on it."""
    _, jobs = _planned(out)
    scheduler = Scheduler(jobs)
    running, failed, seconds = [], [], 0.0
    for job in jobs:
        record = job_record.read(job.files)
        if record is None:
            continue
        if record.state == "running" and job_record.is_locked(job):
            scheduler.begin(job)
            running.append((job, record))
        elif record.state == "failed":
            failed.append((job, record))
        elif record.state == "done":
            seconds += record.seconds
    return GridStatus(Counter(scheduler.states.values()), running, failed, seconds)


def _planned(out: Path) -> tuple[list[RunSpec], list[Job]]:
    plan = GridPlan.load(out)
    runs = plan.runs(out)
    return runs, plan.jobs(runs)


class _Scoring:
    """Passes everything on to a watcher, and scores a run when its last job has ended."""

    def __init__(self, watcher: Watcher):
        self._watcher = watcher

    def progress(self, job: Job, done: int, total: int, task: str, note: str = "") -> None:
        self._watcher.progress(job, done, total, task, note)

    def ended(self, job: Job, state: State, scheduler: Scheduler) -> None:
        self._watcher.ended(job, state, scheduler)
        if scheduler.run_over(job) and job.run.folder.unscored:
            score_run(job.run)


def _worker(resources: Resources) -> Run:
    """What does jobs in a process of a cluster."""
    return partial(_attempt, resources)


def _attempt(resources: Resources, job: Job, progress: Progress) -> State:
    return attempt(make_fabric(resources), job, progress)


class _GridJobs:
    """A scheduler's jobs for workers elsewhere, whose progress their records tell."""

    def __init__(self, scheduler: Scheduler, watcher: Watcher):
        self._scheduler, self._watcher = scheduler, watcher
        self._running: dict[str, Job] = {}

    @property
    def over(self) -> bool:
        return self._scheduler.over

    def ready(self, most: int) -> Sequence[Job]:
        return self._scheduler.ready()[:most]

    def begin(self, job: Job) -> None:
        self._running[job.id] = job
        self._scheduler.begin(job)

    def again(self, job: Job) -> None:
        del self._running[job.id]
        self._scheduler.again(job)

    def end(self, ended: Ended[Job]) -> None:
        job, state = ended.job, ended.result
        if ended.error is not None:
            _note_failure(job, ended.error)
            state = "failed"
        if state == "running":  # another process holds the job's lock
            time.sleep(_POLL_S)
            self.again(job)
            return
        del self._running[job.id]
        self._scheduler.end(job, state)
        self._watcher.ended(job, state, self._scheduler)

    def watch(self) -> None:
        for job in self._running.values():
            record = job_record.read(job.files)
            if record is not None and record.state == "running":
                self._watcher.progress(job, record.done, record.total, record.task, record.note)


def _note_failure(job: Job, error: Exception) -> None:
    with job_record.locked(job) as mine:
        if mine:
            job_record.RecordWriter(job).failed(error)
