"""What happened to each person through a source, in no more steps than a picture can show."""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.core.windows import MAX_GAP
from anclaf.inference.table import STATUSES, read_chunks

_AFFECT, _FROM_REST = ["valence", "arousal"], ["valence_from_rest", "arousal_from_rest"]
_SURE = ["valence_low", "arousal_low", "valence_high", "arousal_high", "unfamiliar"]


@dataclass(frozen=True)
class Timeline:
    """One track, or with track None a source without any estimate, in B steps of `step` frames; the last may be less.
    Where the recording has a hole, of more than `MAX_GAP` median steps, there is a step of no frame.

    start: (B + 1,) seconds, where each step begins and the last one ends. affect: (B, 2) mean valence and arousal, NaN
    where there is no estimate. shares: (B, statuses) part of the step's frames that had each of `table.STATUSES`; where
    nobody is tracked, this track has `no_face`. mean: (2,) over all estimates. estimated: part of the track's frames.
    rest: (2,) where the track rests. low, high: (B, 2) mean ends of the intervals. unfamiliar: (B,) mean. All NaN where
    that is not known.
    """

    track: int | None
    step: int
    start: NDArray[np.float64]
    affect: NDArray[np.float64]
    shares: NDArray[np.float64]
    mean: NDArray[np.float64]
    estimated: float
    rest: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    unfamiliar: NDArray[np.float64]

    @property
    def still(self) -> bool:
        """Whether there is one frame only."""
        return len(self.affect) == 1


def read_timelines(table: pd.DataFrame | Path, tracks: int, points: int) -> tuple[list[Timeline], int]:
    """The tracks with the most estimates, by track, and how many more there are with any.

    The table is read twice, so that of a file only a piece is in memory at a time.

    Args:
        table: as `read_chunks`. tracks: at most so many. points: at most so many steps.

    Raises:
        TableError: as `read_chunks`.
    """
    extent = _Extent.of(table)
    shown = sorted(track for track, _ in extent.estimates.most_common(tracks))
    frames = extent.frames(points)
    start = np.full(len(frames), np.inf)
    sums = [_Sums(track, len(frames)) for track in shown or [None]]
    for rows in read_chunks(table):
        step = ((rows["frame"] - extent.first) // frames[0]).to_numpy()
        np.minimum.at(start, step, rows["time_s"].to_numpy())
        for track in sums:
            track.add(rows, step)
    return [track.timeline(start, frames) for track in sums], len(extent.estimates) - len(shown)


@dataclass(frozen=True)
class _Extent:
    """Half-open range of the frames' numbers, and how many estimates each track has that has any."""

    first: int
    stop: int
    estimates: Counter[int]

    @classmethod
    def of(cls, table: pd.DataFrame | Path) -> "_Extent":
        numbers: list[int] = []
        estimates = Counter[int]()
        for rows in read_chunks(table):
            numbers += [int(number) for number in (rows["frame"].min(), rows["frame"].max()) if number == number]
            estimates.update(rows.loc[rows["valence"].notna(), "track"].tolist())
        return cls(min(numbers), max(numbers) + 1, estimates)

    def frames(self, points: int) -> NDArray[np.int64]:
        """How many frames each of at most so many steps has."""
        step = math.ceil((self.stop - self.first) / points)
        return np.diff(np.append(np.arange(self.first, self.stop, step), self.stop))


class _Sums:
    """Adds up what there is of one track in each of so many steps."""

    def __init__(self, track: int | None, steps: int):
        self._track = track
        self._affect, self._statuses = np.zeros((steps, 2)), np.zeros((steps, len(STATUSES)))
        self._rows = 0
        self._rest = np.full(2, np.nan)
        self._sure = np.zeros((steps, len(_SURE)))

    def add(self, rows: pd.DataFrame, step: NDArray[np.int64]) -> None:
        own = np.ones(len(rows), bool)
        if self._track is not None:
            own = rows["track"].eq(self._track).fillna(False).to_numpy(bool)
        self._rows += int(own.sum())
        np.add.at(self._affect, step[own], rows.loc[own, _AFFECT].fillna(0).to_numpy())
        estimated = own & rows["valence"].notna().to_numpy()
        np.add.at(self._sure, step[estimated], rows.loc[estimated, _SURE].to_numpy())
        differs = rows.loc[own & rows["valence_from_rest"].notna().to_numpy(), [*_AFFECT, *_FROM_REST]]
        if len(differs) and np.isnan(self._rest).any():  # a track has one rest
            self._rest = (differs[_AFFECT].to_numpy() - differs[_FROM_REST].to_numpy())[0]
        # nobody at all means that this person is not there either
        present = own | rows["track"].isna().to_numpy()
        np.add.at(self._statuses, (step[present], rows["status"].cat.codes.to_numpy()[present]), 1)

    def timeline(self, start: NDArray[np.float64], frames: NDArray[np.int64]) -> Timeline:
        estimates = self._statuses[:, [STATUSES.index("ok"), STATUSES.index("warming_up")]].sum(1)
        with np.errstate(invalid="ignore"):
            affect, mean = self._affect / estimates[:, None], self._affect.sum(0) / estimates.sum()
            affect = np.concatenate([affect, self._sure / estimates[:, None]], 1)
        # several tracks without an estimate are several rows to a frame
        shares = self._statuses / np.maximum(self._statuses.sum(1), frames)[:, None]
        known = np.isfinite(start)  # frames may be missing from a damaged table
        start, affect, shares = start[known], affect[known], shares[known]
        interval = np.diff(start)
        period = (float(np.median(interval)) if len(interval) else 0.0) or 1.0
        holes = np.flatnonzero(interval > MAX_GAP * period)
        affect = np.insert(affect, holes + 1, np.nan, axis=0)
        return Timeline(
            self._track,
            int(frames[0]),
            np.append(np.insert(start, holes + 1, start[holes] + period), start[-1] + period),
            affect[:, :2],
            np.insert(shares, holes + 1, 0, axis=0),
            mean,
            float(estimates.sum() / self._rows),
            self._rest,
            affect[:, 2:4],
            affect[:, 4:6],
            affect[:, 6],
        )
