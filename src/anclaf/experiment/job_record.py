"""What has been done: one record in each job's folder, written by whoever holds the job's lock.

Many processes on many machines may work on one grid, if they share its folder. A lock is the operating system's and
goes with the process that holds it, so that a job whose worker was killed is free at once.
"""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Literal

from filelock import FileLock, Timeout

from anclaf.core.errors import StaleError
from anclaf.core.files import write_json
from anclaf.core.progress import Progress
from anclaf.experiment.job import Job

_WAIT_S = 5.0
"""A lock is held for a moment by whoever looks whether it is free."""
_SHOW_S = 1.0


@dataclass(frozen=True)
class JobRecord:
    """`job.json`. error: of a failed job, with its kind. done, total, task, note: how far a running one is; see
    `Progress`. attempts: times it was begun. seconds: of the last one."""

    state: Literal["running", "done", "failed"]
    mark: str
    attempts: int = 1
    seconds: float = 0.0
    error: str = ""
    done: int = 0
    total: int = 0
    task: str = ""
    note: str = ""
    host: str = ""
    pid: int = 0


def read(job: Job) -> JobRecord | None:
    """The job's record; None where there is none.

    Raises:
        StaleError: damaged.
    """
    path = job.folder / "job.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        known.pop("what", None)  # of folders made before task and note were told apart
        return JobRecord(**known)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError) as error:
        raise StaleError(f"{path}: damaged ({error}); delete it to have the job done again") from error


def is_done(job: Job) -> bool:
    """Whether this very job, of these settings, data and parents, is done.

    Raises:
        StaleError: another job is recorded in its folder.
    """
    record = read(job)
    if record is not None and record.mark != job.mark:
        raise StaleError(f"{job.folder}: made with other settings, another corpus or another split; use another folder")
    return record is not None and record.state == "done"


@contextmanager
def held(job: Job) -> Iterator[bool]:
    """Hold the job's lock; yields False where another process has it."""
    job.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(job.folder / ".lock")
    try:
        lock.acquire(timeout=_WAIT_S)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def is_held(job: Job) -> bool:
    """Whether a process is at work on the job."""
    if not (job.folder / ".lock").exists():
        return False
    lock = FileLock(job.folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


@contextmanager
def recorded(job: Job) -> Iterator["Entry"]:
    """JobRecord that a job which this process holds runs, and how the block ends."""
    entry = Entry(job)
    try:
        yield entry
    except Exception as error:
        entry.failed(error)
        raise
    entry.done()


class Entry:
    """Writes the record of a job that this process holds."""

    def __init__(self, job: Job):
        self._job, self._began, self._shown = job, time.monotonic(), 0.0
        before = read(job)
        attempts = before.attempts + 1 if before is not None else 1
        self._record = JobRecord("running", job.mark, attempts, host=socket.gethostname(), pid=os.getpid())
        self._write()

    def progress(self, also: Progress) -> Progress:
        """Passes progress on, and notes it now and then."""

        def show(done: int, total: int, task: str, note: str = "") -> None:
            also(done, total, task, note)
            if time.monotonic() - self._shown > _SHOW_S:
                self._shown = time.monotonic()
                self._record = replace(self._record, done=done, total=total, task=task, note=note)
                self._write()

        return show

    def done(self) -> None:
        self._end(replace(self._record, state="done", done=0, total=0, task="", note=""))

    def failed(self, error: BaseException) -> None:
        self._end(replace(self._record, state="failed", error=f"{type(error).__name__}: {error}"))

    def _end(self, record: JobRecord) -> None:
        self._record = replace(record, seconds=round(time.monotonic() - self._began, 2))
        self._write()

    def _write(self) -> None:
        write_json(self._job.folder / "job.json", asdict(self._record))
