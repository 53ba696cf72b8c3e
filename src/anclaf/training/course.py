"""What a training keeps over its steps, in either stage: averaged weights, the best of them, losses, checkpoints."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from anclaf.core.errors import TrainingError
from anclaf.training.checkpoint import load_checkpoint, save_checkpoint
from anclaf.training.history import History, improves
from anclaf.training.phases import follow
from anclaf.training.tensorboard import TensorBoard


class Course:
    """Begins at step 0, or where a killed run's checkpoint is.

    Args:
        folder: where `checkpoint.safetensors` lives while training.
        mark: fingerprint of settings, data and parent; a checkpoint with another is refused.
        network: what is trained. averaged: follows it, and is what is scored. best: the best-scoring averaged weights.
        others: further modules that the next step depends on.
        average: decay of the running average.

    Raises:
        StaleError: the checkpoint there is damaged, or of other settings or data.
    """

    def __init__(
        self,
        fabric: Fabric,
        folder: Path,
        mark: str,
        network: nn.Module,
        averaged: nn.Module,
        best: nn.Module,
        others: Mapping[str, nn.Module],
        optimizers: Mapping[str, torch.optim.Optimizer],
        average: float,
    ):
        self._fabric, self._path, self._average = fabric, folder / "checkpoint.safetensors", average
        self.network, self.averaged, self.best = network, averaged, best
        averaged.load_state_dict(network.state_dict())
        self._modules = {"network": network, "averaged": averaged, "best": best, **others}
        self._optimizers = optimizers
        self._state: dict[str, Any] = load_checkpoint(self._path, self._modules, optimizers, mark) or {
            "step": 0,
            "best_score": None,
            "best_step": -1,
            "history": None,
            "seconds": 0.0,
            "fingerprint": mark,
        }
        self.history = History(self._state["history"])
        self._began = time.monotonic() - self._state["seconds"]
        self._board = TensorBoard(folder, self.history, self.step) if fabric.is_global_zero else None

    @property
    def step(self) -> int:
        """The first step that is still to be done."""
        return self._state["step"]

    def follow(self, step: int, losses: dict[str, dict[str, float]]) -> None:
        """After a step: average the weights and note the losses."""
        follow(self.averaged, self.network, min(self._average, (1 + step) / (10 + step)))
        self.history.record_losses(step, losses)
        if self._board:
            self._board.follow()

    def score(self, done: int, score: dict[str, float]) -> None:
        """Note a validation score of the averaged weights, and keep them if it is the best."""
        self.history.record(done, "validation", score)
        if improves(score["ccc"], self._state["best_score"]):
            self._state |= {"best_score": score["ccc"], "best_step": done}
            self.best.load_state_dict(self.averaged.state_dict())
        if self._board:
            self._board.follow()

    def save(self, done: int) -> None:
        """Write the checkpoint."""
        self._state |= {"step": done, "history": self.history.state(), "seconds": time.monotonic() - self._began}
        if self._fabric.is_global_zero:
            save_checkpoint(self._path, self._modules, self._optimizers, self._state)
        self._fabric.barrier()

    def end(self) -> dict[str, Any]:
        """Best step and score, and seconds, of a finished training.

        Raises:
            TrainingError: no validation score was a number.
        """
        if self._board:
            self._board.close()
        if self._state["best_step"] < 0:
            raise TrainingError(
                "the validation CCC was never a number: the validation people's labels, or the estimates, do not vary. "
                "Use more people, longer clips, or more steps"
            )
        known = {name: self._state[name] for name in ("best_step", "best_score")}
        return known | {"seconds": round(self._state["seconds"], 1)}
