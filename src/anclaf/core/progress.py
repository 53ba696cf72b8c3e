"""How library code tells whoever owns the screen how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Called as work goes on.

    Args:
        done: steps done of this part, from 0.
        total: steps there are; 0 where nobody knows.
        task: the part's name. It stays the same while the part lasts and tells it from every other.
        note: words that change from step to step, such as scores, or the clip that was just read.
    """

    def __call__(self, done: int, total: int, task: str, note: str = "", /) -> None: ...


def silent(done: int, total: int, task: str, note: str = "") -> None:
    """The default: nobody is watching."""
