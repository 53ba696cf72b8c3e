"""Running a grid's jobs in this process, one after the other."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from lightning_fabric import Fabric

from anclaf.core.errors import ConfigError
from anclaf.core.progress import Progress, silent
from anclaf.experiment import job_record
from anclaf.experiment.execute import execute_job
from anclaf.experiment.job import Job
from anclaf.experiment.scheduler import Scheduler, State

_POLL_S = 2.0


class Watcher(Protocol):
    """Told of what happens on the scheduler."""

    def progress(self, job: Job, done: int, total: int, task: str, note: str = "") -> None: ...

    def ended(self, job: Job, state: State, scheduler: Scheduler) -> None: ...


def attempt(fabric: Fabric, job: Job, progress: Progress) -> State:
    """Do a job and record how it ended.

    Returns:
        done; failed; or running, where another process holds it.
    """
    with job_record.held(job) as mine:
        if not mine:
            return "running"
        if job_record.is_done(job):  # by somebody else, since the scheduler was drawn
            return "done"
        try:
            with job_record.recorded(job) as entry:
                execute_job(fabric, job, entry.progress(progress))
        except Exception:  # whatever it is, the other jobs go on
            return "failed"
        return "done"


def run_here(scheduler: Scheduler, fabric: Fabric, watcher: Watcher) -> None:
    """Do every job of the scheduler that can be done; failed ones are recorded. Ends when all jobs have ended.

    A job that another process holds is left to it.
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


def run_together(jobs: Sequence[Job], fabric: Fabric, progress: Progress = silent) -> None:
    """Do jobs with all processes of `fabric` at once, as data-parallel training does.

    Raises:
        AnclafError: of the first job that fails; the others are not begun.
    """
    scheduler = Scheduler(jobs, retry=True)
    fabric.barrier()
    while ready := scheduler.ready():
        job = ready[0]
        if fabric.is_global_zero:
            with job_record.held(job) as mine:
                if not mine:
                    raise ConfigError(f"{job.folder}: another process is at work on it; wait for it")
                with job_record.recorded(job) as entry:
                    execute_job(fabric, job, entry.progress(progress))
        else:
            execute_job(fabric, job, silent)
        fabric.barrier()
        scheduler.end(job, "done")
