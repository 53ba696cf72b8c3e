"""Running a grid's jobs on a Ray cluster whose nodes share the grid's folder and have this package installed."""

import os
import time
from typing import Any

from anclaf.config import Resources
from anclaf.core.errors import ConfigError
from anclaf.core.progress import silent
from anclaf.experiment import job_record
from anclaf.experiment.engine import Watcher, attempt, make_fabric
from anclaf.experiment.job import Job
from anclaf.experiment.scheduler import Scheduler, State

LOSSES = 5
"""A job whose worker or node was lost so many times has failed: it is likely what kills them."""
_POLL_S = 1.0


def run_on_ray(scheduler: Scheduler, resources: Resources, watcher: Watcher, address: str | None = None) -> None:
    """Do every job of the scheduler that can be done. Ends when all jobs have ended.

    A job whose worker or node is lost is begun again elsewhere, from its last checkpoint.

    Args:
        resources: what each job asks for and runs on.
        address: of a running cluster, `auto` for the one of this machine, or None to start one for the time being.

    Raises:
        ConfigError: Ray is not installed, there is no cluster at the address, or none of its nodes has what a job asks.
    """
    ray = _connected(address)
    task = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus, max_retries=0)(_task)
    lost: dict[str, int] = {}
    pending: dict[Any, Job] = {}
    try:
        if not _room(ray, resources):
            raise ConfigError(
                f"--engine ray: a job asks for {resources.cpus} CPUs and {resources.gpus:g} GPUs, and no node has them"
            )
        while not scheduler.over:
            # no more than fit: the jobs of a fold come before those of the next, whose latents would fill the disk
            for job in scheduler.ready()[: max(0, _room(ray, resources) - len(pending))]:
                pending[task.remote(job, resources)] = job
                scheduler.begin(job)
            if not pending:  # every node is lost
                time.sleep(_POLL_S)
                continue
            ready, _ = ray.wait(list(pending), timeout=_POLL_S)
            for reference in ready:
                job = pending.pop(reference)
                state = _outcome(ray, reference, job, lost)
                if state in ("done", "failed"):
                    scheduler.end(job, state)
                    watcher.ended(job, state, scheduler)
                else:
                    scheduler.again(job)
            for job in pending.values():
                record = job_record.read(job.files)
                if record is not None and record.state == "running":
                    watcher.progress(job, record.done, record.total, record.task, record.note)
    finally:
        for reference in pending:
            ray.cancel(reference, force=True)
        ray.shutdown()


def _task(job: Job, resources: Resources) -> State:
    return attempt(make_fabric(resources), job, silent)


def _outcome(ray: Any, reference: Any, job: Job, lost: dict[str, int]) -> State:
    try:
        state = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        return _failed(job, error)
    except ray.exceptions.RayError as error:  # the worker, its node or the object store was lost
        lost[job.id] = lost.get(job.id, 0) + 1
        return _failed(job, error) if lost[job.id] >= LOSSES else "waiting"
    if state == "running":
        time.sleep(_POLL_S)  # another process holds the job's lock
    return state


def _failed(job: Job, error: BaseException) -> State:
    with job_record.locked(job) as mine:
        if mine:
            job_record.RecordWriter(job).failed(error)
    return "failed"


def _connected(address: str | None) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise ConfigError("--engine ray: Ray is not installed; pip install 'anclaf[ray]'") from error
    environment = {"env_vars": {"OMP_WAIT_POLICY": "PASSIVE"}}
    known: dict[str, Any] = {"address": address} if address else {"include_dashboard": False}
    try:
        ray.init(log_to_driver=False, runtime_env=environment, **known)
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        where = f"at {address}" if address else "can be started here"
        raise ConfigError(f"--engine ray: no cluster {where} ({error})") from error
    return ray


def _room(ray: Any, resources: Resources) -> int:
    """How many jobs fit on the cluster at once."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    wanted = {name: amount for name, amount in (("CPU", resources.cpus), ("GPU", resources.gpus)) if amount}
    return sum(int(min(node.get(name, 0) / amount for name, amount in wanted.items())) for node in nodes)
