"""Writing files so that they are whole or absent, and fingerprints of content."""

import errno
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from anclaf.core.errors import OutputError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` when the block ends well, else remove it.

    Raises:
        OutputError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        _discard(temporary)
        raise output_error(path, error) from error
    except BaseException:
        _discard(temporary)
        raise


def output_error(path: Path, error: OSError) -> OutputError:
    """What a user is told of a failed write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"{path}: the disk is full; nothing half-written was kept. Free some space and run it again")
    return OutputError(f"{path}: cannot be written ({error.strerror or error})")


def _discard(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        # where there is no such folder, there is nothing to remove
        with suppress(OSError):
            path.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, keys in the order given; NaN, which JSON does not have, as null."""
    with atomic_path(path) as temporary:
        # names of files that are no text are held as half surrogates, which JSON has an escape for
        temporary.write_text(json_text(value), encoding="utf-8", errors="backslashreplace")


def json_text(value: Any) -> str:
    """What `write_json` writes."""
    return json.dumps(_no_nan(value), indent=1, ensure_ascii=False) + "\n"


def _no_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _no_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_no_nan(v) for v in value]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, float) and value != value:
        return None
    return value


def fingerprint(value: Any) -> str:
    """16 hex digits of anything JSON can hold; equal content gives equal digits, whatever the key order."""
    return hashlib.sha256(_canonical(value).encode()).hexdigest()[:16]


def fingerprint_of_rows(first: Sequence[Any], *tables: Iterable[Any]) -> str:
    """`fingerprint` of [*first, *tables], each table a list of its rows, of which one at a time is in memory."""
    digest = hashlib.sha256(_canonical(first).removesuffix("]").encode())
    for table in tables:
        digest.update(b", [")
        for number, row in enumerate(table):
            digest.update(f"{', ' if number else ''}{_canonical(row)}".encode())
        digest.update(b"]")
    digest.update(b"]")
    return digest.hexdigest()[:16]


def _canonical(value: Any) -> str:
    return json.dumps(_no_nan(value), sort_keys=True, ensure_ascii=False, default=str)


def versions() -> dict[str, str]:
    """Versions of the packages that a result depends on."""
    names = ("anclaf", "torch", "numpy", "opencv-python-headless", "av")
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in names}
