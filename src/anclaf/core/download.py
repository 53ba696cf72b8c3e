"""A file from the network: fetched once, checked, kept."""

import hashlib
import http.client
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from anclaf.core.errors import AnclafError
from anclaf.core.files import atomic_path


def cache_folder() -> Path:
    """Where what is downloaded is kept: the platform's own cache, below the home folder."""
    cache = {"darwin": "Library/Caches", "win32": "AppData/Local"}.get(sys.platform, ".cache")
    return Path.home() / cache / "anclaf"


def download(
    path: Path, url: str, sha256: str, size: int, timeout_s: float, instead: str, error: type[AnclafError]
) -> Path:
    """The file at `path`, downloaded unless it is already there and whole.

    Args:
        path: where it is kept; its folder is made where it is missing.
        url: http or https.
        sha256: of the file, hexadecimal. size: of the file in bytes.
        timeout_s: for the whole download.
        instead: what a user may do where it fails, a sentence without its full stop. error: what is then raised.

    Raises:
        AnclafError: of the class `error`: no connection, an answer other than the file, too slow, cut short, or other
            content than known.
        OutputError: the folder cannot be written.
    """
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return path
    try:
        content = _fetch(url, size, timeout_s)
        if len(content) != size:
            raise _Failed(f"got {len(content)} bytes or more, expected {size}")
        if (got := hashlib.sha256(content).hexdigest()) != sha256:
            raise _Failed(f"sha256 {got}, expected {sha256}; nothing was kept")
    except _Failed as failed:
        raise error(f"{url}: {failed}. {instead}") from failed
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return path


class _Failed(Exception):
    pass


def _fetch(url: str, size: int, timeout_s: float) -> bytes:
    """At most one byte more than `size`."""
    if not url.startswith(("http://", "https://")):
        raise _Failed("expected an http or https address")
    deadline = time.monotonic() + timeout_s
    content = bytearray()
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            # read1 returns what has come, so that a server that drips is noticed
            while len(content) <= size and (piece := answer.read1(size + 1 - len(content))):
                content += piece
                if time.monotonic() > deadline:
                    raise TimeoutError(f"more than {timeout_s:g} s")
    except urllib.error.HTTPError as error:
        raise _Failed(f"the server answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _Failed(f"cannot be downloaded ({getattr(error, 'reason', None) or error})") from error
    return bytes(content)
