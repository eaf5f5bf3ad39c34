"""`equipoise solve` for a game whose agents lie in shards: the profile goes to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.cli.terminal import Settings, say, say_json, table
from equipoise.errors import BadInput

if TYPE_CHECKING:
    from equipoise.engine import Engine
    from equipoise.equilibrium.shard_solve import ShardedEquilibrium

__all__ = ["in_shards", "solve_in_shards"]

IN_MEMORY = 10_000
"""Up to this many agents a profile is printed, unless a folder is named for it."""


def in_shards(game: Path, out: Path | None) -> bool:
    """Whether the arrays of a game file are shards to be read from the disk.

    Parquet always is; .npy patterns are when the profile goes to a folder, or is too large to be
    printed.
    """
    from equipoise.game.gamefile_text import parse, read_text

    if game.suffix.lower() not in (".json", ".toml"):
        return False
    try:
        data = parse(read_text(game), game.suffix.lower())
    except BadInput:
        return False  # said in full by whoever reads the game
    if not isinstance(data, dict):
        return False
    named = [
        value
        for section in data.values()
        if isinstance(section, dict)
        for value in section.values()
        if isinstance(value, str)
    ]
    if any(name.endswith(".parquet") for name in named):
        return True
    if not any("*" in name for name in named) or (out and out.suffix in (".npz", ".json")):
        return False
    agents = data.get("agents")
    return isinstance(agents, int) and (out is not None or agents > IN_MEMORY)


def solve_in_shards(
    game: Path,
    out: Path | None,
    settings: Settings,
    engine: Engine | None,
    *,
    tol: float,
    below: float,
    every: bool,
) -> int:
    """Solve from the disk to the disk, say who is excluded, and return the exit code."""
    from equipoise.equilibrium.shard_solve import solve_shards
    from equipoise.equilibrium.shards import ShardedGame

    if every:
        raise BadInput("--all: agents in shards are given one equilibrium; leave it out")
    folder = out or game.with_name(f"{game.stem}-profile")
    if folder.suffix in (".npz", ".json") or folder.is_file():
        raise BadInput(f"--out: the profile of agents in shards is a folder; {folder} is a file")
    found = solve_shards(
        ShardedGame.load(game), folder, tol=tol, engine=engine, progress=settings.progress(),
        on_failure="return",
    )  # fmt: skip
    solved = found.outcome.name == "solved"
    answer = _answer(found, folder, below)
    if settings.json:
        say_json(answer)
    elif solved:
        say(_text(found, answer))
    if not solved:
        say(f"not solved: {found.outcome.value}", error=True)
    settings.note(f"written: {folder}")
    return 0 if solved else 1


def _answer(found: ShardedEquilibrium, folder: Path, below: float) -> dict[str, Any]:
    """Return the JSON object of `solve`; what only agents one by one have stays null."""
    exam, record, labels = found.certificate, found.record, found.game.groups.labels
    excluded = None
    if found.outcome.name == "solved":
        top = exam.top_weight.tolist()
        out = [weight < below if below > 0 else weight == 0 for weight in top]
        excluded = [label for label, left in zip(labels, out, strict=True) if left]
    return {
        "outcome": found.outcome.name,
        "groups": list(labels),
        "agents": found.game.total,
        "profile": str(folder),
        "coverage": exam.coverage.tolist(),
        "top_weight": exam.top_weight.tolist(),
        "max_gap": exam.max_gap,
        "gap": None,
        "regret": None,
        "max_relative_gap": exam.max_relative_gap,
        "uniqueness": {
            "verdict": exam.uniqueness.verdict,
            "margin": exam.uniqueness.margin,
            "equilibria": 1,
        },
        "excluded": excluded,
        "verdicts": None,
        "margins": None,
        "excluded_in": None,
        "solver": record.solver,
        "seconds": record.seconds,
        "seed": record.seed,
        "version": record.version,
    }


def _text(found: ShardedEquilibrium, answer: dict[str, Any]) -> str:
    game, exam = found.game, found.certificate
    columns = (game.groups.labels, game.groups.shares, exam.coverage, exam.top_weight)
    rows = [
        (
            label,
            f"{share:.3f}",
            f"{coverage:.6f}",
            f"{top:.6f}",
            "excluded" if label in answer["excluded"] else "included",
        )
        for label, share, coverage, top in zip(*columns, strict=True)
    ]
    head = ("group", "share", "coverage", "top weight", "verdict")
    title = f"{game.total:,} agents in {len(game.lengths)} shards, {len(game.groups)} groups"
    return "\n".join(
        [
            table(title, head, rows),
            "",
            f"{found.outcome.value}",
            f"Largest gap {exam.max_gap:.1e} utility units, relative {exam.max_relative_gap:.1e} "
            f"(row {exam.worst + 1}); {found.record.solver}, {found.record.seconds:.2g} s.",
            f"Only equilibrium: {exam.uniqueness.verdict}. {exam.uniqueness.test}",
        ]
    )
