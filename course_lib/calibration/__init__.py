"""Calibration : mesurer, corriger et juger des probabilités annoncées ; prédire des ensembles.

``measures`` mesure l'écart entre probabilités et fréquences, ``recalibration`` le corrige,
``simulation`` connaît la vraie réponse et juge les mesures, ``prediction_sets`` rend des ensembles.
"""

from course_lib.calibration.measures import (
    BrierTerms,
    ReliabilityBins,
    bootstrap_bands,
    brier_decomposition,
    brier_score,
    expected_calibration_error,
    maximum_calibration_error,
    negative_log_likelihood,
    reliability_bins,
    top_label,
)
from course_lib.calibration.prediction_sets import (
    conformal_threshold,
    coverage_interval,
    prediction_sets,
)
from course_lib.calibration.recalibration import (
    HistogramBinning,
    Isotonic,
    Platt,
    Temperature,
    VectorScaling,
)
from course_lib.calibration.simulation import KnownEta, TrueTerms

__all__ = [
    "BrierTerms",
    "HistogramBinning",
    "Isotonic",
    "KnownEta",
    "Platt",
    "ReliabilityBins",
    "Temperature",
    "TrueTerms",
    "VectorScaling",
    "bootstrap_bands",
    "brier_decomposition",
    "brier_score",
    "conformal_threshold",
    "coverage_interval",
    "expected_calibration_error",
    "maximum_calibration_error",
    "negative_log_likelihood",
    "prediction_sets",
    "reliability_bins",
    "top_label",
]
