"""Rows of a prepared corpus for training, for choosing the checkpoint, and for testing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anclaf.config import Protocol
from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, CorpusError
from anclaf.data.store import PreparedCorpus

DEFAULT_FOLDS = 5
SET_COLUMN = "set"
"""Of a prepared corpus's further columns: train, validation or test."""
_VALIDATION_PART = 5
"""One subject in five of those not tested chooses the checkpoint."""


@dataclass(frozen=True)
class Split:
    """One fold. train, validation, test: sorted int64 rows of the prepared corpus.

    In `strict` the three share no subject and cover the corpus. In `paper` validation is test. `official` is the
    database's own.
    """

    protocol: Protocol
    fold: int
    folds: int
    seed: int
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


@checked
def split(corpus: PreparedCorpus, protocol: Protocol, fold: int, folds: int | None = None, seed: int = 0) -> Split:
    """The rows of one fold; `split(...).folds` is how many folds there are.

    strict: folds grouped by subject, with about as many frames each, drawn with the seed; of the subjects that are not
    tested an inner fifth validates. A user's own `fold` column replaces the draw; its values, sorted, are folds 0, 1….
    paper: sorted clip names in contiguous blocks of int(clips / folds), the last one with the rest; subjects and a
    user's folds are ignored, and the checkpoint is chosen on the test block, as the authors did.

    official: one fold, of the sets that the corpus's column `set` names. Where those are train and validation, as of
    databases whose test labels are kept secret, validation is tested, and an inner fifth of the training subjects,
    drawn with the seed, validates. Tested people who are in training as well are refused.

    Args:
        fold: from 0.
        folds: how many; None is 5, or as many as the user's column has.
        seed: of the draws in `strict`; `paper` has none, and 0 is expected.

    Raises:
        CorpusError: too few subjects or clips, or a user's folds that are incomplete, single, or split a subject;
            in `official`, no sets, or ones that share a subject.
        ConfigError: fold or folds out of range, folds other than the user's column has, or a seed in `paper`.
    """
    if protocol == "official":
        return _official(corpus, fold, folds, seed)
    if folds is not None and folds < 2:
        raise ConfigError(f"folds: got {folds}; expected 2 or more, for what is tested must not train")
    if protocol == "paper":
        if seed:
            raise ConfigError(f"fold_seed: got {seed} with protocol paper, whose folds are not drawn; leave it out")
        part = _clip_blocks(corpus.clips, folds or DEFAULT_FOLDS)
    else:
        subject, who = np.unique(corpus.subjects, return_inverse=True)
        if len(subject) < 3:
            raise CorpusError(
                f"{corpus.folder}: {len(subject)} subject(s); the strict protocol needs at least 3, "
                "one each to train, to choose the checkpoint and to test. "
                "Add people, or use --protocol paper, which splits by clips"
            )
        part = _user_folds(corpus, who, subject, folds)
        if part is None:
            part = _draw(corpus, who, folds or DEFAULT_FOLDS, seed)[who]
    count = int(part.max()) + 1
    if not 0 <= fold < count:
        raise ConfigError(f"fold: got {fold}; expected 0 to {count - 1}, for there are {count} folds")
    test = np.flatnonzero(part == fold)
    rest = np.flatnonzero(part != fold)
    if protocol == "paper":
        return Split(protocol, fold, count, seed, rest, test, test)
    validates = _validation(corpus.subjects[rest], [seed, fold], corpus)
    return Split(protocol, fold, count, seed, rest[~validates], rest[validates], test)


def _official(corpus: PreparedCorpus, fold: int, folds: int | None, seed: int) -> Split:
    if folds is not None or fold:
        raise ConfigError(f"protocol official: got fold={fold}, folds={folds}; expected fold 0 alone, of no number")
    if SET_COLUMN not in corpus.columns:
        raise CorpusError(
            f"{corpus.folder}: the database has no sets of its own (no column {SET_COLUMN!r}). Use --protocol strict"
        )
    name = corpus.columns[SET_COLUMN].astype(str).str.strip().str.lower().replace("val", "validation").to_numpy(str)
    rows = {which: np.flatnonzero(name == which) for which in ("train", "validation", "test")}
    if odd := sorted({*name.tolist()} - rows.keys()):
        raise CorpusError(f"{corpus.folder}: the column {SET_COLUMN!r} says {odd[0]!r}; expected {', '.join(rows)}")
    train, validation, test = rows.values()
    if not len(test):
        validation, test = np.empty(0, np.int64), validation
    if not len(train) or not len(test):
        raise CorpusError(f"{corpus.folder}: only the set {_some(np.unique(name))} is there; expected one to test too")
    seen = np.concatenate([train, validation])
    if shared := sorted({*corpus.subjects[seen].tolist()} & {*corpus.subjects[test].tolist()}):
        raise CorpusError(f"{corpus.folder}: {_some(shared)} are in training and in test; use --protocol strict")
    if not len(validation):
        validates = _validation(corpus.subjects[train], [seed, 0], corpus)
        train, validation = train[~validates], train[validates]
    return Split("official", 0, 1, seed, train, validation, test)


def _clip_blocks(clips: NDArray[np.str_], folds: int) -> NDArray[np.int64]:
    """(N,) fold of each row: blocks of sorted clip names."""
    names, which = np.unique(clips, return_inverse=True)
    if len(names) < folds:
        raise CorpusError(f"{len(names)} clips cannot make {folds} folds; add clips or use {_fewer(len(names))}")
    return np.minimum(which // (len(names) // folds), folds - 1)


def _fewer(most: int) -> str:
    return f"--folds {most}" if most >= 2 else "a corpus of at least 2"


def _user_folds(
    corpus: PreparedCorpus, who: NDArray, subject: NDArray[np.str_], folds: int | None
) -> NDArray[np.int64] | None:
    """(N,) fold of each row from the user's column, or None where there is none."""
    column = corpus.index["fold"].to_numpy(np.int64)
    given = column >= 0
    if not given.any():
        return None
    if not given.all():
        raise CorpusError(
            f"{corpus.folder}: {given.sum()} of {len(given)} frames have a fold; "
            "give one to every row of the table, or to none"
        )
    values, part = np.unique(column, return_inverse=True)
    if len(values) < 2:
        raise CorpusError(
            f"{corpus.folder}: the fold column has the one value {values[0]}; expected 2 or more folds, or no column"
        )
    if folds is not None and folds != len(values):
        raise ConfigError(f"folds: got {folds}, but the corpus's own fold column has {len(values)}. Leave --folds out")
    pairs = np.unique(np.stack([who, part]), axis=1)
    split_up = subject[np.flatnonzero(np.bincount(pairs[0]) > 1)]
    if len(split_up):
        raise CorpusError(
            f"{corpus.folder}: the fold column puts {_some(split_up)} into several folds; "
            "give each subject one fold, or leave the column out"
        )
    return part


def _draw(corpus: PreparedCorpus, who: NDArray, folds: int, seed: int) -> NDArray[np.int64]:
    """(subjects,) fold of each."""
    frames = np.bincount(who)
    if len(frames) < folds:
        raise CorpusError(
            f"{corpus.folder}: {len(frames)} subjects cannot make {folds} folds; "
            f"use --folds {len(frames)}, or add people"
        )
    return _balanced(frames, folds, np.random.default_rng(seed))


def _balanced(frames: NDArray, parts: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(subjects,) part of each: the largest first, each to the part with the fewest frames; ties in random order."""
    order = rng.permutation(len(frames))
    order = order[np.argsort(-frames[order], kind="stable")]
    held = np.zeros(parts, np.int64)
    part = np.empty(len(frames), np.int64)
    for one in order:
        part[one] = held.argmin()
        held[part[one]] += frames[one]
    return part


def _validation(subjects: NDArray[np.str_], seed: list[int], corpus: PreparedCorpus) -> NDArray[np.bool_]:
    """(N,) whether each row's subject validates: one part in five, the one with the fewest frames."""
    names, who = np.unique(subjects, return_inverse=True)
    if len(names) < 2:
        raise CorpusError(
            f"{corpus.folder}: this fold leaves only {_some(names)} to train and to choose the checkpoint; "
            "expected 2 or more people. Use more folds (--folds), or add people"
        )
    frames = np.bincount(who)
    part = _balanced(frames, min(_VALIDATION_PART, len(names)), np.random.default_rng(seed))
    return (part == np.bincount(part, frames).argmin())[who]


def _some(names: Sequence[str] | NDArray[np.str_], most: int = 3) -> str:
    """The first few names, and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(str(name) for name in names[:most]) + more
