"""The paper's tables: transcribed without an error, and shown only where they belong."""

import math
import re
from pathlib import Path

import pytest

from anclaf.report.published import AFEW_VA, DIMENSIONS, SEWA, PublishedTable, published_for, rendered

PAPER = Path(__file__).parents[2].parent / "shared" / "docs" / "PAPER.md"
TABLES = pytest.mark.parametrize("table", [AFEW_VA, SEWA], ids=["afew-va", "sewa"])


@pytest.mark.realdata
@TABLES
def test_every_cell_is_the_papers(table: PublishedTable) -> None:
    if not PAPER.is_file():
        pytest.skip("the paper is not kept beside this checkout")
    lines = PAPER.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"Table {table.number}: "))
    assert lines[start] == f"Table {table.number}: {table.caption}"
    printed = [line.split("\t") for line in lines[start + 4 : start + 20]]
    assert len(printed) == len(table.rows) == 16
    keys = [(metric, dimension) for metric in table.metrics for dimension in DIMENSIONS]
    for row, (name, *cells) in zip(table.rows, printed, strict=True):
        assert row.name == name
        for key, cell in zip(keys, cells, strict=True):
            text = re.sub("</?b>", "", cell)
            assert (key in row.bold) == ("<b>" in cell)
            assert math.isnan(row.values[key]) if text == "-" else f"{row.values[key]:.3f}" == text


@TABLES
def test_averages_agree_with_what_they_average(table: PublishedTable) -> None:
    """A slip of the pen would show: AVG is the mean of VAL and ARO, and S-AVG the mean of S-2 to S-32, to a digit."""
    rows = {row.name: row for row in table.rows}
    for row in table.rows:
        for metric in table.metrics:
            valence, arousal, mean = (row.values[metric, dimension] for dimension in DIMENSIONS)
            assert math.isnan(mean) or mean == pytest.approx((valence + arousal) / 2, abs=0.0011)
    for kind in ("S", "SA"):
        for key, value in rows[f"ANCLaF-{kind}-AVG"].values.items():
            assert value == pytest.approx(
                sum(rows[f"ANCLaF-{kind}-{n}"].values[key] for n in (2, 4, 8, 16, 32)) / 5, abs=1.1e-3
            )


def test_published_only_for_the_papers_databases() -> None:
    assert published_for({"source": "afew-va"}) is AFEW_VA
    assert published_for({"source": "sewa"}) is SEWA
    assert published_for({"source": "puppet"}) is None
    assert published_for({"source": "table"}) is None
    assert published_for({}) is None


@pytest.mark.parametrize(
    "card",
    [
        {"source": "puppet"},
        {"source": "afew-va", "notes": ["Rendered people, written in AFEW-VA's layout"]},
        {"source": "sewa", "options": {"folder": "synthetic-40"}},
        {"source": "afew-va", "name": "puppets"},
    ],
)
def test_a_drawn_corpus_in_a_databases_layout_gets_no_published_rows(card: dict[str, object]) -> None:
    assert rendered(card)
    assert published_for(card) is None
