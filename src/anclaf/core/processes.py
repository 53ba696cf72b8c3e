"""Work in processes of its own."""

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

import cv2

from anclaf.core.errors import CorpusError

Job = TypeVar("Job")
Result = TypeVar("Result")

_AHEAD = 8
"""Chunks for each process that are sent or finished before they are asked for: with all of them, the memory of a run
would grow with its jobs."""


def in_processes(
    function: Callable[[Job], Result], jobs: Iterable[Job], workers: int, advice: str, chunk: int = 1
) -> Generator[Result, None, None]:
    """Each job's result, in the jobs' order; with one worker in this process. OpenCV has one thread in each, so that
    results do not depend on the order of threads.

    Args:
        jobs: asked for shortly before they are done. advice: what to do when a process dies. chunk: jobs that are sent
            to a process together.

    Raises:
        CorpusError: a process died.
    """
    if workers == 1:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            yield from map(function, jobs)
        finally:
            cv2.setNumThreads(threads)
        return
    # spawned: a fork of a process whose libraries hold threads (torch, OpenCV) may hang
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start)
    try:
        waiting: deque[Future[list[Result]]] = deque()
        left = iter(jobs)
        while several := list(islice(left, chunk)):
            waiting.append(pool.submit(_several, function, several))
            if len(waiting) > _AHEAD * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool as error:
        raise CorpusError(f"a worker process died, perhaps because memory ran out. {advice}") from error
    finally:
        pool.shutdown(cancel_futures=True)


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _several(function: Callable[[Job], Result], jobs: Sequence[Job]) -> list[Result]:
    return [function(job) for job in jobs]


def _start() -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
