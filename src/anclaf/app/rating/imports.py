"""Ratings that another tool wrote, as those of further raters."""

import re
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from anclaf.app.limits import RefusedError
from anclaf.app.rating.answers import MOST_IMPORT, Rater, RatingImport
from anclaf.core.errors import ConfigError, CorpusError
from anclaf.core.labels import LabelScale
from anclaf.corpora.rating_files import RATING_FORMATS
from anclaf.corpora.rating_files.carma import even
from anclaf.corpora.ratings import Dimension, Ratings
from anclaf.corpora.recordings import ratings_of_video

RESAMPLED_S = 0.05
"""Bins into which intervals of different lengths are brought."""
_RATER = TypeAdapter(Rater)


def read_import(video: str, asked: RatingImport) -> dict[tuple[str, Dimension], Ratings]:
    """Rater and dimension -> ratings as CARMA's files can hold them: bins of one length stay as they are, other
    intervals become means over bins of 0.05 s. A value outside the range is no rating.

    Args:
        video: its file name; of a file with several videos its part is taken.

    Raises:
        RefusedError: too large (413); not such a file, not of this video, or its rater, dimension or range is not
            known (422).
    """
    if sum(len(one.content) for one in asked.files) > MOST_IMPORT:
        raise RefusedError(413, f"more than {MOST_IMPORT:,} bytes; expected at most so many")
    try:
        ratings, name = _read(video, asked)
        names = {str(one.rater) for one in ratings}
        found: dict[tuple[str, Dimension], Ratings] = {}
        for one in ratings:
            dimension = _dimension(one, asked, len(ratings), name)
            if dimension is None:
                continue
            key = _rater(one, asked, len(names), name), dimension
            if key in found:
                raise RefusedError(422, f"{name}: {key[0]} has two ratings of {dimension}; expected one")
            found[key] = _binned(one, asked, name)
    except (CorpusError, ConfigError) as error:
        raise RefusedError(422, str(error)) from error
    if not found:
        raise RefusedError(422, f"{name}: no rating of {asked.dimension}")
    return found


def _read(video: str, asked: RatingImport) -> tuple[list[Ratings], str]:
    """Those of the video, and the file's name."""
    names = [_plain(re.split(r"[/\\]", one.name)[-1]) for one in asked.files]
    with tempfile.TemporaryDirectory(prefix="anclaf-import-") as place:
        for name, one in zip(names, asked.files, strict=True):
            (Path(place) / name).write_bytes(one.content)
        path = Path(place) / min(names, key=lambda name: name.endswith("~"))
        try:
            return ratings_of_video(RATING_FORMATS.get(asked.format).read(path), video, path), path.name
        except FileNotFoundError as error:
            raise RefusedError(422, f"{Path(str(error.filename)).name} is missing; choose both files") from None


def _plain(name: str) -> str:
    return re.sub(r"[^\w.~ -]", "_", name)[-100:].lstrip(".") or "file"


def _dimension(one: Ratings, asked: RatingImport, many: int, name: str) -> Dimension | None:
    """Of a file's ratings; None where another dimension than these is wanted."""
    dimension = one.dimension or asked.dimension
    if dimension is None:
        raise RefusedError(422, f"{name}: does not say of which dimension it is; choose one")
    if asked.dimension not in (None, dimension):
        if many == 1:
            raise RefusedError(422, f"{name}: is of {dimension}; expected {asked.dimension}")
        return None
    return dimension


def _rater(one: Ratings, asked: RatingImport, many: int, name: str) -> str:
    told = asked.rater or one.rater
    if told is None:
        raise RefusedError(422, f"{name}: does not say who rated; name the rater")
    if asked.rater is not None and many > 1:
        told = f"{asked.rater} {one.rater}"
    plain = re.sub(r"[^\w ._'-]", " ", told).strip(" ._'-")[:50]
    try:
        return _RATER.validate_python(plain)
    except ValidationError:
        raise RefusedError(422, f"{name}: the rater is {told!r}; expected a name of letters or numbers") from None


def _binned(one: Ratings, asked: RatingImport, name: str) -> Ratings:
    if one.scale is not None and (asked.low, asked.high) != (None, None):
        own = f"{one.scale.low:g} to {one.scale.high:g}"
        raise RefusedError(422, f"{name}: states its range, {own}; leave low and high out")
    if one.scale is None and (asked.low is None or asked.high is None):
        seen = one.value[np.isfinite(one.value)]
        lie = f"its values lie in [{seen.min():g}, {seen.max():g}]" if len(seen) else "it has no values"
        raise RefusedError(422, f"{name}: states no range, {lie}; state low and high")
    scale = one.scale or LabelScale(float(asked.low or 0), float(asked.high or 0))
    inside, _ = replace(one, scale=scale).within(scale)
    if not np.isfinite(inside.value).any():
        raise RefusedError(422, f"{name}: no value in its range, {scale.low:g} to {scale.high:g}")
    return inside if even(inside) else inside.binned(RESAMPLED_S)
