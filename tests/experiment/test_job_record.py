"""A job's record and lock: what is refused, and that a killed process leaves nothing locked."""

import subprocess
import sys
from dataclasses import replace

import pytest

from anclaf.core.errors import StaleError
from anclaf.core.progress import silent
from anclaf.experiment import job_record
from anclaf.experiment.job import Job
from anclaf.experiment.scheduler import Scheduler


def test_a_folder_of_another_job_is_refused(jobs: dict[str, Job]):
    job_record.RecordWriter(replace(jobs["base"], fingerprint="other")).done()
    with pytest.raises(StaleError, match="made with other settings"):
        Scheduler(list(jobs.values()))
    jobs["mean"].folder.mkdir(parents=True)
    (jobs["mean"].folder / "job.json").write_text('{"state": "done", "mark": "0123456789abcdef"}')
    with pytest.raises(StaleError, match=r"written by an earlier version"):
        job_record.read(jobs["mean"].files)
    (jobs["mean"].folder / "job.json").write_text("{")
    with pytest.raises(StaleError, match="damaged"):
        job_record.read(jobs["mean"].files)


_HOLD = """
import sys, time
from filelock import FileLock
lock = FileLock(sys.argv[1]); lock.acquire(); print("held", flush=True); time.sleep(60)
"""


def test_a_killed_holder_holds_nothing(jobs: dict[str, Job], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(job_record, "_WAIT_S", 0.2)
    job = jobs["base"]
    job_record.RecordWriter(job)
    assert not job_record.is_locked(job)
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(job.folder / ".lock")], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert job_record.is_locked(job)
    with job_record.locked(job) as mine:
        assert not mine
    holder.kill()
    holder.wait()
    assert not job_record.is_locked(job)
    with job_record.locked(job) as mine:
        assert mine


def test_progress_is_noted_now_and_then(jobs: dict[str, Job], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(job_record, "_WRITE_EVERY_S", 0.0)
    job_record.RecordWriter(jobs["base"]).progress(silent)(3, 10, "base", "val CCC V 0.50")
    record = job_record.read(jobs["base"].files)
    assert record is not None
    assert (record.state, record.done, record.total) == ("running", 3, 10)
    assert (record.task, record.note) == ("base", "val CCC V 0.50")
