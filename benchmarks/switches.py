"""What is each deviation from the paper worth? Each is taken back alone, and a model trained without it.

    python benchmarks/switches.py OUT CORPUS --fold 1

Deviations are numbered as in docs/method.md. Those of stage 1 are measured by the base model, after half of the
recipe's steps lest it take a day; those of stage 2 by S-8 (one by SA-8), which is trained to its end. What is printed
is CCC on the tested people, less that of `small` as it is after as many steps: of stage 1 the mean of its trainings, of
stage 2 the one of the same seed, which begins from the same base model. In brackets, 95 % intervals over people (and
seeds, in stage 2, where there are several); that trainings differ is not in those of one, so the first row says by how
much those of `small` do (standard deviation over seeds). The same command goes on where it stopped.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.cli import main as anclaf
from anclaf.core.errors import AnclafError
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.bootstrap import DIMENSIONS, Repeats, aligned, compare, draws
from anclaf.experiment.run_folder import RunFolder

AS_IT_IS = "small"
Differences = dict[str, tuple[float, float, float]]
"""Dimension -> difference in CCC, and its 95 % interval."""


@dataclass(frozen=True)
class Switch:
    """deviation: its number; 0 for all at once, at the sizes of `small`. ablations: after the recipe's name. flags: of
    `anclaf train`, without `--config.`. model: by which it is measured. crop: of the corpus."""

    deviation: int
    name: str
    ablations: str = ""
    flags: str = ""
    model: str = "base"
    crop: str = "five-point"
    recipe: str = AS_IT_IS


SWITCHES = [
    Switch(1, "count-weights", "+count-weights"),
    Switch(1, "weights-without-limit", flags="stage1.max-class-weight=0"),
    Switch(2, "minimax", flags="stage1.adversarial-loss=minimax"),
    Switch(3, "reconstruction-1", flags="stage1.reconstruction-weight=1"),
    Switch(7, "no-geometry", "+no-geometry"),
    Switch(8, "appearance-always", flags="stage1.appearance-dropout=0"),
    Switch(14, "D-not-normalised", flags="model.discriminator-norm=none"),
    Switch(15, "adversarial-quadrant", "+adversarial-quadrant"),
    Switch(16, "no-augmentation", "+no-augmentation"),
    Switch(17, "no-dropout", flags="stage1.dropout=0"),
    Switch(18, "plain-adam", flags="stage1.optimizer=adam stage1.lr=0.0001 stage1.adversarial-lr=0.0001 "
           "stage1.weight-decay=0 stage1.schedule=constant stage1.warmup-steps=0 stage1.clip-norm=0"),
    Switch(19, "D-and-G-every-step", flags="stage1.adversarial-interval=1"),
    Switch(20, "last-weights", flags="stage1.ema-decay=0"),
    Switch(23, "paper-crop", flags="crop=paper", crop="paper"),
    Switch(0, "as-written", flags="crop=five-point model.image-size=64 model.g-width=8 model.d-width=16 "
           "model.c-width=64 model.lstm.hidden-size=256 stage1.batch-size=48 stage1.evaluate-every=250",
           recipe="as-written"),
    Switch(5, "divided-context", "+divided-context", model="SA-8"),
    Switch(8, "appearance-always-in-S", flags="stage2.appearance-dropout=0", model="S-8"),
    Switch(9, "no-motion", "+no-motion", model="S-8"),
    Switch(10, "S-begins-anew", flags="model.lstm.no-residual", model="S-8"),
    Switch(11, "no-change", "+no-change", model="S-8"),
    Switch(12, "forget-bias-0", flags="model.lstm.forget-bias=0", model="S-8"),
    Switch(16, "one-view", flags="stage2.augmented-views=0", model="S-8"),
    Switch(17, "no-dropout-in-S", flags="stage2.dropout=0", model="S-8"),
    Switch(18, "plain-adam-in-S", flags="stage2.optimizer=adam stage2.lr=0.0001 stage2.weight-decay=0 "
           "stage2.warmup-steps=0 stage2.clip-norm=0", model="S-8"),
    Switch(20, "last-weights-in-S", flags="stage2.ema-decay=0", model="S-8"),
    Switch(21, "C-trained-in-S", flags="stage2.combiner-lr-scale=1", model="S-8"),
    Switch(22, "loss-of-all-frames", flags="stage2.loss-frames=all", model="S-8"),
]  # fmt: skip


def estimates(arguments: argparse.Namespace, switch: Switch, seed: int) -> pd.DataFrame:
    """What the model says of the tested people, trained so."""
    stage = 1 if switch.model == "base" else 2
    run = arguments.out / f"stage{stage}" / f"{switch.name}_{seed}"
    if not (run / "metrics.json").is_file():
        corpus = arguments.corpus if switch.crop == "five-point" else arguments.paper_crop
        if corpus is None:
            raise AnclafError(f"{switch.name}: needs --paper-crop, the corpus as `anclaf prepare --crop {switch.crop}`")
        flags = switch.flags.split() + ([f"stage1.steps={arguments.steps}"] if stage == 1 else [])
        words = [word for flag in flags for word in f"--config.{flag}".split("=")]
        command = ["train", str(corpus), "--out", str(run), "--recipe", f"{switch.recipe}{switch.ablations}", "--fold",
                   str(arguments.fold), "--seed", str(seed), "--variants", switch.model, "--comparators", "none",
                   "--threads", "1", "--device", "cpu", *words]  # fmt: skip
        if anclaf.main(command):
            raise SystemExit(f"failed: anclaf {' '.join(command)}")
    return RunFolder.open(run).predictions(arguments.fold, [switch.model])


def less_all(switched: list[pd.DataFrame], as_it_is: list[pd.DataFrame], middle: float) -> Differences:
    """The mean of the first trainings less that of the others, whatever their seeds. Intervals over people."""
    tables = aligned([*switched, *as_it_is])
    ours, theirs = (Repeats.of(part, "subject", middle) for part in (tables[: len(switched)], tables[len(switched) :]))
    found: Differences = {}
    for dimension in DIMENSIONS:

        def less(counts: NDArray | None, dimension: str = dimension) -> NDArray[np.float64]:
            return np.subtract(*(sums.scores(counts)[dimension]["ccc"].mean(0) for sums in (ours, theirs)))

        low, high = np.nanpercentile(less(draws(ours.groups)), [2.5, 97.5])
        found[dimension] = (float(less(None)), low, high)
    return found


def less_each(switched: list[pd.DataFrame], as_it_is: list[pd.DataFrame], middle: float) -> Differences:
    """Each training less the one of its seed. Intervals over people, and over seeds where there are several."""
    return {
        one.dimension: (one.difference, one.ci95[0], one.ci95[1])
        for one in compare(switched, as_it_is, middle)
        if one.metric == "ccc" and one.dimension in DIMENSIONS
    }


def spread(tables: list[pd.DataFrame], middle: float) -> str:
    """CCC of several trainings: mean, and standard deviation where there are several."""
    scores = Repeats.of(aligned(tables), "subject", middle).scores()
    of = [scores[dimension]["ccc"] for dimension in DIMENSIONS]
    return " | ".join(f"{one.mean():.3f}" + (f" ± {one.std(ddof=1):.3f}" if len(one) > 1 else "") for one in of)


def main() -> None:
    names = [switch.name for switch in SWITCHES]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--paper-crop", type=Path, help="the same corpus, prepared with --crop paper")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--steps", type=int, default=500, help="of stage 1, where that is what is measured")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the recipe as it is")
    parser.add_argument("--switched-seeds", type=int, nargs="+", default=[0], help="with each switch; some of --seeds")
    parser.add_argument("--switches", nargs="+", choices=names, default=names, metavar="NAME")
    arguments = parser.parse_args()
    middle = PreparedCorpus.open(arguments.corpus).card.scale.middle
    print("| deviation | taken back | model | valence | arousal | trainings |\n|---|---|---|---|---|---|", flush=True)
    for model in ("base", "S-8", "SA-8"):
        chosen = [one for one in SWITCHES if one.model == model and one.name in arguments.switches]
        if not chosen:
            continue
        whole = Switch(0, f"{AS_IT_IS}-{model}", model=model)
        as_it_is = {seed: estimates(arguments, whole, seed) for seed in arguments.seeds}
        print(f"| none | | {model} | {spread([*as_it_is.values()], middle)} | {len(as_it_is)} |", flush=True)
        for switch in chosen:
            switched = [estimates(arguments, switch, seed) for seed in arguments.switched_seeds]
            if model == "base":
                found = less_all(switched, [*as_it_is.values()], middle)
            else:
                found = less_each(switched, [as_it_is[seed] for seed in arguments.switched_seeds], middle)
            cells = " | ".join("{:+.3f} [{:+.3f}, {:+.3f}]".format(*found[dimension]) for dimension in DIMENSIONS)
            print(f"| {switch.deviation or 'all'} | {switch.name} | {model} | {cells} | {len(switched)} |", flush=True)


if __name__ == "__main__":
    main()
