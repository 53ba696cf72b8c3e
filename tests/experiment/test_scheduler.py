"""Which jobs can begin: after their parents, not after a failure, not twice."""

from anclaf.core.errors import ConfigError
from anclaf.experiment import job_record
from anclaf.experiment.job import LATENTS, Job
from anclaf.experiment.scheduler import Scheduler


def _names(scheduler: Scheduler) -> list[str]:
    return [job.name for job in scheduler.ready()]


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
    for name in ("S-4", "SA-4", "S-4+"):
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
