"""`equipoise solve GAME`: the equilibrium of a game file, and who is left out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.engine_options import EngineSettings
from equipoise.cli.solve_shards import in_shards, solve_in_shards
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
from equipoise.errors import BadInput, NotSolved

if TYPE_CHECKING:
    from equipoise.equilibrium.outcome import Equilibrium
    from equipoise.game.alignment_game import AlignmentGame
    from equipoise.inclusion.exclusion import ExclusionReport

__all__ = ["solve"]

INLINE_ROWS = 10_000
"""Above this many rows the profile goes to `--out`."""


def solve(
    context: typer.Context,
    game: Annotated[Path, typer.Argument(help="A game file, .json or .toml.")],
    *,
    tol: Annotated[
        float, typer.Option(help="Largest gap, relative to each agent's utility range.")
    ] = 1e-9,
    below: Annotated[
        float,
        typer.Option(
            help="A group is excluded when its top weight is below this; 0: when nobody serves it."
        ),
    ] = 0.0,
    every: Annotated[
        bool, typer.Option("--all", help="Give every equilibrium found, not only the first.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the answer to FILE: .npz (arrays) or .json; shards: to a folder."),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    seed: SeedOption = None,
) -> int:
    """Find a certified equilibrium and say which groups are excluded.

    Exit code 0 when solved, also when groups are excluded; 1 when no profile was certified; 2
    when the file or an option cannot be used.
    """
    settings = Settings.read(context, json=json, quiet=quiet, seed=seed)
    if not 0 < tol < 1:
        raise BadInput(f"--tol: got {tol:g}; write a number between 0 and 1, e.g. 1e-9")
    if not 0 <= below < 1:
        raise BadInput(f"--below: got {below:g}; write a weight from 0 up to 1, e.g. 0.02")
    if game.is_dir():
        raise BadInput(f"{game} is a folder; give the file itself")
    if in_shards(game, out):
        where = EngineSettings.read(context)
        return solve_in_shards(game, out, settings, where.engine(), tol=tol, below=below,
                               every=every)  # fmt: skip
    from equipoise.game.gamefile import drawn_games, load_draws, load_game

    loaded = load_game(game)
    if not _says_anything(loaded):
        settings.note(
            "note: no term of this game has a weight, so every profile is an equilibrium; add e.g. "
            "attractiveness and consistency"
        )
    _check_out(out, len(loaded.agents))
    draws = load_draws(game)
    from equipoise.equilibrium.solve import solve as find
    from equipoise.inclusion.exclusion import draw_exclusion, exclusion

    equilibrium = find(loaded, tol=tol, seed=settings.seed or 0, on_failure="return")
    answer, report, unknown = _answer(equilibrium), None, ""
    if equilibrium.outcome.name == "solved":
        try:
            drawn = draw_exclusion(drawn_games(loaded, draws), below) if draws else None
            report = exclusion(equilibrium, below=below, draws=drawn)
            answer |= _verdicts(report)
        except NotSolved as error:
            unknown = f"solved, but who is excluded cannot be told: {one_line(str(error))}"
    else:
        unknown = f"not solved: {equilibrium.outcome.value}"
    if every:
        answer["others"] = [_profile(other) for other in equilibrium.others]
    if out is not None:
        _write(out, equilibrium, answer)
    if settings.json:
        say_json(answer)
    elif report is not None:
        say(_text(equilibrium, report, every=every))
    if unknown:
        say(unknown, error=True)
    if out is not None:
        settings.note(f"written: {out}")
    return 1 if unknown else 0


def _says_anything(game: AlignmentGame) -> bool:
    """Whether any term of a game has a weight (a subsidy: a price) other than 0."""
    import numpy as np

    return any(np.any(getattr(term, "weight", getattr(term, "prices", 1))) for term in game.terms)


def _check_out(out: Path | None, rows: int) -> None:
    if out is None:
        if rows > INLINE_ROWS:
            raise BadInput(f"the profile has {rows} rows, too many to print; add --out FILE.npz")
        return
    if out.is_dir():
        raise BadInput(f"--out: {out} is a folder; name a file in it, e.g. {out / 'answer.npz'}")
    if out.suffix not in (".npz", ".json"):
        raise BadInput(f"--out: {out} must end in .npz or .json; rename it")
    if rows > INLINE_ROWS and out.suffix == ".json":
        raise BadInput(f"--out: {rows} rows are too many for .json; write .npz")
    if not out.parent.is_dir():
        raise BadInput(f"--out: there is no folder {out.parent}; make it first")


def _profile(equilibrium: Equilibrium) -> dict[str, Any]:
    rows = len(equilibrium.profile)
    return {
        "profile": equilibrium.profile.array.tolist() if rows <= INLINE_ROWS else None,
        "coverage": equilibrium.profile.coverage.tolist(),
        "top_weight": equilibrium.profile.top_weight.tolist(),
        "max_gap": equilibrium.certificate.max_gap,
    }


def _answer(equilibrium: Equilibrium) -> dict[str, Any]:
    """Return the JSON object of `solve`; its keys are a contract (design section 4).

    Nobody is called excluded at a profile that is no equilibrium: those keys stay null there.
    """
    certificate, record = equilibrium.certificate, equilibrium.record
    return {
        "outcome": equilibrium.outcome.name,
        "groups": list(equilibrium.game.groups.labels),
        "agents": equilibrium.game.agents.plain(),
        **_profile(equilibrium),
        "gap": certificate.gap.tolist(),
        "regret": certificate.regret.tolist(),
        "max_relative_gap": certificate.max_relative_gap,
        "uniqueness": {
            "verdict": certificate.uniqueness.verdict,
            "margin": certificate.uniqueness.margin,
            "equilibria": len(equilibrium.found),
            "test": certificate.uniqueness.test,
        },
        "excluded": None,
        "excluded_in": None,
        "verdicts": None,
        "margins": None,
        "solver": record.solver,
        "seconds": record.seconds,
        "seed": record.seed,
        "version": record.version,
    }


def _verdicts(report: ExclusionReport) -> dict[str, Any]:
    return {
        "excluded": list(report.excluded),
        "excluded_in": report.excluded_in.tolist(),
        "verdicts": [verdict.value for verdict in report.verdicts],
        "margins": [float(margin) for margin in report.margins],
    }


def _write(out: Path, equilibrium: Equilibrium, answer: dict[str, Any]) -> None:
    """Write the arrays or the object; above `INLINE_ROWS` the object points to the file."""
    if out.suffix == ".npz":
        import numpy as np

        certificate = equilibrium.certificate
        np.savez(
            out,
            profile=equilibrium.profile.array,
            gap=certificate.gap,
            regret=certificate.regret,
            coverage=equilibrium.profile.coverage,
            groups=np.array(equilibrium.game.groups.labels),
        )
        if len(equilibrium.profile) > INLINE_ROWS:
            answer |= {"profile": str(out), "gap": str(out), "regret": str(out)}
    else:
        import json as json_module

        out.write_text(json_module.dumps(answer) + "\n", encoding="utf-8")


def _text(equilibrium: Equilibrium, report: ExclusionReport, *, every: bool) -> str:
    from equipoise.report.phrases import equilibria, plain
    from equipoise.report.tables import signed

    game, certificate = equilibrium.game, equilibrium.certificate
    unique = certificate.uniqueness
    left_out = list(zip(game.groups.labels, report.excluded_in.tolist(), strict=True))
    others = plain(equilibria(unique.verdict, len(equilibrium.found), left_out))
    rows = [
        (
            label,
            f"{report.shares[k]:.3f}",
            f"{report.coverage[k]:.6f}",
            f"{report.top_weight[k]:.6f}",
            report.top_agent[k],
            keyboard(signed(float(report.margins[k]))),
            report.verdicts[k].value,
        )
        for k, label in enumerate(game.groups.labels)
    ]
    head = ("group", "share", "coverage", "top weight", "by", "margin", "verdict")
    less = "nobody serves it"
    if report.below:
        less = f"no agent gives it {report.below:g} of its weight"
    lines = [
        *([one_line(others), ""] if others else []),
        table(f"{game.agents.total} agents, {len(game.groups)} groups", head, rows),
        "",
        f"margin: how far the group's score could fall before {less} (+), or must rise before that "
        "ends (-).",
        equilibrium.outcome.value,
        f"Largest gap {certificate.max_gap:.1e} utility units, relative "
        f"{certificate.max_relative_gap:.1e}; {equilibrium.record.solver}, "
        f"{equilibrium.record.seconds:.2g} s.",
    ]
    if unique.verdict == "proved":
        lines.append("It is the only equilibrium (proved).")
    elif unique.verdict == "refuted":
        lines.append("It is not the only equilibrium (proved).")
    for number, other in enumerate(equilibrium.others if every else (), start=2):
        covered = zip(game.groups.labels, other.profile.coverage, strict=True)
        lines.append(f"  {number}: " + ", ".join(f"{name} {share:.4f}" for name, share in covered))
    return "\n".join(lines)
