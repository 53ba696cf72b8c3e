"""ANCLaF: valence and arousal of a face, frame by frame, from video (Aspandi et al., VISAPP 2021)."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.config import OutputOptions as OutputOptions
    from anclaf.config import RunConfig as RunConfig
    from anclaf.config import StreamOptions as StreamOptions
    from anclaf.core.errors import AnclafError as AnclafError
    from anclaf.data.prepare import prepare_corpus as prepare_corpus
    from anclaf.data.store import PreparedCorpus as PreparedCorpus
    from anclaf.evaluation.scores import run_scores as run_scores
    from anclaf.experiment.engine import train_run as train_run
    from anclaf.experiment.evaluate import evaluate_models as evaluate_models
    from anclaf.experiment.job import RunSpec as RunSpec
    from anclaf.inference.estimator import AffectEstimator as AffectEstimator
    from anclaf.inference.prediction import predict_source as predict_source
    from anclaf.inference.summary import summarize as summarize
    from anclaf.models.io import load_model as load_model
    from anclaf.models.io import save_model as save_model
    from anclaf.models.spec import ModelSpec as ModelSpec
    from anclaf.recipes import make_run as make_run
    from anclaf.report.run_report import write_report as write_report

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "OutputOptions": "config",
        "RunConfig": "config",
        "StreamOptions": "config",
        "AnclafError": "core.errors",
        "prepare_corpus": "data.prepare",
        "PreparedCorpus": "data.store",
        "run_scores": "evaluation.scores",
        "train_run": "experiment.engine",
        "evaluate_models": "experiment.evaluate",
        "RunSpec": "experiment.job",
        "AffectEstimator": "inference.estimator",
        "predict_source": "inference.prediction",
        "summarize": "inference.summary",
        "load_model": "models.io",
        "save_model": "models.io",
        "ModelSpec": "models.spec",
        "make_run": "recipes",
        "write_report": "report.run_report",
    },
)
