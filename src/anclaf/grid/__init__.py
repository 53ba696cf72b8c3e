"""Many runs and many videos, on this machine or on a Ray cluster: recipes, seeds and folds on many corpora; sources to
their tables."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.grid.grid import GridStatus as GridStatus
    from anclaf.grid.grid import grid_status as grid_status
    from anclaf.grid.grid import run_grid as run_grid
    from anclaf.grid.plan import GridPlan as GridPlan
    from anclaf.grid.sources import Analysis as Analysis
    from anclaf.grid.sources import SourceOutcome as SourceOutcome
    from anclaf.grid.sources import Where as Where
    from anclaf.grid.sources import predict_sources as predict_sources

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "GridStatus": "grid.grid",
        "grid_status": "grid.grid",
        "run_grid": "grid.grid",
        "GridPlan": "grid.plan",
        "Analysis": "grid.sources",
        "SourceOutcome": "grid.sources",
        "Where": "grid.sources",
        "predict_sources": "grid.sources",
    },
)
