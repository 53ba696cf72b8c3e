"""Readers of labelled corpora: what is on disk, as clips of labelled frames."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.core.people import person_key as person_key
    from anclaf.corpora.afew_va import list_afew_va as list_afew_va
    from anclaf.corpora.base import Clip as Clip
    from anclaf.corpora.base import ClipNote as ClipNote
    from anclaf.corpora.base import CorpusListing as CorpusListing
    from anclaf.corpora.base import LabelledFrame as LabelledFrame
    from anclaf.corpora.base import LazyClips as LazyClips
    from anclaf.corpora.base import SkippedFrame as SkippedFrame
    from anclaf.corpora.rated import list_rated as list_rated
    from anclaf.corpora.rating_files import RATING_FORMATS as RATING_FORMATS
    from anclaf.corpora.rating_files import RatingFormat as RatingFormat
    from anclaf.corpora.ratings import Ratings as Ratings
    from anclaf.corpora.readers import READERS as READERS
    from anclaf.corpora.readers import AfewVa as AfewVa
    from anclaf.corpora.readers import Preparation as Preparation
    from anclaf.corpora.readers import Puppet as Puppet
    from anclaf.corpora.readers import Reader as Reader
    from anclaf.corpora.readers import Sewa as Sewa
    from anclaf.corpora.readers import Table as Table
    from anclaf.corpora.sewa import list_sewa as list_sewa
    from anclaf.corpora.subjects import near_duplicates as near_duplicates
    from anclaf.corpora.table import list_table as list_table

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "list_afew_va": "corpora.afew_va",
        "Clip": "corpora.base",
        "ClipNote": "corpora.base",
        "CorpusListing": "corpora.base",
        "LabelledFrame": "corpora.base",
        "LazyClips": "corpora.base",
        "SkippedFrame": "corpora.base",
        "list_rated": "corpora.rated",
        "RATING_FORMATS": "corpora.rating_files",
        "RatingFormat": "corpora.rating_files",
        "Ratings": "corpora.ratings",
        "READERS": "corpora.readers",
        "AfewVa": "corpora.readers",
        "Preparation": "corpora.readers",
        "Puppet": "corpora.readers",
        "Reader": "corpora.readers",
        "Sewa": "corpora.readers",
        "Table": "corpora.readers",
        "list_sewa": "corpora.sewa",
        "near_duplicates": "corpora.subjects",
        "person_key": "core.people",
        "list_table": "corpora.table",
    },
)
