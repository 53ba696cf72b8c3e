"""Trained runs of the folder named at start: their scores with intervals, by fold, their curves and their report."""

import hashlib
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from fastapi import FastAPI, Query
from fastapi import Path as InPath
from pydantic import BaseModel
from starlette.responses import FileResponse

from anclaf.app.library import Library
from anclaf.app.limits import RefusedError
from anclaf.core.errors import RunError
from anclaf.core.words import shown
from anclaf.experiment.run_folder import RunFolder
from anclaf.metrics.regression import METRICS

_DIMENSIONS = ("valence", "arousal", "mean")
_MOST_BYTES = 50_000_000
"""Of a file that is read."""
_MOST_POINTS = 400
_REPORT = re.compile(r"(images/)?[\w-][\w.-]*\.(html|svg|png|md|tex)")
_TYPES = {
    "html": "text/html; charset=utf-8", "svg": "image/svg+xml", "png": "image/png", "md": "text/plain; charset=utf-8",
    "tex": "text/plain; charset=utf-8",
}  # fmt: skip
_SANDBOX = "sandbox allow-same-origin; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"
"""Of a report: a file of the folder, which might be anybody's. It is read as a page, and runs nothing; as of another
origin, which it is without `allow-same-origin`, it would not be given its own pictures."""


class RunAnswer(BaseModel):
    """A run of `anclaf train`. scored: whether it has scores; until then there is nothing to show but its name."""

    id: str
    name: str
    scored: bool


class Score(BaseModel):
    """A number with its 95 % interval; null where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None


Scores = dict[str, dict[str, Score]]
"""Dimension (valence, arousal, mean) -> metric -> score."""


class Entry(BaseModel):
    """A model or comparator. scores: of all folds together. folds: of each, by its number. curves: the folds whose
    training has a history."""

    name: str
    label: str
    comparator: bool
    scores: Scores
    folds: dict[int, Scores]
    curves: list[int]


class RunDetail(RunAnswer):
    """corpus: its name, reader and sizes, as far as they are known. metrics: in their order. report: whether there is a
    report page."""

    recipe: str
    protocol: str
    corpus: dict[str, str | float]
    folds: list[int]
    metrics: list[str]
    entries: list[Entry]
    report: bool


class Curve(BaseModel):
    """What was logged in training under a name. phase: as of the loss that was stepped, or `validation`."""

    phase: str
    name: str
    steps: list[int]
    values: list[float | None]


Id = Annotated[str, InPath(max_length=100)]


def add_runs(app: FastAPI, library: Library) -> None:
    """Their addresses."""

    @app.get("/api/runs")
    def runs() -> list[RunAnswer]:
        """Runs of `anclaf train`: the folder named at start, where it is one, and those directly in it."""
        return [
            RunAnswer(id=id, name=name, scored=_has(library, path / "metrics.json"))
            for id, (name, path) in _runs(library).items()
        ]

    @app.get("/api/runs/{id}")
    def run(id: Id) -> RunDetail:
        """Scores of a run's models and comparators, in all folds and in each."""
        name, path = _find(library, id)
        return _detail(library, id, name, path)

    @app.get("/api/runs/{id}/curves")
    def curves(
        id: Id, variant: Annotated[str, Query(max_length=100)], fold: Annotated[int, Query(ge=0, le=10_000)] = 0
    ) -> list[Curve]:
        """What a model's training logged over its steps; of long ones some points, the last one included."""
        _, path = _find(library, id)
        if not re.fullmatch(r"[\w@+-]+", variant):
            raise RefusedError(404, "no such model in this run")
        return _curves(_bounded(library, RunFolder(path).job(fold, variant).history, "history of this training"))

    @app.get("/api/runs/{id}/report/{file:path}", response_class=FileResponse)
    def report(id: Id, file: Annotated[str, InPath(max_length=300)]) -> FileResponse:
        """A file of the run's report, `index.html` first; the browser runs nothing of it."""
        _, path = _find(library, id)
        found = _REPORT.fullmatch(file)
        if found is None:
            raise RefusedError(404, "no such file of this report")
        real = _file(library, RunFolder(path).report / file, "such file in the report")
        headers = {"content-security-policy": _SANDBOX, "cache-control": "no-store"}
        return FileResponse(real, media_type=_TYPES[found[2]], headers=headers)


def _runs(library: Library) -> dict[str, tuple[str, Path]]:
    """Identifier -> name and folder."""
    if library.folder is None:
        return {}
    try:
        inside = sorted(path for path in library.folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        inside = []
    found = {}
    for path in [library.folder, *inside]:
        if _has(library, path / "run.json"):
            found[hashlib.sha256(os.fsencode(path)).hexdigest()[:16]] = shown(path.name), path
    return found


def _file(library: Library, path: Path, what: str) -> Path:
    """As `Library.file`."""
    try:
        return library.file(path, what)
    except RefusedError:
        raise RefusedError(404, f"no {what} of this run") from None


def _has(library: Library, path: Path) -> bool:
    try:
        _file(library, path, "file")
    except RefusedError:
        return False
    return True


def _find(library: Library, id: str) -> tuple[str, Path]:
    try:
        return _runs(library)[id]
    except KeyError:
        raise RefusedError(404, "no such run; it may have been removed") from None


def _bounded(library: Library, path: Path, what: str) -> Path:
    """Raises RefusedError where a file is not there, lies elsewhere, or is too big to be one of a run."""
    real = _file(library, path, what)
    if real.stat().st_size > _MOST_BYTES:
        raise RefusedError(413, f"{path.name}: larger than {_MOST_BYTES // 1_000_000} MB")
    return real


def _detail(library: Library, id: str, name: str, path: Path) -> RunDetail:
    """Raises RefusedError (409) of a run that has no scores yet, and RunError of a damaged one."""
    _bounded(library, path / "run.json", "run")
    if not _has(library, path / "metrics.json"):
        raise RefusedError(409, f"{name}: not scored yet; let `anclaf train` finish")
    _bounded(library, path / "metrics.json", "scores")
    run = RunFolder.open(path)
    metrics = run.metrics
    try:
        entries = [
            _entry(library, run, name, entry, comparator)
            for comparator, part in ((False, metrics["variants"]), (True, metrics["comparators"]))
            for name, entry in part.items()
        ]
        order = {name: k for k, name in enumerate(run.variants)}
        entries.sort(key=lambda one: (one.comparator, order.get(one.name, 0)))
        card = {key: metrics["corpus"].get(key) for key in ("name", "source", "kind", "clips", "subjects", "frames")}
        return RunDetail(
            id=id, name=name, scored=True, recipe=run.recipe, protocol=str(metrics.get("protocol", "unknown")),
            corpus={key: value for key, value in card.items() if value is not None},
            folds=[int(fold) for fold in metrics.get("folds") or []], metrics=list(METRICS), entries=entries,
            report=_has(library, run.report / "index.html"),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{name}: its results are damaged ({error}); evaluate the run again") from error


def _entry(library: Library, run: RunFolder, name: str, entry: Mapping[str, Any], comparator: bool) -> Entry:
    folds = {int(one["fold"]): _scores(one) for one in entry.get("folds") or []}
    numbers = [int(fold) for fold in run.metrics.get("folds") or []]
    curves = [fold for fold in numbers if _has(library, run.job(fold, name).history)]
    return Entry(
        name=name, label=run.label(name), comparator=comparator, scores=_scores(entry), folds=folds, curves=curves
    )


def _scores(entry: Mapping[str, Any]) -> Scores:
    return {
        dimension: {metric: _score(entry[dimension], metric) for metric in METRICS if metric in entry[dimension]}
        for dimension in _DIMENSIONS
        if dimension in entry
    }


def _score(scores: Mapping[str, Any], metric: str) -> Score:
    low, high = (scores.get("ci95") or {}).get(metric) or (None, None)
    return Score(value=scores[metric], low=low, high=high)


def _curves(path: Path) -> list[Curve]:
    try:
        table = pd.read_csv(path, usecols=["step", "phase", "name", "value"], dtype={"step": int, "value": float})
    except (OSError, ValueError) as error:
        raise RunError(f"{path.name}: cannot be read ({' '.join(str(error).split())})") from error
    found = []
    for (phase, name), rows in table.groupby(["phase", "name"], sort=False):
        every = max(1, math.ceil(len(rows) / _MOST_POINTS))
        kept = rows.iloc[::-1][::every][::-1]
        values = [value if math.isfinite(value) else None for value in kept["value"].tolist()]
        found.append(Curve(phase=str(phase), name=str(name), steps=kept["step"].tolist(), values=values))
    return found
