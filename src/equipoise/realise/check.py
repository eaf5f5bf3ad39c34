"""A realisation folder checked: random targets through every route, in the backend that serves.

Every group's model is asked every question in balanced orders; routes are built from what it says
(`group_answers`), and each random target is taken through each of them and audited. With
`sampled`, routing's answers are texts that the models were really made to write, one call each.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.llm.answers import Sample, option_named
from equipoise.llm.asking import ask
from equipoise.llm.backend import Backend
from equipoise.llm.local_server import LocalServer
from equipoise.llm.models import local_server
from equipoise.llm.requests import SampleRequest
from equipoise.measure.questionnaire import PERSONA, YOURSELF, Questionnaire
from equipoise.realise.fidelity import Fidelity, Realisation, realised
from equipoise.realise.group_answers import GroupAnswers, read_answers
from equipoise.realise.laws_file import LAWS, Surveyed, read_surveyed
from equipoise.realise.realisation_file import Routes, read_realisation
from equipoise.realise.routes import ROUTES, drawn_groups

__all__ = ["CheckSettings", "Checked", "check_folder", "random_targets"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Note = Callable[[int, int, str], Any]

AGAIN = 10
"""How often an answer that names no option is asked for again."""


@final
@dataclass(frozen=True)
class CheckSettings:
    """What is checked.

    Parameters
    ----------
    targets : int
        Random mixtures, uniform over all mixtures.
    sheets : int
        Questionnaires per target and route.
    routes : tuple of str
        Of `ROUTES`; those the folder cannot do (interpolation without adapters) are left out.
    interpolated : int
        At most so many targets through interpolation: each is a model that is asked everything.
    orders : int
        Orders of the options; see `Questionnaire`.
    every_question : bool
        Also questions the models were not taught.
    sampled : bool
        Routing's answers are sampled from the models one by one.
    recorded : bool
        Start no model: take the laws that were measured when the models were trained. Single
        orders are not in them, so every prompt of a question gets its mean law.
    system : str
        System prompt of groups without a persona: what their adapters were taught with.
    threads, slots : int
        As for `LocalServer`.
    seed : int
        Of targets and draws.
    """

    targets: int = 20
    sheets: int = 100
    routes: tuple[str, ...] = tuple(ROUTES)
    interpolated: int = 5
    orders: int = 6
    every_question: bool = False
    sampled: bool = False
    recorded: bool = False
    system: str = YOURSELF
    threads: int = 0
    slots: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.sampled and self.recorded:
            raise BadInput("sampled answers need the models; leave --recorded or --sampled out")
        if min(self.targets, self.sheets, self.interpolated) < 1:
            raise BadInput("targets, sheets and interpolated are at least 1")
        for route in self.routes:
            if route not in ROUTES:
                raise BadInput(f'routes: there is no "{route}"; write {", ".join(ROUTES)}')


@final
@dataclass(frozen=True, eq=False)
class Checked:
    """What a check found.

    Attributes
    ----------
    fidelity : Fidelity
    settings : CheckSettings
    questions : tuple of str
        What was asked.
    calls, tokens : int
        What reading the models cost.
    unparsed : int
        Sampled answers that named no option however often they were asked for.
    left_out : tuple of str
        Routes the folder cannot do.
    """

    fidelity: Fidelity
    settings: CheckSettings
    questions: tuple[str, ...]
    calls: int
    tokens: int
    unparsed: int = 0
    left_out: tuple[str, ...] = field(default_factory=tuple)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "targets": self.settings.targets,
            "sheets": self.settings.sheets,
            "sampled": self.settings.sampled,
            "seed": self.settings.seed,
            "questions": list(self.questions),
            "calls": self.calls,
            "tokens": self.tokens,
            "unparsed": self.unparsed,
            "left_out": list(self.left_out),
            **self.fidelity.to_dict(),
        }


def random_targets(groups: int, n: int, *, seed: int) -> FloatArray:
    """Return n mixtures (n, K), uniform over all mixtures."""
    return np.random.default_rng([seed, 13]).dirichlet(np.ones(groups), n)


def check_folder(folder: Path, settings: CheckSettings, *, on_step: Note | None = None) -> Checked:
    """Check a folder with realisation.toml and laws.json on this machine.

    Parameters
    ----------
    folder : Path
        As `equipoise realise train` writes it.
    settings : CheckSettings
        What is checked.
    on_step : callable, optional
        Told (done, total, what).

    Raises
    ------
    BadInput
        Files that do not fit, groups whose models are not one.
    MissingExtra, ServerFailed
        As for `LocalServer`.
    """
    routes = read_realisation(folder / "realisation.toml")
    surveyed = read_surveyed(folder / LAWS)
    routes.check(surveyed.groups)
    if len(routes.models) > 1:
        raise BadInput("check: the groups have different models; check them one by one")
    if not settings.every_question:
        surveyed = surveyed.only(surveyed.trained)
    if settings.recorded:
        return _Check(routes, surveyed, settings, None, on_step).run()
    with _served(routes, settings) as server:
        return _Check(routes, surveyed, settings, server, on_step).run()


@contextlib.contextmanager
def _served(routes: Routes, settings: CheckSettings) -> Iterator[LocalServer]:
    with local_server(
        routes.models[0], adapters=routes.adapters, slots=settings.slots, threads=settings.threads
    ) as server:
        yield server


class _Check:
    def __init__(
        self, routes: Routes, surveyed: Surveyed, settings: CheckSettings,
        server: LocalServer | None, on_step: Note | None,
    ) -> None:  # fmt: skip
        self.routes, self.surveyed, self.settings = routes, surveyed, settings
        self._server, self.on_step = server, on_step
        self.groups = surveyed.groups
        self.asked = Questionnaire(surveyed.questions, orders=settings.orders)
        self.calls = self.tokens = self.unparsed = 0

    @property
    def server(self) -> LocalServer:
        """The running server."""
        assert self._server is not None
        return self._server

    def _recorded(self) -> GroupAnswers:
        laws = self.surveyed.models
        if laws is None:
            raise BadInput("laws.json: it has no laws of the models; leave --recorded out")
        unread = np.isnan(laws).any(axis=(0, 2))
        if unread.any():
            name = self.surveyed.questions[int(unread.argmax())].name
            raise BadInput(
                f'{LAWS}: laws: "{name}" could not be read from every model; leave --recorded out'
            )
        given = tuple(
            np.repeat(laws[:, q, None, : len(sheet.options)], len(sheet), axis=1)
            for q, sheet in enumerate(self.asked.sheets)
        )
        return GroupAnswers(self.groups, self.asked, given)

    def run(self) -> Checked:
        """Read the models, then take every target through every route."""
        asking = not self.settings.recorded
        can = {
            "interpolation": asking and set(self.routes.adapters) >= set(self.groups),
            "persona routing": asking and bool(self.routes.adapters),
        }
        names = [r for r in self.settings.routes if can.get(r, True)]
        own = self._read("groups", self._own()) if asking else self._recorded()
        personas = self._read("personas", self._played()) if "persona routing" in names else None
        found: list[Realisation] = []
        targets = random_targets(len(self.groups), self.settings.targets, seed=self.settings.seed)
        for name in names:
            some = targets[: self.settings.interpolated] if name == "interpolation" else targets
            for i, x in enumerate(some):
                found.append(self._one(name, own, personas, x, i))
                self._told(i + 1, len(some), name)
        left = tuple(r for r in self.settings.routes if r not in names)
        return Checked(
            Fidelity(self.groups, tuple(found)), self.settings,
            tuple(q.name for q in self.surveyed.questions), self.calls, self.tokens,
            self.unparsed, left,
        )  # fmt: skip

    def _one(
        self, name: str, own: GroupAnswers, personas: GroupAnswers | None, x: FloatArray, i: int
    ) -> Realisation:
        people, seed = (self.surveyed.people, self.surveyed.sizes), self.settings.seed + i
        filled: int | IntArray = self.settings.sheets
        if name == "interpolation":
            scales = dict(zip(self.groups, x.tolist(), strict=True))
            one = self._read("interpolated", {"mixed": (self.server.backend(scales), "")})
            return realised(name, one, x, filled=filled, seed=seed, own=own, people=people)
        if name == "persona routing" and personas is not None:
            return realised(name, personas, x, filled=filled, seed=seed, people=people)
        if name == "routing" and self.settings.sampled:
            filled = self._sampled(x, seed)
        return realised(name, own, x, filled=filled, seed=seed, people=people)

    def _own(self) -> dict[str, tuple[Backend, str]]:
        """Return each group's backend and system prompt, as its route says."""
        out: dict[str, tuple[Backend, str]] = {}
        for g in self.groups:
            adapter = g if g in self.routes.adapters else ""
            out[g] = (self.server.backend(adapter), self.routes.routes[g].persona)
        return out

    def _played(self) -> dict[str, tuple[Backend, str]]:
        bare = self.server.backend()
        return {g: (bare, PERSONA.replace("{group}", g)) for g in self.groups}

    def _read(self, what: str, whom: dict[str, tuple[Backend, str]]) -> GroupAnswers:
        found = read_answers(
            {g: backend for g, (backend, _) in whom.items()}, self.asked,
            {g: system or self.settings.system for g, (_, system) in whom.items()},
            in_flight=2 * self.settings.slots,
            on_step=lambda done, total: self._told(done, total, f"asking {what}"),
        )  # fmt: skip
        self.calls += found.calls
        self.tokens += found.tokens
        return found

    def _sampled(self, x: FloatArray, seed: int) -> IntArray:
        """Let the drawn groups' models write every answer, (n, Q); -1 where none was given."""
        n, sheets = self.settings.sheets, self.asked.sheets
        rng = np.random.default_rng([seed, 17])
        group = drawn_groups(self.groups, x, n, seed=seed)
        order = np.stack([rng.integers(0, len(s), n) for s in sheets], axis=1)
        codes: IntArray = np.full((n, len(sheets)), -1, dtype=np.int64)
        for k, (backend, system) in enumerate(self._own().values()):
            cells = np.argwhere((group == k)[:, None] & (codes < 0))
            for attempt in range(AGAIN):
                self._ask_cells(codes, cells, order, backend, system, seed, attempt)
                cells = cells[codes[cells[:, 0], cells[:, 1]] < 0]
                if not len(cells):
                    break
        self.unparsed += int((codes < 0).sum())
        return codes

    def _ask_cells(
        self, codes: IntArray, cells: IntArray, order: IntArray, backend: Backend, system: str,
        seed: int, attempt: int,
    ) -> None:  # fmt: skip
        requests = []
        for i, q in cells.tolist():
            question, sheet = self.asked.questions[q], self.asked.sheets[q]
            prompt = self.asked.prompt(
                question, sheet.wording[order[i, q]], sheet.orders[order[i, q]],
                system or self.settings.system,
            )  # fmt: skip
            draw = (i * codes.shape[1] + q) * AGAIN + attempt
            requests.append(SampleRequest(prompt, draw, max_tokens=1, seed=seed * 7_919_111))
        texts = ask(backend, requests, in_flight=2 * self.settings.slots).complete()
        self.calls += len(requests)
        for (i, q), text in zip(cells.tolist(), texts, strict=True):
            assert isinstance(text, Sample)
            self.tokens += text.usage.prompt_tokens + text.usage.completion_tokens
            offered = self.asked.sheets[q].orders[order[i, q]]
            names = self.asked.names(self.asked.questions[q], offered)
            named = option_named(text.text, names)
            if named:
                codes[i, q] = offered[names.index(named)]

    def _told(self, done: int, total: int, what: str) -> None:
        if self.on_step is not None:
            self.on_step(done, total, what)
