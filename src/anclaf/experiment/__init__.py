"""One run of one recipe: its folds and jobs, its folder, and the loop that trains, tests and scores."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.experiment.engine import score_run as score_run
    from anclaf.experiment.engine import train_run as train_run
    from anclaf.experiment.fold import Fold as Fold
    from anclaf.experiment.init import Init as Init
    from anclaf.experiment.job import Job as Job
    from anclaf.experiment.job import RunSpec as RunSpec
    from anclaf.experiment.run_folder import RunFolder as RunFolder

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "score_run": "experiment.engine",
        "train_run": "experiment.engine",
        "Fold": "experiment.fold",
        "Init": "experiment.init",
        "Job": "experiment.job",
        "RunSpec": "experiment.job",
        "RunFolder": "experiment.run_folder",
    },
)
