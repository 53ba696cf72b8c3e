"""Two threads share the work on a video: one prepares the next frames while the other uses the last ones."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

T = TypeVar("T")

CHUNK = 8
CHUNK_BYTES = 64 * 2**20


def chunks(items: Iterable[T], size_of: Callable[[T], int], most: int = CHUNK) -> Iterator[list[T]]:
    """Consecutive items in lists of `most`, or of fewer when they have more than `CHUNK_BYTES` together.

    When the items end in an exception, those before it come first.
    """
    chunk, size = [], 0
    try:
        for item in items:
            chunk.append(item)
            size += size_of(item)
            if len(chunk) == most or size > CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
    except Exception:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def ahead(items: Iterator[T]) -> Generator[T]:
    """The items in order, each made in another thread while the one before is in use, and never more than one.

    An exception comes in its place. Closing the generator waits for the item that is being made. No item is None.
    """
    with ThreadPoolExecutor(1, "ahead") as other:
        coming = other.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = other.submit(next, items, None)
            yield item


@contextmanager
def one_thread_less() -> Iterator[None]:
    """Torch leaves a core to the other thread, because threads that outnumber the cores wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads - 1))
    try:
        yield
    finally:
        torch.set_num_threads(threads)
