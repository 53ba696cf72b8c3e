"""The models that come with the package, by name: `starter`, `starter/base`, `starter/S-8`, `starter/SA-8`.

They learnt from rendered heads alone. docs/starter-card.md says how, what they are worth on real faces, and where they
fail.
"""

from pathlib import Path

SHIPPED = "starter"
"""The name; of the variant that is taken where none is said, too."""
DEFAULT_VARIANT = "S-8"
ABOUT = (
    "the starter model, which learnt from rendered heads and from no real person; labels follow from a written rule. "
    "What it is worth on real faces, and where it fails: docs/starter-card.md"
)


class StarterWarning(UserWarning):
    """Said once where the starter model is loaded: what it is."""


_FOLDER = Path(__file__).parent / SHIPPED


def shipped_model(name: str) -> Path | None:
    """Where a model that comes with the package lies; None where `name` is not a name of one."""
    first, _, variant = name.partition("/")
    if first != SHIPPED:
        return None
    variant = variant or DEFAULT_VARIANT
    return _FOLDER / variant if variant in _variants() else None


def is_shipped(folder: Path) -> bool:
    """Whether it is one of the package's own."""
    return folder.parent == _FOLDER


def shipped_names() -> list[str]:
    """All names, the default first."""
    return [SHIPPED, *(f"{SHIPPED}/{variant}" for variant in _variants())]


def _variants() -> list[str]:
    return sorted(path.name for path in _FOLDER.iterdir() if path.is_dir())
