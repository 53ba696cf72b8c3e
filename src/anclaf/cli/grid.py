"""`anclaf grid`: many runs, planned, run, looked at and reported together."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from anclaf.cli.screen import console, fail, progress_bar, say
from anclaf.core.errors import ConfigError

if TYPE_CHECKING:
    from anclaf.experiment.job import Job
    from anclaf.experiment.scheduler import Scheduler, State


@dataclass(frozen=True)
class Plan:
    """Write OUT/grid.json and print what it comes to. Nothing is trained."""

    corpora: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="CORPUS...")]
    """Prepared corpora."""
    out: Path
    """Folder of the grid."""
    recipes: tuple[str, ...] = ("small",)
    """Recipes (tiny, demo, small, paper), and ablations of them, as in small+no-quadrant: no-quadrant, true-quadrant,
    false-quadrant, real-discriminator, wgan-gp, no-adversary, hidden-only, divided-context, no-curriculum,
    no-class-weights, location-score, no-landmarks, no-change, no-augmentation."""
    seeds: tuple[int, ...] = (0,)
    folds: str = "all"
    """all, or numbers from 0 with commas between."""
    of: int | None = None
    """How many folds; 5, or as many as a corpus itself has."""
    variants: str = "all"
    """all, or names with commas between: base,S-8,SA-8. What they start from is trained too."""
    comparators: str = "all"
    """all, none, or names with commas between: mean, ridge-1, ridge-8, svr, cnn, cnn-ma, aeg-cd, coherence, tucker."""
    protocol: Literal["strict", "paper"] = "strict"
    """strict: people in test are never in training. paper: what the paper's authors did."""

    def run(self) -> int:
        from anclaf.experiment.job import parse_references
        from anclaf.grid.plan import GridPlan

        plan = GridPlan(
            tuple(str(corpus.resolve()) for corpus in self.corpora), self.recipes, self.seeds, _numbers(self.folds),
            self.of, self.variants, tuple(parse_references(self.comparators)), self.protocol,
        )  # fmt: skip
        runs = plan.runs(self.out)
        jobs = plan.jobs(runs)
        plan.save(self.out)
        _print_plan(jobs)
        say(f"`anclaf grid run {self.out}` runs it")
        return 0


@dataclass(frozen=True)
class Run:
    """Do what is not yet done. The same command again goes on where a stopped one was."""

    grid: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """Folder that `anclaf grid plan --out` made."""
    engine: Literal["local", "ray"] = "local"
    """local: in this process, one job after the other. ray: on a cluster."""
    address: str | None = None
    """ray: of a running cluster, as HOST:PORT, or auto for this machine's; if not stated, one is started here."""
    cpus: int = 1
    """Threads of each job. Results are equal to the bit only where threads are equal."""
    gpus: float = 0.0
    """ray: a job's share of GPUs; 0.25 lets four share one."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    retry: bool = False
    """Take up failed jobs again."""

    def run(self) -> int:
        from anclaf.experiment.resources import Resources
        from anclaf.grid.grid import run_grid
        from anclaf.grid.plan import GridPlan

        plan = GridPlan.load(self.grid)
        jobs = plan.jobs(plan.runs(self.grid))
        _print_plan(jobs)
        resources = Resources(self.cpus, self.gpus, self.device, self.precision)
        with _watching(len(jobs)) as watcher:
            scheduler = run_grid(
                self.grid, watcher, engine=self.engine, resources=resources, address=self.address, retry=self.retry
            )
        _print_standing(self.grid)
        say(f"`anclaf grid report {self.grid}` draws it")
        return 2 if any(state in ("failed", "blocked") for state in scheduler.states.values()) else 0


@dataclass(frozen=True)
class Status:
    """Where a grid stands, whoever runs it."""

    grid: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """Folder that `anclaf grid plan --out` made."""
    watch: bool = False
    """Look again every few seconds until Ctrl-C."""

    def run(self) -> int:
        _print_standing(self.grid)
        while self.watch:
            time.sleep(5)
            console.rule()
            _print_standing(self.grid)
        return 0


@dataclass(frozen=True)
class GridReport:
    """Write OUT/report/index.html: tables and figures over the grid's runs, and each run's own report."""

    grid: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """Folder that `anclaf grid plan --out` made."""
    out: Path | None = None
    """Folder of the report; OUT/report if not stated."""

    def run(self) -> int:
        from anclaf.grid.plan import GridPlan
        from anclaf.report.grid_report import write_grid_report

        runs = [run.out for run in GridPlan.load(self.grid).runs(self.grid) if run.out.is_dir()]
        with progress_bar() as progress:
            print(write_grid_report(runs, self.out or self.grid / "report", progress))
        return 0


@dataclass(frozen=True)
class Grid:
    """Many runs: plan, run, status, report."""

    action: (
        Annotated[Plan, tyro.conf.subcommand("plan")]
        | Annotated[Run, tyro.conf.subcommand("run")]
        | Annotated[Status, tyro.conf.subcommand("status")]
        | Annotated[GridReport, tyro.conf.subcommand("report")]
    )

    def run(self) -> int:
        return self.action.run()


def _numbers(text: str) -> tuple[int, ...] | None:
    if text == "all":
        return None
    parts = text.split(",")
    if not all(part.strip().isdigit() for part in parts):
        raise ConfigError(f"--folds {text}: expected all, or numbers from 0 with commas between")
    return tuple(int(part) for part in parts)


def _print_plan(jobs: "list[Job]") -> None:
    """A line for each fold of each run, and the count."""
    from anclaf.experiment.job import LATENTS, REFERENCES
    from anclaf.grid.plan import count_words

    by_fold: dict[tuple[str, int], list[str]] = {}
    for job in jobs:
        by_fold.setdefault((job.run.name, job.fold), []).append(job.name)
    for (run, fold), names in by_fold.items():
        models = [name for name in names if name != LATENTS and name not in REFERENCES]
        references = [name for name in names if name in REFERENCES]
        line = f"{run}/fold{fold}: {' '.join(models)}"
        print(line + (f" | {' '.join(references)}" if references else ""))
    print(count_words(jobs))


def _print_standing(out: Path) -> None:
    from anclaf.grid.grid import standing

    now = standing(out)
    print(", ".join(f"{count} {state}" for state, count in sorted(now.states.items())) or "nothing is planned")
    for job, record in now.running:
        print(f"  {job.id}: {record.done}/{record.total} ({record.host}, process {record.pid})")
    for job, record in now.failed:
        fail(f"{job.id}: {record.error}")
    if now.failed:
        say("`anclaf grid run --retry` takes failed jobs up again")


@dataclass
class _Lines:
    """For logs: a line when a job has ended."""

    total: int
    began: float = field(default_factory=time.monotonic)

    def progress(self, job: "Job", done: int, total: int, task: str, note: str = "") -> None:
        pass

    def ended(self, job: "Job", state: "State", scheduler: "Scheduler") -> None:
        say(f"[{_ended(scheduler)}/{self.total}] {time.monotonic() - self.began:.0f} s  {job.id}  {state}")


class _Bars(_Lines):
    """For a terminal: a bar for the grid, and one for each job that runs."""

    def __init__(self, total: int, bars: Progress):
        super().__init__(total)
        self._bars, self._all = bars, bars.add_task("grid", total=total)
        self._tasks: dict[str, TaskID] = {}

    def progress(self, job: "Job", done: int, total: int, task: str, note: str = "") -> None:
        if job.id not in self._tasks:
            self._tasks[job.id] = self._bars.add_task("", total=total)
        self._bars.update(
            self._tasks[job.id], completed=done, total=total, description=f"  {job.run.name}  {task}  {note}"
        )

    def ended(self, job: "Job", state: "State", scheduler: "Scheduler") -> None:
        if job.id in self._tasks:
            self._bars.remove_task(self._tasks.pop(job.id))
        self._bars.update(self._all, completed=_ended(scheduler))
        if state == "failed":
            self._bars.console.print(f"{job.id} failed", markup=False)


def _ended(scheduler: "Scheduler") -> int:
    from anclaf.experiment.scheduler import ENDED

    return sum(state in ENDED for state in scheduler.states.values())


@contextmanager
def _watching(total: int) -> Iterator[_Lines]:
    if not console.is_terminal:
        yield _Lines(total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        yield _Bars(total, bars)
