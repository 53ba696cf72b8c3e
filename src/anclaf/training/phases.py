"""A training step as a list of phases, run by one uniform loop: a further network needs no new branch.

Several processes train as if they were one: each takes its part of the same batch, statistics are of the whole batch.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from anclaf.config import Optimizer, RateSchedule
from anclaf.core.arguments import checked
from anclaf.core.errors import TrainingError

Batch = TypeVar("Batch")
Terms = dict[str, Tensor]
"""Named scalars of a phase; the one named `loss` is minimised."""


@dataclass(frozen=True)
class Phase(Generic[Batch]):
    """One update of some parameters.

    loss: batch -> terms. trained: the parameters that move. interval: the phase runs at every interval-th step.
    clip_norm: largest norm of the gradient, 0 for none.
    """

    name: str
    loss: Callable[[Batch], Terms]
    trained: Sequence[nn.Parameter]
    optimizer: torch.optim.Optimizer
    interval: int = 1
    clip_norm: float = 0.0


@checked
def run_phases(fabric: Fabric, phases: Sequence[Phase[Batch]], batch: Batch, step: int) -> dict[str, dict[str, float]]:
    """One step: every phase whose turn it is, in order. Returns the losses by phase and name.

    With several processes gradients are averaged, so that the update equals that of one process with the whole batch.

    Raises:
        TrainingError: a loss is not finite; step and phase are named.
    """
    losses: dict[str, dict[str, float]] = {}
    for phase in phases:
        if step % phase.interval:
            continue
        for parameter in phase.trained:
            parameter.grad = None
        with fabric.autocast():
            terms = phase.loss(batch)
        value = float(terms["loss"].detach())
        if not value == value or abs(value) == float("inf"):
            raise TrainingError(
                f"the loss is {value} at step {step}, phase {phase.name}; "
                "lower the learning rate, or look for odd labels"
            )
        # only this phase's parameters get gradients: the others are constants here
        gradients = torch.autograd.grad(terms["loss"], list(phase.trained), allow_unused=True)
        for parameter, gradient in zip(phase.trained, gradients, strict=True):
            parameter.grad = gradient
        _average_gradients(fabric, phase.trained)
        if phase.clip_norm > 0:
            nn.utils.clip_grad_norm_(phase.trained, phase.clip_norm)
        phase.optimizer.step()
        losses[phase.name] = {name: float(term.detach()) for name, term in terms.items()}
    return losses


def _average_gradients(fabric: Fabric, parameters: Sequence[nn.Parameter]) -> None:
    if fabric.world_size == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    mean: Any = fabric.all_reduce(flat, reduce_op="mean")
    for gradient, piece in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(piece.view_as(gradient))


def local(fabric: Fabric, value: Tensor) -> Tensor:
    """This process's part of a batch that every process has drawn, on its device."""
    return value[fabric.global_rank :: fabric.world_size].to(fabric.device)


def gather(fabric: Fabric, value: Tensor) -> Tensor:
    """The whole batch from every process's part (in another order), with gradients."""
    if fabric.world_size == 1:
        return value
    gathered: Any = fabric.all_gather(value, sync_grads=True)
    return gathered.flatten(0, 1)


def scale_lr(phases: Sequence[Phase[Any]], factor: float) -> None:
    """Learning rate of every parameter group: the one its optimiser was made with, times the schedule's factor."""
    for phase in phases:
        for group in phase.optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor


def rate(schedule: RateSchedule, step: int, steps: int, warmup_steps: int) -> float:
    """Factor of the learning rates: a linear rise over `warmup_steps`; then half a cosine down to 0, or 1."""
    rise = min(1.0, (step + 1) / max(1, warmup_steps))
    if schedule == "constant":
        return rise
    return rise * 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * step / steps))))


AUTHORS_BETAS = (0.5, 0.999)
"""Of every Adam in the authors' code; of D's and G's here whatever the settings say of C's."""


def make_optimizer(
    kind: Optimizer, parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]], lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """The optimiser of a phase, of parameters or of groups of them as PyTorch takes them."""
    if kind == "adam":
        return torch.optim.Adam(parameters, lr, AUTHORS_BETAS, weight_decay=weight_decay)
    return torch.optim.AdamW(parameters, lr, weight_decay=weight_decay)


@torch.no_grad()
def update_average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Running average of weights: averaged = decay * averaged + (1 - decay) * network."""
    for mean, value in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        mean.lerp_(value, 1 - decay)
