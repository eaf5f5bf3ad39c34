"""A panel: what a sample of people answered, by group, and how alike the groups are.

A `Panel` gives estimates, never rows. Everything measured on the same people is drawn
together (`draws`), so that what is computed from it keeps the dependence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, final

import numpy as np
from numpy.typing import NDArray

from equipoise.display import Tabled, estimate_rows, finite
from equipoise.errors import BadInput
from equipoise.estimate import Estimate, percentile_interval
from equipoise.game.groups import Groups
from equipoise.panels import agreement as alike
from equipoise.panels.answers import AnswerTable
from equipoise.panels.audience import Audience
from equipoise.panels.panel_draws import PanelDraws, measured_draws
from equipoise.panels.respondents import Respondents

if TYPE_CHECKING:
    from equipoise.panels.grouping import Merged

__all__ = ["Panel"]

FloatArray = NDArray[np.float64]

SUMMARY_DRAWS = 1000
LEVEL = 0.95


@final
@dataclass(frozen=True, eq=False, repr=False)
class Panel(Tabled):
    """What a sample of people answered, by group.

    Made by `equipoise.panels.load_panel` and `equipoise.panels.read_panel`.

    Parameters
    ----------
    name, title : str
        Short name and one-line description.
    groups : Groups
        Labels in natural order with weighted shares.
    n : int
        Respondents used: all whose group is known and whose weight is positive, also those who
        left questions out (every share is taken over those who answered that question).
    answers : AnswerTable
        Shares by group, question and option.
    source, licence, citation : str
        Where the data come from and on which terms.
    dropped : mapping of reason to count
        What was not used: respondents without a group, answers that are missing codes.
    weighted : bool
        Whether the respondents carry weights.
    merged : tuple of Merged
        Groups that were too small and merged into others, in the order in which it was done.
    people : Respondents
        The rows; not a field, absent from every export, refused by pickle.

    Examples
    --------
    >>> from equipoise.panels import load_panel
    >>> panel = load_panel("gss2018", groups=3)
    >>> panel.groups.labels
    ('liberal', 'moderate', 'conservative')
    >>> panel.n, [e.n for e in panel.shares().values()]
    (2247, [656, 855, 736])
    >>> panel.kernel().round(3)
    array([[1.   , 0.991, 0.968],
           [0.991, 1.   , 0.99 ],
           [0.968, 0.99 , 1.   ]])
    """

    name: str
    title: str
    groups: Groups
    n: int
    answers: AnswerTable
    source: str
    licence: str
    citation: str
    dropped: Mapping[str, int]
    weighted: bool
    people: InitVar[Respondents]
    merged: tuple[Merged, ...] = field(default=(), kw_only=True)

    def __post_init__(self, people: Respondents) -> None:
        object.__setattr__(self, "_people", people)

    def __repr__(self) -> str:
        return (
            f"<Panel {self.name}: {self.n} people, {len(self.groups)} groups, "
            f"{len(self.questions)} questions{', weighted' if self.weighted else ''}>"
        )

    def __reduce__(self) -> NoReturn:
        self._rows().__reduce__()
        raise AssertionError  # the line above always raises

    def _rows(self) -> Respondents:
        people: Respondents = self.__dict__["_people"]
        return people

    @property
    def questions(self) -> tuple[str, ...]:
        """Labels of the questions."""
        return self.answers.questions

    @property
    def ratings(self) -> dict[str, dict[str, Estimate]]:
        """Mean score every group gives to every rated target, in the unit of the score.

        Returns
        -------
        target -> group -> Estimate (linearised standard error, Student interval). Empty where
        nothing was rated. Answer shares of binned scores stand in `answers`; ratings of
        groups by groups are not symmetric and are never a kernel (see `nearest_kernel`).
        """
        rows = self._rows()
        return {
            target: {
                label: rows.design.mean(rows.rating(target), rows.members(k)).estimate(LEVEL)
                for k, label in enumerate(self.groups.labels)
            }
            for target in rows.rating_targets
        }

    def shares(self, level: float = LEVEL) -> dict[str, Estimate]:
        """Share of every group among people.

        Parameters
        ----------
        level : float
            Probability content of each interval (not of all together).

        Returns
        -------
        label -> Estimate; `n` is the group's number of respondents. Bootstrap over respondents,
        or linearised design-based where strata or clusters are given.
        """
        rows = self._rows()
        people = rows.counts()[0]
        if rows.design.strata is not None or rows.design.clusters:
            inside = [rows.members(k) for k in range(len(self.groups))]
            known = np.any(inside, axis=0)
            every = [
                rows.design.mean(x.astype(float), known).estimate(level, share=True) for x in inside
            ]
            return {
                label: Estimate(e.value, e.low, e.high, int(n), e.how)
                for label, e, n in zip(self.groups.labels, every, people, strict=True)
            }
        low, high = percentile_interval(self.draws(SUMMARY_DRAWS, 0).shares, level)
        how = f"bootstrap over respondents, {100 * level:g} %"
        return {
            label: Estimate(
                float(m), min(float(lo), float(m)), max(float(hi), float(m)), int(n), how
            )
            for label, m, lo, hi, n in zip(
                self.groups.labels, self.groups.shares, low, high, people, strict=True
            )
        }

    def _table(self, question: str | None) -> AnswerTable:
        return self.answers if question is None else self.answers.for_questions([question])

    def agreement(self, *, question: str | None = None) -> FloatArray:
        """Agreement `E` (K, K) over all questions or on one; see `agreement.agreement`."""
        table = self._table(question)
        return alike.agreement(table.shares, table.n_eff)

    def appeal(self, *, question: str | None = None) -> FloatArray:
        """Appeal `a` (K,) over all questions or on one; see `agreement.appeal`."""
        return alike.appeal(self._table(question).shares, self.groups.shares)

    def kernel(self, *, question: str | None = None) -> FloatArray:
        """Kernel `S` (K, K) over all questions or on one; see `agreement.kernel`."""
        return alike.kernel(self._table(question).shares)

    def audience(self, shares: FloatArray | None = None) -> Audience:
        """Return the respondents as readers who agree with an answer or not.

        Parameters
        ----------
        shares : (K,) array, optional
            How much of the audience each group is; default its share among people.
        """
        return self._rows().audience(self.groups.shares if shares is None else shares)

    def draws(
        self, n: int, seed: int, *, question: str | None = None, start: int = 0
    ) -> PanelDraws:
        """Resample the respondents and measure everything again, jointly.

        Parameters
        ----------
        n : int
            Number of draws.
        seed : int
            Draw number `i` depends only on (seed, i).
        question : str, optional
            Measure on this question alone; `PanelDraws.for_question` does it for many without
            resampling again.
        start : int
            Number of the first draw, to go on where an earlier run stopped.

        Returns
        -------
        PanelDraws. Respondents keep their weights. Without strata and clusters `n` of `n` are
        drawn with replacement, so group sizes vary too; with them `n_h - 1` clusters per stratum
        (Rao and Wu). Finite populations are not corrected for: the draws err on the wide side.

        Raises
        ------
        BadInput
            A count or seed below 0, an unknown question, a cell too small to resample.
        """
        if n < 1 or seed < 0 or start < 0:
            raise BadInput(f"draws: need n >= 1, seed >= 0, start >= 0; got {n}, {seed}, {start}")
        draws = measured_draws(self._rows().resample(n, seed, start), self.questions, start)
        return draws if question is None else draws.for_question(question)

    def summary(self, *, draws: int = SUMMARY_DRAWS, seed: int = 0) -> dict[str, Any]:
        """Return what `equipoise panel show NAME --json` prints: plain JSON values, no row.

        Parameters
        ----------
        draws : int
            Bootstrap draws behind the intervals of agreement, appeal and kernel.
        seed : int
            Seed of these draws.
        """
        sample = self.draws(draws, seed)
        groups = {
            label: {"n": e.n, "share": e.value, "low": e.low, "high": e.high}
            for label, e in self.shares().items()
        }
        ratings = {
            target: {
                label: {"mean": e.value, "low": finite(e.low), "high": finite(e.high), "n": e.n}
                for label, e in by_group.items()
            }
            for target, by_group in self.ratings.items()
        }
        measured = {
            "agreement": (self.agreement(), sample.agreement),
            "appeal": (self.appeal(), sample.appeal),
            "kernel": (self.kernel(), sample.kernel),
        }
        design = self._rows().design
        clustered = design.strata is not None or bool(design.clusters)
        how = "bootstrap over clusters within strata" if clustered else "bootstrap over respondents"
        intervals: dict[str, Any] = {"level": LEVEL, "draws": draws, "how": how}
        for what, (_, drawn) in measured.items():
            low, high = percentile_interval(drawn, LEVEL)
            intervals[what] = {"low": low.tolist(), "high": high.tolist()}
        return {
            "name": self.name,
            "n": self.n,
            "groups": groups,
            "questions": list(self.questions),
            **{what: value.tolist() for what, (value, _) in measured.items()},
            "ratings": ratings,
            "intervals": intervals,
            "title": self.title,
            "source": self.source,
            "licence": self.licence,
            "citation": self.citation,
            "weights": self.weighted,
            "dropped": dict(self.dropped),
        }

    def to_rows(self) -> Iterable[dict[str, Any]]:
        """Return the rows of `answers`: shares, never a respondent's row."""
        return self.answers.to_rows()

    def summary_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per group: its share with interval and number of people."""
        return estimate_rows("group", self.shares())
