"""Workers that do one job after the other, and what becomes of a job whose worker is lost.

`hand_out` is the one loop for all engines: processes of this machine (`ProcessWorkers`) and a cluster (`grid.ray`).
"""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Protocol, TypeVar

from anclaf.core.errors import ConfigError, RunError
from anclaf.core.progress import Progress

LOSSES = 5
"""A job whose worker was lost so many times has failed: it is likely what kills them."""
_POLL_S = 1.0
_STOP_S = 20.0
"""Seconds that workers have to write what they have, once they are told to stop."""
_TELL_EVERY_S = 0.2


class Identified(Protocol):
    """Anything with a name of its own."""

    @property
    def id(self) -> str: ...


J = TypeVar("J", bound=Identified)
Run = Callable[[Any, Progress], Any]
"""Does a job; what it gives can be pickled. It raises nothing but KeyboardInterrupt, which is how it is stopped."""
Setup = Callable[[], Run]
"""Called once in each worker, to load what its jobs need. It can be pickled."""


@dataclass(frozen=True)
class Ended(Generic[J]):
    """A job that a worker has no more. result: of `Run`. error: what went wrong in place of that. lost: whether it is
    its worker that was lost, so that it may be done again."""

    job: J
    result: Any = None
    error: Exception | None = None
    lost: bool = False


class Workers(Protocol[J]):
    """Do jobs somewhere."""

    def free(self) -> int:
        """How many more jobs they can begin now."""
        ...

    def start(self, job: J) -> None: ...

    def wait(self, seconds: float) -> list[Ended[J]]:
        """What has ended; at once if something has, else within so many seconds."""
        ...

    def stop(self) -> list[Ended[J]]:
        """Let no job go on. Those whose worker wrote what it had are given; the others were ended as by SIGKILL."""
        ...

    def close(self) -> None:
        """End all workers at once."""
        ...


class Jobs(Protocol[J]):
    """What is to be done, and is told what became of it."""

    @property
    def over(self) -> bool: ...

    def ready(self, most: int) -> Sequence[J]:
        """At most so many that can begin."""
        ...

    def begin(self, job: J) -> None: ...

    def again(self, job: J) -> None:
        """Its worker was lost."""
        ...

    def end(self, ended: Ended[J]) -> None: ...

    def watch(self) -> None:
        """Called once a second or more often."""
        ...


def hand_out(jobs: Jobs[J], workers: Workers[J]) -> None:
    """Let workers do all jobs; they are closed at the end. A job whose worker is lost is begun again.

    Raises:
        KeyboardInterrupt: Ctrl-C. All workers were told to stop, and `jobs` what they had done by then.
        RunError, ConfigError: there can be no workers.
    """
    lost: Counter[str] = Counter()
    try:
        while not jobs.over:
            for job in jobs.ready(workers.free()):
                workers.start(job)
                jobs.begin(job)
            for ended in workers.wait(_POLL_S):
                lost[ended.job.id] += ended.lost
                if ended.lost and lost[ended.job.id] < LOSSES:
                    jobs.again(ended.job)
                else:
                    jobs.end(ended)
            jobs.watch()
    except KeyboardInterrupt:
        for ended in workers.stop():
            jobs.end(ended)
        raise
    finally:
        workers.close()


@dataclass(eq=False)
class _Worker(Generic[J]):
    """A process. ready: whether its setup is done. job: what it does."""

    process: BaseProcess
    pipe: Connection
    ready: bool = False
    job: J | None = None


class ProcessWorkers(Generic[J]):
    """Processes of this machine. One that dies is replaced; if this process dies, they stop by themselves.

    Args:
        setup, number: of the processes. They are spawned, because a fork of a process whose libraries hold threads may
            hang.
        progress: called in this process with what the jobs say of theirs.
    """

    def __init__(self, setup: Setup, number: int, progress: Progress):
        self._setup, self._number, self._progress = setup, number, progress
        self._context = get_context("spawn")
        self._died_early = 0
        self._workers: list[_Worker[J]] = []
        self._keep()

    def free(self) -> int:
        return sum(worker.ready and worker.job is None for worker in self._workers)

    def start(self, job: J) -> None:
        worker = next(worker for worker in self._workers if worker.ready and worker.job is None)
        worker.job = job
        with suppress(OSError):  # it died since; `wait` will find that
            worker.pipe.send(("do", job))

    def wait(self, seconds: float) -> list[Ended[J]]:
        """As `Workers.wait`.

        Raises:
            ConfigError: the setup failed in a process. RunError: processes die before they have set up.
        """
        ended = self._hear(seconds)
        self._keep()
        return ended

    def stop(self) -> list[Ended[J]]:
        deadline, ended = time.monotonic() + _STOP_S, list[Ended[J]]()
        for worker in self._busy():
            with suppress(OSError):
                worker.pipe.send(("stop", None))
        while self._busy() and time.monotonic() < deadline:
            ended += [one for one in self._hear(min(_POLL_S, deadline - time.monotonic())) if not one.lost]
        return ended

    def _busy(self) -> list[_Worker[J]]:
        return [worker for worker in self._workers if worker.job is not None]

    def close(self) -> None:
        _kill(self._workers)
        self._workers = []

    def _keep(self) -> None:
        """Begin as many processes as are missing."""
        while len(self._workers) < self._number:
            here, there = self._context.Pipe()
            process = self._context.Process(target=_serve, args=(there, self._setup), daemon=True)
            with _deaf_to_ctrl_c():
                process.start()
                self._workers.append(_Worker(process, here))
            there.close()

    def _hear(self, seconds: float) -> list[Ended[J]]:
        """What the processes say within so many seconds."""
        by_pipe = {worker.pipe: worker for worker in self._workers}
        ended = []
        for pipe in connection.wait(list(by_pipe), seconds):
            worker = by_pipe[pipe]  # type: ignore[index] - of connections alone
            try:
                word, value = worker.pipe.recv()
            except (EOFError, OSError):
                ended += self._lose(worker)
                continue
            if word == "ready":
                worker.ready, self._died_early = True, 0
            elif word == "unusable":
                raise ConfigError(f"a worker process cannot begin: {value}")
            elif word == "moved":
                self._progress(*value)
            elif worker.job is not None:
                ended.append(Ended(worker.job, value))
                worker.job = None
        return ended

    def _lose(self, worker: _Worker[J]) -> list[Ended[J]]:
        _kill([worker])
        self._workers.remove(worker)
        if not worker.ready:
            self._died_early += 1
            if self._died_early >= LOSSES:
                raise RunError("worker processes die as they begin, perhaps because memory ran out. Use fewer")
        if worker.job is None:
            return []
        why = RunError("the process that did it died again and again, perhaps because memory ran out")
        return [Ended(worker.job, error=why, lost=True)]


def _kill(workers: "Sequence[_Worker[Any]]") -> None:
    for worker in workers:
        worker.process.kill()
    for worker in workers:
        worker.process.join()
        worker.pipe.close()


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes begun here do not hear Ctrl-C, not even while they begin; this one hears it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):  # not on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, setup: Setup) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone
        try:
            run = setup()
        except Exception as error:
            pipe.send(("unusable", f"{error} ({type(error).__name__})"))
            return
        pipe.send(("ready", None))
        while True:
            word, job = pipe.recv()
            if word == "stop":
                return
            pipe.send(("ended", run(job, _Tell(pipe))))


class _Tell:
    """A `Progress` that tells the parent now and then, and stops the work when the parent says so or is gone."""

    def __init__(self, pipe: Connection):
        self._pipe, self._told = pipe, -_TELL_EVERY_S

    def __call__(self, done: int, total: int, task: str, note: str = "", /) -> None:
        if self._pipe.poll():
            with suppress(EOFError, OSError):
                self._pipe.recv()
            raise KeyboardInterrupt
        now = time.monotonic()
        if done == total or now - self._told >= _TELL_EVERY_S:
            self._told = now
            try:
                self._pipe.send(("moved", (done, total, task, note)))
            except OSError as error:
                raise KeyboardInterrupt from error
