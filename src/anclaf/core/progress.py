"""How library code reports its progress to the command line, or to another caller."""

from typing import Protocol


class Progress(Protocol):
    """Called as work goes on.

    Args:
        done: steps done of this part, from 0.
        total: number of steps; 0 where it is not known.
        task: the part's name, which identifies it: it does not change while the part lasts, and no other part has it.
        note: words that change from step to step, such as scores, or the clip that was just read.
    """

    def __call__(self, done: int, total: int, task: str, note: str = "", /) -> None: ...


def silent(done: int, total: int, task: str, note: str = "") -> None:
    """The default: progress is not shown."""
