"""The page of a run and of a grid of runs, with tables in Markdown and LaTeX."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.report.grid_report import write_grid_report as write_grid_report
    from anclaf.report.run_report import write_report as write_report
    from anclaf.report.tables import ResultsTable as ResultsTable
    from anclaf.report.tables import results_table as results_table

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "write_grid_report": "report.grid_report",
        "write_report": "report.run_report",
        "ResultsTable": "report.tables",
        "results_table": "report.tables",
    },
)
