"""Who is who: a name spelled in several ways is one person, or a person would be in training and in test at once."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations

from anclaf.core.arguments import checked
from anclaf.core.people import person_key, unnamed
from anclaf.corpora.base import Clip

_SHORTEST = 5
"""Letters of a name that is compared with others; among shorter ones a single letter tells people apart."""
_SHOWN = 5


def subjects_of(clips: Sequence[Clip]) -> tuple[Callable[[Clip], str], list[str]]:
    """Whose a clip is, each person in the spelling of most clips; and notes for the corpus card.

    A note lists the spellings that were taken as one person, another the names that differ so little that they may be
    one person: those stay apart, because only the user can know.
    """
    count = Counter(clip.subject for clip in clips if clip.subject != unnamed(clip.name))
    spellings: dict[str, list[str]] = defaultdict(list)
    for name in sorted(count, key=lambda name: (-count[name], name)):
        spellings[person_key(name)].append(name)
    kept = {name: group[0] for group in spellings.values() for name in group}
    notes: list[str] = []
    several = [" = ".join(map(repr, group)) for group in spellings.values() if len(group) > 1]
    if several:
        notes.append(f"one person spelled in several ways, taken as one: {_some(sorted(several))}")
    near = [f"{spellings[a][0]!r} and {spellings[b][0]!r}" for a, b in near_duplicates(spellings)]
    if near:
        notes.append(
            f"names that differ little, taken as different people: {_some(near)}. If they are one person, write one "
            "name: somebody in training and in test makes scores too good"
        )
    return lambda clip: kept.get(clip.subject, clip.subject), notes


@checked
def near_duplicates(keys: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of keys (`person_key`) that may be one person, in order.

    They have the same numbers and initials, and the same words in another order or with other punctuation, or five
    letters or more of which one is another, missing, or swapped with its neighbour.
    """
    alike: dict[tuple[object, str], set[str]] = defaultdict(set)
    letters: dict[str, str] = {}
    for key in keys:
        words = re.findall(r"[^\W\d_]+", key)
        # P001 and P002, or J Doe and K Doe, are different people
        numbers = tuple(number.lstrip("0") for number in re.findall(r"\d+", key))
        fixed = (numbers, tuple(sorted(word for word in words if len(word) == 1)))
        letters[key] = "".join(word for word in words if len(word) > 1)
        for form in (" ".join(sorted(words)), *_shortened(letters[key])):
            alike[fixed, form].add(key)
    pairs = {pair for group in alike.values() for pair in combinations(sorted(group), 2)}
    return sorted(pair for pair in pairs if _near(*pair, *(letters[key] for key in pair)))


def _shortened(letters: str) -> Iterator[str]:
    """The letters, and the letters without one: two that differ in one letter share one of these."""
    if len(letters) >= _SHORTEST:
        yield letters
        yield from (letters[:i] + letters[i + 1 :] for i in range(len(letters)))


def _near(a: str, b: str, letters_a: str, letters_b: str) -> bool:
    """Whether two keys that share a form are the same words, or their letters one step apart."""
    if sorted(re.findall(r"[^\W\d_]+", a)) == sorted(re.findall(r"[^\W\d_]+", b)):
        return True
    short, long = sorted((letters_a, letters_b), key=len)
    i = next((i for i, (x, y) in enumerate(zip(short, long, strict=False)) if x != y), len(short))
    if len(short) < len(long):
        return len(long) - len(short) == 1 and short[i:] == long[i + 1 :]
    swapped = short[i : i + 2] == long[i : i + 2][::-1] and short[i + 2 :] == long[i + 2 :]
    return short[i + 1 :] == long[i + 1 :] or swapped


def _some(items: Sequence[str]) -> str:
    more = f"; and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return "; ".join(items[:_SHOWN]) + more
