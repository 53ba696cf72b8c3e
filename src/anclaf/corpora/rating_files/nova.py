"""NOVA (Baur et al. 2020): a continuous annotation, NAME.annotation in XML, and its values in NAME.annotation~."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anclaf.core.errors import CorpusError
from anclaf.core.labels import LabelScale
from anclaf.corpora.rating_files import RatingFormat
from anclaf.corpora.ratings import DIMENSIONS, Ratings

_VALUE = np.dtype([("score", "<f4"), ("confidence", "<f4")])
_MOST_XML = 2**20


def read_nova(path: Path) -> list[Ratings]:
    """One rater's ratings. Value k is of k / sr seconds; the file states range and rater.

    Args:
        path: of either file.

    Raises:
        CorpusError: not such a pair of files, or not a continuous annotation.
        ConfigError: the range is none.
    """
    path = path.with_name(path.name.removesuffix("~"))
    content = path.read_bytes()
    # entities of XML can grow without end, and NOVA writes none
    if len(content) > _MOST_XML or b"<!" in content:
        raise CorpusError(f"{path.name}: expected the XML that NOVA writes, without declarations")
    try:
        root = ElementTree.fromstring(content)
        info, scheme = root.find("info"), root.find("scheme")
        assert info is not None
        assert scheme is not None
        if (kind := scheme.get("type", "")).upper() != "CONTINUOUS":
            raise CorpusError(f"{path.name}: an annotation of the type {kind!r}; expected CONTINUOUS")
        rate, low, high = (float(scheme.attrib[name]) for name in ("sr", "min", "max"))
    except (ElementTree.ParseError, AssertionError, KeyError, ValueError) as error:
        got = str(error) or "parts are missing"
        raise CorpusError(f"{path.name}: {got}; expected an annotation that NOVA wrote") from error
    if not rate > 0:
        raise CorpusError(f"{path.name}: sr is {rate:g}; expected values a second")
    values = _values(path.with_name(path.name + "~"), info.get("ftype", "ASCII"))
    meta, name = root.find("meta"), scheme.get("name", "").lower()
    return [
        replace(
            Ratings.samples(np.arange(len(values)) / rate, values),
            scale=LabelScale(low, high),
            dimension=next((one for one in DIMENSIONS if one in name), None),
            rater=(meta.get("annotator") if meta is not None else None) or None,
        )
    ]


def _values(path: Path, kind: str) -> NDArray[np.float64]:
    content = path.read_bytes()
    if kind.upper() == "BINARY":
        if len(content) % _VALUE.itemsize:
            raise CorpusError(f"{path.name}: {len(content)} bytes; expected 8 for each value")
        return np.frombuffer(content, _VALUE)["score"].astype(np.float64)
    try:
        return np.array([float(line.split(";")[0]) for line in content.decode().split()], np.float64)
    except ValueError as error:
        raise CorpusError(f"{path.name}: {error}; expected lines of `score;confidence`") from error


NOVA = RatingFormat(read_nova)
