"""The jobs of one fold."""

from pathlib import Path

import pytest

from anclaf.data.store import PreparedCorpus
from anclaf.experiment.fold import Fold
from anclaf.experiment.job import Job, RunSpec
from anclaf.models.spec import Variant
from tiny_run import CONFIG


@pytest.fixture
def jobs(corpus: PreparedCorpus, tmp_path: Path) -> dict[str, Job]:
    fold = Fold.of(RunSpec("r", corpus.folder, tmp_path / "run", CONFIG), 0)
    return {job.name: job for job in fold.jobs([Variant("SA", 4)], ["mean", "ridge-1"])}
