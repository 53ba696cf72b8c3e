"""From video to valence and arousal of every person in it, frame by frame, and what is made of that."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.config import OutputOptions as OutputOptions
    from anclaf.config import StreamOptions as StreamOptions
    from anclaf.inference.baseline import Baseline as Baseline
    from anclaf.inference.estimator import AffectEstimator as AffectEstimator
    from anclaf.inference.overlay import OverlayVideo as OverlayVideo
    from anclaf.inference.plot import plot_source as plot_source
    from anclaf.inference.plot import source_figure as source_figure
    from anclaf.inference.prediction import SourceResult as SourceResult
    from anclaf.inference.prediction import predict_source as predict_source
    from anclaf.inference.source import Source as Source
    from anclaf.inference.source import expand as expand
    from anclaf.inference.source import open_source as open_source
    from anclaf.inference.stream import AffectStream as AffectStream
    from anclaf.inference.summary import summarize as summarize
    from anclaf.inference.table import FaceEstimate as FaceEstimate
    from anclaf.inference.table import make_table as make_table
    from anclaf.inference.table import read_table as read_table

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "OutputOptions": "config",
        "StreamOptions": "config",
        "Baseline": "inference.baseline",
        "AffectEstimator": "inference.estimator",
        "OverlayVideo": "inference.overlay",
        "plot_source": "inference.plot",
        "source_figure": "inference.plot",
        "SourceResult": "inference.prediction",
        "predict_source": "inference.prediction",
        "Source": "inference.source",
        "expand": "inference.source",
        "open_source": "inference.source",
        "AffectStream": "inference.stream",
        "summarize": "inference.summary",
        "FaceEstimate": "inference.table",
        "make_table": "inference.table",
        "read_table": "inference.table",
    },
)
