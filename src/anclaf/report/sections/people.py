"""How a model does on people whom it learnt by, whom its checkpoint was chosen by, and whom it has never seen."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from anclaf.core.words import DASH, counted, interval_text, number, number_text
from anclaf.evaluation.bootstrap import DIMENSIONS
from anclaf.evaluation.seen import PARTS
from anclaf.experiment.run_folder import RunFolder
from anclaf.report.markup import bullets, paragraph, table_markup
from anclaf.report.tables import PlainTable

PARTED = 0.15
"""How far the CCC of training people may lie above that of test people before the report says so."""
_TITLES = {"train": "training", "validation": "validation", "test": "test"}


def parts(run: RunFolder) -> Iterable[str]:
    """Training, validation and test people beside each other, and where they part; then what validation can tell."""
    table = beside(run)
    if table is None:
        yield paragraph(
            "The run's folder has no estimates of training and validation people: it is of an earlier version, or of "
            "comparators alone."
        )
        return
    yield bullets(parting(run))
    yield paragraph(table.caption)
    yield table_markup(table)
    decides = validation(run)
    if decides is not None:
        yield paragraph(decides.caption)
        yield table_markup(decides)


def beside(run: RunFolder) -> PlainTable | None:
    """CCC of training, validation and test people; None where nothing is known but of test people."""
    known = _known(run)
    if not known:
        return None
    shown = [part for part in _TITLES if part == "test" or any(part in entry["parts"] for entry in known.values())]
    rows: list[list[str]] = []
    for name, entry in (run.metrics["variants"] | run.metrics["comparators"]).items():
        numbers = [number_text(_ccc(entry, part, d)) for d in DIMENSIONS for part in shown]
        rows.append([str(entry.get("label", name)), *numbers])
    sizes = ", ".join(f"{_TITLES[part]} {_size(next(iter(known.values())), part)}" for part in PARTS if part in shown)
    test = f"test {_size(run.metrics, 'test')}" if "frames" in run.metrics else "test people as in the results"
    caption = (
        f"CCC of people whom a model has seen beside that of test people: {sizes}, {test}. Of training frames about "
        "4,000 at most are estimated in each fold, evenly from every clip and the same for every model; of people who "
        "are in several folds' training or validation, the frames of all of these are pooled. Comparators: test only."
    )
    if "validation" not in shown:
        caption += " In this protocol the test people choose the checkpoint: there are no others for validation."
    return PlainTable(caption, ["", *(f"{d}, {_TITLES[part]}" for d in DIMENSIONS for part in shown)], rows)


def parting(run: RunFolder) -> Iterable[str]:
    """A sentence for valence and one for arousal: which models score much better on their training people."""
    for dimension in DIMENSIONS:
        apart: list[str] = []
        for name, entry in _known(run).items():
            seen, new = (_ccc(entry, part, dimension) for part in ("train", "test"))
            if seen - new > PARTED:
                apart.append(f"{name} ({number_text(seen)} against {number_text(new)})")
        if apart:
            yield (
                f"{dimension.capitalize()}: training people's CCC is more than {PARTED:g} above that of test people, "
                f"so that part of what was learnt holds for known people only: {', '.join(apart)}."
            )
        else:
            yield f"{dimension.capitalize()}: no model's training people are more than {PARTED:g} above test people."


def validation(run: RunFolder) -> PlainTable | None:
    """The scores by which checkpoints and recipes are chosen, with intervals; None where no others validate."""
    entries = {
        name: entry["parts"]["validation"] for name, entry in _known(run).items() if "validation" in entry["parts"]
    }
    if not entries:
        return None
    rows: list[list[str]] = []
    for name, entry in entries.items():
        cells = [f"{number_text(number(entry[d].get('ccc')))} {interval_text(*_bounds(entry[d]))}" for d in _ALL]
        rows.append([name, *cells, number_text(_width(entry["mean"]))])
    widths = [width for entry in entries.values() if math.isfinite(width := _width(entry["mean"]))]
    who = _size(next(iter(_known(run).values())), "validation")
    averaged, over = (" and averaged over seeds", "people and seeds") if len(run.seeds) > 1 else ("", "people")
    caption = (
        f"What chose the checkpoints: CCC of validation people ({who}), pooled over folds{averaged}, with 95 % "
        f"intervals over {over}."
    )
    if widths:
        caption += (
            f" The mean's intervals are {number_text(min(widths))} to {number_text(max(widths))} wide: by these people "
            "two trainings that differ by less cannot be told apart, unless by a paired comparison."
        )
    return PlainTable(caption, ["", *(f"CCC {d}" for d in _ALL), "width, mean"], rows)


_ALL = (*DIMENSIONS, "mean")


def _known(run: RunFolder) -> Mapping[str, Mapping[str, Any]]:
    """The models that have scores of people whom they have seen."""
    return {name: run.metrics["variants"][name] for name in run.variants if run.metrics["variants"][name].get("parts")}


def _ccc(entry: Mapping[str, Any], part: str, dimension: str) -> float:
    of_part = entry if part == "test" else (entry.get("parts") or {}).get(part) or {}
    return number((of_part.get(dimension) or {}).get("ccc"))


def _size(entry: Mapping[str, Any], part: str) -> str:
    of_part = entry if part == "test" else (entry.get("parts") or {}).get(part)
    if of_part is None:
        return DASH
    return f"{counted(of_part['frames'], 'frame')} of {of_part['subjects']} people"


def _bounds(entry: Mapping[str, Any]) -> tuple[float, float]:
    low, high = (entry.get("ci95") or {}).get("ccc") or (None, None)
    return number(low), number(high)


def _width(entry: Mapping[str, Any]) -> float:
    low, high = _bounds(entry)
    return high - low
