import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from anclaf.core.errors import ConfigError, StaleError
from anclaf.core.progress import silent
from anclaf.data.store import PreparedCorpus
from anclaf.experiment import job_record
from anclaf.experiment.fold import Fold
from anclaf.experiment.job import LATENTS, Job, RunSpec
from anclaf.experiment.scheduler import Scheduler
from anclaf.models.spec import Variant
from tiny_run import CONFIG


@pytest.fixture
def jobs(corpus: PreparedCorpus, tmp_path: Path) -> dict[str, Job]:
    fold = Fold.of(RunSpec("r", corpus.folder, tmp_path / "run", CONFIG), 0)
    return {job.name: job for job in fold.jobs([Variant("SA", 4)], ["mean", "ridge-1"])}


def _names(scheduler: Scheduler) -> list[str]:
    return [job.name for job in scheduler.ready()]


def test_the_graph_of_a_fold(jobs: dict[str, Job]):
    assert list(jobs) == ["base", LATENTS, "S-2", "S-4", "SA-4", "mean", "ridge-1"]
    assert jobs[LATENTS].parents == ("base",)
    assert jobs["S-2"].parents == ("base", LATENTS)
    assert jobs["SA-4"].parents == ("S-4", LATENTS)
    assert jobs["mean"].parents == ()
    assert jobs["SA-4"].id == "r/fold0/SA-4"
    assert len({job.fingerprint for job in jobs.values()}) == len(jobs)


def test_children_wait_for_their_parents(jobs: dict[str, Job]):
    scheduler = Scheduler(list(jobs.values()))
    assert _names(scheduler) == ["base", "mean", "ridge-1"]
    scheduler.end(jobs["base"], "done")
    assert _names(scheduler) == [LATENTS, "mean", "ridge-1"]
    scheduler.begin(jobs["mean"])
    scheduler.end(jobs[LATENTS], "done")
    assert _names(scheduler) == ["S-2", "ridge-1"]


def test_a_failure_blocks_its_descendants_and_nothing_else(jobs: dict[str, Job]):
    scheduler = Scheduler(list(jobs.values()))
    for name in ("base", LATENTS):
        scheduler.end(jobs[name], "done")
    jobs[LATENTS].folder.mkdir(parents=True)
    scheduler.end(jobs["S-2"], "failed")
    assert {scheduler.states[jobs[name].id] for name in ("S-4", "SA-4")} == {"blocked"}
    assert _names(scheduler) == ["mean", "ridge-1"]
    assert not jobs[LATENTS].folder.exists(), "nothing waits for the latents any more"
    for name in ("mean", "ridge-1"):
        scheduler.end(jobs[name], "done")
    assert scheduler.over


def test_what_is_done_is_not_begun_again_and_latents_only_for_what_is_missing(jobs: dict[str, Job]):
    for name in ("base", "S-2"):
        job_record.RecordWriter(jobs[name]).done()
    scheduler = Scheduler(list(jobs.values()))
    assert _names(scheduler) == [LATENTS, "mean", "ridge-1"]
    for name in ("S-4", "SA-4"):
        job_record.RecordWriter(jobs[name]).done()
    scheduler = Scheduler(list(jobs.values()))
    assert scheduler.states[jobs[LATENTS].id] == "unneeded"
    assert _names(scheduler) == ["mean", "ridge-1"]


def test_failed_jobs_stay_so_until_retried(jobs: dict[str, Job]):
    job_record.RecordWriter(jobs["base"]).failed(ConfigError("no"))
    scheduler = Scheduler(list(jobs.values()))
    assert scheduler.states[jobs["SA-4"].id] == "blocked"
    assert _names(scheduler) == ["mean", "ridge-1"]
    record = job_record.read(jobs["base"].files)
    assert record is not None
    assert (record.state, record.error) == ("failed", "ConfigError: no")
    assert _names(Scheduler(list(jobs.values()), retry=True))[0] == "base"
    job_record.RecordWriter(jobs["base"]).done()
    record = job_record.read(jobs["base"].files)
    assert record is not None
    assert record.attempts == 2


def test_a_folder_of_another_job_is_refused(jobs: dict[str, Job]):
    job_record.RecordWriter(replace(jobs["base"], fingerprint="other")).done()
    with pytest.raises(StaleError, match="made with other settings"):
        Scheduler(list(jobs.values()))
    jobs["mean"].folder.mkdir(parents=True)
    (jobs["mean"].folder / "job.json").write_text('{"state": "done", "mark": "0123456789abcdef"}')
    with pytest.raises(StaleError, match=r"made by version 0\.1"):
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
