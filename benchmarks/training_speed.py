"""How long a recipe's models take to train on this machine: seconds a step, frames a second, memory, utilisation.

    python benchmarks/training_speed.py CORPUS --recipe paper --device cuda --steps 200

Trains stage 1 for a few steps and some sequence models until their first validation, as `anclaf train` does,
validation and checkpoints included once, and says what all of the recipe's steps would take. Nothing is kept.
"""

import argparse
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from anclaf.config import RunConfig
from anclaf.data.folds import split
from anclaf.data.store import PreparedCorpus
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import Variant
from anclaf.recipes import make_run
from anclaf.training.latents import FreshLatents, LatentCache, write_latents
from anclaf.training.stage1 import train_base
from anclaf.training.stage2 import train_recurrent


class Utilisation:
    """Mean of what `nvidia-smi` says of the GPU while it is watched."""

    def __init__(self) -> None:
        self._seen: list[float] = []
        self._stop = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not self._stop.wait(0.5):
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            self._seen += [float(line) for line in answer.stdout.split()[:1]]

    def end(self) -> str:
        self._stop.set()
        return f"{sum(self._seen) / len(self._seen):.0f} %" if self._seen else "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--recipe", default="paper")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="32-true", choices=["32-true", "bf16-mixed"])
    parser.add_argument("--steps", type=int, default=200, help="of stage 1: so many are timed, and twice as many")
    parser.add_argument("--variants", nargs="+", default=["S-2", "S-8", "SA-32"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    corpus, config = PreparedCorpus.open(arguments.corpus), make_run(arguments.recipe)
    fabric = Fabric(accelerator=arguments.device, devices=1, precision=arguments.precision)
    fold, cuda = split(corpus, "strict", 0), fabric.device.type == "cuda"
    where = torch.cuda.get_device_name() if cuda else f"{fabric.device}, {arguments.threads} threads"
    print(f"{where}, {arguments.precision}; {arguments.recipe}; {corpus.folder}: {len(fold.train)} frames train")

    def timed(what: Callable[[Path], object]) -> float:
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            what(Path(folder))
            return time.perf_counter() - began

    def memory() -> str:
        return f", peak {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if cuda else ""

    def stage1(steps: int) -> float:
        return timed(lambda folder: train_base(fabric, corpus, fold, short(steps), folder))

    def short(steps: int) -> RunConfig:
        few = replace(config.stage1, steps=steps, evaluate_every=steps, checkpoint_every=steps)
        return replace(config, stage1=few)

    rows = fold.train, fold.validation
    stage1(1)  # kernels are chosen and caches filled
    watch = Utilisation() if cuda else None
    once, whole = stage1(arguments.steps), stage1(2 * arguments.steps)
    step, batch, steps = (whole - once) / arguments.steps, config.stage1.batch_size, config.stage1.steps
    print(
        f"stage 1: {1000 * step:.1f} ms a step, {batch / step:.0f} frames/s{memory()}; all steps {steps * step:.0f} s"
    )
    if watch:
        print(f"utilisation {watch.end()}")
    beside = once - arguments.steps * step
    print(f"validation and checkpoint {beside:.1f} s, {steps // config.stage1.evaluate_every} times")
    with tempfile.TemporaryDirectory() as kept:
        base = train_base(fabric, corpus, fold, short(1), Path(kept) / "base").network
        began = time.perf_counter()
        train, validation = (
            _cache(base, corpus, part, views, config, Path(kept) / name)
            for name, part, views in zip(
                ("train", "validation"), rows, (1 + config.stage2.augmented_views, 1), strict=True
            )
        )
        size = sum(file.stat().st_size for file in Path(kept).rglob("*.npy")) / 2**30
        print(f"latents: {time.perf_counter() - began:.1f} s, {size:.1f} GiB")
        steps = config.stage2.evaluate_every
        few = replace(config, stage2=replace(config.stage2, steps=steps))

        def sequence(parent: AffectNetwork, variant: Variant, folder: Path) -> AffectNetwork:
            return train_recurrent(
                fabric, corpus, train, validation, parent, variant, "sliding", few, folder, "benchmark"
            ).network

        for name in arguments.variants:
            variant, parent = Variant.parse(name), base
            if variant.kind == "SA":
                parent = sequence(base, Variant("S", variant.n), Path(kept) / name)
            seconds = timed(partial(sequence, parent, variant))
            most = config.stage2.steps / steps * seconds
            print(f"{name}: {seconds:.1f} s for {steps} steps and a validation{memory()}; at most {most:.0f} s")


def _cache(
    base: AffectNetwork, corpus: PreparedCorpus, rows: NDArray[np.int64], views: int, config: RunConfig, folder: Path
) -> LatentCache:
    """What `anclaf train` writes of these rows."""
    device, frozen = next(base.parameters()).device, config.stage2.combiner_lr_scale == 0
    source = FreshLatents(base, corpus, rows, views, config.stage1.augmentation, 0, device, features=frozen)
    for _ in write_latents(folder, source, "benchmark"):
        pass
    cache = LatentCache.open(folder, rows, "benchmark")
    assert cache is not None
    return cache


if __name__ == "__main__":
    main()
