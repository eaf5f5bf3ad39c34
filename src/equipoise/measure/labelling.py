r"""Free text through a labelling model whose mistakes are measured and undone.

A labelling model reads a text and predicts a label; it confuses labels with probabilities
:math:`M_{kl} = P(\text{label } l \mid \text{truth } k)`, estimated on a calibration sample whose
truth is known. Counts of predicted labels follow :math:`\sum_k w_k M_{kl}`: a mixture whose laws
are the rows of `M`, estimated like any other, its calibration error included (theory R14;
"adjusted count" in the quantification literature, Forman 2008, here as a likelihood). What is
assumed: the model makes the same mistakes on the corpus as on the calibration sample ("prior
shift"); only how often each truth occurs may differ.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.measure.answer_laws import AnswerLaws, smoothed
from equipoise.measure.units import Units

__all__ = ["Calibration", "answer_through_labels", "calibrate", "read_labels"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Calibration:
    """How a labelling model confuses labels.

    Attributes
    ----------
    truths, labels : tuples of str
        True values and predicted labels.
    counts : (K, L) array
        Calibration texts by truth and prediction.
    """

    truths: tuple[str, ...]
    labels: tuple[str, ...]
    counts: FloatArray

    @property
    def laws(self) -> AnswerLaws:
        """Rows of the confusion matrix as laws of one question, "label"; smoothed."""
        n = self.counts.sum(axis=1)
        shares = (self.counts / n[:, None])[:, None, :]
        laws = smoothed(shares, n[:, None], [len(self.labels)], 1.0)
        return AnswerLaws(self.truths, ("label",), (self.labels,), laws)

    @property
    def sizes(self) -> FloatArray:
        """Texts behind each law, (K, 1): the calibration's part of the uncertainty."""
        return np.asarray(self.counts.sum(axis=1)[:, None] + 1.0)

    def units(self, predicted: Sequence[str]) -> Units:
        """Turn predictions on a corpus into units.

        Raises
        ------
        BadInput
            A predicted label that the calibration never saw.
        """
        place = {label: i for i, label in enumerate(self.labels)}
        strange = [label for label in predicted if label not in place]
        if strange:
            raise BadInput(
                f'label: "{strange[0]}" was predicted on the corpus but never in the calibration; '
                "add calibration texts with it"
            )
        codes = np.array([place[label] for label in predicted], dtype=np.int64)
        return Units(np.arange(codes.size), np.zeros(codes.size, np.int64), codes)


def calibrate(truth: Sequence[str], predicted: Sequence[str]) -> Calibration:
    """Estimate how a labelling model confuses labels.

    Parameters
    ----------
    truth, predicted : sequences of str
        One entry per calibration text.

    Returns
    -------
    Calibration. Use it as `estimate_mixture(c.laws, c.units(labels), sizes=c.sizes)`.

    Raises
    ------
    BadInput
        Different lengths, fewer than two truths, fewer than two texts of a truth.

    Examples
    --------
    >>> c = calibrate(["left"] * 10 + ["right"] * 10, ["left"] * 9 + ["right"] * 11)
    >>> c.counts
    array([[ 9.,  1.],
           [ 0., 10.]])
    """
    if len(truth) != len(predicted) or not len(truth):
        raise BadInput("calibration: give one true and one predicted label per text")
    truths, labels = tuple(sorted(set(truth))), tuple(sorted(set(truth) | set(predicted)))
    counts = np.zeros((len(truths), len(labels)))
    np.add.at(
        counts,
        ([truths.index(t) for t in truth], [labels.index(p) for p in predicted]),
        1.0,
    )
    if len(truths) < 2:
        raise BadInput("calibration: all texts have the same truth; add texts of another")
    if counts.sum(axis=1).min() < 2.0:
        few = truths[int(np.argmin(counts.sum(axis=1)))]
        raise BadInput(f'calibration: only one text is truly "{few}"; label two or more')
    return Calibration(truths, labels, counts)


def answer_through_labels(laws: AnswerLaws, confusion: FloatArray) -> AnswerLaws:
    r"""Give the laws of predicted labels where texts are answers, :math:`\sum_c p_{kqc} M_{cl}`.

    Parameters
    ----------
    laws : AnswerLaws
        How the groups answer; all questions have the same C options.
    confusion : (C, L) array
        Probability of each label given each true option, every entry positive.

    Returns
    -------
    AnswerLaws over the labels.

    Examples
    --------
    >>> laws = AnswerLaws(("a", "b"), ("q",), (("y", "n"),), [[[0.8, 0.2]], [[0.3, 0.7]]])
    >>> answer_through_labels(laws, np.array([[0.9, 0.1], [0.2, 0.8]])).shares[:, 0].round(3)
    array([[0.76, 0.24],
           [0.41, 0.59]])
    """
    m = np.asarray(confusion, dtype=np.float64)
    widths = {len(o) for o in laws.options}
    if m.ndim != 2 or widths != {len(m)}:
        raise BadInput(f"confusion: need one row per option, {sorted(widths)}, got {m.shape}")
    if not (m > 0.0).all() or np.abs(m.sum(axis=1) - 1.0).max() > 1e-9:
        raise BadInput("confusion: every row needs positive probabilities that sum to 1")
    labels = tuple(str(i) for i in range(m.shape[1]))
    if m.shape[1] == len(m):
        labels = laws.options[0]
    return AnswerLaws(laws.groups, laws.questions, (labels,) * len(laws.questions), laws.shares @ m)


def read_labels(path: str | Path, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Read the named columns of a JSONL or CSV file as texts, every one filled in.

    Parameters
    ----------
    path : str or Path
        E.g. a calibration with "id", "truth" and "label", or predictions with "id" and "label".
    columns : sequence of str
        What to read.

    Raises
    ------
    BadInput
        No such file, a column that is missing or empty in a line.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f'file: there is no file "{path}"; check the path')
    out = []
    try:
        for number, row in _lines(path):
            for column in columns:
                value = row.get(column)
                if value is None or isinstance(value, dict | list) or not str(value).strip():
                    raise BadInput(f'file: "{path.name}" line {number} has no "{column}"')
            out.append(tuple(str(row[c]).strip() for c in columns))
    except UnicodeDecodeError:
        raise BadInput(f'file: "{path.name}" is not UTF-8 text; save it as UTF-8') from None
    except (ValueError, RecursionError, csv.Error) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f'file: "{path.name}" is not JSONL or CSV; write one row per text') from None
    if not out:
        raise BadInput(f'file: "{path.name}" has no row; give one row per text')
    return out


def _lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        if path.suffix.lower() == ".csv":
            return list(enumerate(csv.DictReader(handle), start=2))
        rows = [(i, json.loads(line)) for i, line in enumerate(handle, 1) if line.strip()]
    if any(not isinstance(row, dict) for _, row in rows):
        raise ValueError("a line is not an object")
    return rows
