"""The ratings of a video together: curves, the joined rating, agreement, and the model beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.app.rating.answers import (
    AgreementAnswer,
    Coefficient,
    CurveAnswer,
    DimensionAnswer,
    JoinedAnswer,
    JoinSettings,
    ModelScore,
    RaterCurve,
)
from anclaf.core.labels import LabelScale
from anclaf.core.people import person_key
from anclaf.corpora.ratings import (
    DIMENSIONS,
    Dimension,
    JoinedRatings,
    Ratings,
    agreement,
    believed,
    evaluator_weights,
)
from anclaf.corpora.recordings import Recording, common_range
from anclaf.metrics import Moments

JOINED = "joined"
_ICC = {"A,1": "a1", "C,1": "c1", "A,k": "ak", "C,k": "ck"}


class Estimates(NamedTuple):
    """Of one person by a model. time_s: (T,). values: dimension -> (T,) in the model's own scale, NaN without one."""

    track: int
    time_s: NDArray[np.float64]
    values: Mapping[Dimension, NDArray[np.float64]]
    scale: LabelScale


def estimates_of(table: pd.DataFrame, merged: Mapping[int, int], scale: LabelScale) -> Estimates | None:
    """Of the person with the most estimates; None where nobody has one. merged: as of `Edits`."""
    rows = table[table["valence"].notna() & table["arousal"].notna() & table["track"].notna()]
    if not len(rows):
        return None
    track = np.array([merged.get(int(one), int(one)) for one in rows["track"].tolist()])
    most = int(np.bincount(track).argmax())
    own = rows[track == most].drop_duplicates("frame")
    values: dict[Dimension, NDArray[np.float64]] = {name: own[name].to_numpy(np.float64) for name in DIMENSIONS}
    return Estimates(most, own["time_s"].to_numpy(np.float64), values, scale)


def view(
    folders: Mapping[Path, Sequence[Ratings]], own: Path, settings: JoinSettings, estimates: Estimates | None
) -> JoinedAnswer:
    """The ratings of one video.

    Args:
        folders: ratings by the folder of each video; for the mean, those of this one alone will do, for EWE the weights
            are of all. own: this video's.

    Raises:
        CorpusError: nobody agrees with the others, so that EWE weighs nobody.
    """
    recordings = {folder: _recording(str(folder), ratings) for folder, ratings in folders.items()}
    found, notes, scale = recordings[own], [], LabelScale(-1, 1)
    if any(found.ratings.values()):
        scale, notes = common_range([one for one in recordings.values() if any(one.ratings.values())], None, None, None)
    dimensions: dict[Dimension, DimensionAnswer] = {}
    for dimension in DIMENSIONS:
        weights, more = _weights([one.ratings[dimension] for one in recordings.values()], dimension, settings)
        notes += more
        rows = found.ratings[dimension]
        dimensions[dimension] = _dimension(rows, weights, settings.lag_s, scale, estimates, dimension)
    return JoinedAnswer(
        low=scale.low, high=scale.high, settings=settings, notes=notes,
        track=None if estimates is None else estimates.track, dimensions=dimensions,
    )  # fmt: skip


def _recording(name: str, ratings: Sequence[Ratings]) -> Recording:
    found = Recording(name, "", -1)
    for one in ratings:
        found.ratings[one.dimension or "valence"].append(one)
    return found


def _weights(
    said: Sequence[Sequence[Ratings]], dimension: Dimension, settings: JoinSettings
) -> tuple[dict[str, float], list[str]]:
    """Each rater's, by `person_key`, over all videos; and what there is to say of them."""
    weights = {person_key(str(one.rater)): 1.0 for rows in said for one in rows}
    if settings.join == "mean" or not any(len(rows) > 1 for rows in said):
        return weights, []
    names = [[person_key(str(one.rater)) for one in rows] for rows in said if rows]
    values = [_grid(rows)[0] for rows in said if rows]
    tables = [dict(zip(who, grid, strict=True)) for who, grid in zip(names, values, strict=True)]
    found = evaluator_weights(tables)
    note = f"{dimension}: joined by EWE; the weights are those of all rated videos of the folder"
    return believed(found, dimension), [note]


def _grid(rows: Sequence[Ratings]) -> tuple[NDArray[np.float64], float]:
    """(R, M) means of each rater over the bins of the rater with the longest, and their length."""
    length = max(float(np.median(one.stop - one.start)) for one in rows)
    values = [one.binned(length).value for one in rows]
    most = max(map(len, values))
    # means of the same bins differ by rounding
    return np.stack([np.append(one, np.full(most - len(one), np.nan)) for one in values]).round(9), length


def _dimension(
    rows: Sequence[Ratings],
    weights: Mapping[str, float],
    lag_s: float,
    scale: LabelScale,
    estimates: Estimates | None,
    dimension: Dimension,
) -> DimensionAnswer:
    curves = [
        RaterCurve(rater=str(one.rater), weight=weights[person_key(str(one.rater))], **_curve(one)) for one in rows
    ]
    joined = JoinedRatings(tuple(rows), tuple(one.weight for one in curves))
    together = Ratings.bins([], [])
    if rows:
        finest = min(rows, key=lambda one: np.median(one.stop - one.start))
        end = max(float(one.stop[-1]) for one in rows)
        length = float(np.median(finest.stop - finest.start))
        edges = np.arange(int(end / length + 1e-6) + 1) * length
        middle = (edges[1:] + edges[:-1]) / 2
        together = replace(Ratings.bins(edges[1:], joined.at(middle)), rater=JOINED)
    agreed, estimated, model = None, None, []
    if len(rows) > 1:
        values, length = _grid(rows)
        found = agreement(values)
        icc = {
            name: Coefficient(**{part: _known(number) for part, number in getattr(found.icc, field)._asdict().items()})
            for name, field in _ICC.items()
        }
        agreed = AgreementAnswer(bins=found.moments, bin_s=length, ccc=_known(found.ccc), icc=icc)
    if estimates is not None:
        inside = scale.restore(estimates.scale.normalise(estimates.values[dimension]))
        estimated = CurveAnswer(time_s=estimates.time_s.tolist(), value=_cells(inside))
        model = [_score(str(one.rater), one.at(estimates.time_s + lag_s), inside) for one in rows]
        if len(rows) > 1:
            model.append(_score(JOINED, joined.at(estimates.time_s + lag_s), inside))
    return DimensionAnswer(
        raters=curves, joined=CurveAnswer(**_curve(together)), agreement=agreed, estimates=estimated, model=model
    )


def _curve(one: Ratings) -> dict[str, list]:
    return {"time_s": ((one.start + one.stop) / 2).round(4).tolist(), "value": _cells(one.value)}


def _cells(values: NDArray[np.float64]) -> list[float | None]:
    return [_known(value) for value in values.round(6).tolist()]


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _score(rater: str, said: NDArray[np.float64], estimate: NDArray[np.float64]) -> ModelScore:
    both = np.isfinite(said) & np.isfinite(estimate)
    found = Moments.of(estimate[both], said[both]).metrics()
    ccc, cor, rmse = (_known(float(found[name])) for name in ("ccc", "cor", "rmse"))
    return ModelScore(rater=rater, frames=int(both.sum()), ccc=ccc, cor=cor, rmse=rmse)
