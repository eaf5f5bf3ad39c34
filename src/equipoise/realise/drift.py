r"""What was served against what was meant: conversations per group beside the target.

The unit is a conversation: under sticky routing its requests share one draw, so requests are
counted but not tested. A conversation is *drawn* when its group is, and *answered* when a first
request of it was: where one group's model fails more often the two differ, and the test is on
what clients got. Pearson's statistic pools groups that expect fewer than five conversations.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.realise.draws import Served

__all__ = ["Tally"]

FloatArray = NDArray[np.float64]

REMEMBERED = 200_000
"""Conversations remembered as counted; older ones are counted again when they come back."""

PLANS = 20
"""Plans that are reported: those before are forgotten."""

FEWEST = 5.0
SURE = 0.001
LEVEL = 0.95


@dataclass
class _Row:
    """Counts of one agent on one topic under one plan."""

    target: FloatArray
    groups: tuple[str, ...]
    plan: str
    drawn: dict[str, int] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)


@final
class Tally:
    """Counts of conversations per plan, agent, topic and group.

    Examples
    --------
    >>> from equipoise.realise.targets import Targets
    >>> served = Served(Targets(("left", "right"), ("a",), [[0.5, 0.5]]))
    >>> tally = Tally()
    >>> for i in range(100):
    ...     tally.drew(served, "a", "", "left" if i % 2 else "right", b"%d" % i)
    ...     tally.answered(served, "a", "", "left" if i % 2 else "right", b"%d" % i)
    >>> report = tally.report()
    >>> report["verdict"], report["agents"][0]["groups"]["left"]["answered"]
    ('as planned', 50)
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self.requests = 0
        self.failed: dict[str, int] = {}
        self._rows: dict[tuple[int, str, str], _Row] = {}
        self._seen: dict[tuple[int, str, bytes], bool] = {}
        self._remembered = remembered
        self._guard = threading.Lock()

    def drew(self, served: Served, agent: str, topic: str, group: str, key: bytes) -> None:
        """Count a request, and its conversation where it is new."""
        self.requests += 1
        known = (served.revision, topic, key)
        with self._guard:
            if known in self._seen:
                return
            self._seen[known] = False
            if len(self._seen) > self._remembered:
                del self._seen[next(iter(self._seen))]
            drawn = self._row(served, agent, topic).drawn
            drawn[group] = drawn.get(group, 0) + 1

    def answered(self, served: Served, agent: str, topic: str, group: str, key: bytes) -> None:
        """Count that a conversation got an answer."""
        known = (served.revision, topic, key)
        with self._guard:
            if self._seen.get(known, True):
                return
            self._seen[known] = True
            counts = self._row(served, agent, topic).answered
            counts[group] = counts.get(group, 0) + 1

    def failure(self, code: str) -> None:
        """Count a request that got no answer, by the code of its error."""
        self.failed[code] = self.failed.get(code, 0) + 1

    def report(self) -> dict[str, Any]:
        """Return counts, shares with 95 % intervals and tests as plain JSON values.

        Returns
        -------
        dict with "requests", "failed", "verdict" ("as planned", "drifted" or "nothing served
        yet"), "p_value" over all agents together, and per agent, topic and plan the groups. Not
        guaranteed: that the model of a group speaks for its people; that takes an audit.
        """
        with self._guard:
            rows = [(key, _copied(row)) for key, row in self._rows.items()]
        agents, whole, free, impossible = [], 0.0, 0, False
        for (revision, agent, topic), row in sorted(rows, key=lambda item: item[0]):
            said, statistic, cells, never = _row_report(row)
            impossible |= never
            whole, free = whole + statistic, free + cells
            agents.append({"agent": agent, "topic": topic, "revision": revision, **said})
        p_value = 0.0 if impossible else _tail(whole, free)
        verdict = "nothing served yet" if not agents else "as planned"
        if agents and p_value < SURE:
            verdict = "drifted"
        return {
            "requests": self.requests,
            "failed": dict(self.failed),
            "verdict": verdict,
            "p_value": p_value,
            "agents": agents,
        }

    def _row(self, served: Served, agent: str, topic: str) -> _Row:
        key = (served.revision, agent, topic)
        if key not in self._rows:
            oldest = served.revision - PLANS
            self._rows = {k: row for k, row in self._rows.items() if k[0] > oldest}
            targets = served.targets
            self._rows[key] = _Row(targets.row(agent, topic), targets.groups, targets.digest[:12])
        return self._rows[key]


def _copied(row: _Row) -> _Row:
    return _Row(row.target, row.groups, row.plan, dict(row.drawn), dict(row.answered))


def _row_report(row: _Row) -> tuple[dict[str, Any], float, int, bool]:
    counts = np.array([row.answered.get(g, 0) for g in row.groups])
    n = int(counts.sum())
    low, high = _interval(counts, n)
    statistic, free, never = _pearson(counts, row.target)
    groups = {
        g: {
            "target": float(row.target[k]),
            "drawn": row.drawn.get(g, 0),
            "answered": int(counts[k]),
            "share": float(counts[k] / n) if n else None,
            "low": float(low[k]),
            "high": float(high[k]),
        }
        for k, g in enumerate(row.groups)
    }
    distance = float(np.abs(counts / n - row.target).sum() / 2.0) if n else None
    said = {
        "plan": row.plan,
        "conversations": n,
        "distance": distance,
        "p_value": 0.0 if never else _tail(statistic, free),
        "groups": groups,
    }
    return said, statistic, free, never


def _pearson(counts: NDArray[np.int64], target: FloatArray) -> tuple[float, int, bool]:
    """Return Pearson's statistic, its degrees of freedom, and whether what cannot be happened."""
    n = int(counts.sum())
    if counts[target == 0.0].any():
        return 0.0, 0, True
    expected = n * target
    rare = expected < FEWEST
    seen = np.append(counts[~rare], counts[rare].sum()).astype(float)
    wanted = np.append(expected[~rare], expected[rare].sum())
    if wanted[-1] < FEWEST:
        # Too few even together: they join the largest.
        if wanted.size == 1:
            return 0.0, 0, False
        largest = int(wanted[:-1].argmax())
        seen[largest] += seen[-1]
        wanted[largest] += wanted[-1]
        seen, wanted = seen[:-1], wanted[:-1]
    return float(((seen - wanted) ** 2 / wanted).sum()), int(wanted.size - 1), False


def _tail(statistic: float, free: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(free, statistic)) if free else 1.0


def _interval(counts: NDArray[np.int64], n: int) -> tuple[FloatArray, FloatArray]:
    """Clopper and Pearson's interval of every share, at 95 %."""
    from scipy.special import betaincinv

    if n == 0:
        return np.zeros(counts.size), np.ones(counts.size)
    tail = (1.0 - LEVEL) / 2.0
    low = np.where(counts > 0, betaincinv(np.maximum(counts, 1), n - counts + 1, tail), 0.0)
    high = np.where(counts < n, betaincinv(counts + 1, np.maximum(n - counts, 1), 1.0 - tail), 1.0)
    return low, high
