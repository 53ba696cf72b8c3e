"""`anclaf evaluate`: how good models are, and what other tools wrote, on a prepared corpus that they never saw."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from anclaf.cli.console import Threads, print_evaluation, progress_display, say
from anclaf.config import ScaleName
from anclaf.core.errors import ConfigError

_WHAT = (
    "Model folders, such as RUN/fold0/SA-8, and last a corpus that `anclaf prepare` made. With --predictions the "
    "corpus alone will do."
)

_FILES = tyro.conf.arg(
    metavar="FILE...",
    help="What other tools wrote, to be scored on the same frames: CSV, Excel or Parquet with video or image, frame or "
    "time_s, valence, arousal, and person where a frame has several.",
    help_behavior_hint="(default: none)",
)
_SCALE = tyro.conf.arg(
    help="Range of those tools' values by name: unit 0..1, signed -1..1, afew-va -10..10, sam5, sam7, sam9 from 1, "
    "percent 0..100.",
    help_behavior_hint="(default: the corpus's)",
)


@dataclass(frozen=True)
class Evaluate:
    """Score models on a corpus that they never saw, beside what other tools say of it. A page, tables and
    metrics.json; the same command again goes on where a stopped one was."""

    models_and_corpus: Annotated[
        tuple[str, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="[MODEL...] CORPUS", help=_WHAT, help_behavior_hint="(required)"),
    ]
    out: Path
    """Folder to write: estimates, metrics.json and report/index.html."""
    predictions: Annotated[tuple[Path, ...], _FILES] = ()
    predictions_scale: Annotated[ScaleName | None, _SCALE] = None
    seen: Literal["refuse", "drop", "keep"] = "refuse"
    """Where a model learnt from people of the corpus: refuse; test on the others; or test on all, and say so."""
    device: str = "cpu"
    """cpu, cuda or mps."""
    threads: Threads = None
    """CPU threads."""

    def run(self) -> int:
        import torch

        from anclaf.corpora.labels import SCALES
        from anclaf.experiment.evaluate import evaluate_models
        from anclaf.report.run_report import write_report

        if not self.models_and_corpus:
            raise ConfigError("no corpus given; expected models and last a prepared corpus")
        if self.threads is not None:
            if self.threads < 1:
                raise ConfigError(f"--threads {self.threads}: expected 1 or more")
            torch.set_num_threads(self.threads)
        if self.predictions_scale is not None and not self.predictions:
            raise ConfigError("--predictions-scale has no effect without --predictions; leave it out")
        *models, corpus = self.models_and_corpus
        with progress_display() as progress:
            found = evaluate_models(
                models, Path(corpus), self.out, predictions=self.predictions,
                predictions_scale=None if self.predictions_scale is None else SCALES[self.predictions_scale],
                seen=self.seen, device=self.device, progress=progress,
            )  # fmt: skip
            page = write_report(self.out, progress=progress)
        print_evaluation(found)
        for note in found["notes"]:
            say(f"  note: {note}")
        say(str(page))
        return 0
