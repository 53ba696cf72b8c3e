"""Public names of a package, each imported when it is first used, so that importing the package imports no torch."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from anclaf.core.extras import naming_extras


def attach(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package.

    For readers and type checkers the package's `__init__` also imports the names, under `if TYPE_CHECKING:`::

        if TYPE_CHECKING:
            from anclaf.inference.table import FaceEstimate as FaceEstimate

        __getattr__, __dir__, __all__ = attach(__name__, {"FaceEstimate": "inference.table"})

    Args:
        package: its `__name__`.
        modules: public name -> the module that defines it, below `anclaf`. A name must not be that of a module of the
            package, which would shadow it once it is imported.
    """
    names = sorted(modules)

    def getattribute(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with naming_extras():
            return getattr(import_module(f"anclaf.{modules[name]}"), name)

    return getattribute, lambda: sorted({*vars(sys.modules[package]), *names}), names
