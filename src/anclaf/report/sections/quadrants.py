"""What D's quadrants, Q, are worth on people whom the network has seen and on others."""

from collections.abc import Iterable, Mapping
from typing import Any

from anclaf.core.words import count, number, number_text
from anclaf.experiment.run_folder import RunFolder
from anclaf.report.markup import details, paragraph, plain_table
from anclaf.report.tables import PlainTable

SAID = (
    "Q is what D says of each face's quadrant of valence and arousal; C is given it beside Z. The prior is a constant "
    "for each fold: how often its training frames are in each quadrant. Where Q is no better than the prior, it tells "
    "nothing. Balanced accuracy is the mean over the quadrants of the share of their frames that is told. Of several "
    "seeds the mean of each score is given."
)
_PEOPLE = {
    "test": "test",
    "validation": "validation, who chose the checkpoint",
    "train": "training (some frames)",
}
_SCORES = {
    "accuracy": "accuracy ↑",
    "balanced_accuracy": "balanced accuracy ↑",
    "cross_entropy": "cross-entropy ↓",
}
_HEADS = [head for name in _SCORES.values() for head in (name, "of the prior")]


def parts(run: RunFolder) -> Iterable[str]:
    """Of a run that has Q; see `judged`."""
    scores = judged(run)
    yield paragraph(SAID)
    if "test" in scores:
        yield paragraph(_verdict(scores["test"]))
    whole = table(run)
    assert whole is not None
    yield plain_table(whole.heads, whole.rows, "Scores of Q")
    folds = [[_PEOPLE[part], str(one["fold"]), *_cells(one)] for part, of in scores.items() for one in of["folds"]]
    yield details("Fold by fold", plain_table(["people", "fold", "frames", *_HEADS], folds, "Scores of Q by fold"))


def table(run: RunFolder) -> PlainTable | None:
    """Scores of Q by people; None where there is no Q."""
    scores = judged(run)
    if not scores:
        return None
    rows = [[_PEOPLE[part], count(one["subjects"]), *_cells(one)] for part, one in scores.items()]
    caption = "Scores of Q, D's quadrants, that C is given; the prior is how often training frames are in each."
    return PlainTable(caption, ["people", "how many", "frames", *_HEADS], rows)


def judged(run: RunFolder) -> Mapping[str, Mapping[str, Any]]:
    """Part -> scores of Q; empty where the network has no Q of its own, or was made by an earlier version."""
    return run.metrics.get("quadrants") or {}


def _verdict(test: Mapping[str, Any]) -> str:
    said = (
        f"On people who were not seen in training Q's balanced accuracy is {_number(test, 'balanced_accuracy')} where "
        f"the prior's is {_number(test['prior'], 'balanced_accuracy')}, and its cross-entropy "
        f"{_number(test, 'cross_entropy')} where the prior's is {_number(test['prior'], 'cross_entropy')}"
    )
    better = number(test["cross_entropy"]) < number(test["prior"]["cross_entropy"])
    return f"{said}: Q tells {'more' if better else 'no more'} than the prior."


def _cells(scores: Mapping[str, Any]) -> list[str]:
    values = [_number(of, name) for name in _SCORES for of in (scores, scores["prior"])]
    return [count(scores["frames"]), *values]


def _number(scores: Mapping[str, Any], name: str) -> str:
    return number_text(number(scores[name]))
