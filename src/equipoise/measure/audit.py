"""The audit of a corpus: whose views stand behind its answers, group by group (R14).

Four verdicts. *included*: the whole interval lies above the threshold. *excluded*: the whole
interval lies below it. *undecided*: the threshold is inside an interval that says something.
*cannot tell*: the group has the same law as another, is not identified by the unit, or its interval
is wider than half of all there is; then the number of units that would help is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, final

import numpy as np

from equipoise.display import Tabled
from equipoise.errors import BadInput
from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.corpus import Codes, Corpus, read_corpus
from equipoise.measure.identify import Z95, Identification, identify
from equipoise.measure.information import Asked
from equipoise.measure.labelling import calibrate, read_labels
from equipoise.measure.law_joint import law_sizes
from equipoise.measure.mixture import MixtureEstimate, estimate_mixture
from equipoise.measure.units import Units
from equipoise.panels.panel import Panel

__all__ = ["Audit", "Heard", "audit", "audit_labels", "audit_units"]

BELOW = 0.05
WIDEST = 0.5
STRANGE = 0.001
TARGET = 0.05


class Heard(Enum):
    """What can be said of one group; the value is the words shown to people."""

    included = "included"
    excluded = "excluded"
    undecided = "undecided"
    cannot_tell = "cannot tell"


@final
@dataclass(frozen=True, eq=False)
class Audit(Tabled):
    """Whose views stand behind answers.

    Attributes
    ----------
    estimate : MixtureEstimate
        The mixture with its intervals.
    identification : Identification
        Which groups so many units can tell apart.
    below : float
        The threshold of the verdicts.
    verdicts : tuple of Heard
        One per group.
    jointly : tuple of bool
        Whether the verdict also holds with intervals for all groups together.
    more : tuple of (int or None)
        How many more units a standard error of 0.05 needs; None where no number is enough.
    corpus : Corpus or None
        What was read, where a file was.
    """

    estimate: MixtureEstimate
    identification: Identification
    below: float
    verdicts: tuple[Heard, ...]
    jointly: tuple[bool, ...]
    more: tuple[int | None, ...]
    corpus: Corpus | None = None

    @property
    def can_tell(self) -> bool:
        """Whether anything is known of any group."""
        return any(v is not Heard.cannot_tell for v in self.verdicts)

    @property
    def notes(self) -> list[str]:
        """What a reader has to know beside the table, one sentence each."""
        found, seen = [], self.identification
        for names in seen.same:
            total = self.estimate.sums[names]
            found.append(
                f"{_listed(names)} answer alike and cannot be told apart; together "
                f"{total.value:.3f} [{total.low:.3f}, {total.high:.3f}]"
            )
        if seen.alike:
            pairs = "; ".join(_listed(p) for p in seen.alike[:6])
            rest = len(seen.alike) - 6
            more = f"; and {rest} more pairs" if rest > 0 else ""
            found.append(f"{seen.n} {seen.asked.words} are too few to tell apart {pairs}{more}")
        if seen.free and not seen.same:
            found.append(
                f"{seen.asked.words} cannot identify all groups: {seen.rank} of {len(seen.groups)} "
                "laws are independent"
            )
        limited = [
            g
            for k, g in enumerate(self.estimate.groups)
            if self.more[k] is None and math.isfinite(self.estimate.needed[k])
        ]
        if limited:
            found.append(
                "the panel has too few people, or groups too much alike, for a standard error of "
                "0.05, however many answers are read; merge groups to tell more"
            )
        fit = self.estimate.misfit
        if fit.p_value < STRANGE:
            found.append(
                f"no mixture of these groups answers like this (p = {fit.p_value:.1g}, worst on "
                f'"{fit.question}", mean distance {fit.distance:.3f} where chance gives '
                f"{fit.noise:.3f}); the weights say which mixture is nearest"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: the object of `equipoise audit --json`."""
        estimates = self.estimate.estimates
        groups = {
            g: {
                "verdict": verdict.value,
                "holds_for_all_together": jointly,
                "weight": estimates[g].value,
                "low": estimates[g].low,
                "high": estimates[g].high,
                "band": [float(self.estimate.band_low[k]), float(self.estimate.band_high[k])],
                "more_units": more,
            }
            for k, (g, verdict, jointly, more) in enumerate(
                zip(self.estimate.groups, self.verdicts, self.jointly, self.more, strict=True)
            )
        }
        corpus = self.corpus
        return {
            "groups": groups,
            "below": self.below,
            "unit": self.estimate.unit,
            "units": self.estimate.units,
            "answers": self.estimate.answers,
            "unparsed": self.estimate.unparsed,
            "unknown_answers": {} if corpus is None else corpus.unknown_answers,
            "unknown_questions": {} if corpus is None else corpus.unknown_questions,
            "estimate": self.estimate.to_dict(),
            "identification": self.identification.to_dict(),
            "notes": self.notes,
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per group: its weight with interval, band and verdict."""
        rows = self.estimate.to_rows()
        return [
            {**row, "verdict": verdict.value, "holds_for_all_together": jointly, "more_units": more}
            for row, verdict, jointly, more in zip(
                rows, self.verdicts, self.jointly, self.more, strict=True
            )
        ]

    def __repr__(self) -> str:
        words = [f"{g} {v.value}" for g, v in zip(self.estimate.groups, self.verdicts, strict=True)]
        return f"Audit({self.estimate.units:,} {self.estimate.unit}s: {', '.join(words)})"


def audit(
    file: str | Path,
    panel: Panel,
    *,
    id_column: str | None = None,
    below: float = BELOW,
    exact_laws: bool = False,
    codes: Codes | None = None,
) -> Audit:
    """Estimate the mixture of groups behind a file of survey answers.

    Parameters
    ----------
    file : str or Path
        JSONL or CSV, see `read_corpus`.
    panel : Panel
        How people answered.
    id_column : str, optional
        What makes one questionnaire; without it every answer is its own unit.
    below : float
        Threshold of the verdicts, in [0, 1). At 0 nothing can be shown to be excluded.
    exact_laws : bool
        Take the panel's shares as exact instead of as estimates.
    codes : mapping, optional
        Codes of options, see `read_corpus`.

    Returns
    -------
    Audit.

    Raises
    ------
    BadInput
        What `read_corpus` refuses; a threshold outside [0, 1).
    """
    _check_below(below)
    corpus = read_corpus(file, panel.answers, id_column=id_column, codes=codes)
    laws = AnswerLaws.from_table(panel.answers)
    sizes = None if exact_laws else law_sizes(panel)
    found = audit_units(laws, corpus.units, below=below, sizes=sizes)
    return Audit(
        found.estimate,
        found.identification,
        below,
        found.verdicts,
        found.jointly,
        found.more,
        corpus,
    )


def audit_labels(file: str | Path, calibration: str | Path, *, below: float = BELOW) -> Audit:
    """Estimate the mixture behind free text from predicted labels and a calibration sample.

    Parameters
    ----------
    file : str or Path
        JSONL or CSV with a "label" per text: what the labelling model predicts.
    calibration : str or Path
        JSONL or CSV with "truth" and "label" per text of known truth.
    below : float
        Threshold of the verdicts.

    Returns
    -------
    Audit over the truths of the calibration; its sampling error is in the intervals.

    Raises
    ------
    BadInput
        What `read_labels` and `calibrate` refuse.
    """
    _check_below(below)
    known = read_labels(calibration, ("truth", "label"))
    found = calibrate([t for t, _ in known], [label for _, label in known])
    units = found.units([label for (label,) in read_labels(file, ("label",))])
    return audit_units(found.laws, units, below=below, sizes=found.sizes)


def audit_units(
    laws: AnswerLaws,
    units: Units,
    *,
    below: float = BELOW,
    sizes: np.ndarray[Any, np.dtype[np.float64]] | None = None,
) -> Audit:
    """Audit answers that are already units; `sizes` as in `estimate_mixture`.

    Examples
    --------
    >>> laws = AnswerLaws(("a", "b"), ("q",), (("yes", "no"),), [[[0.9, 0.1]], [[0.1, 0.9]]])
    >>> units = Units(np.arange(400), np.zeros(400, int), (np.arange(400) % 8 == 0).astype(int))
    >>> [v.value for v in audit_units(laws, units).verdicts]
    ['included', 'undecided']
    """
    _check_below(below)
    estimate = estimate_mixture(laws, units, sizes=sizes)
    items = max(1, round(units.answers / len(units)))
    asked = Asked(min(items, len(laws.questions)))
    seen = identify(laws, asked, len(units))
    unknown = {g for names in seen.same for g in names}
    verdicts, jointly, more = [], [], []
    for k, g in enumerate(laws.groups):
        low, high = float(estimate.low[k]), float(estimate.high[k])
        known = g not in unknown and bool(seen.identified[k])
        verdicts.append(_verdict(low, high, below, known))
        band = _verdict(float(estimate.band_low[k]), float(estimate.band_high[k]), below, known)
        jointly.append(verdicts[-1] in (Heard.included, Heard.excluded) and band is verdicts[-1])
        more.append(_more(estimate, k) if known else None)
    return Audit(estimate, seen, below, tuple(verdicts), tuple(jointly), tuple(more))


def _verdict(low: float, high: float, below: float, known: bool) -> Heard:
    if low > below:
        return Heard.included
    if high < below:
        return Heard.excluded
    if not known or high - low > WIDEST:
        return Heard.cannot_tell
    return Heard.undecided


def _more(estimate: MixtureEstimate, k: int) -> int | None:
    """Units missing for a standard error of 0.05; None where the panel's own error is too large."""
    n, needed = estimate.units, float(estimate.needed[k])
    if not math.isfinite(needed):
        return None
    room = TARGET**2
    if not estimate.laws_exact:
        # What the interval is wider than the corpus alone explains is the panel's part.
        whole = ((estimate.high[k] - estimate.low[k]) / 2.0 / Z95) ** 2
        room -= max(0.0, float(whole) - needed * TARGET**2 / n)
    return max(0, math.ceil(needed * TARGET**2 / room) - n) if room > 0.0 else None


def _check_below(below: float) -> None:
    if not 0.0 <= below < 1.0:
        raise BadInput(f"below: {below} is no threshold; write a weight from 0 up to 1, e.g. 0.05")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{n}"' for n in names[:-1]) + f' and "{names[-1]}"'
