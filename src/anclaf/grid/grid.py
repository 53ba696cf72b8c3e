"""Running a planned grid on an engine, scoring each run as it ends, and the grid's status."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anclaf.config import Resources
from anclaf.core.arguments import checked
from anclaf.experiment import job_record
from anclaf.experiment.engine import Watcher, make_fabric, run_local, score_run
from anclaf.experiment.fold import Fold, open_corpus
from anclaf.experiment.job import Job, RunSpec
from anclaf.experiment.room import check_room
from anclaf.experiment.scheduler import Scheduler, State
from anclaf.grid.plan import GridPlan
from anclaf.grid.ray import run_on_ray

Engine = Literal["local", "ray"]


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
        resources: what each job runs on. address: see `run_on_ray`.
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
        run_on_ray(scheduler, resources, scored, address)
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
