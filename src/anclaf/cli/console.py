"""What the user sees: results on standard output, everything else, such as progress, on standard error."""

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from anclaf.core.words import counted, fold_words, interval_text, number, number_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID
    from rich.table import Table

INTERVAL_S = 60.0
"""Where there is no terminal, a part that goes on is named at least so often."""
_REMIND_S = 5.0
"""Between two looks whether that is due, for work that says nothing itself."""
TRACEBACK = "ANCLAF_TRACEBACK"
"""Set, it shows where a fault of the program is."""

Threads = Annotated[int | None, tyro.conf.arg(help_behavior_hint="(default: as many as torch chooses)")]
POINTS = tyro.conf.arg(
    help="Eyes, nose and mouth corners of a face that was detected, by which it is cut out: looked for in it by the "
    "starter model, or as the detector says."
)


def one_or_more(name: str, text: str | None = None) -> Any:
    """What `--help` says of a positional argument that takes several values: `NAME...` (required).

    Args:
        text: in place of the field's own, of which tyro keeps the line breaks.
    """
    return tyro.conf.arg(metavar=f"{name}...", help=text, help_behavior_hint="(required)")


def say(text: str) -> None:
    """One line for the user, beside the results."""
    console().print(text, markup=False, soft_wrap=True)


def fail(text: str) -> None:
    """The one line of an error."""
    print(f"anclaf: {' '.join(text.splitlines())}", file=sys.stderr)


def fault_line(what: str) -> str:
    """What is said of a fault of this program, beside what it was."""
    return (
        f"{what}. This is a fault of anclaf: please report it with what the same command says when {TRACEBACK}=1 is "
        "set before it"
    )


@cache
def console() -> "Console":
    """Standard error as rich writes to it."""
    return _rich_console(stderr=True)


def _rich_console(**options: Any) -> "Console":
    from rich.console import Console

    class Pipe(Console):
        def on_broken_pipe(self) -> None:
            raise  # rich calls this while it handles the error, and would exit with code 1

    return Pipe(highlight=False, **options)


@dataclass
class _Part:
    """A part of the work as `Progress` tells of it. Times in seconds, of one clock."""

    first: int
    """Steps that were done when it was first heard of."""
    done: int
    began: float
    shown: float
    ended: bool = False

    def text(self, total: int, task: str, note: str, now: float) -> str:
        """`task  done/total  rate  time left  note`; once it has ended, the time it took; no counts of one step."""
        words, counted = [task], total != 1
        seconds, steps = now - self.began, self.done - self.first
        rate = steps / seconds if seconds > 0 else 0.0
        if counted:
            words.append(f"{self.done}/{total}" if total else str(self.done))
        if counted and rate > 0:
            words.append(f"{rate:.3g}/s")
        if self.ended:
            words.append(f"in {_duration(seconds)}")
        elif total and rate > 0:
            words.append(f"{_duration((total - self.done) / rate)} left")
        return "  ".join([*words, note] if note else words)


class ProgressLines:
    """A `Progress` for logs: a line when a part begins, at least once a minute while it goes on, and when it ends."""

    def __init__(
        self,
        write: Callable[[str], None] = say,
        clock: Callable[[], float] = time.monotonic,
        interval: float | None = INTERVAL_S,
    ):
        """write: prints a line. clock: seconds. interval: between two lines of a part; None: a line at its end only."""
        self._write, self._clock = write, clock
        self._interval = math.inf if interval is None else interval
        self._parts: dict[str, _Part] = {}
        self._last: tuple[int, str, str] | None = None
        self._lock = Lock()

    def __call__(self, done: int, total: int, task: str, note: str = "", /) -> None:
        with self._lock:
            self._hear(done, total, task, note)

    def _hear(self, done: int, total: int, task: str, note: str) -> None:
        self._last = total, task, note
        now, part = self._clock(), self._parts.get(task)
        begins = part is None or done < part.done
        if part is None or begins:
            part = self._parts[task] = _Part(done, done, now, now)
        ends = 0 < total <= done and not part.ended
        part.done, part.ended = done, part.ended or ends
        due = now - part.shown >= self._interval or (begins and self._interval < math.inf)
        if ends or (due and not part.ended):
            part.shown = now
            self._write(part.text(total, task, note, now))

    def remind(self) -> None:
        """Name the part that was last heard of again, if it goes on and a line is due: it may say nothing for long."""
        with self._lock:
            if self._last is None:
                return
            (total, task, note), now = self._last, self._clock()
            part = self._parts.get(task)
            if part is not None and not part.ended and now - part.shown >= self._interval:
                part.shown = now
                self._write(f"{part.text(total, task, note, now)}  for {_duration(now - part.began)}")

    def drop(self, task: str) -> None:
        """Forget a part that has not ended and will not go on."""
        with self._lock:
            self._parts.pop(task, None)


class ProgressBars:
    """A `Progress` for a terminal: a bar for each part that goes on, and a line when it has ended."""

    def __init__(self, bars: "Bars", write: Callable[[str], None] = say):
        self._bars, self._lines = bars, ProgressLines(write, interval=None)
        self._ids: dict[str, TaskID] = {}

    def __call__(self, done: int, total: int, task: str, note: str = "", /) -> None:
        self._lines(done, total, task, note)
        if 0 < total <= done:
            self._remove(task)
            return
        if task not in self._ids:
            self._ids[task] = self._bars.add_task(task, total=total or None, note=note)
        self._bars.update(self._ids[task], completed=done, total=total or None, note=note)

    def drop(self, task: str) -> None:
        """Take away the bar of a part that has not ended and will not go on."""
        self._lines.drop(task)
        self._remove(task)

    def _remove(self, task: str) -> None:
        if task in self._ids:
            self._bars.remove_task(self._ids.pop(task))


@contextmanager
def progress_display(quiet: bool = False) -> Iterator[ProgressLines | ProgressBars]:
    """Yield the function that library code tells how far it is: bars on a terminal, lines where there is none.

    Args:
        quiet: show nothing, as all but one of several processes do.
    """
    if quiet:
        yield ProgressLines(lambda _: None)
        return
    if not console().is_terminal:
        with _reminded(ProgressLines()) as lines:
            yield lines
        return
    from rich import progress as rich

    columns = (
        rich.TextColumn("{task.description}", markup=False), rich.BarColumn(), rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(), rich.TimeRemainingColumn(), rich.TextColumn("{task.fields[note]}", markup=False),
    )  # fmt: skip
    with rich.Progress(*columns, console=console()) as bars:
        yield ProgressBars(bars)


@contextmanager
def _reminded(lines: ProgressLines) -> Iterator[ProgressLines]:
    """Let a thread remind of parts that are silent for long."""
    ended = Event()

    def watch() -> None:
        with suppress(OSError):  # nobody reads any more, which the work will find by itself
            while not ended.wait(_REMIND_S):
                lines.remind()

    Thread(target=watch, name="reminder", daemon=True).start()
    try:
        yield lines
    finally:
        ended.set()


def _duration(seconds: float) -> str:
    """h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def print_table(table: "Table", width: int) -> None:
    """A table on standard output, at least `width` columns wide: a pipe has room."""
    _rich_console(width=max(width, console().width)).print(table)


def print_scores(scores: Mapping[str, Any]) -> None:
    """The results of a run on standard output: CCC with its interval, and RMSE, of valence and arousal."""
    corpus = scores["corpus"]
    title = f"{corpus['name']} ({corpus['source']}), protocol {scores['protocol']}, {fold_words(scores['folds'])}"
    _print_entries(title, [scores["variants"], scores["comparators"]])


def print_evaluation(scores: Mapping[str, Any]) -> None:
    """The results of an evaluation, as `print_scores`."""
    corpus, entries, tools = scores["corpus"], scores["entries"], scores["tools"]
    title = (
        f"{corpus['name']} ({corpus['source']}), {counted(scores['frames'], 'frame')} of {scores['subjects']} people"
    )
    models = {name: entry for name, entry in entries.items() if name not in tools}
    _print_entries(title, [models, {name: entries[name] for name in tools}])


def _print_entries(title: str, groups: Sequence[Mapping[str, Any]]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    table.add_column("", no_wrap=True)
    for heading in ("CCC V", "95 % interval", "CCC A", "95 % interval", "RMSE V", "RMSE A"):
        table.add_column(heading, justify="right", no_wrap=True)
    for group in groups:
        for name, entry in group.items():
            cells = []
            for dimension in ("valence", "arousal"):
                low, high = entry[dimension]["ci95"]["ccc"]
                cells += [number_text(number(entry[dimension]["ccc"])), interval_text(number(low), number(high))]
            cells += [number_text(number(entry[dimension]["rmse"])) for dimension in ("valence", "arousal")]
            table.add_row(entry.get("label", name), *cells)
        table.add_section()
    print_table(table, 120)
