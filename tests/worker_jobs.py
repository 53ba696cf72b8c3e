"""What worker processes do in tests: they import it by its name."""

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from anclaf.core.progress import Progress


@dataclass(frozen=True)
class Word:
    """A job: `kill FILE` (once, unless FILE is there), `kill`, `wait`, `deaf`, or anything, which is given back."""

    id: str


def echo() -> Callable[[Word, Progress], str]:
    return _echo


def _echo(job: Word, progress: Progress) -> str:
    word, _, path = job.id.partition(" ")
    if word == "kill" and not (path and Path(path).exists()):
        if path:
            Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "deaf":
        progress(0, 1, job.id)
        time.sleep(60)
    try:
        while word == "wait":
            progress(os.getpid(), 0, job.id)
            time.sleep(0.01)
    except KeyboardInterrupt:
        return "stopped"
    return job.id


def refusing() -> Callable[[Word, Progress], str]:
    raise ValueError("no such thing")


def dying() -> Callable[[Word, Progress], str]:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def beside_its_modules(setup: Callable[[], Callable]) -> Callable:
    """`setup`'s own, with whether torch is imported."""
    run = setup()
    return lambda job, progress: (run(job, progress), "torch" in sys.modules)
