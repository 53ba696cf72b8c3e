"""Which jobs can begin, which have ended, and which never will, whatever engine runs them."""

import shutil
from collections.abc import Sequence
from typing import Literal

from anclaf.experiment import job_record
from anclaf.experiment.job import Job

State = Literal["waiting", "running", "done", "failed", "blocked", "unneeded"]
"""blocked: a job that it starts from has failed. unneeded: latents that no job waits for any more."""
ENDED: frozenset[State] = frozenset({"done", "failed", "blocked", "unneeded"})


class Scheduler:
    """States of jobs by their ids, as their records have them at the start.

    Args:
        jobs: parents before children.
        retry: take failed jobs up again.

    Raises:
        StaleError: a folder holds a job of other settings or data.
    """

    def __init__(self, jobs: Sequence[Job], retry: bool = False):
        self.jobs = {job.id: job for job in jobs}
        self.states: dict[str, State] = {}
        self._children: dict[str, list[str]] = {job.id: [] for job in jobs}
        for job in jobs:
            for parent in job.parent_ids:
                self._children[parent].append(job.id)
            record = job_record.read(job.files)
            if job_record.is_done(job):
                self.states[job.id] = "done"
            elif record is not None and record.state == "failed" and not retry:
                self.states[job.id] = "failed"
            else:
                self.states[job.id] = "waiting"
        for job in jobs:
            if self.states[job.id] == "failed":
                self._block(job)
        for job in jobs:
            if job.kind == "latents" and self._children_ended(job):
                self.states[job.id] = "unneeded"

    def ready(self) -> list[Job]:
        """Jobs whose parents are done."""
        return [
            job
            for key, job in self.jobs.items()
            if self.states[key] == "waiting"
            and all(self.states[parent] in ("done", "unneeded") for parent in job.parent_ids)
        ]

    def unfinished(self) -> list[Job]:
        """Jobs that have not ended."""
        return [job for key, job in self.jobs.items() if self.states[key] not in ENDED]

    def begin(self, job: Job) -> None:
        self.states[job.id] = "running"

    def end(self, job: Job, state: Literal["done", "failed"]) -> None:
        """Note the end of a job; block what starts from a failed one; remove latents that no job waits for."""
        self.states[job.id] = state
        if state == "failed":
            self._block(job)
        for parent in (self.jobs[key] for key in job.parent_ids):
            if parent.kind == "latents" and self._children_ended(parent) and not parent.run.keep_latents:
                shutil.rmtree(parent.folder, ignore_errors=True)
                self.states[parent.id] = "unneeded"

    def again(self, job: Job) -> None:
        """The job is to be begun once more."""
        self.states[job.id] = "waiting"

    @property
    def over(self) -> bool:
        return all(state in ENDED for state in self.states.values())

    def run_over(self, job: Job) -> bool:
        """Whether every job of this job's run has ended."""
        return all(self.states[key] in ENDED for key, other in self.jobs.items() if other.run == job.run)

    def _children_ended(self, job: Job) -> bool:
        return all(self.states.get(child) in ENDED for child in self._children[job.id])

    def _block(self, job: Job) -> None:
        for key in self._children[job.id]:
            if self.states.get(key) not in ENDED:
                self.states[key] = "blocked"
                self._block(self.jobs[key])
