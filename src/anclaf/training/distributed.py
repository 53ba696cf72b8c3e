"""Several processes as if they were one: each takes its part of the same batch, statistics are of the whole batch."""

from typing import Any

from lightning_fabric import Fabric
from torch import Tensor


def local(fabric: Fabric, value: Tensor) -> Tensor:
    """This process's part of a batch that every process has drawn, on its device."""
    return value[fabric.global_rank :: fabric.world_size].to(fabric.device)


def gather(fabric: Fabric, value: Tensor) -> Tensor:
    """The whole batch from every process's part (in another order), with gradients."""
    if fabric.world_size == 1:
        return value
    gathered: Any = fabric.all_gather(value, sync_grads=True)
    return gathered.flatten(0, 1)
