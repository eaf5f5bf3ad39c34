"""`equipoise measure STUDY`: what real models answer, as a game with its joint draws."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from equipoise.cli.terminal import (
    JsonOption,
    QuietOption,
    SeedOption,
    Settings,
    one_line,
    say,
    say_json,
    table,
)
from equipoise.errors import BadInput

if TYPE_CHECKING:
    from equipoise.llm.ledger import Spent
    from equipoise.llm.store import Store
    from equipoise.measure.agents import Known
    from equipoise.measure.asking import Phase, Progress
    from equipoise.measure.findings import AgentFindings
    from equipoise.measure.plan import AgentPlan
    from equipoise.measure.population import Population
    from equipoise.study.measuring import ToMeasure

__all__ = ["measure"]


def measure(
    context: typer.Context,
    study: Annotated[Path, typer.Argument(help="A study file with [[agents]], .toml.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the results [default: out/<name>]; files go to measured/."),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Where answers are kept [default: measured/answers.sqlite in --out]."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked; send nothing.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    seed: SeedOption = None,
) -> None:
    """Ask the models of a study; what was answered before is not asked again.

    Writes game.json with its draws, measured.json and answers.csv; `study run` takes the game
    where the study says anchor = "measured". Exit code 1 when a budget is spent or calls failed:
    what was answered is kept, and the same command goes on.
    """
    settings = Settings.read(context, json=json, quiet=quiet, seed=seed)
    if not study.is_file():
        raise BadInput(f"{study}: there is no such file; start with: equipoise new study {study}")
    from equipoise.game.gamefile_sections import at_field
    from equipoise.llm.store import Store
    from equipoise.measure.agents import known_about
    from equipoise.study.measuring import FOLDER, to_measure
    from equipoise.study.study_file import read_study

    with at_field(study.name):
        wanted = to_measure(read_study(study, seed=settings.seed), study.parent)
    who = wanted.population
    folder = (out or Path("out") / study.stem) / FOLDER
    place = store or folder / "answers.sqlite"
    known = {agent.name: known_about(agent) for agent in who.agents}
    _say_hosts(settings, known)
    if dry_run:
        kept = Store(place, read_only=True) if place.exists() else None
        plans = _plans(wanted, known, kept)
        if settings.json:
            say_json({"dry_run": True, "agents": [p.to_dict() for p in plans],
                      "power": who.power()})  # fmt: skip
        else:
            say(_planned(who, plans))
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with Store(place) as opened:
        plans = _plans(wanted, known, opened)
        if not settings.quiet:
            say(_planned(who, plans), error=True)
        found = who.measure(
            store=opened, budget=wanted.budget, label=f"measure {study.stem}",
            prices=wanted.prices, progress=_progress(settings), note=settings.note,
        )  # fmt: skip
    path = found.write(folder)
    if settings.json:
        phases = [phase.to_dict() for phase in found.phases]
        say_json(found.to_dict() | {"game": str(path), "phases": phases})
        return
    say("\n\n".join(_agent(one) for one in found.agents) + "\n")
    say(_phases(found.phases))
    say(f"\nThe game is {path}: equipoise solve {path}")


def _say_hosts(settings: Settings, known: Mapping[str, Known]) -> None:
    for host, key in sorted({(one.host, one.key_env) for one in known.values() if one.host}):
        settings.note(
            f"the key in {key} goes to {one_line(host)} and nowhere else"
            if key
            else f"questions go to {one_line(host)}, without a key"
        )


def _plans(wanted: ToMeasure, known: Mapping[str, Known], store: Store | None) -> list[AgentPlan]:
    limit = wanted.budget.cost if wanted.budget.cost < float("inf") else None
    return wanted.population.plan(store=store, prices=wanted.prices, max_cost=limit, known=known)


def _progress(settings: Settings) -> Progress:
    """Return a callback that shows how far the asking is: rate, time left, cost."""
    tell = settings.teller()

    def show(phase: str, done: int, total: int, spent: Spent, seconds: float) -> None:
        rate = done / seconds if seconds > 0 else 0.0
        left = f", {(total - done) / rate:,.0f} s left" if 0 < done < total else ""
        text = (
            f"{one_line(phase)}: {done:,} of {total:,} ({rate:,.1f} a second{left}, "
            f"US$ {spent.cost:,.4f})"
        )
        tell(text, done >= total)

    return show


def _planned(who: Population, plans: list[AgentPlan]) -> str:
    rows = [
        (
            p.agent,
            p.estimator,
            f"{p.calls:,}",
            f"{p.calls - p.kept:,}",
            f"{p.tokens:,.0f}",
            f"{p.tokens_most:,.0f}",
            "no price" if p.cost is None else f"{p.cost:,.4f}",
            "not known" if p.seconds is None else f"{p.seconds:,.0f}",
        )
        for p in plans
    ]
    head = ("agent", "by", "answers", "to ask", "tokens, about", "at most", "US$", "seconds")
    asked = who.asked
    lines = [
        table("To be asked", head, rows, left=2),
        f"{len(asked.questions)} questions, {asked.prompts:,} prompts in balanced orders, as "
        f"{len(who.conditions(who.agents[0]))}: each agent itself"
        + (", and as a person of every group" if who.personas else ""),
    ]
    if any(p.seconds is None for p in plans):
        lines.append("seconds are known once: equipoise models doctor NAME has looked")
    need = [
        f"{group} {n:,}" if n is not None else f"{group}: no number"
        for group, n in who.power().items()
    ]
    lines.append(
        "A weight known to a standard error of 0.05 by counting takes so many single answers: "
        + ", ".join(need)
        + ". Exact scores have no such error, but see no more than single answers do."
    )
    return "\n".join(lines)


def _agent(found: AgentFindings) -> str:
    rows = []
    for group, e in found.alignment.items():
        near = found.distances
        row = [
            group,
            f"{e.value:.3f}",
            f"{e.low:.3f} to {e.high:.3f}",
            f"{near.representativeness[group].value:.3f}",
            f"{near.jensen_shannon[group].value:.3f}",
        ]
        if found.steerability is not None and found.judging is not None:
            moved = found.steerability.moved[group]
            row += [
                f"{moved.value:.3f} to {moved.high:.3f}",
                f"{found.steerability.towards[group].value:+.3f}",
                f"{found.judging.appeal[group].value:.3f}",
                f"{found.judging.people_appeal[group].value:.3f}",
            ]
        rows.append(row)
    head = ["group", "alignment", "95 %", "represents", "JS distance"]
    if found.steerability is not None:
        head += ["persona moves", "towards", "appeal, model", "people"]
    said = found.randomness
    letters = " / ".join(f"{x:.3f}" for x in said.letters)
    lines = [
        table(f"{found.agent}, by {found.answers.kind}", head, rows),
        f"{said.verdict}: {said.uniform.distance.value:.3f} from uniform over balanced orders, "
        f"{said.one_order.value:.3f} in single ones",
        f"driven by {said.driven_by}; shares by position {letters}",
    ]
    if found.steerability is not None:
        lines.append(found.steerability.verdict)
    left_out = len(found.answers.sheets) - len(found.questions)
    unusable = ", ".join(f"{n:,} {what}" for what, n in found.answers.unusable.items() if n)
    if left_out or unusable:
        lines.append(f"questions left out: {left_out}; {unusable or 'no answer unusable'}")
    if said.random:
        lines.append("Its alignment is that of random answers, not a view it holds.")
    return "\n".join(lines)


def _phases(phases: tuple[Phase, ...]) -> str:
    rows = [
        (
            p.name,
            f"{p.calls:,}",
            f"{p.spent.calls:,}",
            f"{sum(p.spent.failures.values()):,}",
            f"{p.spent.tokens:,}",
            f"{p.spent.cost:.4f}",
            f"{p.seconds:.1f}",
        )
        for p in phases
    ]
    head = ("phase", "answers", "sent", "failed", "tokens", "US$", "seconds")
    return table("What it took", head, rows)
