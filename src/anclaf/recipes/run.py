"""A run: its whole frozen configuration. A recipe is a function that returns one."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from anclaf.comparators.neural import ComparatorConfig
from anclaf.core.errors import ConfigError
from anclaf.models.spec import LENGTHS, Sizes
from anclaf.recipes.ablations import ABLATIONS
from anclaf.training.stage1_config import Stage1Config
from anclaf.training.stage2 import Stage2Config


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run's numbers, beside the corpus. Written whole into `run.json`.

    lengths: the curriculum's windows in frames. curriculum: each S-n starts from the one before; False: from base.
    """

    recipe: str
    sizes: Sizes
    stage1: Stage1Config
    stage2: Stage2Config
    comparators: ComparatorConfig = field(default_factory=ComparatorConfig)
    lengths: tuple[int, ...] = LENGTHS
    curriculum: bool = True
    bootstrap: int = 1000


RECIPES: dict[str, Callable[[int], RunConfig]] = {}
"""Recipe name -> function of the seed."""


def recipe(function: Callable[[int], RunConfig]) -> Callable[[int], RunConfig]:
    """Register a recipe under its function's name."""
    RECIPES[function.__name__] = function
    return function


def make_run(name: str, seed: int = 0) -> RunConfig:
    """The configuration of a recipe, or of one with ablations: `small`, `small+no-quadrant+wgan-gp`.

    Raises:
        ConfigError: no such recipe or ablation; the names are listed.
    """
    first, *ablations = name.split("+")
    if first not in RECIPES:
        raise ConfigError(f"recipe {first!r}: expected one of {', '.join(sorted(RECIPES))}")
    run = RECIPES[first](seed)
    for ablation in ablations:
        if ablation not in ABLATIONS:
            raise ConfigError(f"ablation {ablation!r}: expected one of {', '.join(ABLATIONS)}")
        run = ABLATIONS[ablation](run)
    return replace(run, recipe=name)


@recipe
def tiny(seed: int = 0) -> RunConfig:
    """The whole chain in seconds, to try a grid before it costs anything; the models are of no use. 64x64 faces.

    Command: `anclaf train CORPUS --out RUN --recipe tiny`.
    """
    stage1 = Stage1Config(steps=40, batch=32, interval=4, warmup=5, evaluate_every=20, checkpoint_every=20, seed=seed)
    return RunConfig(
        "tiny",
        Sizes(image_size=64, generator=4, discriminator=4, combiner=8, hidden=32),
        stage1,
        Stage2Config(first_epochs=1, epochs=1, views=1, warmup=2, seed=seed),
        ComparatorConfig(replace(stage1, landmarks=0.0), rank=4),
        bootstrap=200,
    )


@recipe
def demo(seed: int = 0) -> RunConfig:
    """The embedded corpus in minutes: 64x64 faces, narrow networks, S-2 to S-8 and SA-8.

    Command: `make demo`, 8 minutes on 2 cores with installation. On drawn people not seen in training: base CCC 0.49
    valence, 0.34 arousal; SA-8 0.52, 0.44 (docs/results.md).
    """
    return RunConfig(
        "demo",
        Sizes(image_size=64, generator=8, discriminator=8, combiner=32, hidden=128),
        Stage1Config(steps=1000, interval=6, evaluate_every=200, checkpoint_every=200, seed=seed),
        Stage2Config(first_epochs=20, epochs=15, views=3, seed=seed),
        ComparatorConfig(Stage1Config(steps=600, landmarks=0.0, evaluate_every=100, seed=seed)),
        lengths=(2, 4, 8),
    )


@recipe
def small(seed: int = 0) -> RunConfig:
    """64x64 faces for CPUs.

    Command: `anclaf train CORPUS --out RUN --recipe small --fold 0`, the corpus prepared with `--image-size 64`.
    On 2 cores, 10,500 frames and all variants: 25 minutes a fold on one of them. On rendered people not in training:
    base CCC 0.72 valence, 0.54 arousal; S-8 0.70, 0.62 (docs/results.md).
    """
    return RunConfig(
        "small",
        Sizes(image_size=64, generator=8, discriminator=16, combiner=64, hidden=256),
        Stage1Config(steps=2500, interval=4, seed=seed),
        Stage2Config(seed=seed),
        ComparatorConfig(Stage1Config(steps=1500, landmarks=0.0, seed=seed)),
    )


@recipe
def paper(seed: int = 0) -> RunConfig:
    """The paper's sizes at 128x128. Wants a GPU; not yet run on one (see docs/results.md).

    Command: `anclaf train CORPUS --out RUN --recipe paper --fold all`.
    """
    return RunConfig(
        "paper",
        Sizes(),
        Stage1Config(steps=20000, batch=64, evaluate_every=500, checkpoint_every=500, seed=seed),
        Stage2Config(first_epochs=15, epochs=8, frames=1024, views=5, seed=seed),
        ComparatorConfig(
            Stage1Config(steps=20000, batch=64, landmarks=0.0, evaluate_every=500, checkpoint_every=500, seed=seed)
        ),
    )
