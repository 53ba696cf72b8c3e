"""`anclaf train`: train, test and score models of a prepared corpus."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from anclaf.cli.console import Threads, print_scores, progress_display, say
from anclaf.cli.overrides import VARIANTS_TEXT, ConfigOverrides, comparators_text, recipes_text
from anclaf.config import Precision, Protocol
from anclaf.core.errors import ConfigError
from anclaf.recipes import make_run

if TYPE_CHECKING:
    from anclaf.experiment.init import Init

_PROTOCOLS = {
    "strict": "recipe {recipe}, protocol strict: nobody in test is in training. What the paper's authors did (clips in "
    "blocks, the checkpoint chosen on the tested block) is --protocol paper, in another --out",
    "paper": "recipe {recipe}, protocol paper, as the paper's authors did: clips in blocks, the checkpoint chosen on "
    "the tested block. With --protocol strict, in another --out, nobody in test is in training",
    "official": "recipe {recipe}, protocol official: trained and tested on the database's own sets. Folds of people "
    "are --protocol strict, in another --out",
}
"""What is said at the start of a training, by protocol: which it is, and that there is another."""

_INIT = tyro.conf.arg(
    metavar="MODEL",
    help="Begin from a trained model, such as RUN/fold0/base, whose networks are those of this run; nobody whom it "
    "learnt from may be in test.",
    help_behavior_hint="(default: random weights)",
)


@dataclass(frozen=True)
class Train:
    """Train and test on unseen people. The same command again goes on where a stopped one was."""

    corpus: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CORPUS")]
    """A prepared corpus."""
    out: Path
    """Folder of the run."""
    recipe: Annotated[str, tyro.conf.arg(metavar="RECIPE", help=recipes_text())] = "small"
    protocol: Protocol = "strict"
    """strict: nobody in test is in training. paper: what its authors did. official: the database's own sets."""
    fold: Annotated[str, tyro.conf.arg(metavar="{N,all}")] = "0"
    """Number of the fold whose people are tested, from 0; or all, one after the other."""
    folds: Annotated[int | None, tyro.conf.arg(help_behavior_hint="(default: 5, or the corpus's own)")] = None
    """How many folds the people are divided into."""
    variants: Annotated[str, tyro.conf.arg(metavar="NAMES", help=VARIANTS_TEXT)] = "all"
    comparators: Annotated[str, tyro.conf.arg(metavar="NAMES", help=comparators_text())] = "quick"
    seed: int = 0
    """Decides the training: the first weights, the order, and every random change. Folds are --config.fold-seed's."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    devices: int = 1
    """Processes or GPUs of one model, data-parallel."""
    precision: Precision = "32-true"
    """bf16-mixed is faster on GPUs that have it."""
    threads: Threads = None
    """CPU threads."""
    init: Annotated[str | None, _INIT] = None
    init_lr_scale: Annotated[float | None, tyro.conf.arg(help_behavior_hint="(default: 0.3)")] = None
    """With --init: learning rates of what begins from the model, as a part of the recipe's."""
    keep_latents: bool = False
    """Leave the latents that stage 2 reads on disk."""
    config: ConfigOverrides = field(default_factory=ConfigOverrides)

    def run(self) -> int:
        import torch

        from anclaf.comparators.registry import parse_comparators
        from anclaf.experiment.engine import open_fabric, run_jobs, train_run
        from anclaf.experiment.job import RunSpec
        from anclaf.experiment.room import room_words
        from anclaf.training.curriculum import parse_variants

        if self.fold != "all" and not self.fold.isdigit():
            raise ConfigError(f"--fold {self.fold}: expected a number from 0, or all")
        if self.threads is not None:
            if self.threads < 1:
                raise ConfigError(f"--threads {self.threads}: expected 1 or more")
            torch.set_num_threads(self.threads)
        config = make_run(self.recipe, self.seed, self.config.stated())
        overrides = config.differences(make_run(self.recipe, self.seed))
        run = RunSpec(
            "", self.corpus, self.out, config, self.protocol, self.folds, self.keep_latents, self.recipe, overrides,
            self._init(),
        )  # fmt: skip
        variants, comparators = parse_variants(self.variants, config.lengths), parse_comparators(self.comparators)
        fold = None if self.fold == "all" else int(self.fold)
        fabric = open_fabric(self.device, self.devices, self.precision)
        fabric.launch()
        jobs = run_jobs(run, fold, variants, comparators)
        if fabric.is_global_zero:
            say(_PROTOCOLS[self.protocol].format(recipe=self.recipe))
            if run.init is not None:
                say(
                    "begins from {variant} in {model}, which learnt from {people} people; learning rates × {lr_scale:g}"
                    .format(**run.init.located())
                )  # fmt: skip
            if words := room_words(jobs):
                say(words)
        with progress_display(quiet=not fabric.is_global_zero) as progress:
            scores = train_run(
                fabric, run, fold=fold, variants=variants, comparators=comparators, progress=progress
            )  # fmt: skip
        if fabric.is_global_zero:
            print_scores(scores)
            say(f"models, predictions and metrics.json are in {self.out}; `anclaf report {self.out}` draws them")
        return 0

    def _init(self) -> "Init | None":
        from anclaf.experiment.init import LR_SCALE, Init

        if self.init is not None:
            return Init(self.init, LR_SCALE if self.init_lr_scale is None else self.init_lr_scale)
        if self.init_lr_scale is not None:
            raise ConfigError("--init-lr-scale has no effect without --init; leave it out")
        return None
