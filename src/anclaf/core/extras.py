"""Packages that only some of the work needs: which extra of this one brings each."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from anclaf.core.errors import ConfigError

EXTRAS = {
    "matplotlib": "plots",
    "lightning_fabric": "train",
    "sklearn": "train",
    "tensorboardX": "train",
    "tensorly": "train",
    "fastapi": "app",
    "pydantic": "app",
    "starlette": "app",
    "uvicorn": "app",
    "websockets": "app",
    "onnxruntime": "onnx",
    "onnx": "export",
    "ray": "ray",
    "openpyxl": "xlsx",
}
"""Module -> extra."""


def installed(module: str) -> bool:
    """Whether a module is here; it is not imported."""
    return find_spec(module) is not None


def what_to_install(module: str, trouble: str = "is not installed") -> str:
    """What is said of a module of `EXTRAS` that is missing."""
    return f"{module} {trouble}: pip install 'anclaf[{EXTRAS[module]}]'"


@contextmanager
def naming_extras() -> Iterator[None]:
    """Say of a package that cannot be imported which extra brings it.

    Raises:
        ConfigError: in place of the ImportError of a module of `EXTRAS`. Any other ImportError is raised as it is.
    """
    try:
        yield
    except ImportError as error:
        module = (error.name or "").partition(".")[0]
        if module not in EXTRAS:
            raise
        if isinstance(error, ModuleNotFoundError) and error.name == module:
            raise ConfigError(what_to_install(module)) from error
        raise ConfigError(what_to_install(module, f"is not installed whole ({error})")) from error
