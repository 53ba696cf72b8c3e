"""A short mark of the files that a clip is made from, by which a second run knows that nothing has changed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from anclaf.core.files import fingerprint


def stamp(paths: Iterable[Path], *more: Any) -> str:
    """16 hex digits of the names, sizes and modification times of these files, and of more that JSON can hold."""
    entries = []
    for path in sorted(set(paths)):
        try:
            stat = path.stat()
        except OSError:
            entries.append((path.name, None))
        else:
            entries.append((path.name, stat.st_size, stat.st_mtime_ns))
    return fingerprint([entries, more])
