"""Files of a corpus: labels in folders or zips, as CSV of several dialects; and whether a file has changed.

Nothing is ever extracted to disk.
"""

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from anclaf.core.errors import CorpusError
from anclaf.core.files import fingerprint
from anclaf.core.sheets import NotATable, read_csv
from anclaf.corpora.base import Unusable

MAX_BYTES = 256 * 2**20
"""No annotation of a clip is nearly as large: a zip that unpacks to more is damaged or malicious."""


def stamp(paths: Iterable[Path], *more: Any) -> str:
    """16 hex digits of the names, sizes and modification times of these files, and of more that JSON can hold.

    By a clip's stamp a second `anclaf prepare` recognises that none of its files has changed.
    """
    entries = []
    for path in sorted(set(paths)):
        try:
            stat = path.stat()
        except OSError:
            entries.append((path.name, None))
        else:
            entries.append((path.name, stat.st_size, stat.st_mtime_ns))
    return fingerprint([entries, more])


def member_names(path: Path, suffix: str) -> list[str]:
    """Files that end in `suffix` in a folder or zip, at any depth, as names with `/`; hidden ones are left out.

    Raises:
        Unusable: `bad_zip`, `unsafe_zip`.
    """
    if path.is_dir():
        found = [p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()]
    else:
        with _opened(path) as file:
            found = [info.filename for info in file.infolist() if not info.is_dir()]
    return sorted(name for name in found if name.lower().endswith(suffix) and _visible(name))


def read_members(path: Path, wanted: list[str]) -> dict[str, bytes]:
    """The content of these files of a folder or zip, by name.

    Raises:
        Unusable: `bad_zip`, `unsafe_zip`, or `corrupt_annotation` where a file of a folder cannot be read.
    """
    if path.is_dir():
        try:
            return {name: (path / name).read_bytes() for name in wanted}
        except OSError as error:
            raise Unusable("corrupt_annotation", str(error)) from error
    with _opened(path) as file:
        if sum(file.getinfo(name).file_size for name in wanted) > MAX_BYTES:
            raise Unusable("bad_zip", f"{path.name} unpacks to more than {MAX_BYTES >> 20} MiB")
        return {name: file.read(name) for name in wanted}


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as file:
            for name in file.namelist():
                if _outside(name):
                    raise Unusable("unsafe_zip", f"{path.name}: member {name!r} points outside its folder")
            yield file
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        # zipfile raises RuntimeError for an encrypted member
        raise Unusable("bad_zip", f"{path.name}: {error}") from error


def _outside(name: str) -> bool:
    name = name.replace("\\", "/")
    return name.startswith("/") or bool(re.match(r"[A-Za-z]:", name)) or ".." in name.split("/")


def _visible(name: str) -> bool:
    return not any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def read_csv_file(path: Path) -> pd.DataFrame:
    """`read_csv` of a file.

    Raises:
        CorpusError: it cannot be read, or as `read_delimited`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error})") from error
    return read_delimited(content, str(path))


def read_delimited(content: bytes, name: str) -> pd.DataFrame:
    """`read_csv` of a file's content.

    Args:
        name: of the file, for messages.

    Raises:
        CorpusError: empty, not text, or not a table.
    """
    try:
        return read_csv(content)
    except NotATable as error:
        raise CorpusError(f"{name}: {error}") from error
