"""What has been done: one record in each job's folder, written by the process that holds the job's lock.

Many processes on many machines may work on one grid, if they share its folder. A lock is the operating system's and
ends with the process that holds it, so that a job whose worker was killed is free at once.
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
from anclaf.experiment.job import Job, JobKind
from anclaf.experiment.job_folder import JobFolder

_WAIT_S = 5.0
"""How long to wait for a lock: `is_locked` takes a free one for a moment."""
_WRITE_EVERY_S = 1.0


@dataclass(frozen=True)
class JobRecord:
    """`job.json`. attempts: times it was begun. seconds: of the last one. error: of a failed job, with its kind.
    done, total, task, note: how far a running one is, see `Progress`."""

    state: Literal["running", "done", "failed"]
    kind: JobKind
    fingerprint: str
    attempts: int = 1
    seconds: float = 0.0
    error: str = ""
    done: int = 0
    total: int = 0
    task: str = ""
    note: str = ""
    host: str = ""
    pid: int = 0


def read(files: JobFolder) -> JobRecord | None:
    """The record of a job; None where there is none.

    Raises:
        StaleError: damaged, or of a version whose runs cannot be continued.
    """
    path = files.record
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if "mark" in content:
            raise StaleError(
                f"{path}: written by an earlier version, whose runs this one cannot continue; use another folder"
            )
        return JobRecord(**content)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise StaleError(f"{path}: damaged ({error}); delete it to have the job done again") from error


def is_done(job: Job) -> bool:
    """Whether this job, with the same settings, data and parents, is done.

    Raises:
        StaleError: the folder holds the record of another job.
    """
    record = read(job.files)
    if record is not None and record.fingerprint != job.fingerprint:
        raise StaleError(f"{job.folder}: made with other settings, another corpus or another split; use another folder")
    return record is not None and record.state == "done"


@contextmanager
def locked(job: Job) -> Iterator[bool]:
    """Take the job's lock for the block; yields False where another process holds it."""
    job.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(job.files.lock)
    try:
        lock.acquire(timeout=_WAIT_S)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def is_locked(job: Job) -> bool:
    """Whether a process is at work on the job."""
    if not job.files.lock.exists():
        return False
    lock = FileLock(job.files.lock)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


@contextmanager
def recorded(job: Job) -> Iterator["RecordWriter"]:
    """Record that a job whose lock this process holds is running, and how the block ends."""
    writer = RecordWriter(job)
    try:
        yield writer
    except Exception as error:
        writer.failed(error)
        raise
    writer.done()


class RecordWriter:
    """Writes the record of a job whose lock this process holds."""

    def __init__(self, job: Job):
        self._job, self._began, self._written = job, time.monotonic(), 0.0
        before = read(job.files)
        attempts = before.attempts + 1 if before is not None else 1
        self._record = JobRecord(
            "running", job.kind, job.fingerprint, attempts, host=socket.gethostname(), pid=os.getpid()
        )
        self._write()

    def progress(self, also: Progress) -> Progress:
        """A `Progress` that calls `also` and writes the record once a second."""

        def show(done: int, total: int, task: str, note: str = "") -> None:
            also(done, total, task, note)
            if time.monotonic() - self._written > _WRITE_EVERY_S:
                self._written = time.monotonic()
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
        write_json(self._job.files.record, asdict(self._record))
