"""ANCLaF: valence and arousal of a face, frame by frame, from video (Aspandi et al., VISAPP 2021)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anclaf.inference.estimator import AffectEstimator

__all__ = ["AffectEstimator", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # late, so that `anclaf --version` and light parts need not wait for torch
    if name == "AffectEstimator":
        from anclaf.inference.estimator import AffectEstimator

        return AffectEstimator
    raise AttributeError(f"module 'anclaf' has no attribute {name!r}")
