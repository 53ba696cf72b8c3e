"""The page of an evaluation: models, and other tools, on a corpus that the models never saw."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from anclaf.core.errors import RunError
from anclaf.core.progress import Progress
from anclaf.core.words import count, counted, interval_text, number, number_text, percent_text, size_words
from anclaf.data.store import corpus_kind
from anclaf.experiment.evaluate import EvaluationFolder
from anclaf.metrics.regression import METRICS
from anclaf.report.markup import bullets, details, heading3, paragraph, results_markup, table_markup
from anclaf.report.page import Page
from anclaf.report.published import DIMENSIONS
from anclaf.report.sections import corpus
from anclaf.report.sections.results import all_pairs, comparison_words
from anclaf.report.tables import PlainTable, ResultsTable, heading, measured, with_best

_SHOWN = (("valence", "ccc"), ("arousal", "ccc"), ("valence", "rmse"), ("arousal", "rmse"))


def write_evaluation(folder: EvaluationFolder, out: Path | None, progress: Progress) -> Path:
    """Write index.html; table.md and .tex; groups.md and .tex where results are split. Returns the path of index.html.

    Raises:
        RunError: no metrics yet, or damaged ones.
        OutputError: `out` cannot be written.
    """
    metrics = folder.metrics
    try:
        card = metrics["corpus"]
        table, groups = results_table(metrics), list(group_tables(metrics))
        page = Page(
            f"{', '.join(metrics['entries'])} on {card['name']}",
            f"Tested on {counted(metrics['frames'], 'frame')} of {metrics['subjects']} people; corpus fingerprint "
            f"{card['fingerprint']}.",
        )
        page.add("tested", "What was tested", _tested(metrics))
        page.add("table", "Results", _results(metrics, table))
        page.add("pairs", "Comparisons", _comparisons(metrics))
        page.add("groups", "Groups", _groups(metrics, groups))
        page.add("corpus", "Corpus", [corpus.facts(card, card["name"])])
        page.add("limits", "What was not measured", _limits(metrics))
        page.add("use", "Responsible use", corpus.RESPONSIBLE)
    except (KeyError, TypeError) as error:
        raise RunError(f"{folder.path}: its results are incomplete ({error!r}); evaluate again") from error
    files = {"table.md": table.markdown(), "table.tex": table.latex()}
    if groups:
        files |= {"groups.md": "\n".join(one.markdown() for one in groups)}
        files |= {"groups.tex": "\n".join(one.latex() for one in groups)}
    return page.write(folder.report if out is None else Path(out), files, progress)


def results_table(metrics: Mapping[str, Any]) -> ResultsTable:
    """Every metric of every model and tool.

    Args:
        metrics: what an evaluation's `metrics.json` holds.
    """
    card, keys = metrics["corpus"], [(metric, dimension) for metric in METRICS for dimension in DIMENSIONS]
    rows = [
        measured("measured", name, _label(metrics, name), entry, keys) for name, entry in metrics["entries"].items()
    ]
    said = [
        f"Corpus {card['name']}, read as {card['source']}: {size_words(card)}; fingerprint {card['fingerprint']}.",
        f"Every row is of the same {counted(metrics['frames'], 'frame')} of {metrics['subjects']} people: those that "
        "all rows estimate. 95 % intervals over people in brackets. Bold: the best of each column.",
    ]
    made = {"drawn": "drawn by this program", "synthetic": "rendered"}.get(corpus_kind(card))
    said += [f"The people of this corpus are {made}, not filmed."] if made else []
    return ResultsTable(tuple(said), tuple(with_best(rows, keys)), tuple(METRICS), "evaluation")


def group_tables(metrics: Mapping[str, Any]) -> Iterable[PlainTable]:
    """For each column by which results are split a row of each group and each model or tool."""
    heads = ["", "", "frames", "people", *(f"{heading(m)} {d}" for d, m in _SHOWN)]
    for column, groups in metrics["splits"].items():
        rows = [
            [group, _label(metrics, name), count(part["frames"]), count(part["subjects"]), *_cells(entry)]
            for group, part in groups.items()
            for name, entry in part["entries"].items()
        ]
        yield PlainTable(f"By {column}, with 95 % intervals over people.", heads, rows)


def _cells(entry: Mapping[str, Any]) -> list[str]:
    found = []
    for dimension, metric in _SHOWN:
        low, high = (entry[dimension].get("ci95") or {}).get(metric) or (None, None)
        value = number_text(number(entry[dimension].get(metric)))
        found.append(f"{value} {interval_text(number(low), number(high))}".strip())
    return found


def _label(metrics: Mapping[str, Any], name: str) -> str:
    return f"{name} (predictions)" if name in metrics["tools"] else name


def _tested(metrics: Mapping[str, Any]) -> Iterable[str]:
    rows = [
        [name, ", ".join(one["corpora"]), count(one["people"]), f"{one['fps']:g}" if one["fps"] else "stills",
         str((one.get("training") or {}).get("recipe", "unknown")), one["folder"]]
        for name, one in metrics["models"].items()
    ]  # fmt: skip
    rows += [[f"{name} (predictions)", "", "", "", "", place] for name, place in metrics["tools"].items()]
    caption = "What was tested, and what each model learnt from: corpora by their readers' names, people by number."
    yield paragraph(caption)
    yield table_markup(PlainTable(caption, ["", "corpora", "people", "frames a second", "recipe", "from"], rows))
    if metrics["notes"]:
        yield bullets(metrics["notes"])


def _results(metrics: Mapping[str, Any], table: ResultsTable) -> Iterable[str]:
    yield results_markup(table)
    yield (
        '<p>The same as <a href="table.md">Markdown</a> and <a href="table.tex">LaTeX</a>; all numbers are in '
        "metrics.json. RMSE is in the corpus's own units.</p>"
    )
    entries = metrics["entries"]
    shares = [
        [_label(metrics, name), count(entry["coverage"]["frames"]), percent_text(entry["coverage"]["share"])]
        for name, entry in entries.items()
    ]
    words = f"Of how many of the {counted(metrics['rows'], 'frame')} each has an estimate"
    if any("all_frames" in entry for entry in entries.values()):
        yield paragraph(f"{words}; the scores above are of those that all of them have:")
        yield table_markup(PlainTable(words, ["", "frames", "share"], shares))
        numbers = [[_label(metrics, n), count(e["all_frames"]["frames"]), *_plain(e["all_frames"])]
                   for n, e in entries.items() if "all_frames" in e]  # fmt: skip
        heads = ["", "frames", *(f"{heading(m)} {d}" for d, m in _SHOWN)]
        yield details("Each on all frames that it estimates", table_markup(PlainTable("On all frames", heads, numbers)))
    clips = [[_label(metrics, name), *_plain(entry["per_clip"])] for name, entry in entries.items()]
    if metrics["corpus"]["fps"]:
        table_of_clips = PlainTable("Means over clips", ["", *(f"{heading(m)} {d}" for d, m in _SHOWN)], clips)
        yield details("Mean over clips instead of over frames", table_markup(table_of_clips))


def _plain(entry: Mapping[str, Any]) -> list[str]:
    return [number_text(number(entry[dimension].get(metric))) for dimension, metric in _SHOWN]


def _comparisons(metrics: Mapping[str, Any]) -> Iterable[str]:
    pairs = metrics["paired"]
    if not pairs:
        return
    yield paragraph(
        "Two are compared on the same frames, by a paired bootstrap over people. The difference is the first one's "
        "score less the second one's. The p-values are not corrected for multiple comparisons."
    )
    yield bullets(comparison_words(pair) for pair in pairs if pair["metric"] == "ccc" and pair["dimension"] != "mean")
    yield all_pairs(pairs)


def _groups(metrics: Mapping[str, Any], tables: Iterable[PlainTable]) -> Iterable[str]:
    tables, without = list(tables), metrics["not_split"]
    if tables:
        yield paragraph(
            "Results by what the corpus says of each frame. CCC and COR depend on how far labels vary, which differs "
            "from group to group; compare RMSE too. Numbers of many values are in four groups of about equally many "
            "frames. Groups of one person have no interval."
        )
        yield '<p>Also as <a href="groups.md">Markdown</a> and <a href="groups.tex">LaTeX</a>.</p>'
    for column, table in zip(metrics["splits"], tables, strict=True):
        yield heading3(column)
        yield table_markup(table)
    if without:
        yield paragraph(f"Columns by which nothing is split: {'; '.join(without)}.")


def _limits(metrics: Mapping[str, Any]) -> Iterable[str]:
    kind = corpus_kind(metrics["corpus"])
    said = [f"People: only the {metrics['subjects']} of this corpus, and only labels of its annotators."]
    if kind in ("drawn", "synthetic"):
        made = "drawn by this program" if kind == "drawn" else "rendered"
        said.append(f"Real people: those of this corpus are {made}.")
    elif kind == "unknown":
        said.append("Whether the people of this corpus are real has not been stated (`anclaf prepare … --kind`).")
    said.append("Finding faces: models are given the crops of the prepared corpus, and frames without a face are not "
                "in it.")  # fmt: skip
    if not metrics["splits"]:
        said.append("Differences between groups of people: the corpus has no column that divides it.")
    yield bullets(said)
