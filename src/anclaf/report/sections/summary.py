"""The summary: the best model in numbers and words."""

import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from anclaf.core.words import DASH, interval_text, number, number_text
from anclaf.experiment.run_folder import RunFolder
from anclaf.report.markup import paragraph
from anclaf.report.sections.results import bounds, comparison_words
from anclaf.report.tables import ResultsTable, has_interval

_PROTOCOLS = {
    "strict": "The people tested were not seen in training, nor in choosing the checkpoint.",
    "paper": "In this protocol, the authors' own, a person may be in training and in test, and the checkpoint is "
    "chosen on the test block: the scores are too good for people who were never seen.",
    "official": "Training and test are the database's own sets; where it has two sets, the second is tested and people "
    "of the first chose the checkpoint. Whether somebody is in both, only its makers know where it names nobody.",
}


def parts(run: RunFolder, table: ResultsTable) -> Iterable[str]:
    best = run.best()
    assert best is not None, "metrics.json has a variant"
    cards: list[tuple[str, str, str]] = []
    for dimension in ("valence", "arousal"):
        cell = table.row(best).cells["ccc", dimension]
        interval = f"95 % interval {interval_text(cell.low, cell.high)}" if has_interval(cell) else "no interval"
        cards.append((f"{dimension.capitalize()} CCC of {best}", number_text(cell.value), interval))
    words = [
        f"Of the {len(run.variants)} variants trained, {best} has the highest CCC averaged over valence and arousal."
        if len(run.variants) > 1
        else f"One variant was trained: {best}."
    ]
    if best != "base" and "base" in run.variants:
        for dimension in ("arousal", "valence"):
            pair = _pair(run, best, "base", dimension)
            if pair is None:
                continue
            if dimension == "arousal":
                gain, interval = number(pair["difference"]), interval_text(*bounds(pair))
                text = f"{gain:+.3f}" if math.isfinite(gain) else DASH
                cards.append(
                    ("Arousal CCC gained over base", text, f"95 % interval {interval}" if interval else "no interval")
                )
            words.append(comparison_words(pair))
    comparator = run.best_comparator()
    if comparator is not None:
        label = run.label(comparator)
        both = [f"{d} {number_text(run.score(comparator, d, 'ccc'))}" for d in ("valence", "arousal")]
        cards.append(("Mean CCC of the best comparator", number_text(run.score(comparator, "mean", "ccc")), label))
        behind = run.score(best, "mean", "ccc") < run.score(comparator, "mean", "ccc")
        verdict = "which no variant reaches" if behind else f"which {best} exceeds"
        if run.score(best, "mean", "ccc") == run.score(comparator, "mean", "ccc"):
            verdict = f"which {best} equals"
        words.append(f"The best comparator is the {label} (CCC {', '.join(both)}), {verdict} in the mean of the two.")
    items = "".join(f"<div><dt>{escape(a)}</dt><dd>{escape(b)}</dd><dd>{escape(c)}</dd></div>" for a, b, c in cards)
    yield f'<dl class="cards">{items}</dl>'
    yield paragraph(" ".join(words))
    yield paragraph(
        "CCC is Lin's concordance: 1 where every estimate equals its label, 0 where the two have nothing in common. "
        + _PROTOCOLS.get(str(run.metrics.get("protocol")), "")
    )


def _pair(run: RunFolder, a: str, b: str, dimension: str) -> Mapping[str, Any] | None:
    for pair in run.metrics.get("paired") or []:
        if (pair["a"], pair["b"], pair["dimension"], pair["metric"]) == (a, b, dimension, "ccc"):
            return pair
    return None
