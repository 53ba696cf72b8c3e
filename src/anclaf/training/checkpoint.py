"""Checkpoints: everything that the next step depends on, in one safetensors file. No pickle is written or read.

Batches, augmentation and distortion are drawn from generators seeded by (seed, step), so no generator state is kept:
a run that is killed and started again gives, on a CPU with the same thread count, the same bits.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from anclaf.core.errors import StaleError
from anclaf.core.files import atomic_path


def save_checkpoint(
    path: Path, modules: Mapping[str, nn.Module], optimizers: Mapping[str, torch.optim.Optimizer], state: dict[str, Any]
) -> None:
    """Write modules, optimisers and `state` (JSON; holds the next step and a fingerprint of the configuration)."""
    tensors = {
        f"module.{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()
    }
    for name, optimizer in optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{name}.{index}.{key}": torch.as_tensor(value) for key, value in slots.items()}
    contiguous = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(contiguous, temporary, metadata={"state": json.dumps(state)})


def load_checkpoint(
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, torch.optim.Optimizer],
    fingerprint: str,
) -> dict[str, Any] | None:
    """Fill modules and optimisers from a checkpoint; None where there is none yet.

    Raises:
        StaleError: the checkpoint is damaged or belongs to another configuration or corpus.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            state = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise StaleError(
            f"{path}: damaged checkpoint ({error}); delete it to train this model from its start"
        ) from error
    if state.get("fingerprint") != fingerprint:
        raise StaleError(
            f"{path}: made with other settings, another corpus or another parent model; use another --out, or delete it"
        )
    for name, module in modules.items():
        module.load_state_dict(_under(tensors, f"module.{name}."))
    for name, optimizer in optimizers.items():
        slots: dict[int, dict[str, Tensor]] = {}
        for key, value in _under(tensors, f"optimizer.{name}.").items():
            index, slot = key.split(".")
            slots.setdefault(int(index), {})[slot] = value
        optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
    return state


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
