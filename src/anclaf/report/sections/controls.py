"""What attention, further training and the curriculum give: each model against the control that lacks this alone."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from anclaf.core.words import DASH, difference_text, number
from anclaf.evaluation.controls import Contrast, contrasts
from anclaf.models.spec import Variant
from anclaf.report.markup import heading3, paragraph, plain_table
from anclaf.report.sections.differences import COMPARED
from anclaf.report.tables import PlainTable, heading

_CAPTION = (
    "What attention, further training and the curriculum give: the first model's score less the second one's, on the "
    "same test frames, with 95 % intervals in brackets. An interval without 0 in it is a difference; the intervals "
    "are not corrected for multiple comparisons."
)


def parts(metrics: Mapping[str, Any]) -> Iterable[str]:
    """A table of every contrast; nothing where no model has a control.

    Args:
        metrics: what metrics.json holds.
    """
    table = contrast_table(metrics)
    if table is None:
        return
    yield heading3("What attention, further training and the curriculum give")
    yield paragraph(
        "S-n+ is S-n trained further with as many updates as SA-n, on the same windows and what SA-n reads before "
        "them: what SA-n is ahead of it is attention's, and what it is ahead of S-n itself is not. S-n-direct was "
        "trained from base with as many updates as all models from base to S-n together: what S-n is ahead of it is "
        "the curriculum's."
    )
    if any(contrast.part == "head and training" for contrast in contrasts(list(metrics["variants"]))):
        yield paragraph(
            "Where there is no S-n+, SA-n is compared with S-n. It was trained further than S-n, and the difference "
            "may be that alone."
        )
    yield plain_table(table.heads, table.rows, table.caption)


def contrast_table(metrics: Mapping[str, Any]) -> PlainTable | None:
    """A row for each contrast, with its paired differences; None where there is none."""
    pairs = {(pair["a"], pair["b"], pair["dimension"], pair["metric"]): pair for pair in metrics.get("paired") or []}
    rows = [
        [_given(contrast), f"{contrast.a} − {contrast.b}"]
        + [_difference(pairs.get((contrast.a, contrast.b, *column))) for column in COMPARED]
        for contrast in contrasts(list(metrics["variants"]))
    ]
    heads = ["what is given by", "difference", *(f"{heading(metric)} {dimension}" for dimension, metric in COMPARED)]
    return PlainTable(_CAPTION, heads, rows) if rows else None


def _given(contrast: Contrast) -> str:
    kind = Variant.recorded(contrast.a).kind
    head = "attention" if kind == "SA" else f"the head {kind}"
    words = {
        "head": head,
        "head and training": f"{head} and further training",
        "training": "further training",
        "curriculum": "the curriculum",
    }
    return words[contrast.part]


def _difference(pair: Mapping[str, Any] | None) -> str:
    """`+0.021 [-0.010, 0.052]`; of several seeds also the part of training; a dash where not compared."""
    value = math.nan if pair is None else number(pair["difference"])
    if pair is None or not math.isfinite(value):
        return DASH
    low, high = pair.get("ci95") or (None, None)
    share = pair.get("training_share")  # where there are several seeds
    return difference_text(value, number(low), number(high), number(share))
