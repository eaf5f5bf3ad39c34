r"""How probable it is that an answer begins with a whole option, token by token.

Where first tokens are the same ("too much", "too little"), one reply does not tell options apart.
With :math:`p(t \mid s)` the alternatives after the prompt and the text `s`, over every way of
cutting an option `o` into tokens,

.. math:: P(o) = \sum_{t_1 t_2 \dots t_m \,\text{begins with}\, o}
          \prod_j p(t_j \mid t_1 \dots t_{j-1}).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

from equipoise.llm.answers import OptionScores, Usage
from equipoise.llm.failures import CallFailed, FailureKind

__all__ = ["MOST_STEPS", "whole_options"]

Following = Callable[[str], Awaitable[tuple[Sequence[tuple[str, float]], Usage]]]
"""A text after the prompt -> the next token's alternatives (text, log-probability)."""

NEGLIGIBLE = 1e-4
"""A beginning less probable than this is not followed; its probability counts as not shown."""

MOST_STEPS = 200
"""Calls for one question; options of many rare tokens need fewer, or letters."""


async def whole_options(following: Following, options: Sequence[str]) -> OptionScores:
    """Return the probability that the answer begins with each option.

    Parameters
    ----------
    following : callable
        Asks for the alternatives after a text; see `Following`.
    options : sequence of str
        None begins another. Spaces before an answer are passed over; capitals count.

    Returns
    -------
    OptionScores
        `unlisted` adds what was not shown after any beginning that was followed: it bounds the
        error of every option.

    Raises
    ------
    CannotScore
        The options cover less than 0.5.
    CallFailed
        More than `MOST_STEPS` calls would be needed.
    """
    found: dict[str, float] = {}
    hidden, steps, asked, said, counted = 0.0, 0, 0, 0, True
    begun = [("", 1.0)]
    while begun:
        text, mass = begun.pop()
        steps += 1
        if steps > MOST_STEPS:
            raise CallFailed(
                FailureKind.REFUSED_REQUEST,
                f"options: more than {MOST_STEPS} calls for one question; use letters",
            )
        shown, usage = await following(text)
        asked, said = asked + usage.prompt_tokens, said + usage.completion_tokens
        counted &= usage.counted
        hidden += mass * max(0.0, 1.0 - sum(math.exp(logprob) for _, logprob in shown))
        for token, logprob in shown:
            longer, here = text + token, mass * math.exp(logprob)
            bare = longer.lstrip()
            whole = [o for o in options if bare.startswith(o)]
            if whole:
                found[whole[0]] = found.get(whole[0], 0.0) + here
            elif token and any(o.startswith(bare) for o in options):
                if here < NEGLIGIBLE:
                    hidden += here
                else:
                    begun.append((longer, here))
    ordered = {o: min(1.0, found[o]) for o in options if o in found}
    missing = tuple(o for o in options if o not in found)
    used = Usage(asked, said, counted=counted)
    return OptionScores(ordered, missing, min(1.0, hidden), used)
