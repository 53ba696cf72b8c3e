"""Many runs: recipes, seeds and folds on many corpora, in this process or on a Ray cluster."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.grid.grid import GridStatus as GridStatus
    from anclaf.grid.grid import grid_status as grid_status
    from anclaf.grid.grid import run_grid as run_grid
    from anclaf.grid.plan import GridPlan as GridPlan

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "GridStatus": "grid.grid",
        "grid_status": "grid.grid",
        "run_grid": "grid.grid",
        "GridPlan": "grid.plan",
    },
)
