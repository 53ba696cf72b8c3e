"""How much faster stage 2 trains from latents than from images (the paper, section 3.4: "up to 1 : 4").

    python benchmarks/latents_vs_images.py CORPUS --recipe small --variant S-8 --rounds 3

Both ways train the same recurrent model with the same windows, views and batches. From images, each batch is augmented
and sent through the frozen networks; from latents, it is read from the cache: Z and Q, or x where the recipe leaves C's
convolutions as they are. The two take turns; the median ratio is printed.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric

from anclaf.data.folds import split
from anclaf.data.store import PreparedCorpus
from anclaf.models.network import AffectNetwork
from anclaf.models.spec import Variant
from anclaf.recipes import make_run
from anclaf.training.latents import FreshLatents, LatentCache, LatentSource, write_latents
from anclaf.training.stage2 import train_recurrent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--recipe", default="small")
    parser.add_argument("--variant", default="S-8")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clips", type=int, default=60, help="training clips")
    parser.add_argument("--steps", type=int, default=10, help="in each round")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    corpus, config = PreparedCorpus.open(arguments.corpus), make_run(arguments.recipe)
    variant, fabric = Variant.parse(arguments.variant), Fabric(accelerator="cpu", devices=1)
    fold = split(corpus, "strict", 0)
    clips = sorted(set(corpus.clips[fold.train].tolist()))[: arguments.clips]
    train = fold.train[[clip in clips for clip in corpus.clips[fold.train]]]
    # validation is part of a round in both ways, and a small one here
    few = sorted(set(corpus.clips[fold.validation].tolist()))[:4]
    validation = fold.validation[[clip in few for clip in corpus.clips[fold.validation]]]
    base = AffectNetwork(config.model, Variant("base"), corpus.crop_landmarks.shape[1]).eval()
    frozen = config.stage2.combiner_lr_scale == 0
    augmentation, views = config.stage1.augmentation, 1 + config.stage2.augmented_views
    once_each = replace(config, stage2=replace(config.stage2, steps=arguments.steps, evaluate_every=arguments.steps))

    def fresh(rows, count):
        return FreshLatents(base, corpus, rows, count, augmentation, 0, "cpu", features=frozen)

    def timed(sources: tuple[LatentSource, LatentSource]) -> float:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            train_recurrent(fabric, corpus, *sources, base, variant, "sliding", once_each, Path(folder), "benchmark")
            return time.perf_counter() - began

    with tempfile.TemporaryDirectory() as folder:
        caches = []
        began = time.perf_counter()
        for name, rows, count in (("train", train, views), ("validation", validation, 1)):
            for _ in write_latents(Path(folder) / name, fresh(rows, count), "benchmark"):
                pass
            cache = LatentCache.open(Path(folder) / name, rows, "benchmark")
            assert cache is not None
            caches.append(cache)
        once = time.perf_counter() - began
        ways = {"latents": (caches[0], caches[1]), "images": (fresh(train, views), fresh(validation, 1))}
        times: dict[str, list[float]] = {name: [] for name in ways}
        for round_number in range(arguments.rounds + 1):
            for name, sources in ways.items():
                took = timed(sources)
                if round_number > 0:  # the first warms up
                    times[name].append(took)
    ratios = [image / latent for image, latent in zip(times["images"], times["latents"], strict=True)]
    print(f"{variant}, recipe {arguments.recipe}, {len(train)} frames, {arguments.threads} threads")
    print(f"writing the cache of {'x' if frozen else 'Z and Q'} once, {views} views: {once:.1f} s")
    for name, values in times.items():
        each = [round(value, 2) for value in values]
        print(f"{arguments.steps} steps from {name}: median {statistics.median(values):.2f} s of {each}")
    print(f"images / latents: median {statistics.median(ratios):.2f} of {[round(r, 2) for r in ratios]}")


if __name__ == "__main__":
    main()
