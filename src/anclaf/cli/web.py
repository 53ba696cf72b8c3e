"""`anclaf web`: a page that runs a model in the browser."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from anclaf.cli.console import say
from anclaf.core.errors import ConfigError

_DOWNLOAD = "download"
_REGISTRY = "NPM_CONFIG_REGISTRY"


@dataclass(frozen=True)
class Web:
    """Write a page of static files that analyses a webcam or a video in the browser that shows it. Nothing is uploaded
    (docs/web.md)."""

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT", help="Folder to write.")]
    model: str = "starter"
    """A model's folder, that of an export, or one that comes with the package."""
    detector: str = "yunet"
    """yunet, downloaded once, or yunet:PATH: its ONNX file of free input size."""
    runtime: Annotated[str, tyro.conf.arg(metavar="PATH|download")] = _DOWNLOAD
    """The npm package onnxruntime-web: a tarball or folder; or `download`, once, from the registry that npm is set to,
    by the variable NPM_CONFIG_REGISTRY or in its own settings."""
    overwrite: bool = False
    """Replace a page that is there."""

    def run(self) -> int:
        name, colon, argument = self.detector.partition(":")
        if name != "yunet" or (colon and not argument):
            raise ConfigError(f"detector {self.detector!r}: the page has YuNet alone; expected yunet or yunet:PATH")

        from anclaf.faces.yunet import yunet_path
        from anclaf.web.build import write_page
        from anclaf.web.runtime import download_runtime, read_runtime

        package = download_runtime(registry(os.environ)) if self.runtime == _DOWNLOAD else Path(self.runtime)
        runtime = read_runtime(package)
        page = write_page(self.model, self.out, yunet_path(argument or None), runtime, overwrite=self.overwrite)
        print(page.folder / "index.html")
        say(f"  {len(page.files)} files, {page.bytes / 1e6:.1f} MB, onnxruntime-web {runtime.version}")
        say(f"  to look at it: python -m http.server --bind 127.0.0.1 --directory {page.folder} 8000")
        return 0


def registry(environment: Mapping[str, str]) -> str:
    """The npm registry that is set: in the environment, else in npm's own settings.

    Raises:
        ConfigError: none is.
    """
    for name in (_REGISTRY, _REGISTRY.lower()):
        if environment.get(name):
            return environment[name]
    if npm := shutil.which("npm", path=environment.get("PATH")):
        asked = subprocess.run(
            [npm, "config", "get", "registry"], capture_output=True, text=True, timeout=60, env=dict(environment)
        )
        if asked.returncode == 0 and asked.stdout.strip().startswith(("http://", "https://")):
            return asked.stdout.strip()
    raise ConfigError(
        f"runtime download: no npm registry is known here; set {_REGISTRY} to its address, or get the package "
        "onnxruntime-web by other means and name it with --runtime PATH"
    )
