"""What was not measured, and responsible use."""

from collections.abc import Iterable

from anclaf.core.words import counted, fold_words
from anclaf.experiment.run_folder import Run
from anclaf.models.spec import LENGTHS
from anclaf.report.markup import bullets
from anclaf.report.published import AFEW_VA, PAPER_TABLES, SEWA, rendered
from anclaf.report.tables import BASELINE_LABELS


def parts(run: Run) -> Iterable[str]:
    yield bullets(_not_measured(run))


def _not_measured(run: Run) -> Iterable[str]:
    card = run.card
    known = PAPER_TABLES.get(str(card.get("source")))
    if rendered(card):
        yield "Real people: the corpus is a drawn one. Nothing here says how well the networks do before a camera."
    if rendered(card) or known is None:
        yield (
            "AFEW-VA and SEWA, the paper's databases. So the paper's published numbers are not shown: they cannot be "
            "compared with these."
        )
    else:
        clips = card.get("clips")
        differs = (
            f" It has {counted(clips, 'clip')}, {known.database} has {known.clips}."
            if clips not in (None, known.clips)
            else ""
        )
        yield (
            f"Whether this corpus is {known.database} itself: it is laid out as {known.database} is, and a drawn "
            "corpus can be too. "
            f"Its name, size and fingerprint are above the table.{differs}"
        )
        other = SEWA if known is AFEW_VA else AFEW_VA
        yield f"{other.database}, the paper's other database."
    yield "The authors' own networks: they published no weights, so that nothing of theirs was run here."
    folds = run.metrics.get("folds") or []
    if len(folds) < 5:
        yield f"All five folds of the paper: tested here are {len(folds)} ({fold_words(folds)})."
    wanted = ["base", *(f"{kind}-{n}" for kind in ("S", "SA") for n in LENGTHS)]
    lacking = [name for name in wanted if name not in run.variants]
    if lacking:
        yield f"Variants of the paper that were not trained: {', '.join(lacking)}."
    absent = [label for name, label in BASELINE_LABELS.items() if name not in (run.metrics.get("baselines") or {})]
    if absent:
        yield f"Baselines that are missing, as they are where a corpus has no landmarks: {', '.join(absent)}."
    yield "Other corpora than this one, other cameras, and differences between groups of people."


RESPONSIBLE = (
    "<p>The numbers say how well an estimate follows what annotators made of a face. They do not say what a person "
    "feels: valence and "
    "arousal as labelled here describe an expression as others see it, and no inner state can be read off it. People, "
    "cultures and "
    "situations differ in how a face goes with a feeling, and a corpus holds few of them.</p>",
    "<p>In the European Union, Article 5(1)(f) of the AI Act (Regulation (EU) 2024/1689) forbids systems that infer "
    "emotions of people at "
    "work and in education, save for medical or safety reasons. Do not use these models for decisions about "
    "people.</p>",
)
