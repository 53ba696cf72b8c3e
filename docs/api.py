"""Write the API pages: `python docs/api.py OUT`. The documentation's site has them (`docs/hooks.py`, `make site`).

pdoc finds what lies in a module's namespace. The public names of this package are imported when they are first used
(`anclaf.core.lazy`), so each is put into the namespace of its package before the pages are written.
"""

import pkgutil
import sys
from importlib import import_module
from pathlib import Path

import pdoc
from pdoc import render

MODULES = ("config", "core", "core.errors", "core.labels", "core.progress", "core.registry", "recipes")
"""Public as a whole, beside the packages that list their public names."""


def public_packages() -> list[str]:
    """Packages below `anclaf` that list their public names, without their common `anclaf.`."""
    found = [module.name for module in pkgutil.iter_modules(import_module("anclaf").__path__) if module.ispkg]
    return [name for name in found if hasattr(import_module(f"anclaf.{name}"), "__all__")]


def write_pages(out: Path) -> None:
    """A page for each public package and module, with an index and a search, as HTML into the folder `out`.

    Changes `__all__` of packages, so use it in a process of its own.
    """
    root, packages = import_module("anclaf"), public_packages()
    for package in (root, *(import_module(f"anclaf.{name}") for name in packages)):
        vars(package).update({name: getattr(package, name) for name in package.__all__})
    for name in sorted((*packages, *MODULES)):
        parent, _, page = f"anclaf.{name}".rpartition(".")
        namespace = vars(import_module(parent))
        namespace["__all__"] = [*namespace.get("__all__", ()), page]
    render.configure(docformat="google", footer_text=f"anclaf {root.__version__}")
    pdoc.pdoc("anclaf", output_directory=out)


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
