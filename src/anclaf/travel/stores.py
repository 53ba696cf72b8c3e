"""Places that models travel between: folders, what fsspec reaches by a URL, and the Hugging Face Hub."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from anclaf.core.errors import AnclafError, TravelError
from anclaf.core.files import atomic_path
from anclaf.travel.manifest import MANIFEST

PLACES = "a folder, a URL such as s3://bucket/model or https://host/model, or hf://USER/NAME of the Hugging Face Hub"
_CHUNK = 1 << 20
_URL = re.compile(r"([a-z][a-z0-9+.-]+)://(.+)", re.IGNORECASE | re.DOTALL)
_HUB = re.compile(r"([\w-][\w.-]*/[\w-][\w.-]*)(?:@([\w./-]+))?")
_OF_THE_HUB = frozenset({".gitattributes"})
"""What it puts into a repository itself."""
_STREAMED = {"hf": {"block_size": 0}, "http": {"block_size": 0, "size": 1}, "https": {"block_size": 0, "size": 1}}
"""How a file is opened that is read from beginning to end, not in ranges; with a size, which is not used, fsspec asks a
server for nothing before, which would make every error one of a file that is not there."""


class Store(Protocol):
    """A place of one model. where: as the user named it."""

    where: str

    def names(self) -> set[str] | None:
        """Of all that lies there; nothing where there is no such place, and None where it cannot be told.

        Raises:
            TravelError: the place cannot be reached, or not with the user's rights.
        """
        ...

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file, from its beginning.

        Raises:
            TravelError: it is not there, is no plain file, or the connection breaks.
        """
        ...

    def write(self, folder: Path, names: Sequence[str]) -> None:
        """Put these files of a folder there, in place of what is there.

        Raises:
            TravelError: it cannot be written.
        """
        ...


def open_store(place: str) -> Store:
    """The store that a user names: `PLACES`.

    Raises:
        TravelError: no such kind of place, or a package is missing that it needs.
    """
    found = _URL.fullmatch(place)
    if found is None or found[1].lower() == "file":
        path = place if found is None else found[2]
        if not path.strip() or "\0" in path:
            raise TravelError(f"{place!r}: expected {PLACES}")
        return FolderStore(place, Path(path))
    scheme, rest = found[1].lower(), found[2].strip("/")
    if scheme == "hf":
        repository = _HUB.fullmatch(rest)
        if repository is None:
            raise TravelError(f"{place}: expected hf://USER/NAME, or hf://USER/NAME@REVISION")
        return HubStore(place, repository[1], repository[2])
    if "::" in place or "?" in place or "#" in place:
        raise TravelError(f"{place}: expected one plain URL, of the folder that the files are in")
    return UrlStore(place, scheme, rest)


class FolderStore:
    """A folder of this machine."""

    def __init__(self, where: str, path: Path):
        self.where, self.path = where, path

    def names(self) -> set[str] | None:
        with _told(self.where):
            return {one.name for one in self.path.iterdir()} if self.path.exists() else set()

    def chunks(self, name: str) -> Iterator[bytes]:
        path = self.path / name
        if path.is_symlink():
            raise TravelError(f"{path}: a link; expected a file of its own, for what it leads to may be anything")
        if path.exists() and not path.is_file():
            raise TravelError(f"{path}: not a file")
        with _told(str(path)), open(path, "rb") as file:
            yield from _chunks(file)

    def write(self, folder: Path, names: Sequence[str]) -> None:
        with _told(self.where):
            path = self.path.resolve()
        old = path.with_name(f".{path.name}.{os.getpid()}.old")
        with atomic_path(path) as temporary:
            temporary.mkdir()
            for name in names:
                shutil.copyfile(folder / name, temporary / name)
            if path.is_dir():
                os.replace(path, old)
        shutil.rmtree(old, ignore_errors=True)


class UrlStore:
    """What fsspec reaches. path: within the file system, of the folder."""

    def __init__(self, where: str, scheme: str, path: str):
        self.where, self.scheme, self.path = where, scheme, path
        self._fs = _file_system(where, scheme)
        if scheme in ("http", "https"):  # whose paths are whole URLs
            self.path = f"{scheme}://{path}"

    def names(self) -> set[str] | None:
        if self.scheme in ("http", "https"):
            return None
        with _told(self.where):
            self._fs.invalidate_cache()
            try:
                found = self._fs.ls(self.path, detail=False)
            except FileNotFoundError:
                return set()
            ends = {str(one).rstrip("/") for one in found}
            return {end.rpartition("/")[2] for end in ends if not self._is_root(end)}

    def _is_root(self, path: str) -> bool:
        """Whether it is the folder itself, of which some stores keep an empty file."""
        return path.strip("/") == self.path.strip("/")

    def chunks(self, name: str) -> Iterator[bytes]:
        options = _STREAMED.get(self.scheme, {})
        with _told(f"{self.where}/{name}"), self._fs.open(f"{self.path}/{name}", "rb", **options) as file:
            yield from _chunks(file)

    def write(self, folder: Path, names: Sequence[str]) -> None:
        if self.scheme in ("http", "https"):
            raise TravelError(f"{self.where}: can only be read; push to a folder and put that where the server has it")
        with _told(self.where):
            there = self.names() or set()
            self._fs.makedirs(self.path, exist_ok=True)
            # without its manifest nothing is a model: what is half written or replaced is not pulled
            for name in [MANIFEST, *sorted(there - {MANIFEST, *names})]:
                if name in there:
                    self._fs.rm_file(f"{self.path}/{name}")
            for name in [*(name for name in names if name != MANIFEST), MANIFEST]:
                self._fs.put_file(str(folder / name), f"{self.path}/{name}")


class HubStore(UrlStore):
    """A repository of the Hugging Face Hub. revision: a branch, tag or commit of it; else that of the main branch,
    whose commit is looked up once, so that all files are of the same."""

    def __init__(self, where: str, repository: str, revision: str | None):
        self.repository, self.revision = repository, revision
        super().__init__(where, "hf", repository)
        self._commit = ""

    def names(self) -> set[str] | None:
        with _told(self.where):
            from huggingface_hub.errors import RepositoryNotFoundError

            try:
                found = self._api().repo_info(self.repository, revision=self.revision)
            except RepositoryNotFoundError as error:
                if _status(error) == 401:
                    raise
                return set()
            self.path = f"{self.repository}@{found.sha}"
            return {one.rfilename for one in found.siblings or []} - _OF_THE_HUB

    def write(self, folder: Path, names: Sequence[str]) -> None:
        with _told(self.where):
            from huggingface_hub import CommitOperationAdd, CommitOperationDelete

            api = self._api()
            api.create_repo(self.repository, private=True, exist_ok=True)
            gone = sorted((self.names() or set()) - {*names})
            added = [CommitOperationAdd(name, str(folder / name)) for name in names]
            api.create_commit(
                self.repository, [*added, *(CommitOperationDelete(name) for name in gone)],
                commit_message="anclaf push", revision=self.revision,
            )  # fmt: skip

    def _api(self) -> Any:
        from huggingface_hub import HfApi

        return HfApi()


def _file_system(where: str, scheme: str) -> Any:
    """fsspec's, with nothing remembered of earlier ones."""
    try:
        import fsspec

        return fsspec.filesystem(scheme, skip_instance_cache=True)
    except ImportError as error:
        extra = {"hf": "anclaf[hub]", "http": "anclaf[stores]", "https": "anclaf[stores]"}.get(scheme)
        do = f"pip install '{extra}'" if extra else "install it with pip"
        raise TravelError(f"{where}: needs a package that is not here ({error}); {do}") from error
    except ValueError as error:  # of a scheme that fsspec does not know
        raise TravelError(f"{where}: no such kind of place ({error}); expected {PLACES}") from error


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


@contextmanager
def _told(where: str) -> Iterator[None]:
    """One line for whatever goes wrong at a place: each kind has errors of its own, and they share no class."""
    try:
        yield
    except AnclafError:
        raise
    except FileNotFoundError as error:
        raise TravelError(f"{where}: not there ({_line(error)})") from error
    except Exception as error:
        if _status(error) in (401, 403) or isinstance(error, PermissionError):
            raise TravelError(f"{where}: not allowed ({_line(error)}); log in, or ask its owner for access") from error
        raise TravelError(f"{where}: cannot be reached or used ({_line(error)})") from error


def _status(error: BaseException) -> int | None:
    """Of an error's HTTP response."""
    found = getattr(getattr(error, "response", None), "status_code", None)
    return getattr(error, "status", None) if found is None else found


def _line(error: BaseException) -> str:
    said = " ".join(str(error).partition("For more information check")[0].split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
