r"""From the laws of K groups to one mixed response: four mixers, each under its own name (R13).

The target is the mixture of whole responses, end token included,

.. math:: \pi_x(y) = \sum_k x_k \pi_k(y), \qquad \pi_k(y) = \prod_t \pi_k(y_t \mid y_{<t})

A mixer holds weights :math:`\omega` over the groups while a response grows. `Routing` draws one
group and keeps it; `BayesMixture` mixes token by token and re-weights by the posterior. Both sample
:math:`\pi_x` exactly. `FixedWeights` never re-weights, and `GeometricMixture` multiplies instead of
adding: both are other laws, offered under their own names with their distance from the target.
Temperature and top-p are applied to each group's law *before* mixing (`sharpened`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput

__all__ = [
    "MIXERS",
    "BayesMixture",
    "FixedWeights",
    "GeometricMixture",
    "Mixer",
    "Routing",
    "TokenLaws",
    "geometric_responses",
    "response_law",
    "sample_response",
    "sharpened",
]

FloatArray = NDArray[np.float64]
Response = tuple[int, ...]

TokenLaws = Callable[[Response], FloatArray]
"""Tokens so far -> every group's law of the next token, (K, V); a shared vocabulary."""


class Mixer(ABC):
    """How weights over groups become a next token; leaves say how they start, mix and change."""

    name: str
    exact: bool
    """Whether its law is the mixture of whole responses."""

    @abstractmethod
    def starts(self, weights: FloatArray) -> list[tuple[float, FloatArray]]:
        """Return the weights (K,) a response may begin with, and how likely each is."""

    def mixed(self, weights: FloatArray, laws: FloatArray) -> FloatArray:
        """Return the law (V,) of the next token."""
        return np.asarray(weights @ laws)

    def after(self, weights: FloatArray, laws: FloatArray, token: int) -> FloatArray:
        """Return the weights once a token is said."""
        return weights


@final
@dataclass(frozen=True)
class Routing(Mixer):
    r"""Draw :math:`k \sim x` once, then say what group k says."""

    name = "routing"
    exact = True

    def starts(self, weights: FloatArray) -> list[tuple[float, FloatArray]]:
        """Return one group each, as likely as its weight."""
        return [(float(weights[k]), row) for k, row in enumerate(np.eye(len(weights)))]


@final
@dataclass(frozen=True)
class BayesMixture(Mixer):
    r"""Mix token by token with the posterior of the group,

    .. math:: \omega_k(t) \propto x_k \prod_{s<t} \pi_k(y_s \mid y_{<s})
    """

    name = "bayes"
    exact = True

    def starts(self, weights: FloatArray) -> list[tuple[float, FloatArray]]:
        """Return the target itself."""
        return [(1.0, weights)]

    def after(self, weights: FloatArray, laws: FloatArray, token: int) -> FloatArray:
        """Re-weight by how likely each group was to say it."""
        joint = weights * laws[:, token]
        return np.asarray(joint / joint.sum())


@final
@dataclass(frozen=True)
class FixedWeights(Mixer):
    r"""Mix token by token and never re-weight: :math:`\omega = x` throughout. Another law."""

    name = "fixed weights"
    exact = False

    def starts(self, weights: FloatArray) -> list[tuple[float, FloatArray]]:
        """Return the target itself."""
        return [(1.0, weights)]


@final
@dataclass(frozen=True)
class GeometricMixture(Mixer):
    r"""Multiply token by token; another law.

    .. math:: \propto \prod_k \pi_k(\cdot \mid y_{<t})^{x_k}

    What one group with weight can never say, the mixture never says.
    """

    name = "geometric"
    exact = False

    def starts(self, weights: FloatArray) -> list[tuple[float, FloatArray]]:
        """Return the target itself."""
        return [(1.0, weights)]

    def mixed(self, weights: FloatArray, laws: FloatArray) -> FloatArray:
        """Return the normalised weighted geometric mean.

        Raises
        ------
        BadInput
            The groups with weight have no token in common.
        """
        used = weights > 0.0
        with np.errstate(divide="ignore"):
            logs = weights[used] @ np.log(laws[used])
        if not np.isfinite(logs.max()):
            raise BadInput("geometric: the groups have no token in common; use routing")
        law = np.exp(logs - logs.max())
        return np.asarray(law / law.sum())


MIXERS: dict[str, Mixer] = {
    mixer.name: mixer for mixer in (Routing(), BayesMixture(), FixedWeights(), GeometricMixture())
}
"""By name."""


def sharpened(laws: ArrayLike, *, temperature: float = 1.0, top_p: float = 1.0) -> FloatArray:
    """Return laws (..., V) as a sampler with temperature and top-p would use each of them.

    Parameters
    ----------
    laws : (..., V) array
        Probabilities.
    temperature : float
        Above 0.
    top_p : float
        The most likely tokens that together reach this much are kept, in (0, 1].

    Examples
    --------
    >>> sharpened([0.5, 0.3, 0.2], top_p=0.7)
    array([0.625, 0.375, 0.   ])
    """
    if not temperature > 0.0 or not 0.0 < top_p <= 1.0:
        raise BadInput("sampling: write a temperature above 0 and a top_p in (0, 1]")
    p = np.asarray(laws, dtype=np.float64)
    if temperature != 1.0:
        with np.errstate(divide="ignore"):
            logs = np.log(p) / temperature
        p = np.exp(logs - logs.max(axis=-1, keepdims=True))
        p = p / p.sum(axis=-1, keepdims=True)
    if top_p < 1.0:
        order = np.argsort(-p, axis=-1, kind="stable")
        sorted_p = np.take_along_axis(p, order, axis=-1)
        before = np.cumsum(sorted_p, axis=-1)[..., :-1]
        kept = np.concatenate([np.zeros_like(p[..., :1]), before], axis=-1) < top_p
        p = np.where(np.take_along_axis(kept, np.argsort(order, axis=-1), axis=-1), p, 0.0)
        p = p / p.sum(axis=-1, keepdims=True)
    return np.asarray(p)


def response_law(
    mixer: Mixer, laws: TokenLaws, weights: ArrayLike, *, end: int, longest: int
) -> dict[Response, float]:
    """Enumerate the law of whole responses.

    Parameters
    ----------
    mixer : Mixer
        How the groups are mixed.
    laws : TokenLaws
        Every group's law of the next token.
    weights : (K,) array
        The target.
    end : int
        The token that ends a response; it is part of it.
    longest : int
        Tokens after which a response is cut off, as `max_tokens` does.

    Returns
    -------
    dict from response to probability, without those of probability 0. Its size grows like
    V**longest: for small vocabularies.

    Examples
    --------
    >>> table = np.array([[0.9, 0.1], [0.2, 0.8]])  # two groups; token 1 ends
    >>> found = response_law(BayesMixture(), lambda said: table, [0.5, 0.5], end=1, longest=2)
    >>> {y: round(p, 4) for y, p in found.items()}
    {(0, 0): 0.425, (0, 1): 0.125, (1,): 0.45}
    """
    found: dict[Response, float] = {}

    def grow(said: Response, p: float, omega: FloatArray) -> None:
        if len(said) == longest or said[-1:] == (end,):
            found[said] = found.get(said, 0.0) + p
            return
        table = laws(said)
        for token, q in enumerate(mixer.mixed(omega, table).tolist()):
            if q > 0.0:
                grow((*said, token), p * q, mixer.after(omega, table, token))

    for p, omega in mixer.starts(_checked(weights)):
        if p > 0.0:
            grow((), p, omega)
    return found


def sample_response(
    mixer: Mixer, laws: TokenLaws, weights: ArrayLike, rng: np.random.Generator, *,
    end: int, longest: int,
) -> Response:  # fmt: skip
    """Sample one response; the arguments are those of `response_law`."""
    begun = mixer.starts(_checked(weights))
    omega = begun[_choice(rng, np.array([p for p, _ in begun]))][1]
    said: Response = ()
    while len(said) < longest and said[-1:] != (end,):
        table = laws(said)
        token = _choice(rng, mixer.mixed(omega, table))
        omega = mixer.after(omega, table, token)
        said = (*said, token)
    return said


def geometric_responses(
    laws: TokenLaws, weights: ArrayLike, *, end: int, longest: int
) -> dict[Response, float]:
    r"""Enumerate the *sequence-level* geometric mixture :math:`\propto \prod_k \pi_k(y)^{x_k}`.

    It has no token-by-token sampler (its constant sums over all responses), so it is here to be
    compared with; the arguments are those of `response_law`.
    """
    x = _checked(weights)
    each = [response_law(Routing(), laws, row, end=end, longest=longest) for row in np.eye(len(x))]
    used = [k for k in range(len(x)) if x[k] > 0.0]
    common = set.intersection(*(set(each[k]) for k in used))
    logs = {y: sum(x[k] * np.log(each[k][y]) for k in used) for y in sorted(common)}
    total = sum(float(np.exp(value)) for value in logs.values())
    return {y: float(np.exp(value)) / total for y, value in logs.items()}


def _choice(rng: np.random.Generator, law: FloatArray) -> int:
    ends = np.cumsum(law)
    return int(min(np.searchsorted(ends, rng.random() * ends[-1], side="right"), law.size - 1))


def _checked(weights: ArrayLike) -> FloatArray:
    x = np.asarray(weights, dtype=np.float64)
    if x.ndim != 1 or not np.all(x >= 0.0) or abs(x.sum() - 1.0) > 1e-9:
        raise BadInput("weights: give one share per group, together 1")
    return x
