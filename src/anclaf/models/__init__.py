"""The networks of Eq. 1 to 8, what describes a model, and its folder."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.models.anclaf import Combiner as Combiner
    from anclaf.models.anclaf import Discriminator as Discriminator
    from anclaf.models.anclaf import Estimate as Estimate
    from anclaf.models.anclaf import Generator as Generator
    from anclaf.models.anclaf import Head as Head
    from anclaf.models.anclaf import LinearHead as LinearHead
    from anclaf.models.anclaf import LstmHead as LstmHead
    from anclaf.models.anclaf import condition as condition
    from anclaf.models.attention import AttentionHead as AttentionHead
    from anclaf.models.folder import load_spec as load_spec
    from anclaf.models.io import load_model as load_model
    from anclaf.models.io import save_model as save_model
    from anclaf.models.network import AffectNetwork as AffectNetwork
    from anclaf.models.network import Latents as Latents
    from anclaf.models.network import to_input as to_input
    from anclaf.models.spec import HEADS as HEADS
    from anclaf.models.spec import ModelSpec as ModelSpec
    from anclaf.models.spec import Variant as Variant

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "AffectNetwork": "models.network",
        "AttentionHead": "models.attention",
        "Combiner": "models.anclaf",
        "Discriminator": "models.anclaf",
        "Estimate": "models.anclaf",
        "Generator": "models.anclaf",
        "Head": "models.anclaf",
        "Latents": "models.network",
        "LinearHead": "models.anclaf",
        "LstmHead": "models.anclaf",
        "condition": "models.anclaf",
        "to_input": "models.network",
        "load_model": "models.io",
        "load_spec": "models.folder",
        "save_model": "models.io",
        "HEADS": "models.spec",
        "ModelSpec": "models.spec",
        "Variant": "models.spec",
    },
)
