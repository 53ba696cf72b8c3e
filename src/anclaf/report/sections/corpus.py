"""The corpus and the settings; what was not measured; responsible use."""

import json
import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from anclaf.comparators.registry import COMPARATORS, label_of
from anclaf.config import LENGTHS, CorpusKind
from anclaf.core.words import count, counted, fold_words, number, size_words
from anclaf.data.store import corpus_kind
from anclaf.experiment.run_folder import RunFolder
from anclaf.models.spec import HEADS, Variant
from anclaf.report.markup import bullets, details, paragraph
from anclaf.report.published import AFEW_VA, PAPER_TABLES, SEWA

PEOPLE_WORDS: dict[CorpusKind, str] = {
    "real": "real people",
    "synthetic": "rendered people (synthetic)",
    "drawn": "people drawn by this program",
    "unknown": "not stated whether real or rendered (`anclaf prepare … --kind real|synthetic`)",
}


def parts(run: RunFolder) -> Iterable[str]:
    versions = ", ".join(f"{k} {v}" for k, v in (run.settings.get("versions") or {}).items())
    seeds = f"{run.seed} (training), {run.fold_seed} (folds)"
    yield facts(run.card, run.name, ("Seed", seeds), ("Versions", versions))
    whole = json.dumps(run.settings, indent=1, ensure_ascii=False)
    yield details("The whole configuration (run.json)", f'<pre tabindex="0">{escape(whole)}</pre>')


def facts(card: Mapping[str, Any], name: str, *more: tuple[str, str]) -> str:
    """What is known of a corpus, and more that is to be said."""
    skipped = card.get("skipped") or {}
    found = [
        ("Name", name),
        ("Read as", card.get("source")),
        ("People", PEOPLE_WORDS[corpus_kind(card)]),
        ("Size", size_words(card)),
        ("Labels", f"{card['low']:g} to {card['high']:g}" if "low" in card and "high" in card else None),
        ("Frame rate", _frame_rate(card.get("fps"))),
        (
            "Faces",
            f"{card.get('image_size')} × {card.get('image_size')} pixels, crop {card.get('crop')}, detector "
            f"{card.get('detector')}",
        ),
        ("Left out", ", ".join(f"{reason}: {count(n)}" for reason, n in skipped.items()) or "nothing"),
        ("Notes", "; ".join(card.get("notes") or []) or "none"),
        ("Fingerprint", card.get("fingerprint")),
        *more,
    ]
    items = "".join(f"<dt>{escape(a)}</dt><dd>{escape(str(b))}</dd>" for a, b in found if b not in (None, ""))
    return f'<dl class="facts">{items}</dl>'


def _frame_rate(fps: Any) -> str | None:
    rate = number(fps)
    if not math.isfinite(rate):
        return None
    return f"{rate:g} frames a second" if rate else "stills"


def limits(run: RunFolder) -> Iterable[str]:
    """What was not measured."""
    yield bullets(not_measured(run))


def not_measured(run: RunFolder) -> Iterable[str]:
    """Of a run, sentences."""
    card = run.card
    kind, known = corpus_kind(card), PAPER_TABLES.get(str(card.get("source")))
    if kind in ("drawn", "synthetic"):
        made = "drawn by this program" if kind == "drawn" else "rendered"
        yield f"Real people: those of this corpus are {made}. Nothing here says how well the networks do on real video."
    if kind == "unknown":
        yield (
            "Whether the people of this corpus are real, so whether the paper's numbers can be compared with these: "
            "it has not been stated (`anclaf prepare … --kind`)."
        )
    elif kind != "real" or known is None:
        yield "AFEW-VA and SEWA, the paper's databases. So the paper's numbers cannot be compared with these."
    else:
        clips = card.get("clips")
        differs = (
            f" It has {counted(clips, 'clip')}, {known.database} has {known.clips}."
            if clips not in (None, known.clips)
            else ""
        )
        yield (
            f"Whether this corpus is {known.database} itself, and whole: it is laid out as {known.database} is and "
            f"stated to show real people. Its name, size and fingerprint are above the table.{differs}"
        )
        other = SEWA if known is AFEW_VA else AFEW_VA
        yield f"{other.database}, the paper's other database."
    yield "The authors' own networks: they published no weights, so nothing of theirs was run here."
    folds = run.metrics.get("folds") or []
    if len(folds) < 5:
        yield f"All five folds of the paper: tested here are {len(folds)} ({fold_words(folds)})."
    wanted = ["base", *(f"{kind}-{n}" for kind in ("S", "SA") for n in LENGTHS)]
    lacking = [name for name in wanted if name not in run.variants]
    if lacking:
        yield f"Variants of the paper that were not trained: {', '.join(lacking)}."
    yield from _without_controls(run)
    absent = [label_of(name) for name in COMPARATORS.names() if name not in run.metrics["comparators"]]
    if absent:
        yield f"Comparators that were not run (some need a corpus with landmarks): {', '.join(absent)}."
    yield "Other corpora than this one, other cameras, and differences between groups of people."


def _without_controls(run: RunFolder) -> Iterable[str]:
    """What each part of the method gives needs a control, which may not have been trained."""
    models = [v for v in map(Variant.recorded, run.variants) if v.kind in HEADS and not v.control]
    alone = [str(v) for v in models if v.further is not None and str(v.further) not in run.variants]
    if alone:
        yield (
            f"How much of what {', '.join(alone)} is ahead of the model that it started from is due to its further "
            "training: no control was trained as much further."
        )
    own = [v for v in models if v.kind != "base" and v.starts_from is None]
    later = [str(v) for v in own if v.n > min(other.n for other in own if other.kind == v.kind)]
    if lacking := [name for name in later if f"{name}-direct" not in run.variants]:
        yield (
            f"What the curriculum gives {', '.join(lacking)}: no from-base control with as many updates was trained "
            f"(`--variants …,{lacking[-1]}-direct`)."
        )


RESPONSIBLE_WORDS = (
    "The numbers say how well an estimate follows what annotators made of a face. They do not say what a person "
    "feels: valence and arousal as labelled here describe an expression as others see it, and no inner state can be "
    "read off it. People, cultures and situations differ in how a face goes with a feeling, and a corpus holds few of "
    "them.",
    "In the European Union, Article 5(1)(f) of the AI Act (Regulation (EU) 2024/1689) forbids systems that infer "
    "emotions of people at work and in education, save for medical or safety reasons. Do not use these models for "
    "decisions about people.",
)
RESPONSIBLE = tuple(map(paragraph, RESPONSIBLE_WORDS))
