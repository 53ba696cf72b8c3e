"""What is made of a run's estimates: scores with intervals over people, comparisons, the check for leaks."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.evaluation.attention_motion import Correlation as Correlation
    from anclaf.evaluation.attention_motion import attended as attended
    from anclaf.evaluation.attention_motion import landmark_motion as landmark_motion
    from anclaf.evaluation.bootstrap import Comparison as Comparison
    from anclaf.evaluation.bootstrap import Sums as Sums
    from anclaf.evaluation.bootstrap import compare as compare
    from anclaf.evaluation.bootstrap import intervals as intervals
    from anclaf.evaluation.calibrate import calibrate_model as calibrate_model
    from anclaf.evaluation.scores import refuse_leak as refuse_leak
    from anclaf.evaluation.scores import run_scores as run_scores
    from anclaf.evaluation.window_length import Optimum as Optimum
    from anclaf.evaluation.window_length import optimum as optimum

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Correlation": "evaluation.attention_motion",
        "attended": "evaluation.attention_motion",
        "landmark_motion": "evaluation.attention_motion",
        "Comparison": "evaluation.bootstrap",
        "Sums": "evaluation.bootstrap",
        "compare": "evaluation.bootstrap",
        "intervals": "evaluation.bootstrap",
        "calibrate_model": "evaluation.calibrate",
        "refuse_leak": "evaluation.scores",
        "run_scores": "evaluation.scores",
        "Optimum": "evaluation.window_length",
        "optimum": "evaluation.window_length",
    },
)
