"""Prepared corpora: aligned faces with their labels, their folds, and what is done to faces in training."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.data.distortion import distort as distort
    from anclaf.data.folds import Split as Split
    from anclaf.data.folds import split as split
    from anclaf.data.prepare import prepare_corpus as prepare_corpus
    from anclaf.data.store import CorpusCard as CorpusCard
    from anclaf.data.store import PreparedCorpus as PreparedCorpus
    from anclaf.data.store import corpus_kind as corpus_kind
    from anclaf.data.store import restate as restate

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "distort": "data.distortion",
        "Split": "data.folds",
        "split": "data.folds",
        "prepare_corpus": "data.prepare",
        "CorpusCard": "data.store",
        "PreparedCorpus": "data.store",
        "corpus_kind": "data.store",
        "restate": "data.store",
    },
)
