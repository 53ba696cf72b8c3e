"""A model from elsewhere into a folder: only what its manifest lists, and nothing of it run."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open

from anclaf.core.arguments import checked
from anclaf.core.errors import ModelError, OutputError, TravelError
from anclaf.core.files import output_error
from anclaf.core.progress import Progress, silent
from anclaf.models.calibration import load_calibration
from anclaf.models.folder import WEIGHTS, load_spec
from anclaf.travel.manifest import MANIFEST, MOST, Manifest, fingerprint_of
from anclaf.travel.stores import PLACES, Store, open_store

MOST_MB = 2048
"""Of all files of a model, unless more is allowed."""
_LOCK = ".lock"


@checked
def pull_model(
    source: str, out: Path, fingerprint: str | None = None, *, most_mb: int = MOST_MB, progress: Progress = silent
) -> str:
    """Bring a model that `push_model` put somewhere into a folder of its own.

    Each file is compared with the manifest's SHA-256 and size while it is read, into a hidden folder beside `out`, that
    gets its name when all is there. What a killed pull left there is taken over as far as it is whole.

    Args:
        source: `stores.PLACES`. out: a folder that is not there yet, or has the same model.
        fingerprint: 64 hex digits, as `push_model` gave them: this model and no other. Without it, files are held to
            the manifest that lies beside them, which whoever can change one can change too.
        most_mb: megabytes (10^6 bytes) of all files.

    Returns:
        The fingerprint.

    Raises:
        TravelError: no such place, no model there, another model, or files that are not what the manifest says, further
            ones or too big ones. ModelError: what came is no model. OutputError: `out` is there, or cannot be written.
    """
    if fingerprint is not None and not re.fullmatch("[0-9a-f]{64}", fingerprint := fingerprint.strip().lower()):
        raise TravelError(f"fingerprint {fingerprint}: expected the 64 hex digits that `anclaf push` printed")
    if most_mb < 1:
        raise TravelError(f"at most {most_mb} MB: expected 1 or more")
    out = Path(os.path.abspath(out))
    store = open_store(source)
    content, manifest, found = _manifest(store)
    if fingerprint not in (None, found):
        raise TravelError(f"{source}: another model, of fingerprint {found}; expected {fingerprint}. Nothing was taken")
    if manifest.size > most_mb * 1_000_000:
        raise TravelError(f"{source}: {manifest.size:,} bytes, more than {most_mb} MB; allow more with --most-mb")
    if _is_there(out, content, manifest):
        return found
    try:
        with _beside(out) as part:
            for old in part.iterdir():
                if old.name not in {_LOCK, *manifest.files}:
                    old.unlink()
            done = 0
            for name, entry in manifest.files.items():
                if not _whole(part / name, entry.sha256):
                    _fetch(store, name, manifest, part / name, partial(_show, progress, done, manifest.size))
                done += entry.size
            _show(progress, done, manifest.size, 0)
            (part / MANIFEST).write_bytes(content)
            _check(part, source)
    except OSError as error:
        raise output_error(out, error) from error
    return found


def _manifest(store: Store) -> tuple[bytes, Manifest, str]:
    """The manifest, as it lies there and as it is read, and its fingerprint, where nothing else is there."""
    there = store.names()
    if there == set():
        raise TravelError(f"{store.where}: nothing there; expected {PLACES}")
    if there is not None and MANIFEST not in there:
        raise TravelError(f"{store.where}: no {MANIFEST} there; expected a model that `anclaf push` put there, whole")
    content, most = b"", MOST[MANIFEST]
    for chunk in store.chunks(MANIFEST):
        content += chunk
        if len(content) > most:
            raise TravelError(f"{store.where}/{MANIFEST}: more than {most:,} bytes")
    manifest = Manifest.read(content, f"{store.where}/{MANIFEST}")
    if there is not None:
        further = sorted(there - {MANIFEST, *manifest.files})
        if further:
            raise TravelError(
                f"{store.where}: {', '.join(further[:3])} is there and not in its {MANIFEST}; nothing was taken"
            )
        if lacking := sorted({*manifest.files} - there):
            raise TravelError(f"{store.where}: {', '.join(lacking)} is not there, but in its {MANIFEST}")
    return content, manifest, fingerprint_of(content)


def _is_there(out: Path, content: bytes, manifest: Manifest) -> bool:
    """Whether `out` has this model already.

    Raises:
        OutputError: it has something else.
    """
    if not out.exists() and not out.is_symlink():
        return False
    same = (out / MANIFEST).is_file() and (out / MANIFEST).read_bytes() == content
    if same and all(_whole(out / name, entry.sha256) for name, entry in manifest.files.items()):
        return True
    raise OutputError(f"{out} is there already, and is not this model; give another name, or remove it")


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A folder beside `out` that becomes it at the end, and is gone where the end is not reached."""
    part = out.with_name(f".{out.name}.part")
    if part.is_symlink():
        raise OutputError(f"{part} is a link; expected nothing there, or what a pull left. Remove it")
    part.mkdir(parents=True, exist_ok=True)
    lock = FileLock(part / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OutputError(f"{out}: another pull is writing it; wait for it") from error
    try:
        yield part
        (part / _LOCK).unlink()
        os.rename(part, out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    finally:
        lock.release()


def _show(progress: Progress, before: int, total: int, done: int) -> None:
    progress((before + done) // 1000, total // 1000, "pull, kB")


def _whole(path: Path, sha256: str) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _fetch(store: Store, name: str, manifest: Manifest, to: Path, told: Callable[[int], None]) -> None:
    entry, digest, size = manifest.files[name], hashlib.sha256(), 0
    where = f"{store.where}/{name}"
    with suppress(FileNotFoundError):
        to.unlink()
    with open(to, "xb") as file:
        for chunk in store.chunks(name):
            size += len(chunk)
            if size > entry.size:
                raise TravelError(f"{where}: more than the {entry.size:,} bytes of its {MANIFEST}; nothing was taken")
            digest.update(chunk)
            file.write(chunk)
            told(size)
    if size < entry.size:
        raise TravelError(f"{where}: broke off after {size:,} of {entry.size:,} bytes; pull it again")
    if digest.hexdigest() != entry.sha256:
        raise TravelError(f"{where}: not the file of its {MANIFEST} (its SHA-256 differs); nothing was taken")


def _check(folder: Path, source: str) -> None:
    """Check that the files are a model's, so far as that is known without making it."""
    try:
        spec = load_spec(folder)
        if (folder / WEIGHTS).is_file():
            with safe_open(folder / WEIGHTS, "np") as file:
                file.keys()
        load_calibration(folder, spec)
    except (ModelError, SafetensorError) as error:
        raise ModelError(f"{source}: {str(error).replace(f'{folder}/', '')}; nothing was taken") from error
