import os
import subprocess
import sys
import time
from collections.abc import Sequence
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from anclaf.core import workers
from anclaf.core.errors import ConfigError, RunError
from anclaf.core.progress import silent
from anclaf.core.workers import Ended, ProcessWorkers, hand_out
from worker_jobs import Word, dying, echo, refusing


class Words:
    """Jobs that remember what became of them."""

    def __init__(self, *words: str):
        self.waiting, self.left = [Word(word) for word in words], len(words)
        self.results: dict[str, Any] = {}
        self.errors: dict[str, Exception] = {}
        self.repeated: list[str] = []

    @property
    def over(self) -> bool:
        return not self.left

    def ready(self, most: int) -> Sequence[Word]:
        now, self.waiting = self.waiting[:most], self.waiting[most:]
        return now

    def begin(self, job: Word) -> None: ...

    def watch(self) -> None: ...

    def again(self, job: Word) -> None:
        self.repeated.append(job.id)
        self.waiting.append(job)

    def end(self, ended: Ended[Word]) -> None:
        self.left -= 1
        if ended.error is not None:
            self.errors[ended.job.id] = ended.error
        else:
            self.results[ended.job.id] = ended.result


def test_a_killed_worker_is_replaced_and_its_job_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "LOSSES", 3)
    once = f"kill {tmp_path / 'flag'}"
    jobs = Words("a", once, "kill", "b", "c")
    hand_out(jobs, ProcessWorkers(echo, 2, silent))
    assert jobs.results == {word: word for word in ("a", "b", "c", once)}
    assert sorted(jobs.repeated) == sorted([once, *["kill"] * 2])
    assert "died again and again" in str(jobs.errors["kill"])


def test_workers_that_cannot_begin():
    with pytest.raises(ConfigError, match=r"a worker process cannot begin: no such thing \(ValueError\)"):
        hand_out(Words("a"), ProcessWorkers(refusing, 1, silent))
    with pytest.raises(RunError, match="die as they begin"):
        hand_out(Words("a"), ProcessWorkers(dying, 1, silent))


def test_ctrl_c_stops_all_at_once(monkeypatch: pytest.MonkeyPatch):
    """Those that listen give what they have; one that does not is ended."""
    monkeypatch.setattr(workers, "_STOP_S", 0.5)
    begun: set[str] = set()

    def progress(done: int, total: int, task: str, note: str = "") -> None:
        begun.add(task)
        if len(begun) == 3:
            raise KeyboardInterrupt

    jobs, processes = Words("wait 1", "deaf", "wait 2", "later"), ProcessWorkers(echo, 3, progress)
    with pytest.raises(KeyboardInterrupt):
        hand_out(jobs, processes)
    assert jobs.results == {"wait 1": "stopped", "wait 2": "stopped"}
    assert not jobs.errors
    assert not active_children()


PARENT = """
import sys
from anclaf.core.progress import silent
from anclaf.core.workers import ProcessWorkers, hand_out
from test_workers import Words
from worker_jobs import echo
hand_out(Words("wait"), ProcessWorkers(echo, 1, lambda pid, *_: print(pid, flush=True)))
"""


def test_workers_end_when_their_parent_is_killed():
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    words = [sys.executable, "-c", PARENT]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": paths}) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _alive(pid)
        parent.kill()
    deadline = time.monotonic() + 30
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
