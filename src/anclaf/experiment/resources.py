"""What each job of a grid runs on."""

from dataclasses import dataclass
from typing import Literal

import torch
from lightning_fabric import Fabric

from anclaf.core.errors import ConfigError

Precision = Literal["32-true", "bf16-mixed"]


@dataclass(frozen=True)
class Resources:
    """cpus: threads of a job; equal results want equal threads. gpus: a job's share of GPUs, as 0.25 of one.
    device: auto, cpu, cuda or mps."""

    cpus: int = 1
    gpus: float = 0.0
    device: str = "auto"
    precision: Precision = "32-true"

    def __post_init__(self) -> None:
        if self.cpus < 1 or not self.gpus >= 0:
            raise ConfigError(f"cpus {self.cpus}, gpus {self.gpus}: expected 1 or more, and 0 or more")

    def fabric(self) -> Fabric:
        """For one process, whose number of threads it sets."""
        torch.set_num_threads(self.cpus)
        return Fabric(accelerator=self.device, devices=1, precision=self.precision)
