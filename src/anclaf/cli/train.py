"""`anclaf train`: train, test and score models of a prepared corpus."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from anclaf.cli.console import print_scores, progress_display, say
from anclaf.config import RunConfig
from anclaf.core.errors import ConfigError
from anclaf.recipes import make_run


@dataclass(frozen=True)
class Train:
    """Train and test on unseen people. The same command again goes on where a stopped one was."""

    corpus: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CORPUS")]
    """A prepared corpus."""
    out: Path
    """Folder of the run."""
    recipe: str = "small"
    """demo, small (64x64, for CPUs) or paper (128x128, the paper's sizes)."""
    protocol: Literal["strict", "paper"] = "strict"
    """strict: people in test are never in training. paper: what the paper's authors did."""
    fold: str = "0"
    """A fold's number, from 0, or all."""
    folds: int | None = None
    """How many folds; 5, or as many as the corpus itself has."""
    variants: str = "all"
    """all, or names with commas between: base,S-8,SA-8. What they start from is trained too."""
    comparators: str = "quick"
    """quick (those that take seconds), all, none, or names with commas between; tested under the same folds."""
    seed: int = 0
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    devices: int = 1
    """Processes or GPUs of one model, data-parallel."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    threads: int | None = None
    """CPU threads of torch; as many as it likes if not stated."""
    keep_latents: bool = False
    """Leave the latents of stage 2 on disk."""
    config: RunConfig = field(default_factory=lambda: make_run("small"))
    """The recipe; every setting of it can be changed here."""

    def run(self) -> int:
        import torch
        from lightning_fabric import Fabric

        from anclaf.comparators.registry import parse_comparators
        from anclaf.experiment.engine import train_run
        from anclaf.experiment.job import RunSpec
        from anclaf.training.curriculum import parse_variants

        if self.fold != "all" and not self.fold.isdigit():
            raise ConfigError(f"--fold {self.fold}: expected a number from 0, or all")
        if self.threads is not None:
            if self.threads < 1:
                raise ConfigError(f"--threads {self.threads}: expected 1 or more")
            torch.set_num_threads(self.threads)
        run = RunSpec("", self.corpus, self.out, self.config, self.protocol, self.folds, self.keep_latents, self.recipe)
        variants, comparators = parse_variants(self.variants, self.config.lengths), parse_comparators(self.comparators)
        fabric = Fabric(accelerator=self.device, devices=self.devices, precision=self.precision)
        fabric.launch()
        with progress_display(quiet=not fabric.is_global_zero) as progress:
            scores = train_run(
                fabric, run, fold=None if self.fold == "all" else int(self.fold), variants=variants,
                comparators=comparators, progress=progress,
            )  # fmt: skip
        if fabric.is_global_zero:
            print_scores(scores)
            say(f"models, predictions and metrics.json are in {self.out}; `anclaf report {self.out}` draws them")
        return 0
