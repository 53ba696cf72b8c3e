"""What a part of the method is worth: a recipe with that part taken out or changed, as in `small+no-quadrant`."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from anclaf.data.augmentation import AugmentationConfig

if TYPE_CHECKING:
    from anclaf.recipes.run import RunConfig

Ablation = Callable[["RunConfig"], "RunConfig"]


def _sizes(**changes: Any) -> Ablation:
    return lambda run: replace(run, sizes=replace(run.sizes, **changes))


def _stage1(**changes: Any) -> Ablation:
    return lambda run: replace(run, stage1=replace(run.stage1, **changes))


def _no_quadrant(run: "RunConfig") -> "RunConfig":
    return _stage1(quadrant=0.0)(_sizes(quadrant="none")(run))


def _no_class_weights(run: "RunConfig") -> "RunConfig":
    return replace(_stage1(class_limit=1.0)(run), stage2=replace(run.stage2, class_limit=1.0))


def _no_augmentation(run: "RunConfig") -> "RunConfig":
    none = _stage1(augmentation=AugmentationConfig.none())(run)
    return replace(none, stage2=replace(run.stage2, views=0))


ABLATIONS: dict[str, Ablation] = {
    "no-quadrant": _no_quadrant,
    "true-quadrant": _sizes(quadrant="true"),
    "false-quadrant": _sizes(quadrant="false"),
    "real-discriminator": _sizes(quadrant="image"),
    "wgan-gp": _stage1(adversary="wgan-gp"),
    "no-adversary": _stage1(adversary="none"),
    "hidden-only": _sizes(attention_cell=False),
    "divided-context": _sizes(attention_divide=True),
    "no-curriculum": lambda run: replace(run, curriculum=False),
    "no-class-weights": _no_class_weights,
    "location-score": _sizes(attention_score="location"),
    "no-landmarks": _stage1(landmarks=0.0),
    "no-change": _sizes(motion=False),
    "no-augmentation": _no_augmentation,
}
"""no-quadrant: D tells no quadrants and C sees zeros in their place. true-quadrant: C is told the quadrant of each
frame's label, in training and in test: what a perfect D would be worth. false-quadrant: C is told one of the three
others, drawn once for each frame: a control. Neither of the two can be used on video without labels.
real-discriminator: Q is what D says of the image instead of the reconstruction. wgan-gp: instead of the log loss.
no-adversary: D does not tell images from reconstructions; its quadrants and G's reconstruction stay. hidden-only:
attention sees h alone instead of [h; c]. divided-context: the context is divided by the number of states (Eq. 7 as
printed). no-curriculum: each S-n starts from the base model and trains `first_epochs`, so that long windows also get
fewer steps in all. no-class-weights: every frame weighs the same in L_afc. The last four take out what is ours:
location-score: previous states are scored without the present one (Eq. 6). no-landmarks: stage 1 without its
auxiliary task. no-change: the LSTM sees x alone. no-augmentation: faces as they are, in both stages."""
