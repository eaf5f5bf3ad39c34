"""Data sets whose optimum is the target mixture.

Witnesses: the loss functions of SFT, DPO and KTO written out here for a table of probabilities and
minimised by SciPy over all of them; and the definition of the regularised objective by a grid.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from equipoise.errors import BadInput
from equipoise.measure.questionnaire import Questionnaire
from equipoise.measure.questions import Question
from equipoise.realise.datasets import (
    MixtureReward,
    dpo_rows,
    kto_rows,
    mixture_law,
    regularised_optimum,
    sft_rows,
    write_rows,
)

FloatArray = NDArray[np.float64]

ASKED = Questionnaire(
    (
        Question("tax", ("Taxes?",), ("less", "as now", "more")),
        Question("war", ("War?",), ("yes", "no", "perhaps")),
    ),
    orders=6,
)
SHARES = np.array([[[0.6, 0.3, 0.1], [0.1, 0.8, 0.1]], [[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]]])
WEIGHTS = (0.3, 0.7)
TARGET = mixture_law(SHARES, WEIGHTS)
REFERENCE = np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]])
LETTERS = "ABCD"


def softmax(z: FloatArray) -> FloatArray:
    e = np.exp(z - z.max())
    return np.asarray(e / e.sum())


def by_prompt(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    def prompt(row: dict[str, Any]) -> str:
        return str(row["prompt"])

    return [list(some) for _, some in itertools.groupby(rows, key=prompt)]


def letter(said: list[dict[str, str]]) -> int:
    assert [turn["role"] for turn in said] == ["assistant"]
    return LETTERS.index(said[0]["content"])


def in_order(law: FloatArray, i: int) -> FloatArray:
    """The law over letters of prompt i."""
    return np.asarray(law[i // 6][list(ASKED.sheets[i // 6].orders[i % 6])])


def optimum(loss: Any, size: int) -> FloatArray:
    def at(z: FloatArray) -> float:
        return float(loss(softmax(z)))

    return softmax(np.asarray(minimize(at, np.zeros(size), method="BFGS", tol=1e-10).x))


def test_completions_have_the_target_as_their_law() -> None:
    for i, rows in enumerate(by_prompt(sft_rows(ASKED, TARGET, copies=200))):
        counts = np.bincount([letter(row["completion"]) for row in rows], minlength=3)
        assert np.abs(counts / 200 - in_order(TARGET, i)).max() < 1 / 200
        # Cross-entropy over all tables of probabilities.
        best = optimum(lambda p, c=counts: -(c * np.log(p)).sum() / 200, 3)
        assert np.abs(best - in_order(TARGET, i)).max() < 0.006


def test_the_optimum_of_dpo_is_the_target() -> None:
    beta = 1.0
    for i, rows in enumerate(by_prompt(dpo_rows(ASKED, TARGET, REFERENCE, beta=beta, copies=400))):
        reference = in_order(REFERENCE, i)
        pairs = np.array([(letter(row["chosen"]), letter(row["rejected"])) for row in rows])

        def loss(p: FloatArray, pairs: Any = pairs, reference: FloatArray = reference) -> float:
            r = beta * np.log(p / reference)
            return float(np.log1p(np.exp(r[pairs[:, 1]] - r[pairs[:, 0]])).mean())

        assert np.abs(optimum(loss, 3) - in_order(TARGET, i)).max() < 0.005


def test_pairs_by_target_share_alone_would_count_the_reference_twice() -> None:
    """The planted error: preferring a to b with t_a / (t_a + t_b) misses the target."""
    rows = by_prompt(dpo_rows(ASKED, TARGET, np.full((2, 3), 1 / 3), beta=1.0, copies=400))[0]
    reference = in_order(REFERENCE, 0)
    pairs = np.array([(letter(row["chosen"]), letter(row["rejected"])) for row in rows])

    def loss(p: FloatArray) -> float:
        r = np.log(p / reference)
        return float(np.log1p(np.exp(r[pairs[:, 1]] - r[pairs[:, 0]])).mean())

    assert np.abs(optimum(loss, 3) - in_order(TARGET, 0)).max() > 0.05


@pytest.mark.parametrize(("beta", "point"), [(0.1, 0.0), (0.5, 0.2)])
def test_the_optimum_of_kto_is_the_target(beta: float, point: float) -> None:
    rows = kto_rows(ASKED, TARGET, REFERENCE, beta=beta, reference_point=point, copies=1000)
    for i, some in enumerate(by_prompt(rows)):
        reference = np.append(in_order(REFERENCE, i), 1e-3)
        counts = np.zeros((2, 4))
        for row in some:
            counts[int(row["label"]), letter(row["completion"])] += 1

        def loss(p: FloatArray, counts: FloatArray = counts, ref: FloatArray = reference) -> float:
            s = 1.0 / (1.0 + np.exp(point - beta * np.log(p / ref)))
            return float((counts[1] * (1.0 - s) + counts[0] * s).sum() / 1000)

        found = optimum(loss, 4)
        assert np.abs(found[:3] / found[:3].sum() - in_order(TARGET, i)).max() < 0.01


def test_the_regularised_objective_is_greatest_at_the_closed_form() -> None:
    """R8: c exp(alpha a / beta), against every policy of a grid and against SciPy."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        c, a = rng.dirichlet(np.ones(3)), rng.normal(size=3)
        alpha, beta = rng.uniform(0.2, 3, 2)

        def value(x: FloatArray, c: Any = c, a: Any = a, w: Any = (alpha, beta)) -> FloatArray:
            with np.errstate(divide="ignore", invalid="ignore"):
                kl = np.where(x > 0, x * np.log(x / c), 0.0).sum(axis=-1)
            return np.asarray(w[0] * (x @ a) - w[1] * kl)

        x = regularised_optimum(c, a, alpha=alpha, beta=beta)
        grid = np.array([
            (i / 60, j / 60, (60 - i - j) / 60) for i in range(61) for j in range(61 - i)
        ])  # fmt: skip
        assert (value(grid) <= value(x) + 1e-12).all()
        found = optimum(lambda p, v=value: -float(v(p)), 3)
        assert np.abs(found - x).max() < 1e-5


def test_on_pairs_of_group_and_response_the_layer_is_the_same_objective() -> None:
    """R8: KL of joint laws is KL of the weights; on responses alone it is at most that."""
    rng = np.random.default_rng(5)
    responses = rng.dirichlet(np.ones(4), 3)
    c, x = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3))
    joint = (x[:, None] * responses * np.log((x / c)[:, None] * np.ones((1, 4)))).sum()
    weights = (x * np.log(x / c)).sum()
    alone = ((x @ responses) * np.log((x @ responses) / (c @ responses))).sum()
    assert joint == pytest.approx(weights, abs=1e-12)
    assert alone < weights


def test_rewards_are_the_mixture_s_shares_and_strange_prompts_are_refused() -> None:
    reward = MixtureReward(ASKED, SHARES, WEIGHTS)
    prompts = reward.prompts()
    assert len(prompts) == 12
    for i, prompt in enumerate(prompts):
        given = reward([prompt] * 3, [[{"content": x}] for x in "ABC"])
        assert given == pytest.approx(in_order(TARGET, i).tolist())
    assert reward(prompts[:1], ["I would rather not say"]) == [0.0]
    with pytest.raises(BadInput, match="not of this questionnaire"):
        reward(["Hello"], ["A"])


def test_bad_targets_are_a_sentence(tmp_path: Any) -> None:
    with pytest.raises(BadInput, match="weights: give 2 numbers"):
        mixture_law(SHARES, [0.5, 0.6])
    zero = np.array([[1.0, 0.0, 0.0], [0.2, 0.4, 0.4]])
    with pytest.raises(BadInput, match="needs a positive share"):
        dpo_rows(ASKED, zero, REFERENCE)
    with pytest.raises(BadInput, match="beta lies in"):
        kto_rows(ASKED, TARGET, REFERENCE, beta=2.0)
    write_rows(tmp_path / "rows.jsonl", sft_rows(ASKED, TARGET, copies=3))
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 36
