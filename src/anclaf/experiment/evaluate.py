"""Models on a prepared corpus that they never saw, beside what other tools say of it; and the folder of such a test.

evaluation.json         what is evaluated, of which corpus
estimates/0-SA-8.parquet …  labels and estimates of each model and tool
metrics.json            every score
report/
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError, LeakError, ModelError, RunError, StaleError
from anclaf.core.files import atomic_path, fingerprint, versions, write_json
from anclaf.core.labels import LabelScale
from anclaf.core.progress import Progress, silent
from anclaf.core.words import counted
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.bootstrap import RESAMPLES
from anclaf.evaluation.estimate import estimate_rows, predictions_table, stride
from anclaf.evaluation.foreign import foreign_scores, untold
from anclaf.evaluation.other_tool import read_tool
from anclaf.models.folder import model_folder
from anclaf.models.io import load_model, model_fingerprint
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import ModelSpec

Seen = Literal["refuse", "drop", "keep"]
"""What is done where a model learnt from people of the corpus: refuse; test it on the others; or test it all the same,
which is said."""


@dataclass(frozen=True)
class EvaluationFolder:
    """A folder that `evaluate_models` writes."""

    path: Path

    @property
    def request_file(self) -> Path:
        return self.path / "evaluation.json"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.json"

    @property
    def report(self) -> Path:
        return self.path / "report"

    def estimates(self, number: int, name: str) -> Path:
        return self.path / "estimates" / f"{number}-{name.replace('/', '_')}.parquet"

    def claim(self, request: dict[str, Any]) -> None:
        """Write `evaluation.json`, or check that what is evaluated in this folder is the same.

        Raises:
            StaleError: it is not. ConfigError: the folder holds something else.
        """
        if self.request_file.is_file():
            try:
                there = json.loads(self.request_file.read_text(encoding="utf-8")).get("fingerprint")
            except ValueError as error:
                raise StaleError(f"{self.request_file}: damaged ({error}); use another --out") from error
            if there != request["fingerprint"]:
                raise StaleError(f"{self.path}: holds an evaluation of others, or on another corpus; use another --out")
            return
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ConfigError(f"{self.path}: exists and is no evaluation; choose an empty folder for --out")
        write_json(self.request_file, request)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """What `metrics.json` holds.

        Raises:
            RunError: it is not there, or damaged.
        """
        if not self.metrics_file.is_file():
            raise RunError(f"{self.path}: no metrics.json yet; the same `anclaf evaluate` command goes on")
        try:
            content = json.loads(self.metrics_file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RunError(f"{self.metrics_file}: damaged ({error}); delete it and evaluate again") from error
        if not isinstance(content, dict) or "entries" not in content:
            raise RunError(f"{self.metrics_file}: no scores in it; delete it and evaluate again")
        return content


class _Model(NamedTuple):
    name: str
    folder: Path
    network: AffectNetwork
    spec: ModelSpec
    identity: str


@checked
def evaluate_models(
    models: Sequence[Path | str],
    corpus: Path,
    out: Path,
    *,
    predictions: Sequence[Path] = (),
    predictions_scale: LabelScale | None = None,
    seen: Seen = "refuse",
    device: str = "cpu",
    resamples: int = RESAMPLES,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Score models on a prepared corpus that they never saw; the same call again goes on where a killed one stopped.

    Sequence models are tested as in training, with the window that ends at each frame, shorter where a clip begins. All
    scores are in the corpus's own units and of the same frames, those that every model and tool estimates.

    Args:
        models: folders, such as RUN/fold0/SA-8.
        corpus: a folder that `anclaf prepare` made.
        out: the folder to write, see `EvaluationFolder`.
        predictions: tables that other tools wrote (`evaluation.other_tool`).
        predictions_scale: range of those tools' values; default the corpus's.
        seen: see `Seen`; people are compared by name.
        device: `cpu`, `cuda`, `cuda:1`, …
        resamples: of people, for intervals.

    Returns:
        What `metrics.json` holds: `corpus` (its card), `models`, `tools`, `notes` (what must be known to read the
        scores), and what `evaluation.foreign.foreign_scores` gives.

    Raises:
        ConfigError: nothing to evaluate, or `out` holds something else. StaleError: it holds another evaluation.
        ModelError: a model cannot be read, or takes faces of another size or crop than the corpus has.
        CorpusError: the corpus or a table of predictions cannot be read, or no frame is estimated by all.
        LeakError: a model learnt from people of the corpus, and `seen` is `refuse`; or all people were seen.
    """
    if seen not in get_args(Seen):
        raise ConfigError(f"seen: got {seen!r}; expected one of {', '.join(get_args(Seen))}")
    if resamples < 10:
        raise ConfigError(f"resamples: got {resamples}; expected 10 or more")
    if not models and not predictions:
        raise ConfigError("nothing to evaluate: expected one or more models, or predictions of another tool")
    opened = PreparedCorpus.open(corpus)
    loaded = _load(models, opened, device)
    tools = _tool_names(predictions, [model.name for model in loaded])
    rows, notes = _unseen(loaded, opened, seen)
    notes += [words for model in loaded for words in _conditions(model, opened.card.fps)]
    for name, source in tools.items():
        notes.append(f"Whom the makers of {name} ({source.name}) learnt from is not known here.")
    read = {name: read_tool(source, opened, predictions_scale) for name, source in tools.items()}
    scale = None if predictions_scale is None else asdict(predictions_scale)
    request: dict[str, Any] = {
        "corpus": opened.card.fingerprint, "rows": fingerprint(rows.tolist()),
        "columns": fingerprint(opened.columns.to_csv(index=False)), "models": [model.identity for model in loaded],
        "tools": {name: fingerprint(one.affect.tolist()) for name, one in read.items()}, "seen": seen,
        "resamples": resamples, "predictions_scale": scale,
    }  # fmt: skip
    folder = EvaluationFolder(Path(out))
    folder.claim({"fingerprint": fingerprint(request), **request, "versions": versions()})
    tables = {
        model.name: _estimated(folder, number, model, opened, rows, device, progress)
        for number, model in enumerate(loaded)
    }
    for number, (name, one) in enumerate(read.items(), len(loaded)):
        tables[name] = predictions_table(opened, rows, name, one.affect[rows])
        _write(tables[name], folder.estimates(number, name))
        notes += [f"{name}: {note}." for note in one.notes]
        if (lacks := len(rows) - len(tables[name])) > 0:
            notes.append(f"{name} has no estimate of {counted(lacks, 'frame')} of {len(rows):,}; they are in no score.")
    scores = foreign_scores(tables, opened, rows, resamples, progress=progress)
    content = {
        "corpus": {"name": opened.folder.resolve().name, **asdict(opened.card)},
        "models": {m.name: _described(m) for m in loaded},
        "tools": {name: str(source) for name, source in tools.items()},
        "rows": len(rows), "notes": notes, "windows": "sliding", **scores,
    }  # fmt: skip
    write_json(folder.metrics_file, content)
    return content


def _load(models: Sequence[Path | str], corpus: PreparedCorpus, device: str) -> list[_Model]:
    folders = [model_folder(model) for model in models]
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise ConfigError("models: the same one twice; give each once")
    try:
        where = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"device {device!r}: expected cpu, cuda, cuda:1, …") from error
    loaded = [(folder, *load_model(folder, where)) for folder in folders]
    card = corpus.card
    for folder, network, spec in loaded:
        if network.config.image_size != card.image_size or spec.crop != card.crop:
            raise ModelError(
                f"{folder}: takes faces of {network.config.image_size} px with the {spec.crop} crop; {corpus.folder} "
                f"has {card.image_size} px, {card.crop}. Prepare it with --image-size {network.config.image_size} "
                f"--crop {spec.crop}"
            )
    names = _short_names([spec.variant for *_, spec in loaded], folders)
    return [
        _Model(name, folder, network, spec, model_fingerprint(network, spec))
        for name, (folder, network, spec) in zip(names, loaded, strict=True)
    ]


def _short_names(variants: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """Each variant's name; of those that are there several times, as much of the path's end as tells them apart."""
    parts = [_parts(folder.resolve(), variant) for folder, variant in zip(folders, variants, strict=True)]
    names = list(variants)
    for count in range(2, max(map(len, parts), default=0) + 1):
        again = {name for name in names if names.count(name) > 1}
        names = ["/".join(part[-count:]) if name in again else name for name, part in zip(names, parts, strict=True)]
    return names


def _parts(folder: Path, variant: str) -> tuple[str, ...]:
    """Of a model's path, the variant its last: the folder is mostly called so, but it may be called anything."""
    own = () if folder.name == variant else (folder.name,)
    return (*folder.parts[1:-1], *own, variant)


def _tool_names(predictions: Sequence[Path], taken: Sequence[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for source in map(Path, predictions):
        name = source.stem if source.stem not in {*found, *taken} else source.name
        if name in {*found, *taken}:
            raise ConfigError(f"predictions {source}: another is called {name} too; rename the file")
        found[name] = source
    return found


def _unseen(models: Sequence[_Model], corpus: PreparedCorpus, seen: Seen) -> tuple[NDArray[np.int64], list[str]]:
    """The rows that are tested, and what must be said of who was seen."""
    subjects = sorted(set(corpus.subjects.tolist()))
    known = {model.name: model.spec.known(subjects) for model in models}
    notes = [words for model in models if (words := untold(model.name, model.spec, corpus))]
    everybody = np.arange(len(corpus))
    if not any(known.values()):
        return everybody, notes
    name, people = next((name, people) for name, people in known.items() if people)
    some = ", ".join(people[:3]) + (f" and {len(people) - 3} more" if len(people) > 3 else "")
    if seen == "refuse":
        raise LeakError(
            f"{name} learnt from {len(people)} of the {len(subjects)} people of {corpus.folder} ({some}): its scores "
            "would be too good. Test it on the others (--seen drop), or, if they are other people of the same names, "
            "on all (--seen keep)"
        )
    if seen == "keep":
        notes += [
            f"{name} learnt from {len(people)} of the {len(subjects)} people, unless these are others of the same "
            "names: its scores are too good."
            for name, people in known.items()
            if people
        ]
        return everybody, notes
    gone = {person for people in known.values() for person in people}
    rows = everybody[~np.isin(corpus.subjects, sorted(gone))]
    if not len(rows):
        raise LeakError(f"{corpus.folder}: all {len(subjects)} people were learnt from; nobody is left to test on")
    notes.append(
        f"Left out: {counted(len(gone), 'person').replace('persons', 'people')} whom "
        f"{', '.join(name for name, people in known.items() if people)} learnt from."
    )
    return rows, notes


def _estimated(
    folder: EvaluationFolder,
    number: int,
    model: _Model,
    corpus: PreparedCorpus,
    rows: NDArray[np.int64],
    device: str,
    progress: Progress,
) -> pd.DataFrame:
    """A model's predictions, which an earlier call may have written."""
    path = folder.estimates(number, model.name)
    progress(0, 1, f"{model.name}, test")
    if path.is_file():
        table = pd.read_parquet(path)
    else:
        estimate = estimate_rows(model.network, corpus, rows, model.spec.fps, device)
        table = predictions_table(corpus, rows, model.name, corpus.card.scale.restore(estimate))
        _write(table, path)
    progress(1, 1, f"{model.name}, test")
    return table


def _write(table: pd.DataFrame, to: Path) -> None:
    with atomic_path(to) as path:
        table.to_parquet(path, index=False)


def _described(model: _Model) -> dict[str, Any]:
    spec = model.spec
    return {
        "folder": str(model.folder.resolve()), "fingerprint": model.identity, "variant": spec.variant,
        "corpora": list(spec.corpora), "people": len(spec.subjects), "fps": spec.fps, "low": spec.low,
        "high": spec.high, "training": spec.training,
    }  # fmt: skip


def _conditions(model: _Model, fps: float) -> Iterator[str]:
    """What a model is given here that it is not given in use, or was not in training."""
    if model.network.config.needs_labels:
        yield f"{model.name} is given the quadrant of each frame's label, which nobody has in use."
    if words := _rate_words(model.name, model.network.variant.n, model.spec.fps, fps):
        yield words


def _rate_words(name: str, n: int, model_fps: float, fps: float) -> str:
    """How a sequence model's windows lie on a corpus of another frame rate; nothing where it has the model's."""
    if n == 1 or not model_fps or abs(fps - model_fps) <= 0.02 * model_fps:
        return ""
    if not fps:
        return f"{name} sees windows of one frame, for this corpus holds stills; it was trained on {n}."
    apart = stride(fps, model_fps)
    spans = f"{1000 * (n - 1) * apart / fps:.0f} ms instead of {1000 * (n - 1) / model_fps:.0f} ms"
    how = f", one in {apart}" if apart > 1 else ""
    return f"{name} was trained at {model_fps:g} frames a second and sees {fps:g} here{how}: a window spans {spans}."
