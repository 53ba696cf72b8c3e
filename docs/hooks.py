"""What the documentation's site adds to its pages: code that a page names is a link, to its source or to its entry in
the API. mkdocs calls the functions `on_…`; docs/*.md are as they are read without a site."""

import ast
import html
import posixpath
import re
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "anclaf"
NAMED = re.compile(r"([\w./-]+\.py)(?:::([\w.]+))?")
"""`models/anclaf.py::Generator.encode`, from src/anclaf/ or from the root."""
_named: set[Path] = set()
"""Files of which a page has named something."""


def source_file(name: str) -> Path | None:
    """A file of the package or of this repository, by its name in a page."""
    return next((path for path in (SOURCE / name, ROOT / name) if path.is_file()), None)


def line_of(path: Path, dotted: str) -> int | None:
    """The line, from 1, at which a file defines `Class.name`, a function or a constant; None where it does not."""
    return _line(_parsed(path), dotted.split("."))


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _line(scope: ast.Module | ast.ClassDef, names: list[str]) -> int | None:
    first, *rest = names
    for node in scope.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == first:
            if not rest:
                return node.lineno
            return _line(node, rest) if isinstance(node, ast.ClassDef) else None
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not rest and any(isinstance(target, ast.Name) and target.id == first for target in targets):
            return node.lineno
    return None


def api_address(dotted: str) -> str | None:
    """Address, from the site's root, of the entry of `anclaf.losses` or `anclaf.losses.affect_loss` in the API."""
    from docs.api import MODULES, public_packages

    known = {"anclaf", *(f"anclaf.{name}" for name in (*public_packages(), *MODULES))}
    if dotted in known:
        return f"api/{dotted.replace('.', '/')}.html"
    parent, _, name = dotted.rpartition(".")
    if parent in known and name in getattr(import_module(parent), "__all__", ()):
        return f"api/{parent.replace('.', '/')}.html#{name}"
    return None


def on_page_content(content: str, page: Any, **_: Any) -> str:
    """Code that names something becomes a link to it; not in blocks of code, nor within links."""
    up = posixpath.dirname(page.file.dest_uri)
    parts = re.split(r"(<pre.*?</pre>|<a\b.*?</a>)", content, flags=re.DOTALL)

    def link(found: re.Match[str]) -> str:
        address = _address(html.unescape(found[1]))
        return found[0] if address is None else f'<a href="{posixpath.relpath(address, up or ".")}">{found[0]}</a>'

    parts[::2] = [re.sub(r"<code>([^<]+)</code>", link, part) for part in parts[::2]]
    return "".join(parts)


def _address(code: str) -> str | None:
    named = NAMED.fullmatch(code)
    path = named and source_file(named[1])
    if named and path:
        line = line_of(path, named[2]) if named[2] else None
        _named.add(path)
        return f"{_source_page(path)}{f'#L-{line}' if line else ''}"
    return api_address(code) if re.fullmatch(r"anclaf(\.\w+)+", code) else None


def _source_page(path: Path) -> str:
    """Address of a file's page, from the site's root."""
    return f"source/{path.relative_to(ROOT).as_posix()}.html"


def on_post_build(config: Any, **_: Any) -> None:
    """Pages of the sources that were named, and of the API; the latter in a process of its own, as it must be."""
    site = Path(config["site_dir"])
    for path in sorted(_named):
        target = site / _source_page(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        title = path.relative_to(ROOT).as_posix()
        page = HtmlFormatter(full=True, title=title, linenos="inline", lineanchors="L", anchorlinenos=True)
        target.write_text(highlight(path.read_text(encoding="utf-8"), PythonLexer(), page), encoding="utf-8")
    command = [sys.executable, "-W", "error::UserWarning", str(ROOT / "docs" / "api.py"), str(site / "api")]
    subprocess.run(command, check=True)
