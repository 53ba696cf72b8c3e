"""Losses that can be used alone: L_afc with its class weights, the adversarial terms, and further terms by name."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.losses.adversarial import discriminator_loss as discriminator_loss
    from anclaf.losses.adversarial import generator_loss as generator_loss
    from anclaf.losses.adversarial import gradient_penalty as gradient_penalty
    from anclaf.losses.affect import AffectLoss as AffectLoss
    from anclaf.losses.affect import Agreement as Agreement
    from anclaf.losses.affect import affect_loss as affect_loss
    from anclaf.losses.affect import agreement as agreement
    from anclaf.losses.class_balance import ClassWeights as ClassWeights
    from anclaf.losses.class_balance import class_weights as class_weights
    from anclaf.losses.terms import TERMS as TERMS
    from anclaf.losses.terms import LossTerm as LossTerm
    from anclaf.losses.terms import TermInput as TermInput

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "discriminator_loss": "losses.adversarial",
        "generator_loss": "losses.adversarial",
        "gradient_penalty": "losses.adversarial",
        "AffectLoss": "losses.affect",
        "Agreement": "losses.affect",
        "affect_loss": "losses.affect",
        "agreement": "losses.affect",
        "ClassWeights": "losses.class_balance",
        "class_weights": "losses.class_balance",
        "LossTerm": "losses.terms",
        "TERMS": "losses.terms",
        "TermInput": "losses.terms",
    },
)
