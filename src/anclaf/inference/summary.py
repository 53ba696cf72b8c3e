"""What a table of `anclaf predict` says of each person as a whole: level, spread, change, quadrants and transitions.

Everything is weighted by time, because frame rates vary: a frame counts for as long as it lasts, which is until the
next frame. Where the next one is more than `core.windows.MAX_GAP` median frame intervals away the recording has a hole,
and the frame before it counts for the median interval, as the last frame does. One picture alone lasts 0 seconds.

Estimates that follow each other within `MAX_GAP` median frame intervals are one stretch, as in the model's own windows.
Change and transitions are counted within stretches only: what happened while nothing was estimated is not known.
"""

from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.config import DWELL_S
from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, TableError
from anclaf.core.files import atomic_path
from anclaf.core.labels import QUADRANTS
from anclaf.core.windows import MAX_GAP
from anclaf.inference.edits import Edits, edits_path, read_edits
from anclaf.inference.table import BOUNDS, STATUSES, UNFAMILIAR, read_table

_ROUNDING_S = 1e-5
"""Tables hold times with six decimals."""


@checked
def summarize(table: pd.DataFrame | Path, dwell_s: float = DWELL_S, raw: bool = False) -> pd.DataFrame:
    """A row for each track, and one with no track for the frames in which nobody is tracked.

    Of a file, corrections that were made on the page (`NAME.edits.json` beside it) are applied: tracks that are one
    person are one, and stretches that do not count are no rows. `attrs["edits"]` says which; it is empty where there
    are none.

    Columns:
        track; name: of the person, as given in the corrections. frames, seconds: of the track's rows. estimated_frames,
            estimated_s; estimated_share: of `seconds`.
        STATUS_share: of `seconds`, by status; together 1.
        longest_gap_s: the longest time without an estimate between the track's first and last row; a stretch that does
            not count is such a time.
        valence_mean, _sd, _median, _p5, _p95, _min, _max: in the table's units, weighted by time. sd is that of the
            population; a percentile is the least value that the estimate did not exceed for that share of the time.
        valence_change_per_s: absolute change from estimate to estimate, summed, by the time that it took. It grows with
            the frame rate where estimates tremble: compare videos of one frame rate. arousal_…: likewise.
        valence_low_mean, valence_high_mean: of the ends of the intervals of single frames; they are no interval of the
            mean. arousal_…: likewise.
        unfamiliar_median; unfamiliar_share: of `estimated_s`, in which it is more than `table.UNFAMILIAR`.
        valence_from_rest_mean, _sd, …: likewise of the difference from the person's resting face, over the frames that
            have one. arousal_from_rest_…: likewise.
        V+A+_s, V+A+_share, …: time in each quadrant; the shares are of `estimated_s`.
        transitions: from quadrant to quadrant. A quadrant counts as visited when it is held for `dwell_s` on end;
            two visits that follow each other in one stretch, in different quadrants, are one transition, whatever
            shorter excursions lie between them. transitions_per_min: of `estimated_s`.
        V+A+>V-A+, …: how many of them went from the one quadrant to the other.

    What is not defined, such as the mean of no estimate, is NaN.

    Args:
        table: a CSV or Parquet file that `anclaf predict` wrote, or what `AffectEstimator.predict` gave.
        dwell_s: see `transitions`; 0 counts every change of quadrant.
        raw: read the table as it was, without corrections.

    Raises:
        TableError: as `read_chunks`, or of its corrections: they are damaged, or leave nothing.
        ConfigError: `dwell_s` is no such time.
    """
    if not 0 <= dwell_s < np.inf:
        raise ConfigError(f"dwell_s {dwell_s}: expected seconds, 0 or more")
    rows = read_table(table)
    period, rows["seconds"] = _durations(rows["frame"].to_numpy(), rows["time_s"].to_numpy())
    edits = Edits() if raw or isinstance(table, pd.DataFrame) else read_edits(table)
    if edits != Edits():
        rows = edits.applied(rows)
        if rows.empty:
            raise TableError(f"{table}: its corrections leave nothing; see {edits_path(Path(str(table))).name}")
    found = pd.DataFrame([_summary(own, period, dwell_s) for _, own in rows.groupby("track", dropna=False)])
    found = found.astype({"track": "Int64"})
    found.insert(1, "name", found["track"].map(edits.names).astype("string"))
    found.attrs["edits"] = edits.words
    return found


def join_summaries(summaries: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Source -> what `summarize` gave of it, as one table whose first column is `source`."""
    return pd.concat(
        [summary.assign(source=name)[["source", *summary.columns]] for name, summary in summaries.items()],
        ignore_index=True,
    )


def write_summary(summary: pd.DataFrame, path: Path) -> None:
    """Write what `summarize` gave: Parquet, or CSV with six decimals, as the name ends.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".csv":
            summary.round(6).to_csv(temporary, index=False)
        else:
            summary.to_parquet(temporary, index=False)


def _durations(frame: NDArray[np.int64], time_s: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """The median interval between frames, 0 for a single one, and for each row how long its frame lasts."""
    _, first, number = np.unique(frame, return_index=True, return_inverse=True)
    interval = np.diff(time_s[first])
    period = float(np.median(interval[interval > 0])) if (interval > 0).any() else 0.0
    lasts = np.append(interval, period)
    lasts[lasts > MAX_GAP * period] = period
    return period, lasts[number]


def _summary(rows: pd.DataFrame, period: float, dwell_s: float) -> dict[str, Any]:
    """A row of the summary, of one track's rows."""
    start, seconds = rows["time_s"].to_numpy(), rows["seconds"].to_numpy()
    # frames that last no time count alike where there are no others
    weight = np.maximum(seconds, 1e-9)
    found = rows["valence"].notna().to_numpy()
    time, end = start[found], (start + seconds)[found]
    linked = np.diff(time) <= MAX_GAP * period
    quadrant = np.asarray(rows["quadrant"].cat.codes, np.int64)[found]
    summary: dict[str, Any] = {
        "track": rows["track"].iloc[0],
        "frames": len(rows),
        "seconds": seconds.sum(),
        "estimated_frames": int(found.sum()),
        "estimated_s": seconds[found].sum(),
        "estimated_share": weight[found].sum() / weight.sum(),
    }
    for status in STATUSES:
        summary[f"{status}_share"] = weight[rows["status"] == status].sum() / weight.sum()
    bounds = np.concatenate([start[:1], np.column_stack([time, end]).ravel(), (start + seconds)[-1:]])
    summary["longest_gap_s"] = max(0.0, np.diff(bounds)[::2].max())
    for name in ("valence", "arousal"):
        value = rows[name].to_numpy()[found]
        about = _level(value, weight[found]) | {"change_per_s": _change(value, time, linked)}
        summary |= {f"{name}_{key}": number for key, number in about.items()}
    for name in BOUNDS:
        summary[f"{name}_mean"] = _mean(rows[name].to_numpy()[found], weight[found])
    unfamiliar = rows["unfamiliar"].to_numpy()
    known = np.isfinite(unfamiliar)
    summary["unfamiliar_median"] = _level(unfamiliar[known], weight[known])["median"]
    summary["unfamiliar_share"] = _ratio(weight[known & (unfamiliar > UNFAMILIAR)].sum(), weight[known].sum())
    for name in ("valence_from_rest", "arousal_from_rest"):
        value = rows[name].to_numpy()
        there = np.isfinite(value)
        summary |= {f"{name}_{key}": number for key, number in _level(value[there], weight[there]).items()}
    for code, name in enumerate(QUADRANTS):
        summary[f"{name}_s"] = seconds[found][quadrant == code].sum()
        summary[f"{name}_share"] = _ratio(weight[found][quadrant == code].sum(), weight[found].sum())
    matrix = _transitions(quadrant, time, end, linked, dwell_s)
    summary["transitions"] = int(matrix.sum())
    summary["transitions_per_min"] = _ratio(60 * summary["transitions"], summary["estimated_s"])
    for here, there in permutations(range(len(QUADRANTS)), 2):
        summary[f"{QUADRANTS[here]}>{QUADRANTS[there]}"] = int(matrix[here, there])
    return summary


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else np.nan


def _mean(value: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    return float(np.average(value, weights=weight)) if len(value) else np.nan


def _level(value: NDArray[np.float64], weight: NDArray[np.float64]) -> dict[str, float]:
    names = ("mean", "sd", "median", "p5", "p95", "min", "max")
    if not len(value):
        return dict.fromkeys(names, np.nan)
    mean = np.average(value, weights=weight)
    order = np.argsort(value)
    reached = np.cumsum(weight[order]) / weight.sum()
    # rounding must not push a share over the value that has it
    median, p5, p95 = value[order][np.searchsorted(reached, np.array([0.5, 0.05, 0.95]) - 1e-9)]
    spread = np.sqrt(np.average((value - mean) ** 2, weights=weight))
    numbers = (mean, spread, median, p5, p95, value.min(), value.max())
    return dict(zip(names, map(float, numbers), strict=True))


def _change(value: NDArray[np.float64], time: NDArray[np.float64], linked: NDArray[np.bool_]) -> float:
    return _ratio(np.abs(np.diff(value))[linked].sum(), np.diff(time)[linked].sum())


def _transitions(
    quadrant: NDArray[np.int64],
    time: NDArray[np.float64],
    end: NDArray[np.float64],
    linked: NDArray[np.bool_],
    dwell_s: float,
) -> NDArray[np.int64]:
    """(4, 4) counts from row to column.

    Args:
        quadrant, time, end: (N,) of the estimates, in time order. linked: (N - 1,) whether the next is of its stretch.
    """
    matrix = np.zeros((len(QUADRANTS), len(QUADRANTS)), np.int64)
    if not len(quadrant):
        return matrix
    stretch = np.concatenate([[0], np.cumsum(~linked)])
    edges = np.flatnonzero((np.diff(quadrant) != 0) | ~linked)
    first, last = np.append(0, edges + 1), np.append(edges, len(quadrant) - 1)
    # a visit lasts until the next estimate of its stretch, or to the end of the stretch
    until = np.where(np.append(linked, False), np.append(time[1:], np.nan), end)[last]
    visits = first[until - time[first] >= dwell_s - _ROUNDING_S]
    here, there = visits[:-1], visits[1:]
    counted = (stretch[here] == stretch[there]) & (quadrant[here] != quadrant[there])
    np.add.at(matrix, (quadrant[here][counted], quadrant[there][counted]), 1)
    return matrix
