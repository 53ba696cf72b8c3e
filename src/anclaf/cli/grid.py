"""`anclaf grid`: many runs, planned, run, looked at and reported together."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from anclaf.cli.console import ProgressBars, ProgressLines, fail, one_or_more, progress_display, say
from anclaf.cli.overrides import VARIANTS_TEXT, ConfigOverrides, comparators_text, recipes_text
from anclaf.config import Engine, Precision, Protocol
from anclaf.core.errors import ConfigError

if TYPE_CHECKING:
    from anclaf.experiment.job import Job
    from anclaf.experiment.scheduler import Scheduler, State


@dataclass(frozen=True)
class Plan:
    """Write down which runs a grid has, and print how many models they come to. Nothing is trained."""

    corpora: Annotated[tuple[Path, ...], tyro.conf.Positional, one_or_more("CORPUS")]
    """Prepared corpora."""
    out: Path
    """Folder of the grid, where grid.json is written."""
    recipes: Annotated[tuple[str, ...], tyro.conf.arg(metavar="RECIPE...", help=recipes_text())] = ("small",)
    seeds: Annotated[tuple[int, ...], tyro.conf.arg(metavar="SEED...")] = (0,)
    """Each recipe is run with each seed: first weights, order of training, random changes. All have the same folds."""
    folds: Annotated[str, tyro.conf.arg(metavar="{N,N...,all}")] = "all"
    """Numbers of the folds to run, from 0 and with commas between; or all."""
    of: Annotated[int | None, tyro.conf.arg(help_behavior_hint="(default: 5, or a corpus's own)")] = None
    """How many folds the people are divided into."""
    variants: Annotated[str, tyro.conf.arg(metavar="NAMES", help=VARIANTS_TEXT)] = "all"
    comparators: Annotated[str, tyro.conf.arg(metavar="NAMES", help=comparators_text())] = "all"
    protocol: Protocol = "strict"
    """strict: nobody in test is in training. paper: what its authors did. official: the database's own sets."""
    config: ConfigOverrides = field(default_factory=ConfigOverrides)

    def run(self) -> int:
        from anclaf.comparators.registry import parse_comparators
        from anclaf.experiment.room import check_room
        from anclaf.grid.plan import GridPlan

        plan = GridPlan(
            tuple(str(corpus.resolve()) for corpus in self.corpora), self.recipes, self.seeds, _numbers(self.folds),
            self.of, self.variants, parse_comparators(self.comparators), self.protocol, self.config.stated(),
        )  # fmt: skip
        runs = plan.runs(self.out)
        jobs = plan.jobs(runs)
        check_room(jobs)
        plan.save(self.out)
        _print_plan(jobs)
        say(f"`anclaf grid run {self.out}` runs it")
        return 0


@dataclass(frozen=True)
class Run:
    """Train and test what is not yet done. The same command again goes on where a stopped one was."""

    grid: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """Folder that `anclaf grid plan --out` made."""
    engine: Engine = "local"
    """local: in this process, one job after the other. ray: on a cluster."""
    address: Annotated[str | None, tyro.conf.arg(help_behavior_hint="(default: one is started here)")] = None
    """ray: of a running cluster, as HOST:PORT, or auto for this machine's."""
    cpus: int = 1
    """Threads of each job. Results are equal to the bit only where threads are equal."""
    gpus: float = 0.0
    """ray: a job's share of GPUs; 0.25 lets four share one."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    precision: Precision = "32-true"
    """bf16-mixed is faster on GPUs that have it."""
    retry: bool = False
    """Take up failed jobs again."""

    def run(self) -> int:
        from anclaf.config import Resources
        from anclaf.grid.grid import run_grid
        from anclaf.grid.plan import GridPlan

        plan = GridPlan.load(self.grid)
        jobs = plan.jobs(plan.runs(self.grid))
        _print_plan(jobs)
        resources = Resources(self.cpus, self.gpus, self.device, self.precision)
        with progress_display() as display:
            scheduler = run_grid(
                self.grid,
                _Watcher(display, len(jobs)),
                engine=self.engine,
                resources=resources,
                address=self.address,
                retry=self.retry,
            )
        _print_status(self.grid)
        say(f"`anclaf grid report {self.grid}` draws it")
        return 2 if any(state in ("failed", "blocked") for state in scheduler.states.values()) else 0


@dataclass(frozen=True)
class Status:
    """How many jobs are done, running, waiting or failed, whichever processes are at work."""

    grid: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """Folder that `anclaf grid plan --out` made."""
    watch: bool = False
    """Look again every few seconds until Ctrl-C."""

    def run(self) -> int:
        _print_status(self.grid)
        while self.watch:
            time.sleep(5)
            say("─" * 40)
            _print_status(self.grid)
        return 0


@dataclass(frozen=True)
class GridReport:
    """Write OUT/report/index.html: tables and figures over the grid's runs, and each run's own report."""

    grid: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """Folder that `anclaf grid plan --out` made."""
    out: Annotated[Path | None, tyro.conf.arg(help_behavior_hint="(default: OUT/report)")] = None
    """Folder of the report."""

    def run(self) -> int:
        from anclaf.grid.plan import GridPlan
        from anclaf.report.grid_report import write_grid_report

        runs = [run.out for run in GridPlan.load(self.grid).runs(self.grid) if run.out.is_dir()]
        with progress_display() as progress:
            print(write_grid_report(runs, self.out or self.grid / "report", progress))
        return 0


Grid: Any = Annotated[
    Annotated[Plan, tyro.conf.subcommand("plan")]
    | Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Status, tyro.conf.subcommand("status")]
    | Annotated[GridReport, tyro.conf.subcommand("report")],
    tyro.conf.subcommand("grid", description="Many runs together: plan them, run them, see where they stand, report."),
]


def _numbers(text: str) -> tuple[int, ...] | None:
    if text == "all":
        return None
    parts = text.split(",")
    if not all(part.strip().isdigit() for part in parts):
        raise ConfigError(f"--folds {text}: expected all, or numbers from 0 with commas between")
    return tuple(int(part) for part in parts)


def _print_plan(jobs: "list[Job]") -> None:
    """A line for each fold of each run, and the count."""
    from anclaf.experiment.room import room_words
    from anclaf.grid.plan import count_words

    by_fold: dict[tuple[str, int], list[Job]] = {}
    for job in jobs:
        by_fold.setdefault((job.run.name, job.fold), []).append(job)
    for (run, fold), group in by_fold.items():
        models, comparators = ([job.name for job in group if job.kind == kind] for kind in ("model", "comparator"))
        line = f"{run}/fold{fold}: {' '.join(models)}"
        print(line + (f" | {' '.join(comparators)}" if comparators else ""))
    print(count_words(jobs))
    if words := room_words(jobs):
        print(words)


def _print_status(out: Path) -> None:
    from anclaf.grid.grid import grid_status

    now = grid_status(out)
    print(", ".join(f"{count} {state}" for state, count in sorted(now.states.items())) or "nothing is planned")
    for job, record in now.running:
        print(f"  {job.id}: {record.done}/{record.total} ({record.host}, process {record.pid})")
    for job, record in now.failed:
        fail(f"{job.id}: {record.error}")
    if now.failed:
        say("`anclaf grid run --retry` takes failed jobs up again")


class _Watcher:
    """Shows the jobs that run, and says how each ended."""

    def __init__(self, display: ProgressLines | ProgressBars, total: int):
        self._display, self._total, self._began = display, total, time.monotonic()
        self._parts: dict[str, str] = {}

    def progress(self, job: "Job", done: int, total: int, task: str, note: str = "") -> None:
        part = f"{job.run.name}, {task}"
        # where jobs run elsewhere, the end of a part may not be heard of
        if (before := self._parts.get(job.id, part)) != part:
            self._display.drop(before)
        self._parts[job.id] = part
        self._display(done, total, part, note)

    def ended(self, job: "Job", state: "State", scheduler: "Scheduler") -> None:
        from anclaf.experiment.scheduler import ENDED

        if job.id in self._parts:
            self._display.drop(self._parts.pop(job.id))
        ended = sum(state in ENDED for state in scheduler.states.values())
        say(f"[{ended}/{self._total}] {time.monotonic() - self._began:.0f} s  {job.id}  {state}")
        self._display(ended, self._total, "grid")
