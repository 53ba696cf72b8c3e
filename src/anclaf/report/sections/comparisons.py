"""Paired comparisons."""

import math
from collections.abc import Iterable

from anclaf.core.words import DASH, interval_text, number
from anclaf.experiment.run_folder import Run
from anclaf.report.markup import bullets, details, paragraph, plain_table
from anclaf.report.tables import bounds, comparison_words, heading


def parts(run: Run) -> Iterable[str]:
    pairs = list(run.metrics.get("paired") or [])
    if not pairs:
        yield paragraph("There are no paired comparisons in this run: it takes two variants to compare.")
        return
    yield paragraph(
        "Two variants are compared on the same test frames, people drawn again with replacement; the difference is the "
        "first one's score "
        "less the second one's. The p-values are not corrected for there being many comparisons."
    )
    told = {"base", "S-8", "SA-8", run.best(["S"]), run.best(["SA"])}
    leading = [pair for pair in pairs if pair["metric"] == "ccc" and {pair["a"], pair["b"]} <= told]
    yield bullets(comparison_words(pair) for pair in leading or pairs[:6])
    rows = [
        [
            f"{pair['a']} − {pair['b']}",
            str(pair["dimension"]),
            heading(str(pair["metric"])),
            f"{number(pair['difference']):+.3f}" if math.isfinite(number(pair["difference"])) else DASH,
            interval_text(*bounds(pair)) or DASH,
            DASH if not math.isfinite(number(pair.get("p"))) else f"{number(pair['p']):.3f}",
        ]
        for pair in pairs
    ]
    heads = ["", "dimension", "metric", "difference", "95 % interval", "p"]
    yield details(f"All {len(pairs)} comparisons", plain_table(heads, rows, "Paired comparisons"))
