"""From answers to numbers: whose views stand behind a model's or a corpus's answers."""

from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.audit import Audit, audit_labels, audit_units
from equipoise.measure.distances import Distances
from equipoise.measure.identify import Identification
from equipoise.measure.information import Asked
from equipoise.measure.labelling import Calibration, calibrate
from equipoise.measure.law_joint import law_sizes
from equipoise.measure.law_noise import panel_law_draws
from equipoise.measure.mixture import MixtureEstimate, estimate_mixture
from equipoise.measure.power import Power
from equipoise.measure.scores import ScoreMixture, mixture_from_scores
from equipoise.measure.uniform_null import (
    UniformTest,
    uniform_counts_test,
    uniform_scores_test,
)
from equipoise.measure.units import Units, sheets

__all__ = [
    "AnswerLaws",
    "Asked",
    "Audit",
    "Calibration",
    "Distances",
    "Identification",
    "MixtureEstimate",
    "Power",
    "ScoreMixture",
    "UniformTest",
    "Units",
    "audit_labels",
    "audit_units",
    "calibrate",
    "estimate_mixture",
    "law_sizes",
    "mixture_from_scores",
    "panel_law_draws",
    "sheets",
    "uniform_counts_test",
    "uniform_scores_test",
]
