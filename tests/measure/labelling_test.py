"""Free text through a labelling model. Witnesses: the inverse of the confusion matrix, quapy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.labelling import (
    Calibration,
    answer_through_labels,
    calibrate,
    read_labels,
)
from equipoise.measure.mixture import MixtureEstimate, estimate_mixture
from tests.measure.synthetic import coverage

NAMES = ("green", "red", "teal")
CONFUSION = np.array([[0.8, 0.15, 0.05], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])


def sampled(rng: np.random.Generator, truth: Any) -> list[str]:
    return [NAMES[rng.choice(3, p=CONFUSION[t])] for t in truth]


def made(
    rng: np.random.Generator, w: list[float], n: int, per: int
) -> tuple[Calibration, list[str]]:
    known = np.repeat(np.arange(3), per)
    calibration = calibrate([NAMES[t] for t in known], sampled(rng, known))
    return calibration, sampled(rng, rng.choice(3, size=n, p=w))


def corrected(calibration: Calibration, labels: list[str]) -> MixtureEstimate:
    return estimate_mixture(calibration.laws, calibration.units(labels), sizes=calibration.sizes)


def test_the_correction_is_the_inverse_of_the_confusion_matrix() -> None:
    """Where the adjusted count is itself a mixture it is the most likely one."""
    calibration, labels = made(np.random.default_rng(1), [0.5, 0.2, 0.3], 4000, 3000)
    raw = np.array([labels.count(n) for n in NAMES]) / len(labels)
    confusion = calibration.counts / calibration.counts.sum(axis=1, keepdims=True)
    adjusted = np.linalg.solve(confusion.T, raw)
    found = corrected(calibration, labels)
    np.testing.assert_allclose(found.weights, adjusted, atol=2e-3)
    assert np.abs(raw - [0.5, 0.2, 0.3]).max() > 0.04
    assert np.abs(found.weights - [0.5, 0.2, 0.3]).max() < 0.04


def test_intervals_contain_the_error_of_the_calibration() -> None:
    """100 calibration texts a class, 3,000 texts: most of the error is the calibration's."""
    w = [0.5, 0.2, 0.3]

    def make(rng: np.random.Generator) -> MixtureEstimate:
        return corrected(*made(rng, w, 3000, 100))

    def careless(rng: np.random.Generator) -> MixtureEstimate:
        calibration, labels = made(rng, w, 3000, 100)
        return estimate_mixture(calibration.laws, calibration.units(labels))

    assert min(coverage(make, w, 12, 1)["per_weight"]) >= 0.75  # type: ignore[arg-type]  # a list
    assert min(coverage(careless, w, 60, 1)["per_weight"]) < 0.8  # type: ignore[arg-type]  # too


@pytest.mark.soak
def test_coverage_through_labels(record_figure: Callable[[str, Any], None]) -> None:
    w = [0.5, 0.2, 0.3]

    def make(rng: np.random.Generator) -> MixtureEstimate:
        return corrected(*made(rng, w, 3000, 100))

    found = coverage(make, w, 200, 5)
    record_figure("measure.coverage.labels_100_calibration_texts_3000_texts", found)
    assert min(found["per_weight"]) >= 0.90, found  # type: ignore[arg-type]  # a list


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
def test_quapy_corrects_to_the_same_mixture() -> None:
    """quapy's adjusted classify and count, on the same labels."""
    quapy = pytest.importorskip("quapy.method.aggregative")
    calibration, labels = made(np.random.default_rng(6), [0.5, 0.2, 0.3], 5000, 2000)
    raw = np.array([labels.count(n) for n in NAMES]) / len(labels)
    confusion = calibration.counts / calibration.counts.sum(axis=1, keepdims=True)
    theirs = quapy.ACC.solve_adjustment(confusion.T, raw, "inversion", "minimize")
    np.testing.assert_allclose(corrected(calibration, labels).weights, theirs, atol=1e-3)


def test_answers_seen_through_labels() -> None:
    laws = AnswerLaws(("a", "b"), ("q",), (("y", "n"),), np.array([[[0.8, 0.2]], [[0.3, 0.7]]]))
    through = answer_through_labels(laws, np.array([[0.9, 0.1], [0.2, 0.8]]))
    assert through.options == (("y", "n"),)
    with pytest.raises(BadInput, match="one row per option"):
        answer_through_labels(laws, np.full((3, 3), 1 / 3))


def test_bad_calibrations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="same truth"):
        calibrate(["a", "a"], ["a", "b"])
    with pytest.raises(BadInput, match="only one text"):
        calibrate(["a", "a", "b"], ["a", "b", "b"])
    with pytest.raises(BadInput, match="never in the calibration"):
        calibrate(["a", "a", "b", "b"], ["a", "b", "b", "b"]).units(["c"])
    path = tmp_path / "known.csv"
    path.write_text("truth,label\na,\n")
    with pytest.raises(BadInput, match='line 2 has no "label"'):
        read_labels(path, ("truth", "label"))
    with pytest.raises(BadInput, match="no file"):
        read_labels(tmp_path / "none.csv", ("truth",))
    (tmp_path / "x.jsonl").write_text("[1]\n")
    with pytest.raises(BadInput, match="not JSONL or CSV"):
        read_labels(tmp_path / "x.jsonl", ("truth",))
