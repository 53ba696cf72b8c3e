"""onnxruntime-web: from a tarball, a folder, and a registry on this machine."""

import hashlib
import os
import stat
from pathlib import Path

import pytest

from anclaf.cli.main import main
from anclaf.cli.web import registry
from anclaf.core.errors import ConfigError, DownloadError
from anclaf.web.runtime import FILES, PACKAGE, VERSION, download_runtime, read_runtime
from chromium import serving

from .conftest import package_files, write_tarball


def _write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_a_tarball_and_a_folder_are_the_same(tmp_path: Path):
    files = package_files()
    packed = read_runtime(write_tarball(tmp_path / "x.tgz", files))
    assert packed == read_runtime(_write_folder(tmp_path / "x", files))
    assert packed.version == "1.20.1"
    assert packed.files == {name: name.encode() for name in FILES}


def test_what_is_no_such_package_is_refused_in_a_line(tmp_path: Path):
    lacking = package_files()
    del lacking[f"dist/{FILES[2]}"]
    wrong = {
        "no such file": tmp_path / "none.tgz",
        "is left-pad 1.20.1; expected the npm package onnxruntime-web": _write_folder(
            tmp_path / "other", package_files("left-pad")
        ),
        "is onnxruntime-web 1.14.0; .* of version 1.19 or later": write_tarball(
            tmp_path / "old.tgz", package_files(version="1.14.0")
        ),
        f"cannot be read .*{FILES[2]}": write_tarball(tmp_path / "lacking.tgz", lacking),
        "cannot be read .*package.json": _write_folder(tmp_path / "empty", {"dist/x": b""}),
    }
    cut = tmp_path / "cut.tgz"
    cut.write_bytes(write_tarball(tmp_path / "whole.tgz", package_files()).read_bytes()[:150])
    noise = tmp_path / "noise.tgz"
    noise.write_bytes(bytes(range(256)))
    for message, path in [*wrong.items(), ("cannot be read", cut), ("cannot be read", noise)]:
        with pytest.raises(ConfigError, match=message) as caught:
            read_runtime(path)
        assert "\n" not in str(caught.value)


@pytest.fixture
def tarball(tmp_path: Path) -> Path:
    """Where a registry has it."""
    path = tmp_path / "registry" / PACKAGE / "-" / f"{PACKAGE}-{VERSION}.tgz"
    path.parent.mkdir(parents=True)
    return write_tarball(path, package_files(version=VERSION))


def test_it_is_downloaded_once(tmp_path: Path, tarball: Path):
    content = tarball.read_bytes()
    known = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    with serving(tmp_path / "registry") as (address, asked):
        path, again = (download_runtime(address, tmp_path / "cache", **known) for _ in range(2))
        assert len(asked) == 1
    assert path == again
    assert path == tmp_path / "cache" / tarball.name
    assert path.read_bytes() == content
    assert read_runtime(path).version == VERSION


def test_another_content_than_known_is_not_kept(tmp_path: Path, tarball: Path):
    size = tarball.stat().st_size
    with serving(tmp_path / "registry") as (address, _):
        with pytest.raises(DownloadError, match=rf"got {size} bytes .*--runtime PATH"):
            download_runtime(address, tmp_path / "cache")
        with pytest.raises(DownloadError, match=r"sha256 .*, expected .*; nothing was kept.*--runtime PATH"):
            download_runtime(address, tmp_path / "cache", size=size)
        with pytest.raises(DownloadError, match=r"the server answers 404"):
            download_runtime(address + "elsewhere", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_the_registry_is_the_one_that_npm_is_set_to(tmp_path: Path):
    assert registry({"NPM_CONFIG_REGISTRY": "http://a/", "npm_config_registry": "http://b/"}) == "http://a/"
    assert registry({"npm_config_registry": "http://b/"}) == "http://b/"
    npm = tmp_path / "npm"
    npm.write_text('#!/bin/sh\n[ "$*" = "config get registry" ] && echo http://c/\n')
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    assert registry({"PATH": f"{tmp_path}{os.pathsep}/bin"}) == "http://c/"
    npm.write_text("#!/bin/sh\necho undefined\n")
    for path in (str(tmp_path), str(tmp_path / "nothing")):
        with pytest.raises(ConfigError, match="no npm registry is known here; set NPM_CONFIG_REGISTRY"):
            registry({"PATH": path})


def test_the_command_downloads_from_there(
    tmp_path: Path, tarball: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    with serving(tmp_path / "registry") as (address, asked):
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", address)
        assert main(["web", str(tmp_path / "out")]) == 2
    assert asked == [f"/{PACKAGE}/-/{PACKAGE}-{VERSION}.tgz"]
    (line,) = capsys.readouterr().err.splitlines()
    assert address in line
    assert "--runtime PATH" in line
    assert not (tmp_path / "out").exists()
