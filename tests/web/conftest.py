"""What a page is made of, real where it is there."""

import os
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from anclaf.core.download import cache_folder
from anclaf.web.runtime import FILES, PACKAGE, VERSION, Runtime, read_runtime

_VARIABLE = "ONNXRUNTIME_WEB"


@pytest.fixture(scope="session")
def yunet(shared: Path) -> Path:
    return shared / "models" / "yunet_n_dynamic.onnx"


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    """The real one: named by ONNXRUNTIME_WEB, or downloaded by `anclaf web` before."""
    path = Path(os.environ.get(_VARIABLE) or cache_folder() / f"{PACKAGE}-{VERSION}.tgz")
    if not path.exists():
        pytest.skip(f"no {PACKAGE}: {_VARIABLE} may name its tarball or folder")
    return read_runtime(path)


def package_files(name: str = PACKAGE, version: str = "1.20.1") -> dict[str, bytes]:
    """Of an npm package that looks like the real one."""
    files = {f"dist/{file}": file.encode() for file in FILES}
    return {"package.json": f'{{"name": "{name}", "version": "{version}"}}'.encode(), **files}


def write_tarball(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    return path


@pytest.fixture
def stand_in() -> Runtime:
    """A runtime that cannot run."""
    return Runtime("1.20.1", {name: name.encode() for name in FILES})
