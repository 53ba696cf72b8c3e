"""The paper's tables: transcribed without an error, and shown only where they belong."""

import math
import re
from pathlib import Path

import pytest

from anclaf.core.errors import CorpusError
from anclaf.report.published import (
    AFEW_VA,
    DIMENSIONS,
    SEWA,
    PublishedTable,
    apart_for,
    published_for,
    published_statements,
    published_title,
)

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


@pytest.mark.parametrize(("source", "table"), [("afew-va", AFEW_VA), ("sewa", SEWA), ("table", None), ("puppet", None)])
def test_published_beside_scores_on_real_people_only(source: str, table: PublishedTable | None) -> None:
    assert published_for({"source": source, "kind": "real"}) is table
    for kind in ("synthetic", "drawn", "unknown"):
        assert published_for({"source": source, "kind": kind}) is None
        assert apart_for({"source": source, "kind": kind}) is (table if kind == "unknown" else None)
    assert apart_for({"source": source, "kind": "real"}) is None
    assert published_for({}) is None


def test_cards_written_before_there_was_a_kind() -> None:
    """Nobody stated anything: the paper's table stands apart, whatever the words on the card."""
    for words in ({}, {"notes": ["rendered people"]}, {"name": "AFEW-VA, real people"}):
        assert published_for({"source": "afew-va", **words}) is None
        assert apart_for({"source": "afew-va", **words}) is AFEW_VA
    assert published_for({"source": "puppet"}) is apart_for({"source": "puppet"}) is None


def test_words_on_a_card_do_not_take_its_kind_away() -> None:
    card = {"source": "afew-va", "kind": "real", "name": "puppets", "notes": ["not rendered, not synthetic"]}
    assert published_for(card) is AFEW_VA


def test_a_kind_that_does_not_exist() -> None:
    with pytest.raises(CorpusError, match="kind is 'photographed'; expected one of real, synthetic, drawn, unknown"):
        published_for({"source": "sewa", "kind": "photographed"})


@TABLES
def test_the_protocol_decides_how_the_published_rows_are_introduced(table: PublishedTable) -> None:
    card = {"source": table.database.lower(), "kind": "real", "clips": table.clips}
    strict, paper, other = (" ".join(published_statements(card, p)) for p in ("strict", "paper", "unknown"))
    assert "under another protocol" in strict
    assert "another protocol" not in paper + other
    assert "under a protocol of the same kind" in paper
    assert "folds are contiguous blocks of clips and the checkpoint is chosen on the tested block" in paper
    assert "do not say how well the networks do on people they have not seen" in paper
    for said in (strict, paper, other):
        assert f"table {table.number} of Aspandi et al. 2021" in said
        assert "no measurement of this software" in said
    assert published_title("strict") == "Published by the authors, under another protocol"
    assert published_title("paper") == "Published by the authors, under a protocol of the same kind"


@TABLES
def test_why_the_published_rows_are_absent(table: PublishedTable) -> None:
    card = {"source": table.database.lower()}
    (unknown,) = published_statements(card, "strict")
    assert "it has not been stated whether the people of this corpus are real" in unknown
    assert "`--kind real`" in unknown
    for kind in ("synthetic", "drawn"):
        (said,) = published_statements(card | {"kind": kind}, "paper")
        assert f"because it is not {table.database}" in said
    assert published_statements({"source": "table", "kind": "real"}, "strict") == []
