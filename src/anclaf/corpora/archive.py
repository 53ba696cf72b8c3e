"""Files inside a folder or a zip, read into memory. Nothing is ever extracted to disk."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from anclaf.corpora.unusable import Unusable

MAX_BYTES = 256 * 2**20
"""No annotation of a clip is nearly as large: a zip that unpacks to more is a mistake or a trap."""


def names(path: Path, suffix: str) -> list[str]:
    """Names with `/` between their parts of the files that end in `suffix`, at any depth, hidden ones left out.

    Raises:
        Unusable: `bad_zip`, `unsafe_zip`.
    """
    if path.is_dir():
        found = [p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()]
    else:
        with _opened(path) as file:
            found = [info.filename for info in file.infolist() if not info.is_dir()]
    return sorted(name for name in found if name.lower().endswith(suffix) and _visible(name))


def read(path: Path, wanted: list[str]) -> dict[str, bytes]:
    """The content of these members.

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
        # RuntimeError is zipfile's word for an encrypted member
        raise Unusable("bad_zip", f"{path.name}: {error}") from error


def _outside(name: str) -> bool:
    name = name.replace("\\", "/")
    return name.startswith("/") or bool(re.match(r"[A-Za-z]:", name)) or ".." in name.split("/")


def _visible(name: str) -> bool:
    return not any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
