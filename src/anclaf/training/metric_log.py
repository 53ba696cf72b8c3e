"""Losses and validation scores over the steps of a training: as rows that JSON and CSV can hold, and as TensorBoard."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
from tensorboardX import SummaryWriter

from anclaf.core.files import atomic_path

LOG_EVERY = 25
"""Losses are written as means over this many steps."""


class MetricLog:
    """rows: [step, phase, name, value], of the steps done."""

    def __init__(self, state: dict[str, Any] | None = None):
        """Empty, or what `state` gave when a checkpoint was written."""
        state = state or {"rows": [], "pending": [], "last": {}}
        self.rows: list[list[Any]] = list(state["rows"])
        self._sums: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._sums |= {(phase, name): list(values) for phase, name, values in state["pending"]}
        self._last: dict[str, float] = dict(state["last"])

    def state(self) -> dict[str, Any]:
        """JSON from which a resumed run goes on."""
        pending = [[phase, name, values] for (phase, name), values in self._sums.items()]
        return {"rows": self.rows, "pending": pending, "last": self._last}

    def record_losses(self, step: int, losses: dict[str, dict[str, float]]) -> None:
        """Losses of one step, by phase and name."""
        for phase, terms in losses.items():
            for name, value in terms.items():
                self._sums[phase, name].append(value)
        if (step + 1) % LOG_EVERY == 0:
            for (phase, name), values in self._sums.items():
                self.rows.append([step + 1, phase, name, sum(values) / len(values)])
            self._sums.clear()

    def record_scores(self, step: int, scores: dict[str, float]) -> None:
        """Validation scores after so many steps."""
        self.rows += [[step, "validation", name, value] for name, value in scores.items()]
        self._last = scores

    def note(self) -> str:
        """The last validation score in a few words, for a progress bar."""
        if not self._last:
            return ""
        return f"val CCC V {self._last['valence_ccc']:.2f} A {self._last['arousal_ccc']:.2f}"

    def write(self, path: Path) -> None:
        """history.csv: step, phase, name, value."""
        with atomic_path(path) as temporary:
            pd.DataFrame(self.rows, columns=["step", "phase", "name", "value"]).to_csv(temporary, index=False)


class TensorBoard:
    """Follows a log into FOLDER/tensorboard. What an earlier process wrote after its last checkpoint is dropped."""

    def __init__(self, folder: Path, log: MetricLog, step: int):
        self._log, self._written = log, len(log.rows)
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)

    def write_new(self) -> None:
        """Write the rows that are new."""
        for step, phase, name, value in self._log.rows[self._written :]:
            self._writer.add_scalar(f"{phase}/{name}", value, step)
        self._written = len(self._log.rows)

    def close(self) -> None:
        self._writer.close()
