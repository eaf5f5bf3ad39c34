"""The same loop with every sample replaced by its expectation: what is left is not chance.

Used only to say why simulation and prediction differ. `expected_path` takes the same steps as
the agents; `at_rest` lets the same agents go on until nothing moves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.simulate.laws import PostLaws
from equipoise.simulate.learners import Learner
from equipoise.simulate.loop import held_to, overlap
from equipoise.simulate.rules import Rules

__all__ = ["agreement_with", "at_rest", "expected_path"]

FloatArray = NDArray[np.float64]

STILL = 1e-13
MOST = 50_000


def agreement_with(people: FloatArray, laws: PostLaws) -> FloatArray:
    r"""Return how often people of group j agree with posts for group k, (K, K).

    .. math:: E_{jk} = \frac1Q \sum_q \sum_c p_{jqc}\,\pi_k(c|q)

    Parameters
    ----------
    people : (K, Q, C) array
        Answer shares of the people.
    """
    flat = people.reshape(len(people), -1)
    return np.asarray(flat @ laws.flat.T)


def expected_path(
    learner: Learner, laws: PostLaws, people: FloatArray, rules: list[Rules], rounds: list[int]
) -> list[FloatArray]:
    """Return coverage after every round, phase by phase, each (rounds, K).

    Parameters
    ----------
    rules, rounds : lists
        Of each phase.
    """
    out, x, memory = [], rules[0].anchor.copy(), learner.begin(len(rules[0].anchor), laws)
    agreement = agreement_with(people, laws)
    for number, (one, count) in enumerate(zip(rules, rounds, strict=True)):
        held = held_to(laws, one, 1)
        if number:
            fresh = not np.array_equal(rules[number - 1].audience, one.audience)
            learner.renew(memory, audience=fresh)
        appeal, kernel = one.audience @ agreement, overlap(laws, one)
        path = np.empty((count, x.shape[1]))
        for age in range(count):
            crowd = _crowd(learner.played(x, age), kernel, one)
            x = learner.expect(x, memory, appeal, crowd, held, age)
            path[age] = x.mean(axis=0)
        out.append(path)
    return out


def at_rest(laws: PostLaws, people: FloatArray, rules: Rules, start: FloatArray) -> FloatArray:
    """Return the mixtures at which damped best responses to exact payoffs stop moving, (N, K).

    All learners share these resting points; the step is 1/care, so that those of unique
    equilibria attract. Not guaranteed beyond uniqueness: then it is where this start leads.
    """
    held = held_to(laws, rules, 1)
    appeal, kernel = rules.audience @ agreement_with(people, laws), overlap(laws, rules)
    x = start.copy()
    for _ in range(MOST):
        crowd = _crowd(x, kernel, rules)
        step = (held.answer(held.payoff(appeal, crowd)) - x) / held.care[:, None]
        x = x + step
        if np.abs(step).max() <= STILL:
            break
    return x


def _crowd(x: FloatArray, kernel: FloatArray, rules: Rules) -> FloatArray:
    if not rules.meets:
        return np.zeros_like(x)
    return np.asarray((x.sum(axis=0) - x) / (len(x) - 1) @ kernel)
