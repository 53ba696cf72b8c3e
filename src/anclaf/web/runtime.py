"""onnxruntime-web, which runs the networks in the page: three files of its npm package, given or downloaded once."""

import json
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from anclaf.core.arguments import checked
from anclaf.core.download import cache_folder, download
from anclaf.core.errors import ConfigError, DownloadError

PACKAGE = "onnxruntime-web"
VERSION, SHA256, BYTES = "1.30.0", "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71", 33_106_585
"""The version that is downloaded, and that the tests run."""
MODULE = "ort.wasm.min.mjs"
FILES = (MODULE, "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""What the page needs of its folder dist: without a GPU, one thread or several."""
_LEAST = (1, 19)
"""The first version that has them."""
_INSTEAD = f"Try again, or get the package {PACKAGE} by other means and name it with --runtime PATH"
_EXPECTED = f"expected the npm package {PACKAGE}, a .tgz of `npm pack` or its folder"


@dataclass(frozen=True)
class Runtime:
    """version: of the package. files: name -> content, those of `FILES`."""

    version: str
    files: dict[str, bytes]


@checked
def read_runtime(path: Path) -> Runtime:
    """The runtime of an npm package.

    Args:
        path: a tarball of `npm pack`, or the folder in `node_modules`.

    Raises:
        ConfigError: no such file, another package, an earlier version than 1.19, or one that lacks a file.
    """
    if not path.exists():
        raise ConfigError(f"{path}: no such file; {_EXPECTED}")
    try:
        if path.is_dir():
            return _read(path, lambda name: (path / name).read_bytes())
        with tarfile.open(path) as archive:

            def member(name: str) -> bytes:
                file = archive.extractfile(f"package/{name}")
                if file is None:
                    raise KeyError(name)
                return file.read()

            return _read(path, member)
    except (KeyError, OSError, EOFError, ValueError, tarfile.TarError) as error:
        raise ConfigError(f"{path}: cannot be read ({' '.join(str(error).split())}); {_EXPECTED}") from error


def _read(path: Path, content: Callable[[str], bytes]) -> Runtime:
    about = json.loads(content("package.json"))
    name, version = about["name"], str(about["version"])
    numbers = re.match(r"(\d+)\.(\d+)\.", version)
    if name != PACKAGE or numbers is None or tuple(map(int, numbers.groups())) < _LEAST:
        raise ConfigError(f"{path}: is {name} {version}; {_EXPECTED}, of version {_LEAST[0]}.{_LEAST[1]} or later")
    return Runtime(version, {file: content(f"dist/{file}") for file in FILES})


@checked
def download_runtime(
    registry: str,
    folder: Path | None = None,
    *,
    sha256: str = SHA256,
    size: int = BYTES,
    timeout_s: float = 300.0,
) -> Path:
    """The package's tarball of version `VERSION`, from an npm registry unless it was downloaded before.

    Args:
        registry: address of an npm registry. folder: where it is kept; None: the platform's cache folder.
        sha256: of the file, hexadecimal. size: of the file in bytes.
        timeout_s: for the whole download.

    Raises:
        DownloadError: no connection, an answer other than the file, too slow, cut short, or other content than known.
        OutputError: the folder cannot be written.
    """
    name = f"{PACKAGE}-{VERSION}.tgz"
    url = f"{registry.rstrip('/')}/{PACKAGE}/-/{name}"
    path = (folder or cache_folder()) / name
    return download(path, url, sha256, size, timeout_s, _INSTEAD, DownloadError)
