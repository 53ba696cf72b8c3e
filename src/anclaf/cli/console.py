"""What the user sees: results on standard output, everything else, such as progress, on standard error."""

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import zip_longest
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Annotated, Any, TextIO
from unicodedata import east_asian_width

import tyro

from anclaf.core.words import counted, fold_words, interval_text, number, number_text

if TYPE_CHECKING:
    from tqdm import tqdm

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
    _write_line(text, sys.stderr)


def fail(text: str) -> None:
    """The one line of an error."""
    _write_line(f"anclaf: {' '.join(text.splitlines())}", sys.stderr)


def result(text: str) -> None:
    """One line of the results, while a `progress_display` is on."""
    _write_line(text, sys.stdout)


def _write_line(text: str, file: TextIO) -> None:
    """Above the bars, where a terminal may have some."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        tqdm.write(text, file=file)
    else:
        print(text, file=file, flush=True)


def fault_line(what: str) -> str:
    """What is said of a fault of this program, beside what it was."""
    return (
        f"{what}. This is a fault of anclaf: please report it with what the same command says when {TRACEBACK}=1 is "
        "set before it"
    )


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

    def __init__(self) -> None:
        self._bars: dict[str, tqdm[Any]] = {}
        self._lines = ProgressLines(interval=None)

    def __call__(self, done: int, total: int, task: str, note: str = "", /) -> None:
        self._lines(done, total, task, note)
        if 0 < total <= done:
            self._remove(task)
            return
        bar = self._bars.get(task)
        if bar is None:
            bar = self._bars[task] = self._bar(done, total, task)
        bar.total = total or None
        bar.set_postfix_str(note, refresh=False)
        bar.update(done - bar.n)

    def drop(self, task: str) -> None:
        """Take away the bar of a part that has not ended and will not go on."""
        self._lines.drop(task)
        self._remove(task)

    def close(self) -> None:
        """Take away all bars."""
        for task in [*self._bars]:
            self._remove(task)

    @staticmethod
    def _bar(done: int, total: int, task: str) -> "tqdm[Any]":
        from tqdm import tqdm

        return tqdm(desc=task, total=total or None, initial=done, leave=False, file=sys.stderr, dynamic_ncols=True)

    def _remove(self, task: str) -> None:
        if task in self._bars:
            self._bars.pop(task).close()


@contextmanager
def progress_display(quiet: bool = False) -> Iterator[ProgressLines | ProgressBars]:
    """Yield the function that library code tells how far it is: bars on a terminal, lines where there is none.

    Args:
        quiet: show nothing, as all but one of several processes do.
    """
    if quiet:
        yield ProgressLines(lambda _: None)
    elif not sys.stderr.isatty():
        with _reminded(ProgressLines()) as lines:
            yield lines
    else:
        with closing(ProgressBars()) as bars:
            yield bars


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


def print_table(headings: Sequence[str], groups: Sequence[Sequence[Sequence[str]]], title: str = "") -> None:
    """A table on standard output: groups of rows between lines, the first column to the left, numbers to the right.

    Args:
        headings: of the columns; one may have several lines.
    """
    above = [*zip_longest(*(heading.split("\n") for heading in headings), fillvalue="")]
    widths = [
        max(map(_width, column)) for column in zip(*above, *(row for group in groups for row in group), strict=True)
    ]
    line = "─" * (sum(widths) + 2 * len(widths) - 2)
    lines = [title] if title else []
    for rows in (above, *groups):
        lines += [*(_row(row, widths) for row in rows), line] if rows else []
    print("\n".join(lines))


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    spaces = [" " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join([cells[0] + spaces[0], *(space + cell for cell, space in zip(cells[1:], spaces[1:], strict=True))])


def _width(text: str) -> int:
    """Of a terminal, where Chinese, Japanese and Korean characters take two."""
    return sum(2 if east_asian_width(one) in "WF" else 1 for one in text)


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
    headings = ("", "CCC V", "95 % interval", "CCC A", "95 % interval", "RMSE V", "RMSE A")
    print_table(headings, [[_score_cells(name, entry) for name, entry in group.items()] for group in groups], title)


def _score_cells(name: str, entry: Mapping[str, Any]) -> list[str]:
    cells = [entry.get("label", name)]
    for dimension in ("valence", "arousal"):
        low, high = entry[dimension]["ci95"]["ccc"]
        cells += [number_text(number(entry[dimension]["ccc"])), interval_text(number(low), number(high))]
    return [*cells, *(number_text(number(entry[dimension]["rmse"])) for dimension in ("valence", "arousal"))]
