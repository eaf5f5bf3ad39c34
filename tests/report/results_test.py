"""Every public result has plain rows, a data frame and a table in notebooks, and plots nothing."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
import typing
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.display import Tabled
from equipoise.errors import MissingExtra
from equipoise.game.catalog import game as catalogue

HOSTILE = ("<script>x</script>", "=1+1\u202e", "c" * 5000)
"""Labels of the groups of most examples."""

DOORS = (
    "equipoise.panels", "equipoise.measure", "equipoise.equilibrium.dynamics",
    "equipoise.equilibrium.shard_solve", "equipoise.inclusion.compare",
    "equipoise.inclusion.lever_table", "equipoise.inclusion.plan_path",
    "equipoise.measure.power", "equipoise.measure.identify",
)  # fmt: skip
"""Beside `eq` itself: where results come from."""

NO_RESULTS = {"AlignmentGame", "AnswerLaws", "Calibration", "Units"}
"""What these doors also return: things that results are made from."""


def toy() -> eq.AlignmentGame:
    groups = eq.Groups(dict(zip(HOSTILE, (0.5, 0.35, 0.15), strict=True)))
    return eq.AlignmentGame(groups, ["<b>a", "b"], catalogue("toy").terms)


def plan() -> eq.Plan:
    return eq.steer(toy(), floors={HOSTILE[2]: 0.05})


def compared() -> Any:
    from equipoise.inclusion.compare import Side, compare

    return compare(Side("now", toy(), {}), Side("then", plan().game, {}))


def sharded(folder: Path) -> Any:
    from equipoise.equilibrium.shard_solve import solve_shards
    from equipoise.equilibrium.shards import ShardedGame
    from tests.equilibrium.shards_test import write_game

    return solve_shards(ShardedGame.load(write_game(folder, [20, 10], 3, 1)), folder / "out")


def laws() -> Any:
    from equipoise.measure import AnswerLaws

    shares = [[[0.8, 0.2]] * 3, [[0.3, 0.7]] * 3, [[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]]
    return AnswerLaws(HOSTILE, ("x", "y", "z"), (("no", "yes"),) * 3, np.array(shares))


def audited() -> Any:
    from equipoise.measure import audit_units, sheets

    codes = np.random.default_rng(0).integers(0, 2, (400, 3))
    return audit_units(laws(), sheets(codes))


def panel() -> Any:
    from equipoise.panels import load_panel

    return load_panel("gss2018", groups=3, questions=("natenvir", "natarms"))


def measured() -> Any:
    from equipoise.llm.scripted import Scripted
    from equipoise.measure.agents import AgentSpec
    from equipoise.measure.population import Population
    from equipoise.measure.questionnaire import Questionnaire
    from equipoise.measure.questions import questions_of

    asked = Questionnaire(questions_of(panel().answers))
    who = Population(panel(), (AgentSpec("a", "any"),), asked, draws=40, personas=False)
    return who.measure(given={"a": Scripted.uniform()})


def simulated(folder: Path) -> Any:
    from equipoise.simulate.simulation import Setup, simulate

    game = eq.AlignmentGame(
        panel().groups, 2, [eq.Attractiveness(panel().appeal(), 1.0), eq.Consistency([1 / 3] * 3)]
    )
    return simulate(Setup(game, panel(), replicates=2), 160, log=folder / "log.sqlite")


def diagnosis() -> Any:
    from equipoise.llm.backend import Capabilities
    from equipoise.llm.doctor import Diagnosis

    able = typing.cast("Capabilities", None)
    return Diagnosis(able, "llama.cpp", "scores", "why", 0.7, "yes", 0.0, 3.0, 100.0, False, ())


def of(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"equipoise.{module}"), name)


EXAMPLES: dict[str, Callable[[Path], Any]] = {
    "Estimate": lambda _: eq.Estimate(0.5, 0.4, 0.6, 10, "by hand"),
    "Equilibrium": lambda _: eq.solve(toy()),
    "Certificate": lambda _: eq.solve(toy()).certificate,
    "Profile": lambda _: eq.solve(toy()).profile,
    "ShardedEquilibrium": sharded,
    "Path": lambda _: of("equilibrium.dynamics", "dynamics")(toy(), steps=5),
    "ExclusionReport": lambda _: eq.exclusion(eq.solve(toy()), below=0.02),
    "CriticalIncentives": lambda _: eq.critical_incentives(HOSTILE, [0.5, 0.35, 0.15], [1 / 3] * 3),
    "PhaseMap": lambda _: eq.phase_map(toy(), "attractiveness=0:3:3", "diversity=0:1:3"),
    "Plan": lambda _: plan(),
    "PlanPath": lambda _: of("inclusion.plan_path", "plan_path")(plan(), points=3),
    "LeverTable": lambda _: of("inclusion.lever_table", "compare_levers")(
        toy(), [eq.levers.Prices()], eq.Goal({HOSTILE[2]: 0.05})),
    "Inference": lambda _: eq.infer(toy(), eq.solve(toy()).profile),
    "Comparison": lambda _: compared(),
    "Panel": lambda _: panel(),
    "AnswerTable": lambda _: panel().answers,
    "Audit": lambda _: audited(),
    "MixtureEstimate": lambda _: audited().estimate,
    "Identification": lambda _: audited().identification,
    "ScoreMixture": lambda _: of("measure", "mixture_from_scores")(laws(), [[0.6, 0.4]] * 3),
    "Distances": lambda _: measured().agents[0].distances,
    "Power": lambda _: of("measure.power", "power")(laws(), 1),
    "UniformTest": lambda _: of("measure", "uniform_counts_test")([[34, 33, 33]] * 3, [3] * 3),
    "AgentFindings": lambda _: measured().agents[0],
    "Measured": lambda _: measured(),
    "Diagnosis": lambda _: diagnosis(),
    "Simulation": simulated,
}  # fmt: skip


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_result_is_rows_a_frame_and_a_table(name: str, tmp_path: Path) -> None:
    found = EXAMPLES[name](tmp_path)
    assert type(found).__name__ == name
    rows = list(found.to_rows())
    assert rows
    assert all(list(row) == list(rows[0]) for row in rows)
    frame = found.to_frame()
    assert len(frame) == len(rows)
    key = next(iter(rows[0]))
    assert frame[key].tolist() == [row[key] for row in rows]
    shown = found._repr_html_()
    assert Tags(shown).seen <= {"p", "table", "thead", "tbody", "tr", "th", "td", "bdi", "caption",
                                "span"}  # fmt: skip
    assert "<table>" in shown
    assert "\u202e" not in shown
    assert len(shown) < 20_000
    assert not [part for part in dir(found) if re.search(r"plot|draw_|figure", part)]


def test_without_pandas_one_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r"pip install 'equipoise\[data\]'"):
        eq.solve(toy()).to_frame()


def returned(door: Any) -> set[type]:
    """The classes of ours that public functions of a module return."""
    out: set[type] = set()
    for name in door.__all__:
        made = getattr(door, name)
        if not inspect.isfunction(made):
            continue
        space = vars(importlib.import_module(made.__module__))
        try:
            hint = typing.get_type_hints(made, space).get("return")
        except NameError:  # a name only known to type checkers
            hint = space.get(str(made.__annotations__.get("return")))
        for one in (hint, *typing.get_args(hint)):
            if isinstance(one, type) and one.__module__.startswith("equipoise"):
                out.add(one)
    return out


def test_every_public_function_returns_a_result_that_is_one() -> None:
    found = returned(eq)
    for door in DOORS:
        found |= returned(importlib.import_module(door))
    names = {one.__name__ for one in found if is_dataclass(one)}
    assert {"Equilibrium", "PhaseMap", "Plan", "Audit", "Panel", "Inference"} <= names
    wrong = {n for n in names - NO_RESULTS if not issubclass(_by_name(found, n), Tabled)}
    assert wrong == set()


def test_a_planted_result_without_a_table_is_found() -> None:
    @dataclass
    class Bare:
        value: float

    Bare.__module__ = "equipoise.planted"

    def make() -> Bare:
        return Bare(1.0)

    make.__annotations__["return"] = Bare
    door = SimpleNamespace(__all__=["make"], make=make)
    assert [one.__name__ for one in returned(door) if not issubclass(one, Tabled)] == ["Bare"]


def _by_name(found: set[type], name: str) -> type:
    return next(one for one in found if one.__name__ == name)


def test_every_class_with_a_table_has_an_example_here() -> None:
    for module in pkgutil.walk_packages(eq.__path__, "equipoise."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert {one.__name__ for one in Tabled.__subclasses__()} == set(EXAMPLES)
