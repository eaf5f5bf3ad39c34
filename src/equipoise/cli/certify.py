"""`equipoise certify GAME --profile FILE`: examine anybody's profile, whoever computed it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.terminal import JsonOption, QuietOption, Settings, say, say_json, table
from equipoise.errors import BadInput

if TYPE_CHECKING:
    from equipoise.equilibrium.certificate import Certificate
    from equipoise.game.alignment_game import AlignmentGame
    from equipoise.game.profile import Profile

__all__ = ["certify", "read_profile"]

SHOWN_ROWS = 20


def certify(
    context: typer.Context,
    game: Annotated[Path, typer.Argument(help="A game file, .json or .toml.")],
    *,
    profile: Annotated[
        Path,
        typer.Option(help="Rows of weights: .json (also of solve --json), .npy or .npz."),
    ],
    tol: Annotated[
        float, typer.Option(help="Largest gap, relative to each agent's utility range.")
    ] = 1e-9,
    exact: Annotated[
        bool, typer.Option("--exact", help="Examine in rational arithmetic (small games).")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Say how much any agent could still gain by moving alone, and whether that is nothing.

    Exit code 0 when certified, 1 when not.
    """
    settings = Settings.read(context, json=json, quiet=quiet)
    if not 0 <= tol < 1:
        raise BadInput(f"--tol: got {tol:g}; write a number from 0 up to 1, e.g. 1e-9")
    from equipoise.equilibrium.certificate import certify as examine
    from equipoise.game.gamefile import load_game

    loaded = load_game(game)
    examined = read_profile(profile, loaded)
    certificate = examine(loaded, examined, exact=exact)
    certified = certificate.max_relative_gap <= tol
    if certificate.exact is not None:
        certified = certified and certificate.exact.proved
    if settings.json:
        say_json(_answer(loaded, certificate, certified=certified, tol=tol))
    else:
        say(_text(loaded, certificate, certified=certified, tol=tol))
    return 0 if certified else 1


def read_profile(path: Path, game: AlignmentGame) -> Profile:
    """Return the profile of a file, its labels checked against the game's where it has any."""
    if path.suffix == ".json":
        from equipoise.game.gamefile_text import parse, read_text

        data = parse(read_text(path), ".json")
        rows = data
        if isinstance(data, dict):
            if "profile" not in data:
                raise BadInput(f'{path}: there is no key "profile"; write {{"profile": [[...]]}}')
            rows = data["profile"]
            if isinstance(data.get("groups"), list):
                game.groups.same_labels(data["groups"])
            agents = data.get("agents")
            if isinstance(agents, list) and agents != list(game.agents.labels()):
                raise BadInput(
                    f"{path}: its agents are not those of the game; give one row per agent of "
                    "the game, in its order"
                )
        if isinstance(rows, str):
            return game.profile(_load(Path(rows)))
        if not isinstance(rows, list) or not all(_is_row(row) for row in rows):
            raise BadInput(f"{path}: the profile must be a list of rows of numbers, [[0.5, 0.5]]")
        if len({len(row) for row in rows}) > 1:
            raise BadInput(f"{path}: the rows have different lengths; write one weight per group")
        return game.profile(rows)
    if path.suffix in (".npy", ".npz"):
        return game.profile(_load(path))
    raise BadInput(f"{path}: a profile file ends in .json, .npy or .npz; rename it")


def _is_row(row: Any) -> bool:
    return isinstance(row, list) and all(
        isinstance(x, int | float) and not isinstance(x, bool) for x in row
    )


def _load(path: Path) -> Any:
    import zipfile

    import numpy as np

    if not path.is_file():
        raise BadInput(f"{path}: there is no such file; check the name")
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.ndarray):
            with loaded:
                if "profile" not in loaded.files:
                    raise BadInput(f'{path}: it holds no array "profile"; save it by that name')
                loaded = loaded["profile"]
    except BadInput:
        raise
    except (ValueError, EOFError, SyntaxError, zipfile.BadZipFile):
        raise BadInput(f"{path}: it is not a plain file of numbers; use numpy.save") from None
    if loaded.dtype.kind not in "fiu":
        raise BadInput(f"{path}: it holds {loaded.dtype}, not real numbers; save it as float64")
    return loaded


def _answer(
    game: AlignmentGame, certificate: Certificate, *, certified: bool, tol: float
) -> dict[str, Any]:
    answer = {
        "certified": certified,
        "tol": tol,
        "groups": list(game.groups.labels),
        "max_gap": certificate.max_gap,
        "max_relative_gap": certificate.max_relative_gap,
        "gap": certificate.gap.tolist(),
        "regret": certificate.regret.tolist(),
        "relative_gap": certificate.relative_gap.tolist(),
        "uniqueness": {
            "verdict": certificate.uniqueness.verdict,
            "margin": certificate.uniqueness.margin,
            "test": certificate.uniqueness.test,
        },
        "distance": certificate.distance,
    }
    if (exact := certificate.exact) is not None:
        answer["exact"] = {
            "proved": exact.proved,
            "weights": [[str(weight) for weight in row] for row in exact.weights],
            "boundary": [list(pair) for pair in exact.boundary],
            "distance": exact.distance,
            "reason": exact.reason,
        }
    return answer


def _text(game: AlignmentGame, certificate: Certificate, *, certified: bool, tol: float) -> str:
    worst = certificate.relative_gap.argsort(kind="stable")[::-1][:SHOWN_ROWS]
    rows = [
        (
            game.agents.label(int(i)),
            f"{certificate.gap[i]:.2e}",
            f"{certificate.regret[i]:.2e}",
            f"{certificate.relative_gap[i]:.2e}",
        )
        for i in worst
    ]
    title = "Agents" if len(rows) == len(game.agents) else f"The {len(rows)} worst rows"
    verdict = "Certified" if certified else "Not certified"
    lines = [
        table(title, ("agent", "gap", "regret", "relative gap"), rows),
        "",
        f"{verdict}: the largest relative gap is {certificate.max_relative_gap:.2e}, "
        f"the tolerance {tol:.2e}.",
        f"Only equilibrium: {certificate.uniqueness.verdict}. {certificate.uniqueness.test}",
    ]
    if certificate.distance is not None:
        lines.append(f"The equilibrium is at most {certificate.distance:.2e} away.")
    if (exact := certificate.exact) is not None:
        lines.append(f"In rational arithmetic: {exact.reason}")
        fractions = [
            (game.agents.label(i), *(str(weight) for weight in row))
            for i, row in enumerate(exact.weights[:SHOWN_ROWS])
        ]
        if fractions:
            lines.append(table("Exact weights", ("agent", *game.groups.labels), fractions))
    return "\n".join(lines)
