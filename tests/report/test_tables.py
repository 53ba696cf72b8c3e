"""The results table: its numbers are those of metrics.json, in pandas, Markdown and LaTeX."""

import copy
import json
import math
import re
from typing import Any

import pytest

from anclaf.comparators import registry
from anclaf.core import words
from anclaf.metrics.regression import METRICS
from anclaf.report import tables
from anclaf.report.published import AFEW_VA, DIMENSIONS, SEWA
from anclaf.report.sections.results import comparison_words
from anclaf.report.tables import latex_escape, markdown_escape, paper_table, results_table
from fake_run import COMPARATORS, VARIANTS, FakeRun


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    run = FakeRun(clips=4, frames=12).write(tmp_path_factory.mktemp("tables"))
    return json.loads((run / "metrics.json").read_text())


def of_source(metrics: dict[str, Any], source: str, kind: str = "real", **card: Any) -> dict[str, Any]:
    changed = copy.deepcopy(metrics)
    changed["corpus"] |= {"source": source, "kind": kind, **card}
    return changed


def test_frame_holds_every_number(metrics: dict[str, Any]) -> None:
    frame = results_table(metrics, "people_1").frame()
    rows = ("base", "S-2", "S-4", "S-AVG", "SA-2", "SA-4", "SA-AVG")
    assert list(frame.index) == [*(("measured", v) for v in rows), *(("comparator", c) for c in COMPARATORS)]
    assert frame.shape == (10, 45)
    for group, entries in (("measured", metrics["variants"]), ("comparator", metrics["comparators"])):
        for name, entry in entries.items():
            for dimension in DIMENSIONS:
                for metric in METRICS:
                    value = entry[dimension][metric]
                    interval = entry[dimension]["ci95"][metric]
                    for part, expected in zip(("value", "low", "high"), (value, *interval), strict=True):
                        got = frame.loc[(group, name), (metric, dimension, part)]
                        assert got == pytest.approx(math.nan if expected is None else expected, nan_ok=True)


def test_variants_are_ordered_by_kind_and_length(metrics: dict[str, Any]) -> None:
    shuffled = metrics | {
        "variants": dict.fromkeys(("SA-16", "S-32", "SA-2", "S-4", "base"), metrics["variants"]["base"])
    }
    rows = results_table(shuffled, "x").rows
    names = [row.name for row in rows if row.group == "measured"]
    assert names == ["base", "S-4", "S-32", "S-AVG", "SA-2", "SA-16", "SA-AVG"]


def test_best_is_bold_among_all_rows_measured_here(metrics: dict[str, Any]) -> None:
    changed = copy.deepcopy(metrics)
    changed["comparators"]["ridge-8"]["arousal"]["ccc"] = 0.99
    changed["variants"]["S-2"]["valence"]["rmse"] = 0.1
    changed["variants"]["base"]["valence"]["cor"] = 0.98771
    changed["variants"]["S-4"]["valence"]["cor"] = 0.98769
    table = results_table(changed, "x")

    def bold(metric: str, dimension: str) -> list[str]:
        return [row.name for row in table.rows if row.cells[metric, dimension].best]

    assert bold("ccc", "arousal") == ["ridge-8"]
    assert bold("rmse", "valence") == ["S-2"], "of errors the lowest is best"
    assert bold("cor", "valence") == ["base", "S-4"], "equal as printed, so bold both"
    assert "**0.990**" in table.markdown()
    assert r"\textbf{0.990}" in table.latex()


def test_column_without_numbers_has_no_best(metrics: dict[str, Any]) -> None:
    changed = copy.deepcopy(metrics)
    for entry in (*changed["variants"].values(), *changed["comparators"].values()):
        entry["valence"]["ccc"] = None
    table = results_table(changed, "x")
    assert not any(row.cells["ccc", "valence"].best for row in table.rows)


@pytest.mark.parametrize(("source", "published"), [("afew-va", AFEW_VA), ("sewa", SEWA)])
def test_published_rows_stand_apart(metrics: dict[str, Any], source: str, published: Any) -> None:
    table = results_table(of_source(metrics, source), "people_1")
    groups = dict(table.groups())
    assert [group for group, _ in table.groups()] == ["measured", "comparator", "published"]
    assert [row.name for row in groups["published"]] == [row.name for row in published.rows]
    row = groups["published"][12]
    assert row.name == "ANCLaF-SA-8"
    assert table.metrics == published.metrics, "the columns are the paper's"
    assert set(row.cells) == set(published.rows[12].values)
    for key, value in published.rows[12].values.items():
        assert row.cells[key].value == value
        assert row.cells[key].best == (key in published.rows[12].bold)
    words = " ".join(table.statements)
    assert f"table {published.number} of Aspandi et al. 2021" in words
    assert "another protocol" in words
    assert "This corpus has 4 clips" in words, "it is not the whole database"


def test_published_rows_do_not_take_the_bold_from_ours(metrics: dict[str, Any]) -> None:
    """SEWA's published RMSE are far below those of labels in -10..10."""
    without = results_table(metrics, "x")
    beside = results_table(of_source(metrics, "sewa"), "x", columns=METRICS)
    for name in (*VARIANTS, *COMPARATORS):
        assert without.row(name).cells == beside.row(name).cells


def test_whole_database_is_not_called_another(metrics: dict[str, Any]) -> None:
    assert "not the same material" not in " ".join(
        results_table(of_source(metrics, "afew-va", clips=600), "x").statements
    )


@pytest.mark.parametrize("source", ["puppet", "table"])
def test_no_published_rows_for_other_corpora(metrics: dict[str, Any], source: str) -> None:
    table = results_table(of_source(metrics, source), "people_1")
    assert table.metrics == METRICS
    assert "published" not in dict(table.groups())
    assert "Aspandi" not in table.markdown() + table.latex()


@pytest.mark.parametrize("kind", ["unknown", "synthetic", "drawn"])
@pytest.mark.parametrize("source", ["afew-va", "sewa"])
def test_no_published_rows_unless_the_people_are_real(metrics: dict[str, Any], source: str, kind: str) -> None:
    table = results_table(of_source(metrics, source, kind), "people_1")
    assert "published" not in dict(table.groups())
    assert "ANCLaF-SA-8" not in table.markdown() + table.latex()
    words = " ".join(table.statements)
    assert ("--kind real" in words) == (kind == "unknown")
    assert ("The people of this corpus are" in words) == (kind != "unknown")


def test_the_caption_follows_the_protocol(metrics: dict[str, Any]) -> None:
    strict = results_table(of_source(metrics, "afew-va"), "x")
    paper = results_table(of_source(metrics, "afew-va") | {"protocol": "paper"}, "x")
    for text in (strict.markdown(), strict.latex()):
        assert "Published by the authors, under another protocol" in text
    for text in (paper.markdown(), paper.latex()):
        assert "another protocol" not in text
        assert "Published by the authors, under a protocol of the same kind" in text


def test_a_table_of_the_paper_by_itself() -> None:
    table = paper_table(AFEW_VA, "strict")
    assert [group for group, _ in table.groups()] == ["published"]
    assert [row.name for row in table.rows] == [row.name for row in AFEW_VA.rows]
    assert table.statements == ("Table 1 of Aspandi et al. 2021, measured by the authors on AFEW-VA, as printed.",)


@pytest.mark.parametrize("source", ["afew-va", "puppet"])
def test_corpus_is_named_above_every_table(metrics: dict[str, Any], source: str) -> None:
    table = results_table(of_source(metrics, source), "people")
    for text in (table.markdown(), table.latex()):
        before = text[: text.index("RMSE")]
        assert "Corpus people, read as" in before
        assert "4 clips, 2 subjects, 48 frames; fingerprint 0123456789abcdef" in before
        assert "Protocol strict; tested: fold 0; sliding windows" in before


def test_markdown_numbers_equal_the_metrics(metrics: dict[str, Any]) -> None:
    text = results_table(metrics, "x").markdown()
    for dimension, title in zip(DIMENSIONS, ("Valence", "Arousal", "Mean of valence and arousal"), strict=True):
        part = text.split(f"**{title}**")[1].split("\n**")[0]
        rows = {
            cells[1].strip(): cells[2:-1] for cells in (line.split("|") for line in part.splitlines() if "|" in line)
        }
        for name in VARIANTS:
            for metric, cell in zip(METRICS, rows[name], strict=True):
                entry = metrics["variants"][name][dimension]
                low, high = entry["ci95"][metric]
                value, interval = re.fullmatch(r" \**([\d.–-]+)\**( \[.*\])? ", cell).groups()  # type: ignore[union-attr]
                assert value == f"{entry[metric]:.3f}"
                assert interval == f" [{low:.3f}, {high:.3f}]"


def test_what_is_not_defined_is_a_dash(metrics: dict[str, Any]) -> None:
    """The training mean has no correlation."""
    assert metrics["comparators"]["mean"]["valence"]["cor"] is None
    table = results_table(metrics, "x")
    line = next(line for line in table.markdown().splitlines() if line.startswith("| training mean"))
    assert line.count("| – ") == 3
    assert "& -- & -- & --" in next(line for line in table.latex().splitlines() if line.startswith("training mean"))
    assert not re.search(r"\b(nan|none|null)\b", table.markdown() + table.latex(), re.IGNORECASE)


def assert_sound(text: str) -> None:
    """Braces and environments are closed in order, and nothing is left that stops LaTeX."""
    bare = re.sub(r"\\[\\{}&%$#_]", "", text)
    depth = 0
    for char in re.sub(r"(?m)^%.*$", "", bare):
        depth += (char == "{") - (char == "}")
        assert depth >= 0
    assert depth == 0
    assert not re.search(r"(?<!\\)_", text), "an underscore outside mathematics stops LaTeX"
    begun, ended = (re.findall(rf"\\{word}{{(\w+\*?)}}", text) for word in ("begin", "end"))
    assert begun == ended[::-1] == ["table*", "tabular"]


def test_latex_is_sound(metrics: dict[str, Any]) -> None:
    changed = of_source(metrics, "afew-va", fingerprint="50%_of{it}\\#$&~^<>|")
    changed["variants"]["S-2"]["arousal"]["ccc"] = -0.25
    text = results_table(changed, "people_1 & co", columns=METRICS).latex()
    assert_sound(text)
    assert r"people\_1 \& co" in text
    assert "$-$0.250" in text
    width = len(METRICS) * len(DIMENSIONS)
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
    for line in body.splitlines():
        if line.endswith(r"\\") and "multicolumn" not in line:
            assert len(re.findall(r"(?<!\\)&", line)) == width


def test_escapes() -> None:
    assert latex_escape("a_b%c\\") == r"a\_b\%c\textbackslash{}"
    assert markdown_escape("a|b <i> *x*\n_y_") == r"a\|b \<i\> \*x\* \_y\_"


def test_comparisons_in_words() -> None:
    pair = {
        "a": "SA-8",
        "b": "base",
        "dimension": "arousal",
        "metric": "ccc",
        "difference": 0.21,
        "ci95": [0.1, 0.3],
        "p": 0.0,
    }
    assert comparison_words(pair) == "SA-8 is better than base in arousal CCC (+0.210 [0.100, 0.300], p < 0.001)."
    worse = pair | {"metric": "rmse", "p": 0.012}
    assert comparison_words(worse) == "SA-8 is worse than base in arousal RMSE (+0.210 [0.100, 0.300], p = 0.012)."
    even = pair | {"ci95": [-0.1, 0.3], "p": None}
    assert (
        comparison_words(even)
        == "Between SA-8 and base no difference is shown in arousal CCC (+0.210 [-0.100, 0.300])."
    )
    undefined = pair | {"difference": None, "ci95": [None, None]}
    assert "cannot be compared" in comparison_words(undefined)
    no_interval = pair | {"ci95": [None, None]}
    assert "no difference is shown" in comparison_words(no_interval), "without an interval nothing is claimed"


def test_numbers_as_text() -> None:
    assert words.number_text(-0.0001) == "0.000"
    assert words.number_text(math.nan) == words.number_text(math.inf) == "–"
    assert words.interval_text(math.nan, 1.0) == ""
    assert words.fold_words([0, 1]) == "folds 0, 1"


def test_average_rows_are_the_mean_over_the_lengths(metrics: dict[str, Any]) -> None:
    table = results_table(metrics, "x")
    for key, cell in table.row("SA-AVG").cells.items():
        values = [metrics["variants"][name][key[1]][key[0]] for name in ("SA-2", "SA-4")]
        assert cell.value == pytest.approx(sum(values) / 2)
        assert math.isnan(cell.low), "no interval was measured"


@pytest.mark.parametrize(("kind", "made"), [("drawn", "drawn by this program"), ("synthetic", "rendered")])
@pytest.mark.parametrize(("source", "number"), [("afew-va", 1), ("sewa", 2)])
def test_a_corpus_that_is_not_real_keeps_the_papers_form_and_says_what_it_is(
    metrics: dict[str, Any], source: str, number: int, kind: str, made: str
) -> None:
    card = of_source(metrics, source, kind)["corpus"]
    table = results_table(metrics, "people_1", card)
    assert table.metrics == (AFEW_VA, SEWA)[number - 1].metrics
    words = " ".join(table.statements)
    assert f"The people of this corpus are {made}, not filmed" in words
    assert f"those of table {number} of Aspandi" in words
    assert "published" not in dict(table.groups())


def test_comparators_have_readable_labels(metrics: dict[str, Any]) -> None:
    changed = copy.deepcopy(metrics)
    entry = metrics["comparators"]["ridge-1"]
    labels = {name: registry.label_of(name) for name in registry.COMPARATORS.names()}
    changed["comparators"] = {name: entry | {"label": label} for name, label in labels.items()}
    groups = dict(results_table(changed, "x").groups())
    assert [row.label for row in groups["comparator"]] == list(labels.values())
    assert not any(re.fullmatch(r"[a-z-]+", row.label) for row in groups["comparator"]), "words, not names"


def test_plain_table() -> None:
    table = tables.PlainTable("50 % of people_1", ["a", "CCC ↑"], [["+no_q", "-0.010 [-0.020, 0.001]"], ["x|y", "–"]])
    text = table.latex()
    assert_sound(text)
    assert r"+no\_q & $-$0.010 [$-$0.020, 0.001] \\" in text
    assert r"CCC $\uparrow$" in text
    assert table.markdown().splitlines()[2:] == [
        "| a | CCC ↑ |",
        "|---|---|",
        r"| +no\_q | -0.010 \[-0.020, 0.001\] |",
        r"| x\|y | – |",
    ]
