"""The screen: one progress bar, and lines on standard error. Results go to standard output."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from anclaf.core import progress as core
from anclaf.core.words import fold_words, interval_text, number, number_text
from anclaf.report.tables import BASELINE_LABELS

console = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """One line for the user, beside the results."""
    console.print(text, markup=False)


def fail(text: str) -> None:
    """The one line of an error."""
    print(f"anclaf: {text}", file=sys.stderr)


@contextmanager
def progress_bar(quiet: bool = False) -> Iterator[core.Progress]:
    """Yield the function that library code calls. Without a terminal, a line is written at the end of each part."""
    if quiet:
        yield core.silent
        return
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=False) as bar:
        tasks: dict[str, int] = {}

        def show(done: int, total: int, task: str, note: str = "") -> None:
            if task not in tasks:
                tasks[task] = bar.add_task(task, total=total)
            bar.update(bar.task_ids[tasks[task]], completed=done, total=total, description=f"{task}  {note}")

        yield show


class _Lines:
    """For logs: a line when a part is done."""

    def __call__(self, done: int, total: int, task: str, note: str = "") -> None:
        if done == total and total > 0:
            say(f"{task}  {done}/{total}  {note}")


def print_scores(scores: Mapping[str, Any]) -> None:
    """The results of a run on standard output: CCC with its interval, and RMSE, of valence and arousal."""
    corpus = scores["corpus"]
    title = f"{corpus['name']} ({corpus['source']}), protocol {scores['protocol']}, {fold_words(scores['folds'])}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    table.add_column("", no_wrap=True)
    for heading in ("CCC V", "95 % interval", "CCC A", "95 % interval", "RMSE V", "RMSE A"):
        table.add_column(heading, justify="right", no_wrap=True)
    for group in ("variants", "baselines"):
        for name, entry in scores[group].items():
            cells = []
            for dimension in ("valence", "arousal"):
                low, high = entry[dimension]["ci95"]["ccc"]
                cells += [number_text(number(entry[dimension]["ccc"])), interval_text(number(low), number(high))]
            cells += [number_text(number(entry[dimension]["rmse"])) for dimension in ("valence", "arousal")]
            table.add_row(BASELINE_LABELS.get(name, name), *cells)
        table.add_section()
    Console(width=max(120, console.width)).print(table)
