"""One training loop for every network: both stages of ANCLaF, and the comparators that are networks."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from lightning_fabric import Fabric
from torch import nn

from anclaf.config import RateSchedule
from anclaf.core.errors import TrainingError
from anclaf.core.progress import Progress
from anclaf.training.checkpoint import load_checkpoint, save_checkpoint
from anclaf.training.metric_log import MetricLog, TensorBoard
from anclaf.training.phases import Batch, Phase, rate, run_phases, scale_lr, update_average

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Networks(Generic[Network]):
    """Three of one kind. trained: what the phases update. averaged: its running average, which is what is scored.
    best: the best-scoring averaged weights."""

    trained: Network
    averaged: Network
    best: Network


@dataclass(frozen=True)
class Schedule:
    """steps: most updates. rates: of learning rates after the warm-up. evaluate: steps done -> whether the validation
    people are scored now. dropout_seed: step -> seed of torch's own generator. patience: scores in a row that are not
    the best, after which training stops; None: all steps are done."""

    steps: int
    rates: RateSchedule
    warmup_steps: int
    ema_decay: float
    checkpoint_every: int
    evaluate: Callable[[int], bool]
    dropout_seed: Callable[[int], int]
    patience: int | None = None


class Trainer(Generic[Batch]):
    """Begins at step 0, or where a killed run's checkpoint is.

    Args:
        folder: where `checkpoint.safetensors` lives while training.
        fingerprint: of settings, data and parent; a checkpoint with another is refused.
        others: further modules that the next step depends on.

    Raises:
        StaleError: the checkpoint there is damaged, or of other settings or data.
    """

    def __init__(
        self,
        fabric: Fabric,
        folder: Path,
        fingerprint: str,
        networks: Networks[Any],
        others: Mapping[str, nn.Module],
        phases: Sequence[Phase[Batch]],
        schedule: Schedule,
    ):
        self._fabric, self._networks, self._phases, self._schedule = fabric, networks, phases, schedule
        self._checkpoint = folder / "checkpoint.safetensors"
        networks.averaged.load_state_dict(networks.trained.state_dict())
        names = {"network": networks.trained, "averaged": networks.averaged, "best": networks.best}
        self._modules = {**names, **others}
        self._optimizers = {phase.name: phase.optimizer for phase in phases}
        known = load_checkpoint(self._checkpoint, self._modules, self._optimizers, fingerprint)
        start = {"step": 0, "best_score": None, "best_step": -1, "since_best": 0, "log": None, "seconds": 0.0}
        self._state: dict[str, Any] = start | (known or {"fingerprint": fingerprint})
        self.log = MetricLog(self._state["log"])
        self._began = time.monotonic() - self._state["seconds"]
        self._board = TensorBoard(folder, self.log, self._state["step"]) if fabric.is_global_zero else None

    def fit(
        self,
        draw: Callable[[int], Batch],
        validate: Callable[[], dict[str, float]],
        task: str,
        progress: Progress,
    ) -> dict[str, Any]:
        """Do the steps that are still to be done. Returns the steps done, best step and score, and seconds.

        Args:
            draw: step -> its batch, a function of the step alone.
            validate: scores of the averaged weights; the highest `ccc` is the best.
            task: what is trained, for `progress`.

        Raises:
            TrainingError: a loss is not finite, or no validation score was a number.
        """
        schedule, networks = self._schedule, self._networks
        for step in range(self._state["step"], schedule.steps):
            if self._stopped:  # killed after its last step, before its model was written
                break
            torch.manual_seed(schedule.dropout_seed(step))
            scale_lr(self._phases, rate(schedule.rates, step, schedule.steps, schedule.warmup_steps))
            losses = run_phases(self._fabric, self._phases, draw(step), step)
            # in the first steps the average must forget the weights that training began with
            update_average(networks.averaged, networks.trained, min(schedule.ema_decay, (1 + step) / (10 + step)))
            self.log.record_losses(step, losses)
            done = step + 1
            if schedule.evaluate(done):
                self._keep_best(done, validate())
            if done % schedule.checkpoint_every == 0 or done == schedule.steps or self._stopped:
                self._save(done)
            if self._board:
                self._board.write_new()
            progress(done, done if self._stopped else schedule.steps, task, self.log.note())
        return self._end()

    @property
    def _stopped(self) -> bool:
        """Whether validation has not improved for as long as the schedule's patience lasts."""
        patience = self._schedule.patience
        return patience is not None and self._state["since_best"] >= patience

    def _keep_best(self, done: int, scores: dict[str, float]) -> None:
        self.log.record_scores(done, scores)
        score, best = scores["ccc"], self._state["best_score"]
        self._state["since_best"] += 1
        # NaN (estimates that do not vary) is never the best
        if score == score and (best is None or score > best):
            self._state |= {"best_score": score, "best_step": done, "since_best": 0}
            self._networks.best.load_state_dict(self._networks.averaged.state_dict())

    def _save(self, done: int) -> None:
        self._state |= {"step": done, "log": self.log.state(), "seconds": time.monotonic() - self._began}
        if self._fabric.is_global_zero:
            save_checkpoint(self._checkpoint, self._modules, self._optimizers, self._state)
        self._fabric.barrier()

    def _end(self) -> dict[str, Any]:
        if self._board:
            self._board.close()
        if self._state["best_step"] < 0:
            raise TrainingError(
                "the validation CCC was never a number: the validation people's labels, or the estimates, do not vary. "
                "Use more people, longer clips, or more steps"
            )
        known = {name: self._state[name] for name in ("best_step", "best_score")}
        return known | {"steps": self._state["step"], "seconds": round(self._state["seconds"], 1)}
