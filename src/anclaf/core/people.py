"""Who is who: a name spelled in several ways is one person, and models know people by digests of their names."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from anclaf.core.arguments import checked

_NAMELESS = "clip "
_DIGEST = re.compile(f"({_NAMELESS})?[0-9a-f]{{16}}")


def unnamed(clip: str) -> str:
    """The subject of a clip whose corpus names nobody: a person of its own."""
    return _NAMELESS + clip


def is_unnamed(person: str) -> bool:
    """Whether this name, or digest of one, is of `unnamed`."""
    return person.startswith(_NAMELESS)


@checked
def person_key(name: str) -> str:
    """A name without regard to case, blanks and Unicode form; two spellings of one key are one person."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    visible = "".join(char for char in folded if unicodedata.category(char) != "Cf")
    return " ".join(visible.split()) or name


@checked
def person_digest(name: str) -> str:
    """The first 16 hex digits of the SHA-256 of a name's `person_key`, in UTF-8; of `unnamed`, `clip ` and those of the
    name as it is, for two clips may differ in case alone.

    There is no salt: whoever has a model must be able to ask whether it knows a person whose name they have. So it
    keeps names from being read, not from being guessed.
    """
    nameless = is_unnamed(name)
    key = name if nameless else person_key(name)
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return _NAMELESS + digest if nameless else digest


def digests(names: Iterable[str]) -> tuple[str, ...]:
    """`person_digest` of each of these people, sorted, each once."""
    return tuple(sorted({person_digest(str(name)) for name in set(names)}))


def is_digest(person: str) -> bool:
    """Whether this is one of `person_digest`."""
    return _DIGEST.fullmatch(person) is not None
