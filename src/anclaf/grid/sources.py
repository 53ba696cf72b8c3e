"""Many sources to their files: one after the other, in processes of this machine, or on a Ray cluster.

What is done of each is in its own files (`inference.outputs`), by which it is resumed.
"""

import pickle
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from anclaf.config import OutputOptions, Resources, StreamOptions
from anclaf.core.arguments import checked
from anclaf.core.errors import AnclafError, ConfigError, OutputError
from anclaf.core.processes import cores
from anclaf.core.progress import Progress, silent
from anclaf.core.workers import Ended, ProcessWorkers, Run, Workers, hand_out
from anclaf.faces.frames import Address
from anclaf.grid.ray import RayWorkers
from anclaf.inference.baseline import Baseline
from anclaf.inference.estimator import AffectEstimator
from anclaf.inference.prediction import SourceResult, predict_source
from anclaf.inference.source import open_source

ALL = "sources"
"""What the progress of all sources together is called."""


@dataclass(frozen=True)
class Analysis:
    """How sources are analysed; see `predict_source` and `open_source`."""

    folder: Path
    options: StreamOptions = field(default_factory=StreamOptions)
    output: OutputOptions = field(default_factory=OutputOptions)
    baseline: Baseline | None = None
    image_fps: float = 25.0
    seconds: float | None = None


@dataclass(frozen=True)
class SourceOutcome:
    """What became of a source.

    result: None where nothing came of it. error: why, in one line. fault: a traceback, where the program is at fault.
    stopped: whether Ctrl-C ended it.
    """

    name: str
    result: SourceResult | None = None
    error: str = ""
    fault: str = ""
    stopped: bool = False


@dataclass(frozen=True)
class Where:
    """Where sources are analysed.

    jobs: so many at once, each in a process of its own; 1: in this process, one after the other. ray: on a cluster in
    place of that, each job with these resources. address: see `RayWorkers`. threads: of the CPU, of each.
    """

    jobs: int = 1
    threads: int | None = None
    ray: Resources | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ConfigError(f"jobs {self.jobs}: expected 1 or more")
        if self.ray is not None and self.jobs > 1:
            raise ConfigError("jobs has no effect with engine ray, which begins as many as fit on the cluster")
        if self.ray is None and self.address is not None:
            raise ConfigError("address has no effect without engine ray")

    def for_sources(self, number: int) -> "Where":
        """With no more processes than sources, which have the threads of this machine's cores among them."""
        jobs, threads = max(1, min(self.jobs, number)), self.threads
        if threads is None and (jobs > 1 or self.ray is not None):
            threads = max(1, cores() // jobs) if self.ray is None else self.ray.cpus
        return replace(self, jobs=jobs, threads=threads)


@checked
def predict_sources(
    estimator: AffectEstimator,
    sources: Mapping[str, str],
    how: Analysis,
    where: Where,
    ended: Callable[[SourceOutcome], None],
    progress: Progress = silent,
) -> None:
    """`predict_source` for each source. One that fails stops no other; one whose process is killed is done again.

    Args:
        sources: names of their files -> sources, as `open_source` takes them.
        ended: called with each outcome, in the order of the sources.
        progress: of each source by its name, and in several processes of all by `ALL`.

    Raises:
        KeyboardInterrupt: Ctrl-C. All stop at once, and each gives what is done its files' names, if there is time.
        ConfigError: no such cluster, or a camera or stream on one. RunError: processes die as they begin.
    """
    where = where.for_sources(len(sources))
    if where.jobs == 1 and where.ray is None:
        for name, source in sources.items():
            outcome = _attempt(estimator, how, _Source(name, source), progress)
            ended(outcome)
            if outcome.stopped:
                raise KeyboardInterrupt
        return
    if where.ray is not None:
        how, sources = replace(how, folder=how.folder.absolute()), {n: _absolute(s) for n, s in sources.items()}
    setup = partial(_worker, pickle.dumps(estimator), where.threads, how)
    jobs = _Sources(sources, ended, progress)
    try:
        workers: Workers[_Source]
        if where.ray is not None:
            workers = RayWorkers(setup, where.ray, where.address)
        else:
            workers = ProcessWorkers(setup, where.jobs, progress)
        hand_out(jobs, workers)
    finally:
        jobs.tell(every=True)


def _absolute(source: str) -> str:
    if Address.parse(source) is not None:
        raise ConfigError(
            f"{source}: engine ray is for files; analyse cameras and streams on the machine that has them"
        )
    return str(Path(source).absolute())


@dataclass(frozen=True)
class _Source:
    """A job. again: a process was lost over it."""

    id: str
    source: str
    again: bool = False


def _worker(estimator: bytes, threads: int | None, how: Analysis) -> Run:
    """What does jobs in a process of its own."""
    import cv2

    made: AffectEstimator = pickle.loads(estimator)
    if threads is not None:
        made.backend.use_threads(threads)
        cv2.setNumThreads(threads)
    return partial(_attempt, made, how)


def _attempt(estimator: AffectEstimator, how: Analysis, job: _Source, progress: Progress) -> SourceOutcome:
    try:
        opened = open_source(job.source, how.image_fps, how.seconds)
        output = how.output
        if job.again and not output.overwrite:
            if opened.path is None:
                raise OutputError(f"{job.id}: the process that followed it died; what it wrote is in {job.id}.csv.part")
            output = replace(output, resume=True)
        done = predict_source(estimator, opened, how.folder, how.options, output, progress, how.baseline)
        return SourceOutcome(job.id, done)
    except AnclafError as error:
        return SourceOutcome(job.id, error=str(error))
    except KeyboardInterrupt as stop:
        return SourceOutcome(job.id, error=str(stop), stopped=True)
    except MemoryError:
        return SourceOutcome(job.id, error=f"{job.source}: out of memory; close other programs, or give less at once")
    except Exception as error:  # whatever it is, the other sources go on
        what = f"{job.source}: unexpected {type(error).__name__} ({error})"
        return SourceOutcome(job.id, error=what, fault=traceback.format_exc())


class _Sources:
    """Sources for workers, whose outcomes are told in the order of the sources."""

    def __init__(self, sources: Mapping[str, str], ended: Callable[[SourceOutcome], None], progress: Progress):
        self._waiting = deque(_Source(name, source) for name, source in sources.items())
        self._order = deque(sources)
        self._ended, self._progress = ended, progress
        self._outcomes: dict[str, SourceOutcome] = {}
        self._done, self._total, self._failed = 0, len(sources), 0

    @property
    def over(self) -> bool:
        return self._done == self._total

    def ready(self, most: int) -> Sequence[_Source]:
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def begin(self, job: _Source) -> None:
        pass

    def again(self, job: _Source) -> None:
        self._waiting.appendleft(replace(job, again=True))

    def end(self, ended: Ended[_Source]) -> None:
        outcome = ended.result
        if outcome is None:
            outcome = SourceOutcome(ended.job.id, error=f"{ended.job.source}: {ended.error}")
        self._outcomes[ended.job.id] = outcome
        self._done += 1
        self._failed += outcome.result is None
        self.tell()

    def watch(self) -> None:
        self._progress(self._done, self._total, ALL, f"{self._failed} failed" if self._failed else "")

    def tell(self, every: bool = False) -> None:
        """Of the outcomes that are next in order; or of every one that there is."""
        while self._order and (every or self._order[0] in self._outcomes):
            if (outcome := self._outcomes.pop(self._order.popleft(), None)) is not None:
                self._ended(outcome)
