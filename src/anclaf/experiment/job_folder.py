"""A job's folder: the one place that knows what a model, a comparator or the latents leave in a fold."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.core.files import atomic_path

PREDICTIONS = "predictions.parquet"


@dataclass(frozen=True)
class JobFolder:
    """What one job leaves: a model's, a comparator's or the latents' folder in a fold."""

    path: Path

    @property
    def record(self) -> Path:
        return self.path / "job.json"

    @property
    def lock(self) -> Path:
        return self.path / ".lock"

    @property
    def history(self) -> Path:
        return self.path / "history.csv"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.safetensors"

    @property
    def predictions(self) -> Path:
        return self.path / PREDICTIONS

    @property
    def seen(self) -> Path:
        return self.path / "seen.parquet"

    @property
    def quadrants(self) -> Path:
        return self.path / "quadrants.parquet"

    @property
    def attention(self) -> Path:
        return self.path / "attention.npz"

    def write_predictions(self, table: pd.DataFrame) -> None:
        """table: a row for each test frame that has an estimate, with the columns of `scores.COLUMNS`."""
        _write(table, self.predictions)

    def write_seen(self, table: pd.DataFrame) -> None:
        """table: as `write_predictions`, of frames that the model has seen, with a column `part`: train, by which
        it learnt, or validation, by which its checkpoint was chosen."""
        _write(table, self.seen)

    def write_quadrants(self, table: pd.DataFrame) -> None:
        """table: D's Q of the frames of the other tables, with the columns of `evaluation.quadrants.COLUMNS`."""
        _write(table, self.quadrants)

    def write_attention(self, weights: NDArray[np.float32]) -> None:
        """weights: (N, K) of the rows of `predictions`, see `RunFolder.attention`."""
        with atomic_path(self.attention) as path, open(path, "wb") as file:
            np.savez(file, weights=weights)


def _write(table: pd.DataFrame, to: Path) -> None:
    with atomic_path(to) as path:
        table.to_parquet(path, index=False)
