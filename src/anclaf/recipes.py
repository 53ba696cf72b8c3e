"""Recipes: named functions that return a run's whole configuration; and ablations, which take a part of it out.

`small` is a recipe, `small+no-quadrant` the same with an ablation.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from anclaf.config import (
    AttentionConfig,
    AugmentationConfig,
    ComparatorConfig,
    LstmConfig,
    ModelConfig,
    RunConfig,
    Stage1Config,
    Stage2Config,
)
from anclaf.core.arguments import checked
from anclaf.core.errors import ConfigError

RECIPES: dict[str, Callable[[int], RunConfig]] = {}
"""Recipe name -> function of the seed."""

Ablation = Callable[[RunConfig], RunConfig]
ABLATIONS: dict[str, Ablation] = {}
"""Ablation name -> function of the recipe's configuration."""


@checked
def make_run(name: str, seed: int = 0, changes: Mapping[str, Any] | None = None) -> RunConfig:
    """The configuration of a recipe, or of one with ablations: `small`, `small+no-quadrant+wgan-gp`.

    Args:
        changes: single settings in place of the recipe's, by names such as `stage1.steps`; see `Settings.changed`.

    Raises:
        ConfigError: no such recipe or ablation (the names are listed) or setting; a value that is not allowed; or a
            change of what an ablation of this name is about.
    """
    first, *ablations = name.split("+")
    if first not in RECIPES:
        raise ConfigError(f"recipe {first!r}: expected one of {', '.join(sorted(RECIPES))}")
    config = RECIPES[first](seed)
    for ablation in ablations:
        if ablation not in ABLATIONS:
            raise ConfigError(f"ablation {ablation!r}: expected one of {', '.join(ABLATIONS)}")
        config = ABLATIONS[ablation](config)
    changed = config.changed(changes or {})
    if clash := sorted(changed.differences(config).keys() & config.differences(RECIPES[first](seed)).keys()):
        raise ConfigError(f"{clash[0]}: {name} sets it itself; leave this setting out, or choose another recipe")
    return changed


def recipe(function: Callable[[int], RunConfig]) -> Callable[[int], RunConfig]:
    """Register a recipe under its function's name, with hyphens."""
    RECIPES[function.__name__.replace("_", "-")] = function
    return function


ATTENTION = AttentionConfig(score="general", query="present", normalise_states=True, lead_in=True)
"""Attention that finds the one frame that matters (docs/method.md)."""


@recipe
def tiny(seed: int = 0) -> RunConfig:
    """The whole chain in seconds, to try a grid before it costs anything; the models are of no use. 64x64 faces.

    Command: `anclaf train CORPUS --out RUN --recipe tiny`.
    """
    stage1 = Stage1Config(
        steps=40, batch_size=32, adversarial_interval=4, warmup_steps=5, evaluate_every=20, checkpoint_every=20
    )
    return RunConfig(
        seed=seed,
        model=ModelConfig(
            image_size=64, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(hidden_size=32), attention=ATTENTION
        ),
        stage1=stage1,
        stage2=Stage2Config(
            steps=8, evaluate_every=4, windows_per_step=32, frames_per_step=128, augmented_views=1, warmup_steps=2
        ),
        comparators=ComparatorConfig(stage1, tucker_rank=4),
        bootstrap=200,
    )


@recipe
def demo(seed: int = 0) -> RunConfig:
    """The embedded corpus in minutes: 64x64 faces, narrow networks, S-2 to S-8 and SA-8.

    Command: `make demo`. Time and scores, on drawn people not in training: docs/results.md.
    """
    return RunConfig(
        seed=seed,
        lengths=(2, 4, 8),
        model=ModelConfig(
            image_size=64, g_width=8, d_width=8, c_width=32, lstm=LstmConfig(hidden_size=128), attention=ATTENTION
        ),
        stage1=Stage1Config(steps=1000, adversarial_interval=6, evaluate_every=200, checkpoint_every=200),
        stage2=Stage2Config(steps=400, patience=4, augmented_views=3),
        comparators=ComparatorConfig(Stage1Config(steps=600, evaluate_every=100)),
    )


@recipe
def small(seed: int = 0) -> RunConfig:
    """64x64 faces for CPUs.

    Command: `anclaf train CORPUS --out RUN --recipe small --fold 0`, the corpus prepared with `--image-size 64`.
    On 2 cores, 10,500 frames and the models up to S-8 and SA-8: 15 minutes a fold on one of them. Scores on rendered
    people not in training: docs/results.md.
    """
    return RunConfig(
        seed=seed,
        model=ModelConfig(
            image_size=64, g_width=8, d_width=16, c_width=64, lstm=LstmConfig(hidden_size=256), attention=ATTENTION
        ),
        stage1=Stage1Config(steps=1000, adversarial_interval=4),
        stage2=Stage2Config(augmented_views=2),
        comparators=ComparatorConfig(Stage1Config(steps=1500)),
    )


@recipe
def starter(seed: int = 0) -> RunConfig:
    """64x64 faces and networks small enough to come with a package; windows to 8. Rendered heads to learn from.

    Command: `anclaf train CORPUS --out RUN --recipe starter`, or all from rendering to the packed models by
    `python -m starter build` (docs/starter.md).
    """
    base = small(seed)
    return replace(
        base,
        lengths=(2, 4, 8),
        model=replace(base.model, d_width=8, c_width=32, lstm=LstmConfig(hidden_size=96)),
        stage1=replace(base.stage1, steps=2000),
    )


@recipe
def paper(seed: int = 0) -> RunConfig:
    """The paper's sizes at 128x128. Wants a GPU; not yet run on one (see docs/results.md).

    Command: `anclaf train CORPUS --out RUN --recipe paper --fold all`.
    """
    stage1 = Stage1Config(steps=20000, batch_size=64, evaluate_every=500, checkpoint_every=500)
    return RunConfig(
        seed=seed,
        model=ModelConfig(attention=ATTENTION),
        stage1=stage1,
        stage2=Stage2Config(steps=5000, evaluate_every=100, patience=10, frames_per_step=1024, warmup_steps=50),
        comparators=ComparatorConfig(stage1),
    )


@recipe
def as_written(seed: int = 0) -> RunConfig:
    """The paper and nothing more, at 128x128; where it says nothing, the authors' code. Wants a GPU.

    Command: `anclaf train CORPUS --out RUN --recipe as-written --protocol paper --fold all`, the corpus prepared with
    `--crop paper`; at 64x64 with `--config.model.image-size 64`. What `paper` and `small` do beyond it, with a switch
    for each: docs/method.md. The paper states no budget and the authors train until they stop it by hand; these are
    ours.
    """
    authors: dict[str, Any] = {
        "lr": 1e-4, "optimizer": "adam", "weight_decay": 0.0, "warmup_steps": 0,
        "clip_norm": 0.0, "dropout": 0.0, "ema_decay": 0.0, "max_class_weight": 0.0, "class_weighting": "count",
        "appearance_dropout": 0.0,
    }  # fmt: skip
    stage1 = Stage1Config(
        steps=10000, batch_size=300, schedule="constant", adversarial_loss="minimax", adversarial_lr=1e-4,
        reconstruction_weight=1.0, quadrant_lr=0.0, quadrant_landmarks=0.0, evaluate_every=250, checkpoint_every=250,
        augmentation=AugmentationConfig.none(), **authors,
    )  # fmt: skip
    return RunConfig(
        seed=seed,
        crop="paper",
        model=ModelConfig(
            discriminator_init="plain",
            discriminator_norm="none",
            geometry=False,
            crop_motion=False,
            lstm=LstmConfig(change_input=False, residual=False, forget_bias=0.0),
            attention=AttentionConfig(score="location", divide_context=True, pad_states=True),
        ),
        stage1=stage1,
        stage2=Stage2Config(
            steps=2000,
            evaluate_every=50,
            patience=10,
            loss_frames="all",
            frames_per_step=4000,
            augmented_views=0,
            combiner_lr_scale=1.0,
            attention_lr_scale=1.0,
            **authors,
        ),
        comparators=paper(seed).comparators,
    )


def ablation(name: str) -> Callable[[Ablation], Ablation]:
    """Register an ablation under this name."""

    def register(function: Ablation) -> Ablation:
        ABLATIONS[name] = function
        return function

    return register


def _model(config: RunConfig, **changes: Any) -> RunConfig:
    return replace(config, model=replace(config.model, **changes))


def _attention(config: RunConfig, **changes: Any) -> RunConfig:
    return _model(config, attention=replace(config.model.attention, **changes))


def _stage1(config: RunConfig, **changes: Any) -> RunConfig:
    return replace(config, stage1=replace(config.stage1, **changes))


def _class_weights(config: RunConfig, **changes: Any) -> RunConfig:
    """Of both stages."""
    return replace(_stage1(config, **changes), stage2=replace(config.stage2, **changes))


@ablation("no-quadrant")
def no_quadrant(config: RunConfig) -> RunConfig:
    """D estimates no quadrants and C sees zeros in their place."""
    return _stage1(_model(config, quadrant_source="none"), quadrant_weight=0.0)


@ablation("adversarial-quadrant")
def adversarial_quadrant(config: RunConfig) -> RunConfig:
    """D learns quadrants in its own phase alone, on images alone, as in the paper. Takes out a deviation of ours."""
    return _stage1(config, quadrant_lr=0.0, quadrant_landmarks=0.0)


@ablation("true-quadrant")
def true_quadrant(config: RunConfig) -> RunConfig:
    """C is given the quadrant of each frame's label, in training and in test: what a perfect D would be worth. Cannot
    be used on video without labels."""
    return _model(config, quadrant_source="true")


@ablation("false-quadrant")
def false_quadrant(config: RunConfig) -> RunConfig:
    """C is given one of the three other quadrants, drawn once for each frame: a control."""
    return _model(config, quadrant_source="false")


@ablation("real-discriminator")
def real_discriminator(config: RunConfig) -> RunConfig:
    """Q is what D says of the image instead of the reconstruction."""
    return _model(config, quadrant_source="image")


@ablation("wgan-gp")
def wgan_gp(config: RunConfig) -> RunConfig:
    """Wasserstein loss with gradient penalty instead of the log loss."""
    return _stage1(config, adversarial_loss="wgan-gp")


@ablation("no-adversary")
def no_adversary(config: RunConfig) -> RunConfig:
    """D does not tell images from reconstructions; its quadrants and G's reconstruction stay."""
    return _stage1(config, adversarial_loss="none")


@ablation("hidden-only")
def hidden_only(config: RunConfig) -> RunConfig:
    """Attention sees h alone instead of [h; c]."""
    return _attention(config, attend_cell=False)


@ablation("divided-context")
def divided_context(config: RunConfig) -> RunConfig:
    """The context is divided by the number of states (Eq. 7 as printed)."""
    return _attention(config, divide_context=True)


@ablation("no-curriculum")
def no_curriculum(config: RunConfig) -> RunConfig:
    """Each S-n starts from the base model, with the same budget."""
    return replace(config, curriculum=False)


@ablation("no-class-weights")
def no_class_weights(config: RunConfig) -> RunConfig:
    """Every frame weighs the same in L_afc."""
    return _class_weights(config, max_class_weight=1.0)


@ablation("count-weights")
def count_weights(config: RunConfig) -> RunConfig:
    """f_i of Eq. 10 is how often a class of labels occurs, as printed. Takes out a deviation of ours."""
    return _class_weights(config, class_weighting="count")


@ablation("place-only")
def place_only(config: RunConfig) -> RunConfig:
    """States are weighed by how far back they are, whatever they hold: a control. What SA-n is ahead of it is what
    attending to what was seen is worth."""
    return _attention(config, score="place")


@ablation("location-score")
def location_score(config: RunConfig) -> RunConfig:
    """Previous states are scored without the present one (Eq. 6). Takes out a deviation of ours."""
    return _attention(config, score="location")


@ablation("no-geometry")
def no_geometry(config: RunConfig) -> RunConfig:
    """x is C's features alone, without landmarks. Takes out a deviation of ours."""
    return _model(config, geometry=False)


@ablation("no-motion")
def no_motion(config: RunConfig) -> RunConfig:
    """Sequence models do not see how the crop moves. Takes out a deviation of ours."""
    return _model(config, crop_motion=False)


@ablation("no-change")
def no_change(config: RunConfig) -> RunConfig:
    """The LSTM sees x alone. Takes out a deviation of ours."""
    return _model(config, lstm=replace(config.model.lstm, change_input=False))


@ablation("no-augmentation")
def no_augmentation(config: RunConfig) -> RunConfig:
    """Faces as they are, in both stages. Takes out a deviation of ours."""
    none = _stage1(config, augmentation=AugmentationConfig.none())
    return replace(none, stage2=replace(config.stage2, augmented_views=0))
