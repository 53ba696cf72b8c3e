"""A whole grid: plan, run on an engine, scores of each run as it ends, and where it stands."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anclaf.core.errors import ConfigError
from anclaf.grid import ledger
from anclaf.grid.board import Board, State
from anclaf.grid.engine import Watcher, run_here
from anclaf.grid.job import Job, RunSpec
from anclaf.grid.place import Place
from anclaf.grid.plan import GridPlan
from anclaf.grid.ray_engine import run_on_ray
from anclaf.grid.run import claim, score_run

Engine = Literal["local", "ray"]


def run_grid(
    out: Path,
    watcher: Watcher,
    *,
    engine: Engine = "local",
    place: Place | None = None,
    address: str | None = None,
    retry: bool = False,
) -> Board:
    """Do what is not yet done of the grid planned in `out`; the same call again goes on where a killed one stopped.

    Args:
        engine: local, in this process one job after the other; ray, on a cluster.
        place: what each job runs on. address: see `run_on_ray`.
        retry: take up failed jobs again.

    Returns:
        The board at the end: what was done, what failed, and what was blocked by a failure.

    Raises:
        StaleError: a folder holds runs of other settings or data. ConfigError: no plan, or no such engine.
    """
    place = place or Place()
    runs, jobs = _planned(out)
    for run in runs:
        claim(run)
    board = Board(jobs, retry)
    scored = _Scoring(watcher)
    if engine == "local":
        run_here(board, place.fabric(), scored)
    elif engine == "ray":
        run_on_ray(board, place, scored, address)
    else:
        raise ConfigError(f"engine {engine!r}: expected local or ray")
    # a driver that was killed after a run's last job has not scored it
    for run in runs:
        if _unscored(run):
            score_run(run)
    return board


@dataclass(frozen=True)
class Standing:
    """Where a grid is. running: (job, its record) of those held by a process now. failed: likewise."""

    states: Counter[State]
    running: list[tuple[Job, ledger.Record]]
    failed: list[tuple[Job, ledger.Record]]
    seconds: float


def standing(out: Path) -> Standing:
    """What the ledger says, whoever is at work. Seconds are the sum over jobs done."""
    _, jobs = _planned(out)
    board = Board(jobs)
    running, failed, seconds = [], [], 0.0
    for job in jobs:
        record = ledger.read(job)
        if record is None:
            continue
        if record.state == "running" and ledger.is_held(job):
            board.begin(job)
            running.append((job, record))
        elif record.state == "failed":
            failed.append((job, record))
        elif record.state == "done":
            seconds += record.seconds
    return Standing(Counter(board.states.values()), running, failed, seconds)


def _planned(out: Path) -> tuple[list[RunSpec], list[Job]]:
    plan = GridPlan.load(out)
    runs = plan.runs(out)
    return runs, plan.jobs(runs)


def _unscored(run: RunSpec) -> bool:
    """Whether there are predictions that `metrics.json` does not have."""
    made = [path.stat().st_mtime for path in run.out.glob("fold*/*/predictions.parquet")]
    metrics = run.out / "metrics.json"
    return bool(made) and (not metrics.is_file() or metrics.stat().st_mtime < max(made))


class _Scoring:
    """Scores a run when its last job has ended, then tells the watcher."""

    def __init__(self, watcher: Watcher):
        self._watcher = watcher

    def progress(self, job: Job, done: int, total: int, what: str) -> None:
        self._watcher.progress(job, done, total, what)

    def ended(self, job: Job, state: State, board: Board) -> None:
        self._watcher.ended(job, state, board)
        if board.run_over(job) and _unscored(job.run):
            score_run(job.run)
