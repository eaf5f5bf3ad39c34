r"""Data sets for existing training pipelines whose optimum is a target mixture of groups.

For an agent with weights `x` on the groups and the groups' answer laws :math:`p_k` the target law
of a question is :math:`p_x = \sum_k x_k p_k`.

**SFT**: prompts with completions drawn from :math:`p_x`. The mean cross-entropy of a model is
least where the model is the empirical law of the completions, and completions are laid out so that
each prompt's counts are the target's up to rounding (largest remainders), not merely in
expectation.

**DPO**: for every pair of options a share :math:`\sigma(r_a - r_b)` of the rows prefers `a`, with
:math:`r = \beta \log (p_x / p_0)`. The optimum of the DPO loss is
:math:`\pi \propto \pi_{\mathrm{ref}}\, e^{r/\beta}`, which is :math:`p_x` where the reference
answers as :math:`p_0`. Pairs that prefer an option by its target share alone would count the
reference twice.

**KTO**: options as desirable completions, option `o`
:math:`n_o \propto p_x(o) / \sigma'(\beta \log (p_x(o) / p_0(o)) - z)` times, and a letter that was
not offered as the undesirable one. The loss of the desirable rows,
:math:`\sum_o n_o (1 - \sigma(\beta \log(\pi_o / p_0(o)) - z))`, is convex in :math:`\pi` for
:math:`\beta \le 1`, and these counts make it stationary at :math:`p_x`. (Labels drawn with the
chance :math:`\sigma(r)` would not do: then the loss is linear in what it compares, and its optimum
is a corner.)

**GRPO**: a reward per completion, :math:`\sum_k x_k a_k`, with groups' rewards `a`; with a KL
penalty of weight :math:`\beta` to the reference the optimum is
:math:`\pi_{\mathrm{ref}} \exp(r/\beta)/Z` (R8 on responses).
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput
from equipoise.llm.answers import option_named
from equipoise.measure.fit_game import write_whole
from equipoise.measure.questionnaire import Questionnaire

__all__ = [
    "MixtureReward",
    "dpo_rows",
    "kto_rows",
    "mixture_law",
    "regularised_optimum",
    "sft_rows",
    "write_rows",
]

FloatArray = NDArray[np.float64]
Row = dict[str, Any]


def mixture_law(shares: FloatArray, weights: ArrayLike) -> FloatArray:
    """Return the target law (Q, C) of weights (K,) on groups with shares (K, Q, C).

    Raises
    ------
    BadInput
        Weights that are no mixture of so many groups.

    Examples
    --------
    >>> mixture_law(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]), [0.25, 0.75]).tolist()
    [[0.25, 0.75]]
    """
    x = np.asarray(weights, dtype=np.float64)
    if x.shape != shares.shape[:1] or (x < 0.0).any() or abs(x.sum() - 1.0) > 1e-9:
        raise BadInput(
            f"weights: give {shares.shape[0]} numbers of at least 0 that sum to 1, one a group"
        )
    return np.asarray(np.einsum("k,kqc->qc", x, shares))


def _prompts(asked: Questionnaire, system: str) -> Iterable[tuple[int, tuple[int, ...], Any]]:
    """Yield question, order and messages of every prompt."""
    for q, (question, sheet) in enumerate(zip(asked.questions, asked.sheets, strict=True)):
        for wording, order in zip(sheet.wording, sheet.orders, strict=True):
            prompt = asked.prompt(question, wording, order, system)
            yield q, order, [{"role": m.role, "content": m.text} for m in prompt.messages]


def _said(letter: int) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": string.ascii_uppercase[letter]}]


def sft_rows(
    asked: Questionnaire, law: FloatArray, *, system: str = "", copies: int = 20
) -> list[Row]:
    """Return rows {"prompt", "completion"} in TRL's conversational format.

    Parameters
    ----------
    asked : Questionnaire
        Lettered options, in balanced orders.
    law : (Q, C) array
        The target.
    system : str
        System prompt of all prompts.
    copies : int
        Completions a prompt; its counts differ from `copies` times the target by less than 1.

    Examples
    --------
    >>> from equipoise.measure.questions import Question
    >>> asked = Questionnaire((Question("tax", ("Taxes?",), ("less", "more")),), orders=2)
    >>> rows = sft_rows(asked, np.array([[0.25, 0.75]]), copies=4)
    >>> [row["completion"][0]["content"] for row in rows]
    ['A', 'B', 'B', 'B', 'A', 'A', 'A', 'B']
    """
    out = []
    for q, order, prompt in _prompts(asked, system):
        counts = _apportioned(law[q, list(order)], copies)
        for letter, n in enumerate(counts):
            out += [{"prompt": prompt, "completion": _said(letter)} for _ in range(int(n))]
    return out


def _apportioned(shares: FloatArray, total: int) -> NDArray[np.int64]:
    """Return whole numbers that sum to `total`, by largest remainders."""
    exact = shares / shares.sum() * total
    counts: NDArray[np.int64] = np.floor(exact + 1e-12).astype(np.int64)
    rest = total - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:rest]] += 1
    return counts


def _reward(law: FloatArray, reference: FloatArray, beta: float) -> FloatArray:
    """Return beta log(target / reference), (C,): the reward whose optimum is the target."""
    if not (law > 0.0).all() or not (reference > 0.0).all():
        raise BadInput(
            "law: every option needs a positive share in target and reference; smooth them first "
            "(AnswerLaws.from_table does)"
        )
    return np.asarray(beta * np.log(law / reference))


def dpo_rows(
    asked: Questionnaire,
    law: FloatArray,
    reference: FloatArray,
    *,
    beta: float = 1.0,
    system: str = "",
    copies: int = 50,
) -> list[Row]:
    r"""Return rows {"prompt", "chosen", "rejected"} for TRL's DPO trainer with this `beta`.

    For every pair of options of a prompt, `copies` rows of which a share
    :math:`\sigma(r_a - r_b)` (by largest remainders) prefers the first.

    Parameters
    ----------
    asked, system, copies
        As for `sft_rows`.
    law, reference : (Q, C) arrays
        The target, and what the reference model answers now, all positive.
    beta : float
        Of the trainer; another beta has another optimum. Rounding to whole rows moves the log
        ratio of two options by up to about 2 / (beta copies): a small beta needs many copies.

    Notes
    -----
    The optimum is over all policies; a small model reaches it as far as it can. An option's mass
    outside the letters is left alone: DPO fixes only ratios of options.
    """
    out = []
    for q, order, prompt in _prompts(asked, system):
        r = _reward(law[q, : len(order)], reference[q, : len(order)], beta)[list(order)]
        for a in range(len(order)):
            for b in range(a):
                wins = 1.0 / (1.0 + np.exp(r[b] - r[a]))
                first, second = _apportioned(np.array([wins, 1.0 - wins]), copies)
                for n, chosen, rejected in ((first, a, b), (second, b, a)):
                    row = {"prompt": prompt, "chosen": _said(chosen), "rejected": _said(rejected)}
                    out += [row] * int(n)
    return out


def kto_rows(
    asked: Questionnaire,
    law: FloatArray,
    reference: FloatArray,
    *,
    beta: float = 0.1,
    reference_point: float = 0.0,
    system: str = "",
    copies: int = 50,
) -> list[Row]:
    r"""Return rows {"prompt", "completion", "label"} for TRL's KTO trainer with this `beta`.

    Parameters
    ----------
    asked, law, reference, system
        As for `dpo_rows`.
    beta : float
        Of the trainer, in (0, 1].
    reference_point : float
        The trainer's `z`, beta times its estimate of the divergence; at beta = 0.1 the counts
        change by less than 1 % with it.
    copies : int
        Desirable rows a prompt. As many undesirable rows name a letter that was not offered, so
        that the two kinds weigh the same.
    """
    if not 0.0 < beta <= 1.0:
        raise BadInput("kto: beta lies in (0, 1]; above 1 the loss has other optima")
    out = []
    for q, order, prompt in _prompts(asked, system):
        r = _reward(law[q, : len(order)], reference[q, : len(order)], beta)[list(order)]
        flat = 1.0 / (1.0 + np.exp(reference_point - r))
        counts = _apportioned(law[q, list(order)] / (flat * (1.0 - flat)), copies)
        for letter, n in enumerate(counts):
            row = {"prompt": prompt, "completion": _said(letter), "label": True}
            out += [row] * int(n)
        row = {"prompt": prompt, "completion": _said(len(order)), "label": False}
        out += [row] * copies
    return out


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as JSON lines, in one step."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_whole(path, text.encode("utf-8"))


class MixtureReward:
    r"""A reward for TRL's GRPO trainer: what the groups of a mixture think of a completion.

    .. math:: r(y \mid q) = \sum_k x_k\, p_{kq}(y)

    The groups rate a completion by how many of their people answer so; a completion that names no
    option gets 0.

    Parameters
    ----------
    asked : Questionnaire
        Prompts it will be asked about; others are refused.
    shares : (K, Q, C) array
        Answer shares of the groups.
    weights : (K,) array
        Of the agent's mixture, or any audience's.
    system : str
        System prompt of the prompts.

    Examples
    --------
    >>> from equipoise.measure.questions import Question
    >>> asked = Questionnaire((Question("tax", ("Taxes?",), ("less", "more")),), orders=2)
    >>> reward = MixtureReward(asked, np.array([[[0.9, 0.1]], [[0.2, 0.8]]]), [0.5, 0.5])
    >>> prompt = reward.prompts()[0]
    >>> [round(r, 2) for r in reward([prompt, prompt], [[{"content": "A"}], [{"content": "?"}]])]
    [0.55, 0.0]
    """

    def __init__(
        self, asked: Questionnaire, shares: FloatArray, weights: ArrayLike, *, system: str = ""
    ) -> None:
        self.__name__ = "mixture_reward"
        self._law = mixture_law(shares, weights)
        self._known = {
            _key(prompt): (q, order, prompt) for q, order, prompt in _prompts(asked, system)
        }

    def prompts(self) -> list[list[dict[str, str]]]:
        """Return all prompts, conversational."""
        return [prompt for _, _, prompt in self._known.values()]

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **_: Any) -> list[float]:
        """Return a reward for every completion."""
        out = []
        for prompt, completion in zip(prompts, completions, strict=True):
            found = self._known.get(_key(prompt))
            if found is None:
                raise BadInput("reward: a prompt that is not of this questionnaire")
            q, order, _ = found
            names = tuple(string.ascii_uppercase[: len(order)])
            text = completion if isinstance(completion, str) else completion[0]["content"]
            said = option_named(text, names)
            out.append(float(self._law[q, order[names.index(said)]]) if said else 0.0)
        return out


def _key(prompt: Any) -> str:
    if isinstance(prompt, str):
        return prompt
    return json.dumps([[m["role"], m["content"]] for m in prompt])


def regularised_optimum(
    anchor: ArrayLike, reward: ArrayLike, *, alpha: float = 1.0, beta: float = 1.0
) -> FloatArray:
    r"""Return what maximises :math:`\alpha\langle a, x\rangle - \beta\,\mathrm{KL}(x\|c)` (R8).

    .. math:: x \propto c \odot e^{\alpha a/\beta}

    Parameters
    ----------
    anchor : (K,) array
        `c`, a mixture of groups (or a reference policy over responses).
    reward : (K,) array
        `a`.
    alpha, beta : float
        Weights, beta above 0.

    Examples
    --------
    >>> regularised_optimum([0.5, 0.5], [0.0, np.log(3.0)]).round(3).tolist()
    [0.25, 0.75]
    """
    c, a = np.asarray(anchor, np.float64), np.asarray(reward, np.float64)
    if not beta > 0.0 or c.shape != a.shape or (c < 0.0).any() or abs(c.sum() - 1.0) > 1e-9:
        raise BadInput("anchor: give a mixture as long as the rewards, and beta above 0")
    with np.errstate(divide="ignore"):
        logs = np.log(c) + alpha * a / beta
    x = np.exp(logs - logs.max())
    return np.asarray(x / x.sum())
