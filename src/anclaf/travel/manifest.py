"""What a model that travels consists of: the names and digests of its files, in `manifest.json` beside them."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anclaf.core.errors import TravelError
from anclaf.core.files import json_text
from anclaf.models.calibration import CALIBRATION
from anclaf.models.folder import ENCODER, HEAD, POINTS, SPEC, WEIGHTS

MANIFEST = "manifest.json"
CARD = "README.md"
"""What hubs show of a repository."""
NETWORKS = ((WEIGHTS,), (ENCODER, HEAD))
"""One of these a model has, besides its spec: for torch, or as `anclaf export` writes it."""
MOST: Mapping[str, int] = {MANIFEST: 1 << 16, CARD: 1 << 20, SPEC: 1 << 26}
"""Bytes; of the other files as many as all together may have."""
FILES = (SPEC, WEIGHTS, CALIBRATION, ENCODER, HEAD, POINTS, CARD)
"""All that may travel."""
_FORMAT = "anclaf model 1"
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A file: its SHA-256 as 64 hex digits, and how many bytes it has."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """files: name -> entry. A model's spec and networks are there, and nothing is that is not of `FILES`."""

    files: Mapping[str, Entry]

    @classmethod
    def of(cls, folder: Path) -> "Manifest":
        """Of the files of a folder, all of which may travel."""
        found = {}
        for name in FILES:
            if (path := folder / name).is_file():
                with open(path, "rb") as file:
                    found[name] = Entry(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)
        return cls(found)

    @classmethod
    def read(cls, content: bytes, where: str) -> "Manifest":
        """What `where` holds.

        Raises:
            TravelError: it is no manifest, or lists a file that may not travel or is too big, or lacks one of a model.
        """
        try:
            found: Any = json.loads(content)
            if found["format"] != _FORMAT:
                raise TravelError(f"{where}: format {found['format']!r}; this anclaf reads {_FORMAT!r}")
            files = {
                str(name): Entry(str(entry["sha256"]), int(entry["size"])) for name, entry in found["files"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise TravelError(f"{where}: not a manifest of `anclaf push` ({error})") from error
        for name, entry in files.items():
            if name not in FILES:
                raise TravelError(f"{where}: lists {name!r}; nothing travels but {', '.join(FILES)}")
            if not _SHA256.fullmatch(entry.sha256) or entry.size < 0:
                raise TravelError(f"{where}: what it says of {name} is no SHA-256 and size")
            if entry.size > MOST.get(name, entry.size):
                raise TravelError(f"{where}: {name} of {entry.size:,} bytes; expected at most {MOST[name]:,}")
        if SPEC not in files or not any(set(names) <= set(files) for names in NETWORKS):
            expected = " or ".join(" and ".join(names) for names in NETWORKS)
            raise TravelError(f"{where}: lists {', '.join(files) or 'nothing'}; expected {SPEC}, and {expected}")
        return cls(files)

    @property
    def text(self) -> str:
        """As it is written."""
        files = {name: asdict(entry) for name, entry in sorted(self.files.items())}
        return json_text({"format": _FORMAT, "files": files})

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files.values())


def fingerprint_of(manifest: bytes) -> str:
    """64 hex digits of a model that travels: the SHA-256 of its manifest, which has those of all its files."""
    return hashlib.sha256(manifest).hexdigest()
