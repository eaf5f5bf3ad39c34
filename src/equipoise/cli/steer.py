"""`equipoise steer GAME`: the least change that brings everybody in, as advice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.steer_options import (
    LEVERS,
    lever_names,
    make_lever,
    read_agreement,
    read_bounds,
    read_floors,
    read_prices,
)
from equipoise.cli.terminal import (
    JsonOption,
    QuietOption,
    SeedOption,
    Settings,
    keyboard,
    one_line,
    say,
    say_json,
    table,
)
from equipoise.errors import BadInput

if TYPE_CHECKING:
    from equipoise.game.alignment_game import AlignmentGame
    from equipoise.inclusion.goals import Goal
    from equipoise.inclusion.lever_table import LeverTable
    from equipoise.inclusion.plan import Plan

__all__ = ["steer"]


def steer(
    context: typer.Context,
    game: Annotated[Path, typer.Argument(help="A game file, .json or .toml.")],
    *,
    floor: Annotated[
        list[str] | None,
        typer.Option(help="Least coverage: 0.05 for every group, or GROUP=0.05; may be repeated."),
    ] = None,
    share: Annotated[
        float | None, typer.Option(help="Floors as this fraction of each group's share.")
    ] = None,
    served_by: Annotated[
        int, typer.Option(min=0, help="Every group served by at least so many agents.")
    ] = 0,
    weight: Annotated[
        float, typer.Option(help="What counts as served by an agent: at least this weight.")
    ] = 0.01,
    max_distance: Annotated[
        float | None, typer.Option(help="Largest L1 distance of coverage from the shares.")
    ] = None,
    lever: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(LEVERS)}; may be repeated: all at once [default: prices]."),
    ] = None,
    who: Annotated[
        list[str] | None, typer.Option(help="Anchors: an agent that may move; may be repeated.")
    ] = None,
    agreement: Annotated[
        Path | None, typer.Option(help="Audience: table of agreement E, .json, .npy or .csv.")
    ] = None,
    bounds: Annotated[
        list[str] | None,
        typer.Option(
            help="LEVER=low:high, e.g. prices=:0.2 (largest price), diversity=0:5, caps=0.5: "
            "(least weight), audience=0.8:1.25 (times the share); may be repeated."
        ),
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(help="LEVER=number: what one unit of its cost is worth; may be repeated."),
    ] = None,
    budget: Annotated[float | None, typer.Option(help="Most that several levers may cost.")] = None,
    sure: Annotated[
        float | None,
        typer.Option(help="Hold in this share of the game file's joint draws, e.g. 0.95."),
    ] = None,
    within: Annotated[
        float, typer.Option(help="Hold also with weights off by this share, e.g. 0.1.")
    ] = 0.0,
    out: Annotated[
        Path | None, typer.Option(help="Write the changed game to FILE, .json or .toml.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw coverage along the change to FILE, .png or .svg.")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    seed: SeedOption = None,
) -> int:
    """Find the least change of a lever after which nobody is left out, re-solved and certified.

    Exit code 1 when the lever does not reach the goal; then the nearest goal it does is named.
    With --lever all every lever is tried alone and they are put side by side.
    """
    settings = Settings.read(context, json=json, quiet=quiet, seed=seed)
    from equipoise.game.gamefile import drawn_games, load_draws, load_game, save_game
    from equipoise.inclusion.goals import Goal
    from equipoise.inclusion.steer import steer as find

    chosen = lever_names(lever)
    _check_ends(out, figure)
    loaded = load_game(game)
    goal = Goal(
        read_floors(floor, loaded), share=share, served_by=served_by, weight=weight,
        max_distance=max_distance,
    )  # fmt: skip
    table_e = None if agreement is None else read_agreement(agreement)
    draws = []
    if sure is not None:
        drawn = load_draws(game)
        if not drawn:
            raise BadInput(f"--sure: {game} has no draws; add them to the file, or leave --sure")
        draws = list(drawn_games(loaded, drawn))
    likely = 0.95 if sure is None else sure
    if chosen == ["all"]:
        single = {
            "bounds": bounds, "price": price, "who": who, "budget": budget, "within": within,
            "out": out,
        }  # fmt: skip
        for name, given in single.items():
            if given:
                raise BadInput(f"--{name}: it is for one plan; choose a lever instead of all")
        return _all(loaded, goal, settings, table_e, draws, likely, figure)
    one = make_lever(
        chosen, who, table_e, budget, read_bounds(bounds, chosen), read_prices(price, chosen)
    )
    plan = find(
        loaded, one, goal=goal, draws=draws, sure=likely, within=within,
        seed=settings.seed or 0,
    )  # fmt: skip
    if out is not None:
        save_game(plan.game, out)
    if figure is not None:
        _draw_path(plan, figure)
    if settings.json:
        say_json(plan.to_dict())
    else:
        say(_text(plan))
    for path in (out, figure):
        if path is not None:
            settings.note(f"written: {path}")
    return 0


def _check_ends(out: Path | None, figure: Path | None) -> None:
    """Refuse names of files that nothing can be written to before anything is worked out."""
    if figure is not None and figure.suffix not in (".png", ".svg"):
        raise BadInput(f"--figure: {figure} must end in .png or .svg; rename it")
    if out is not None and out.suffix not in (".json", ".toml"):
        raise BadInput(f"--out: a game file ends in .json or .toml, not {out.suffix!r}; rename it")


def _all(
    game: AlignmentGame,
    goal: Goal,
    settings: Settings,
    agreement: Any,
    draws: list[AlignmentGame],
    sure: float,
    figure: Path | None,
) -> int:
    from equipoise.inclusion.lever_table import compare_levers, usual_levers

    found = compare_levers(
        game, usual_levers(game, agreement), goal, draws=draws, sure=sure,
        seed=settings.seed or 0, progress=settings.progress(),
    )  # fmt: skip
    if figure is not None and found.plans:
        from equipoise.report.plan_plots import levers

        _draw(lambda: levers(found), figure)
        settings.note(f"written: {figure}")
    if settings.json:
        plans = [plan.to_dict() for plan in found.plans]
        refused = [{"lever": name, "reason": reason} for name, reason in found.refused]
        say_json({"goal": found.goal, "plans": plans, "refused": refused})
    else:
        say(_table_text(found))
    return 0 if found.plans else 1


def _draw_path(plan: Plan, figure: Path) -> None:
    from equipoise.inclusion.plan_path import plan_path
    from equipoise.report.plan_plots import plan as draw

    path = plan_path(plan)
    _draw(lambda: draw(path), figure)


def _draw(make: Callable[[], Any], figure: Path) -> None:
    from equipoise.report.canvas import drawn
    from equipoise.report.files import write_whole

    write_whole(figure, drawn(make, figure.suffix.lstrip(".")))


def _text(plan: Plan) -> str:
    from equipoise.inclusion.advice import full_advice
    from equipoise.report.tables import signed

    labels, floors = plan.before.game.groups.labels, plan.goal.floor_array(plan.game)
    before, after = plan.before.profile, plan.after.profile
    rows = [
        (
            label,
            f"{floors[k]:.6g}" if floors[k] > 0 else "",
            f"{before.coverage[k]:.6f}",
            f"{after.coverage[k]:.6f}",
            keyboard(signed(float(plan.group_gain[k]))),
            f"{after.top_weight[k]:.6f}",
        )
        for k, label in enumerate(labels)
    ]
    head = ("group", "floor", "coverage before", "after", "gain", "top weight after")
    said = one_line(full_advice(plan))
    lines = [
        said[:1].upper() + said[1:] + ".",
        "",
        table(plan.goal.words(plan.before.game), head, rows),
        "",
        f"Why {plan.leastness.word}: {plan.leastness.why}.",
    ]
    prices = [f"{g} {v:.4g}" for g, v in plan.shadow_prices.items()]
    if prices:
        lines.append("Cost of one more unit of a floor: " + ", ".join(prices) + ".")
    worst, least = int(plan.agent_gain.argmin()), float(plan.agent_gain.min())
    if least < -1e-12:
        lines.append(
            f"By the incentives agents had, {plan.before.game.agents.label(worst)} gives up most: "
            f"{-least:.6g} utility units."
        )
    else:
        lines.append("By the incentives agents had, none of them is worse off.")
    gap = plan.after.certificate
    lines.append(
        f"After, re-solved: largest gap {gap.max_gap:.1e}, relative {gap.max_relative_gap:.1e}; "
        f"the only equilibrium: {gap.uniqueness.verdict}."
    )
    return keyboard("\n".join(lines))


def _table_text(found: LeverTable) -> str:
    rows = [
        (
            row["lever"],
            row["least"] or "not reached",
            one_line(row["advice"] or row["reason"]),
            f"{row['cost']:.6g}" if row["cost"] is not None else "",
        )
        for row in found.to_rows()
    ]
    lines = [
        table(f"Goal: {found.goal}", ("lever", "", "what to do", "cost"), rows, left=3),
        "",
        "Costs of different levers have different units; see equipoise steer --json.",
    ]
    return keyboard("\n".join(lines))
