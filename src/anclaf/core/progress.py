"""How library code tells whoever owns the screen how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Called with the work done so far, the work there is, and a word on what it is."""

    def __call__(self, done: int, total: int, what: str) -> None: ...


def silent(done: int, total: int, what: str) -> None:
    """The default: nobody is watching."""
