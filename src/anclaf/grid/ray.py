"""Workers of a Ray cluster whose nodes share the folder of the results and have this package installed."""

import os
import time
import uuid
from typing import Any, Generic

from anclaf.config import Resources
from anclaf.core.errors import ConfigError
from anclaf.core.extras import naming_extras
from anclaf.core.progress import silent
from anclaf.core.workers import Ended, J, Run, Setup

_MADE: dict[str, Run] = {}
"""In a worker: what does its jobs, by the number of its `RayWorkers`."""


class RayWorkers(Generic[J]):
    """`core.workers.Workers` of a cluster.

    Args:
        resources: what each job asks for.
        address: of a running cluster, `auto` for the one of this machine, or None to start one for the time being.

    Raises:
        ConfigError: Ray is not installed, there is no cluster at the address, or none of its nodes has what a job asks.
    """

    def __init__(self, setup: Setup, resources: Resources, address: str | None = None):
        self._ray, self._resources = _connected(address), resources
        self._pending: dict[Any, J] = {}
        if not self._room():
            self.close()
            raise ConfigError(
                f"--engine ray: a job asks for {resources.cpus} CPUs and {resources.gpus:g} GPUs, and no node has them"
            )
        # in a list, so that a worker fetches it once and not with every job
        self._setup = [self._ray.put(setup)]
        self._number = uuid.uuid4().hex
        self._task = self._ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus, max_retries=0)(_task)

    def free(self) -> int:
        # no more than fit: the jobs of a fold come before those of the next, whose latents would fill the disk
        return max(0, self._room() - len(self._pending))

    def start(self, job: J) -> None:
        self._pending[self._task.remote(self._number, self._setup, job)] = job

    def wait(self, seconds: float) -> list[Ended[J]]:
        if not self._pending:  # every node is lost
            time.sleep(seconds)
            return []
        ready, _ = self._ray.wait(list(self._pending), timeout=seconds)
        return [self._ended(reference, self._pending.pop(reference)) for reference in ready]

    def stop(self) -> list[Ended[J]]:
        self.close()
        return []

    def close(self) -> None:
        for reference in self._pending:
            self._ray.cancel(reference, force=True)
        self._pending.clear()
        self._ray.shutdown()

    def _ended(self, reference: Any, job: J) -> Ended[J]:
        try:
            return Ended(job, self._ray.get(reference))
        except self._ray.exceptions.RayTaskError as error:
            return Ended(job, error=error)
        except self._ray.exceptions.RayError as error:  # the worker, its node or the object store was lost
            return Ended(job, error=error, lost=True)

    def _room(self) -> int:
        """How many jobs fit on the cluster at once."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        asked = (("CPU", self._resources.cpus), ("GPU", self._resources.gpus))
        wanted = {name: amount for name, amount in asked if amount}
        return sum(int(min(node.get(name, 0) / amount for name, amount in wanted.items())) for node in nodes)


def _task(number: str, setup: list[Any], job: Any) -> Any:
    import ray

    if number not in _MADE:
        make: Setup = ray.get(setup[0])  # pyright: ignore[reportAssignmentType] - of one reference
        _MADE[number] = make()
    return _MADE[number](job, silent)


def _connected(address: str | None) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with naming_extras():
        import ray
        import ray.exceptions
    environment = {"env_vars": {"OMP_WAIT_POLICY": "PASSIVE"}}
    known: dict[str, Any] = {"address": address} if address else {"include_dashboard": False}
    try:
        ray.init(log_to_driver=False, runtime_env=environment, **known)
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        where = f"at {address}" if address else "can be started here"
        raise ConfigError(f"--engine ray: no cluster {where} ({error})") from error
    return ray
