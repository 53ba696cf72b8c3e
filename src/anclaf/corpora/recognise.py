"""What a folder seems to be, for the message where a reader finds nothing of its own in it."""

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from anclaf.core.errors import CorpusError

AFEW_VA_CLIP = re.compile(r"\d{3,}")
SEWA_SUBJECT = re.compile(r"(?:^|_)P(\d{2,4})(?=_|$)", re.IGNORECASE)
SEWA_ANNOTATION = re.compile(r"(valence|arousal)(\.zip|_[a-z]+_aligned\.csv)$", re.IGNORECASE)

_ENTRIES_LOOKED_AT = 20_000
"""A folder that is no corpus may be a whole disk, which a guess must not walk."""


def require_folder(source: Path, expected: str) -> Path:
    """The folder itself.

    Raises:
        CorpusError: there is none, or it is empty.
    """
    source = Path(source)
    if not source.is_dir():
        got = "a file" if source.exists() else "nothing there"
        raise CorpusError(f"{source}: {got}; expected a folder with {expected}")
    try:
        empty = not any(source.iterdir())
    except OSError as error:
        raise CorpusError(f"{source}: cannot be read ({error.strerror}); expected a folder with {expected}") from error
    if empty:
        raise CorpusError(f"{source}: an empty folder; expected {expected}")
    return source


def not_found(source: Path, expected: str) -> CorpusError:
    """The error for a folder in which a reader found no clip."""
    database, command = looks_like(source)
    if database:
        return CorpusError(f"{source}: this looks like {database}: use `{command}`; expected {expected}")
    return CorpusError(f"{source}: found no clip; expected {expected}")


def looks_like(folder: Path) -> tuple[str, str]:
    """The database's name and the command that takes it; two empty strings where nothing is recognised."""
    if (folder / "corpus.json").is_file() and (folder / "index.parquet").is_file():
        return "a corpus that is prepared already", "anclaf train"
    for parent, name in islice(_entries(folder), _ENTRIES_LOOKED_AT):
        if parent.name == "annotations" and name.endswith("_val.npy"):
            return "AffectNet", "anclaf prepare affectnet"
        if name.lower() in ("tabulatedvotes.csv", "summarytable.csv", "videodemographics.csv"):
            return "CREMA-D", "anclaf prepare crema-d"
        if name in ("VA_Estimation_Challenge", "VA_Set", "cropped_aligned"):
            return "Aff-Wild2", "anclaf prepare aff-wild2"
        if SEWA_ANNOTATION.search(name):
            return "SEWA", "anclaf prepare sewa"
        if parent.name == Path(name).stem and name.endswith(".json") and AFEW_VA_CLIP.fullmatch(parent.name):
            return "AFEW-VA", "anclaf prepare afew-va"
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (".csv", ".tsv", ".parquet"):
            return "a table of your own", f"anclaf prepare table {path}"
    return "", ""


def _entries(folder: Path) -> Iterator[tuple[Path, str]]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted([*folders, *files]):
            yield Path(parent), name
