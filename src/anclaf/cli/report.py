"""`anclaf report`: a run's tables and figures as a page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from anclaf.cli.console import progress_display


@dataclass(frozen=True)
class Report:
    """Write RUN/report/index.html, with the tables in Markdown and LaTeX beside it."""

    run_folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """A folder that `anclaf train` or `anclaf evaluate` made."""
    out: Annotated[Path | None, tyro.conf.arg(help_behavior_hint="(default: RUN/report)")] = None
    """Folder of the report."""

    def run(self) -> int:
        from anclaf.report.run_report import write_report

        with progress_display() as progress:
            print(write_report(self.run_folder, self.out, progress))
        return 0
