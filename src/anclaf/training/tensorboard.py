"""Losses and scores of a training as TensorBoard files, while it runs."""

from pathlib import Path

from tensorboardX import SummaryWriter

from anclaf.training.history import History


class TensorBoard:
    """Follows a history into FOLDER/tensorboard. What an earlier process wrote after its last checkpoint is dropped."""

    def __init__(self, folder: Path, history: History, step: int):
        self._history, self._written = history, len(history.rows)
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)

    def follow(self) -> None:
        """Write the rows that are new."""
        for step, phase, name, value in self._history.rows[self._written :]:
            self._writer.add_scalar(f"{phase}/{name}", value, step)
        self._written = len(self._history.rows)

    def close(self) -> None:
        self._writer.close()
