"""RMSE, COR, CCC, ICC and SAGR of estimates, and scores of quadrants, against labels; agreement of raters."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.metrics.classification import QuadrantScores as QuadrantScores
    from anclaf.metrics.regression import METRICS as METRICS
    from anclaf.metrics.regression import Moments as Moments
    from anclaf.metrics.regression import ccc_score as ccc_score
    from anclaf.metrics.regression import cor_score as cor_score
    from anclaf.metrics.regression import icc_score as icc_score
    from anclaf.metrics.regression import metrics as metrics
    from anclaf.metrics.regression import rmse_error as rmse_error
    from anclaf.metrics.regression import sagr_score as sagr_score
    from anclaf.metrics.reliability import Intraclass as Intraclass
    from anclaf.metrics.reliability import intraclass as intraclass

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "QuadrantScores": "metrics.classification",
        "Intraclass": "metrics.reliability",
        "intraclass": "metrics.reliability",
        "METRICS": "metrics.regression",
        "Moments": "metrics.regression",
        "ccc_score": "metrics.regression",
        "cor_score": "metrics.regression",
        "icc_score": "metrics.regression",
        "metrics": "metrics.regression",
        "rmse_error": "metrics.regression",
        "sagr_score": "metrics.regression",
    },
)
