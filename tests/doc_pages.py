"""The README and docs/: their pages, and the blocks of code in them."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def fenced(text: str, language: str) -> Iterator[str]:
    """Blocks of a language."""
    yield from re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def shell_lines(text: str) -> list[str]:
    """Commands of all `sh` blocks, with their comments; those that are continued are one."""
    blocks = "\n".join(fenced(text, "sh")).replace("\\\n", " ")
    return [part.strip() for line in blocks.splitlines() for part in line.split(";") if part.strip()]
