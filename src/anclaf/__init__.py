"""ANCLaF: valence and arousal of a face, frame by frame, from video (Aspandi et al., VISAPP 2021)."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.inference.estimator import AffectEstimator as AffectEstimator

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = attach(__name__, {"AffectEstimator": "inference.estimator"})
