"""Runs that differ in the seed of their training only, read as one."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import pandas as pd

from anclaf.core.errors import CorpusError, RunError
from anclaf.evaluation.bootstrap import RESAMPLES
from anclaf.evaluation.quadrants import mean_over_seeds
from anclaf.evaluation.scores import repeated_scores
from anclaf.experiment.run_folder import RunFolder


class SeedGroup(RunFolder):
    """Runs of one recipe on the same folds of one corpus, as a run whose scores are means over their seeds.

    What is no score (settings, corpus, pictures of single clips) is that of the first run.
    """

    def __init__(self, runs: Sequence[RunFolder]):
        super().__init__(runs[0].path)
        self.runs = list(runs)

    @cached_property
    def metrics(self) -> Mapping[str, Any]:
        """As of one run, over people and seeds together (`evaluation.scores.repeated_scores`).

        Raises:
            RunError: the runs cannot be scored together.
        """
        first = self.runs[0].metrics
        labels: dict[str, str] = {}
        for run in self.runs:
            labels |= {name: str(entry["label"]) for name, entry in run.metrics["comparators"].items()}
        tables = []
        for run in self.runs:
            names = [*run.variants, *run.metrics["comparators"]]
            tests = {fold: run.predictions(fold, names) for fold in run.folds}
            tables.append((tests, {fold: run.seen(fold, run.variants) for fold in run.folds}))
        resamples = int(first.get("resamples") or RESAMPLES)
        try:
            found = repeated_scores(tables, self.runs[0].scale.middle, labels, resamples)
        except CorpusError as error:
            raise RunError(f"{', '.join(str(run.path) for run in self.runs)}: {error}") from error
        found |= {"quadrants": mean_over_seeds([run.metrics.get("quadrants") or {} for run in self.runs])}
        return {key: first.get(key) for key in ("protocol", "corpus", "windows")} | found | {"seeds": self.seeds}

    @property
    def seeds(self) -> list[int]:
        return [run.seed for run in self.runs]

    def by_seed(self, name: str) -> list[pd.DataFrame]:
        return [run.pooled(name, self.folds) for run in self.runs]

    def seen_by_seed(self, names: Sequence[str]) -> list[Mapping[int, pd.DataFrame]]:
        return [one for run in self.runs for one in run.seen_by_seed(names)]
