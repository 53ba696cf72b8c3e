"""The card of a model that travels: what it is, by whom and how it was trained and tested, and what it is not for."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import anclaf
from anclaf.core.errors import RunError
from anclaf.core.words import counted, fold_words, interval_text, number, number_text, size_words
from anclaf.data.store import corpus_kind
from anclaf.experiment.run_folder import RunFolder
from anclaf.models.calibration import Calibration
from anclaf.models.shipped import ABOUT, is_shipped
from anclaf.models.spec import ModelSpec
from anclaf.report.sections.corpus import PEOPLE_WORDS, RESPONSIBLE_WORDS, not_measured
from anclaf.report.tables import heading, markdown_escape

_METRICS = ("ccc", "cor", "rmse")
_DIMENSIONS = ("valence", "arousal")
_ANYWHERE = (
    "Accuracy by age, sex, skin tone, glasses or culture, on other cameras than those of its corpus, and in other "
    "situations, unless a table above says so (`anclaf evaluate` measures it on a corpus of yours).",
    "An interval holds for people and pictures like those that it was calibrated on; `unfamiliar` says how far a face "
    "lies from them.",
)
_LICENCE = re.compile("[a-z0-9.-]+")


def card_text(folder: Path, spec: ModelSpec, calibration: Calibration | None, licence: str | None) -> str:
    """`README.md` of a model: Markdown, after the lines that the Hugging Face Hub reads. It names nobody, and no path.

    Args:
        folder: the model's, as training left it: beside its run's results they are read, else the card says why there
            are none. licence: of the weights, an SPDX identifier or words; None: that none is stated.
    """
    run = _run_of(folder, spec)
    title = f"{spec.variant}: valence and arousal of a face"
    sections: list[tuple[str, Iterable[str]]] = [
        ("What it is", _what(folder, spec, calibration)),
        ("Data", _data(spec, run)),
        ("Protocol", _protocol(spec)),
        ("Results", _results(spec, run)),
        (
            "What was not measured",
            (f"- {one}" for one in [*([] if isinstance(run, str) else not_measured(run)), *_ANYWHERE]),
        ),
        ("Responsible use", _paragraphs(RESPONSIBLE_WORDS)),
        ("Licence", _licence(licence)),
        ("Versions", _bullets(f"{name} {version}" for name, version in _versions(spec))),
    ]
    body = [f"# {markdown_escape(title)}", ""]
    for name, lines in sections:
        body += [f"## {name}", "", *lines, ""]
    return "\n".join([*_front_matter(licence), *body])


def _front_matter(licence: str | None) -> Iterator[str]:
    yield "---"
    yield "library_name: anclaf"
    if licence is not None and _LICENCE.fullmatch(licence.lower()):
        yield f"license: {licence.lower()}"
    elif licence is not None:
        yield from ("license: other", f"license_name: {json.dumps(licence)}")
    yield from ("tags:", *(f"- {tag}" for tag in ("valence", "arousal", "facial-expression", "video")))
    yield from ("---", "")


def _what(folder: Path, spec: ModelSpec, calibration: Calibration | None) -> Iterator[str]:
    model, n = spec.model, spec.parsed_variant.n
    sees = "one frame" if n == 1 else f"windows of {n} frames"
    rate = f" at {spec.fps:g} frames a second" if spec.fps and n > 1 else ""
    yield (
        f"{markdown_escape(spec.variant)} estimates how annotators would rate a face: valence and arousal from "
        f"{spec.low:g} to {spec.high:g}, frame by frame. It sees {sees}{rate}, of faces of {model.image_size} × "
        f"{model.image_size} pixels ({markdown_escape(spec.crop)} crop). It is used by the package `anclaf`:"
    )
    yield from (
        "",
        "```sh",
        "anclaf pull SOURCE model",
        "anclaf predict talk.mp4 --model model --out results",
        "```",
        "",
    )
    if is_shipped(folder):
        yield from (f"This is {markdown_escape(ABOUT)}, of anclaf.", "")
    if calibration is None:
        yield "It has no calibration: estimates come without intervals."
        return
    by = f"by {_people(calibration.people)} whom it did not train on"
    yield f"Estimates have intervals of {100 * calibration.level:g} %, {by}."


def _data(spec: ModelSpec, run: RunFolder | str) -> Iterator[str]:
    people = _people(len(spec.subjects))
    clips = spec.training.get("clips")
    facts = [("Read as", ", ".join(spec.corpora) or "not stated")]
    if not isinstance(run, str):
        facts += [
            ("Corpus", run.name), ("Whose faces", PEOPLE_WORDS[corpus_kind(run.card)]),
            ("The whole corpus", size_words(run.card)),
        ]  # fmt: skip
    facts += [("Trained and chosen by", people + (f", {counted(clips, 'clip')}" if isinstance(clips, int) else ""))]
    if begun := spec.training.get("init"):
        facts += [("Began from", f"{begun.get('variant')}, of {', '.join(begun.get('corpora') or [])}")]
    facts += [("Fingerprint of the prepared corpus", spec.fingerprints.get("corpus", "not stated"))]
    yield from _bullets(f"{name}: {value}" for name, value in facts)
    yield ""
    yield (
        "`model.json` has the people as the first 16 hex digits of the SHA-256 of their names, so that nobody is "
        "tested on whom the model knows; it has no names. Whoever has a name can see whether it is there."
    )


def _protocol(spec: ModelSpec) -> Iterator[str]:
    training = spec.training
    said = {
        "strict": "nobody in test is in training or chose a checkpoint",
        "official": "the database's own sets",
        "paper": "clips in blocks, not grouped by person, and the checkpoint chosen on the tested block, as the "
        "paper's authors did: people of the test were in training",
    }
    facts = [f"Protocol {spec.protocol}, fold {spec.fold}: {said.get(spec.protocol, 'see anclaf train --help')}"]
    if "recipe" in training:
        changed = ", ".join(f"{name} = {value}" for name, value in (training.get("overrides") or {}).items())
        facts += [f"Recipe {training['recipe']}" + (f", with {changed}" if changed else "")]
    if "steps" in training:
        facts += [f"{training['steps']} steps; the checkpoint of step {training.get('best_step', 'not stated')}"]
    yield from _bullets(facts)


def _results(spec: ModelSpec, run: RunFolder | str) -> Iterator[str]:
    if isinstance(run, str):
        yield f"Absent: {markdown_escape(run)}. How good it is has to be measured, by `anclaf evaluate`."
        return
    scores, folds = run.metrics, list(run.metrics.get("folds") or [])
    tested = {**scores["comparators"], **{spec.variant: scores["variants"][spec.variant]}}
    frames, people = (tested[spec.variant].get(unit) for unit in ("frames", "subjects"))
    size = "" if None in (frames, people) else f"{counted(frames, 'frame')} of {_people(people)}, "
    yield (
        f"{size}{fold_words(folds)}; in brackets the 95 % interval by bootstrap over people. Labels go from "
        f"{spec.low:g} to {spec.high:g}. The last row is this kind of model; the others are comparators on the same "
        "frames."
    )
    if len(folds) > 1:
        yield ""
        yield (
            f"Of {len(folds)} folds together, each person estimated by the model of the fold that tests them: this "
            f"model is that of fold {spec.fold} alone."
        )
    yield ""
    columns = [(dimension, metric) for dimension in _DIMENSIONS for metric in _METRICS]
    yield f"| | {' | '.join(f'{dimension} {heading(metric)}' for dimension, metric in columns)} |"
    yield "|---" * (1 + len(columns)) + "|"
    for name, entry in tested.items():
        label = run.label(name)
        yield f"| {' | '.join([markdown_escape(label), *(_score(entry, *column) for column in columns)])} |"


def _people(number: int) -> str:
    return counted(number, "person").replace("persons", "people")


def _score(entry: dict[str, Any], dimension: str, metric: str) -> str:
    found = entry.get(dimension) or {}
    low, high = (found.get("ci95") or {}).get(metric) or (None, None)
    return f"{number_text(number(found.get(metric)))} {interval_text(number(low), number(high))}".strip()


def _licence(licence: str | None) -> Iterator[str]:
    if licence is None:
        yield "None is stated: ask who gave you the model."
    else:
        yield f"The weights: {markdown_escape(licence)}."
    yield ""
    yield "The terms of the corpus that it learnt from may bind its users too."


def _versions(spec: ModelSpec) -> Iterator[tuple[str, str]]:
    """Of what trained it, and of what wrote this."""
    yield from spec.versions.items()
    yield "this card: anclaf", anclaf.__version__


def _run_of(folder: Path, spec: ModelSpec) -> RunFolder | str:
    """The scored run that a model lies in, or why there is none."""
    try:
        run = RunFolder.open(folder.resolve().parents[1])
    except (RunError, IndexError):
        return "the model does not lie in the folder of a run that has been scored"
    try:
        if run.metrics["corpus"].get("fingerprint") != spec.fingerprints.get("corpus"):
            return "the run that it lies in is of another corpus"
        if spec.variant not in run.metrics["variants"] or spec.fold not in (run.metrics.get("folds") or []):
            return "the run that it lies in has no scores of it"
        if run.unscored:
            return "the run that it lies in has estimates that are not scored yet"
    except RunError as error:
        return f"its run's results are damaged ({type(error).__name__})"
    return run


def _bullets(items: Iterable[str]) -> Iterator[str]:
    yield from (f"- {markdown_escape(item)}" for item in items)


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    yield "\n\n".join(map(markdown_escape, texts))
