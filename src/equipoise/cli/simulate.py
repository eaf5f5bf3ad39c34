"""`equipoise simulate STUDY`: agents post, respondents react, agents adapt; theory beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.engine_options import ResumeOption
from equipoise.cli.terminal import (
    JsonOption,
    QuietOption,
    SeedOption,
    Settings,
    keyboard,
    say,
    say_json,
    table,
)
from equipoise.errors import BadInput, MissingExtra

if TYPE_CHECKING:
    from equipoise.simulate.outcome import PhaseOutcome
    from equipoise.study.simulating import ToSimulate

__all__ = ["simulate"]


def simulate(
    context: typer.Context,
    study: Annotated[Path, typer.Argument(help="A study file with a [panel], .toml.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the results [default: out/<name>]; files go to simulated/."),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=160, help="In place of simulate.rounds: e.g. to go on longer.")
    ] = None,
    realisation: Annotated[
        Path | None,
        typer.Option(help="A realisation.toml: posts are drawn from its models' measured answers."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be played and what is predicted.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    seed: SeedOption = None,
    resume: ResumeOption = False,
) -> int:
    """Play the closed loop of a study and hold the predicted equilibrium against it.

    What was played before in the same folder is not played again; that needs no option, --resume
    changes nothing. Exit code 0 when done, also when prediction and simulation differ; 1 when the
    bands are too wide to tell, or a game was not certified; 2 when something cannot be used.
    """
    settings = Settings.read(context, json=json, quiet=quiet, seed=seed)
    if not study.is_file():
        raise BadInput(f"{study}: there is no such file; start with: equipoise new study {study}")
    from equipoise.game.gamefile_sections import at_field
    from equipoise.report.files import make_folder
    from equipoise.report.simulate_page import in_short, write_simulation
    from equipoise.simulate.simulation import simulate as play
    from equipoise.study.simulating import FOLDER, to_simulate
    from equipoise.study.study_file import read_study

    results = out or Path("out") / study.stem
    with at_field(study.name):
        wanted = to_simulate(
            read_study(study), study, results, seed=settings.seed, realisation=realisation
        )
        count = wanted.rounds if rounds is None else rounds
        if dry_run:
            return _dry(wanted, count, settings)
    folder = make_folder(results / FOLDER)
    found = play(
        wanted.setup, count, log=folder / "log.sqlite", level=wanted.level, width=wanted.width,
        progress=_progress(settings), note=settings.note,
    )  # fmt: skip
    missing = None
    try:
        write_simulation(found, folder, f"Simulation of {study.stem}")
    except MissingExtra as error:
        missing = error
    if settings.json:
        say_json(found.to_dict())
    else:
        for phase in found.phases:
            say(_phase(phase))
            say("")
        say(keyboard("\n".join(in_short(found))))
    settings.note(f"written: {folder}" + (f"; no figures: {missing}" if missing else ""))
    return 1 if found.verdict == "too short" else 0


def _dry(wanted: ToSimulate, rounds: int, settings: Settings) -> int:
    """Say what would be played; the predicted equilibria are solved, no round is played."""
    from equipoise.equilibrium.solve import solve

    setup = wanted.setup
    starts = setup.starts(rounds)
    games = [setup.game] if setup.plan is None else [setup.game, setup.plan.game]
    labels, agents = setup.game.groups.labels, setup.game.agents.total
    told = [solve(game).profile.coverage for game in games]
    posts = agents * setup.replicates * setup.posts * rounds
    data: dict[str, Any] = {
        "dry_run": True, "agents": agents, "rounds": rounds, "phases": starts, "posts": posts,
        "readings": posts * setup.readers, "learning": setup.learning,
        "predicted": [dict(zip(labels, one.tolist(), strict=True)) for one in told],
    }  # fmt: skip
    if settings.json:
        say_json(data)
        return 0
    rows = [(g, *(f"{one[k]:.6f}" for one in told)) for k, g in enumerate(labels)]
    head = ("group", "as it is", "under the plan")[: 1 + len(told)]
    say(table("Predicted coverage", head, rows))
    say(f"\n{agents:,} agents, {rounds:,} rounds, {posts:,} posts, {posts * setup.readers:,} "
        f"readings by {setup.panel.n:,} respondents in {setup.replicates} replicates")  # fmt: skip
    return 0


def _progress(settings: Settings) -> Callable[[int, int], None]:
    """Return a callback that shows how far the rounds are, and the time left."""
    tell = settings.teller()
    began, first = time.monotonic(), -1

    def show(done: int, total: int) -> None:
        nonlocal first
        if first < 0:
            first = done
        passed = time.monotonic() - began
        rate = (done - first) / passed if passed > 0 else 0.0
        left = f", {(total - done) / rate:,.0f} s left" if rate > 0 and done < total else ""
        tell(f"rounds: {done:,} of {total:,} ({rate:,.0f} a second{left})", done >= total)

    return show


def _phase(one: PhaseOutcome) -> str:
    data = one.to_dict()
    rows = [
        (
            r["group"],
            f"{r['predicted']:.4f}",
            f"{r['coverage']:.4f}",
            f"{r['low']:.4f} to {r['high']:.4f}",
            "yes" if r["inside"] else "no",
            *(f"{1000 * r['why'][part]:+.1f}" for part in one.why),
            f"{r['welfare']:.4f}",
            f"{r['welfare_predicted']:.4f}",
        )
        for r in data["groups"]
    ]
    head = ("group", "predicted", "simulated", "band", "held", "samples", "learning",
            "models", "formula", "welfare", "predicted")  # fmt: skip
    title = f"{one.name.capitalize()}, rounds {one.first:,} to {one.last:,}: {one.verdict}"
    text = table(title, head, rows)
    paid = data["paid"]
    if one.paid_predicted:
        text += (
            f"\nPaid for one post of every agent: {paid['mean']:.4f} [{paid['low']:.4f}, "
            f"{paid['high']:.4f}], predicted {one.paid_predicted:.4f}"
        )
    return text + "\nThe four columns of differences are in thousandths of weight."
