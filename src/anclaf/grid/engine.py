"""Running a grid's jobs in this process, one after the other."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from lightning_fabric import Fabric

from anclaf.core.errors import ConfigError
from anclaf.core.progress import Progress, silent
from anclaf.grid import ledger
from anclaf.grid.board import Board, State
from anclaf.grid.job import Job
from anclaf.grid.work import work

_POLL_S = 2.0


class Watcher(Protocol):
    """Told of what happens on the board."""

    def progress(self, job: Job, done: int, total: int, what: str) -> None: ...

    def ended(self, job: Job, state: State, board: Board) -> None: ...


def attempt(fabric: Fabric, job: Job, progress: Progress) -> State:
    """Do a job and record how it ended.

    Returns:
        done; failed; or running, where another process holds it.
    """
    with ledger.held(job) as mine:
        if not mine:
            return "running"
        if ledger.is_done(job):  # by somebody else, since the board was drawn
            return "done"
        try:
            with ledger.recorded(job) as entry:
                work(fabric, job, entry.progress(progress))
        except Exception:  # whatever it is, the other jobs go on
            return "failed"
        return "done"


def run_here(board: Board, fabric: Fabric, watcher: Watcher) -> None:
    """Do every job of the board that can be done; failed ones are recorded. Ends when all jobs have ended.

    A job that another process holds is left to it.
    """
    while not board.over:
        idle = True
        for job in board.ready():
            state = attempt(fabric, job, partial(watcher.progress, job))
            if state in ("done", "failed"):
                board.end(job, state)
                watcher.ended(job, state, board)
                idle = False
                break
        if idle:
            time.sleep(_POLL_S)


def run_together(jobs: Sequence[Job], fabric: Fabric, progress: Progress = silent) -> None:
    """Do jobs with all processes of `fabric` at once, as data-parallel training does.

    Raises:
        AnclafError: of the first job that fails; the others are not begun.
    """
    board = Board(jobs, retry=True)
    fabric.barrier()
    while ready := board.ready():
        job = ready[0]
        if fabric.is_global_zero:
            with ledger.held(job) as mine:
                if not mine:
                    raise ConfigError(f"{job.folder}: another process is at work on it; wait for it")
                with ledger.recorded(job) as entry:
                    work(fabric, job, entry.progress(progress))
        else:
            work(fabric, job, silent)
        fabric.barrier()
        board.end(job, "done")
