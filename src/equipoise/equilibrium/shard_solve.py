r"""Solve a population in shards: Newton's method on the coverage (R10), one pass a step.

A pass answers one coverage :math:`m` for every agent and returns :math:`\sum_i x_i(m)/N` and
:math:`Q = \sum_i \gamma'_i P_i/N`: K + K² numbers a shard, added in shard order, so results do
not depend on where the shards were read. Nothing of the population's size is in memory.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from equipoise.display import Tabled
from equipoise.engine import Engine
from equipoise.equilibrium.answers import build_plain
from equipoise.equilibrium.curvature import lowest_programme
from equipoise.equilibrium.outcome import Outcome, SolveRecord
from equipoise.equilibrium.shard_exam import ShardCertificate, certify_shards, profile_file
from equipoise.equilibrium.shard_pass import answer_shard, survey_shard
from equipoise.equilibrium.shards import Progress, ShardedGame, each_shard
from equipoise.errors import BadInput, NotSolved

__all__ = ["ShardedEquilibrium", "solve_shards"]

FloatArray = NDArray[np.float64]
Answered = tuple[FloatArray, FloatArray]
"""F(m) and Q."""

MAX_STEPS = 80


@final
@dataclass(frozen=True, eq=False)
class ShardedEquilibrium(Tabled):
    """A profile on the disk with its game, its certificate and the record of how it was found.

    Attributes
    ----------
    game : ShardedGame
    files : tuple of Path
        `profile-*.npy`, (rows, groups) each, cut as the shards of the game.
    certificate : ShardCertificate
    outcome : Outcome
    record : SolveRecord
    """

    game: ShardedGame
    files: tuple[Path, ...]
    certificate: ShardCertificate
    outcome: Outcome
    record: SolveRecord

    def __repr__(self) -> str:
        return f"ShardedEquilibrium({self.game!r}, {self.outcome.name}, {self.certificate!r})"

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per group; the agents' mixtures stay in `files`."""
        found = self.certificate
        return [
            {"group": group, "coverage": float(coverage), "top_weight": float(top)}
            for group, coverage, top in zip(
                self.game.groups.labels, found.coverage, found.top_weight, strict=True
            )
        ]


def solve_shards(
    game: ShardedGame,
    out: str | os.PathLike[str],
    *,
    tol: float = 1e-9,
    engine: Engine | None = None,
    progress: Progress | None = None,
    on_failure: Literal["raise", "return"] = "raise",
) -> ShardedEquilibrium:
    r"""Find a certified equilibrium of a population that need not fit into memory (R10).

    Parameters
    ----------
    game : ShardedGame
        Quadratic terms, default network, :math:`D_i \succ 0` on T for every agent.
    out : path
        Folder for `profile-00000.npy`, …: one file a shard, as large as its values. On a
        cluster it must be on a disk that all nodes share, as the game must.
    tol : float
        Largest relative gap that counts as solved (R3).
    engine : Local or Ray, optional
        Where passes run; default this process, all cores.
    progress : callable (done, total, what), optional
        Called after every shard of every pass.
    on_failure : "raise" or "return"
        Whether an uncertified profile raises, or is returned with its outcome.

    Returns
    -------
    ShardedEquilibrium
        Examined in a last pass over the files written. Not guaranteed: that an interrupted
        solve can be resumed (a pass costs one reading of the data; nothing else is lost).

    Raises
    ------
    BadInput
        A number in the shards that a game cannot have, no room on the disk, `tol`.
    NotSolved
        Some agent's programme is not strictly concave, or the tolerance was not reached.

    Examples
    --------
    >>> import json, tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for j in range(3):
    ...     np.save(folder / f"values-{j}.npy", np.full((4, 2), j / 10) * [1, 2])
    >>> _ = (folder / "game.json").write_text(json.dumps({
    ...     "groups": {"urban": 0.6, "rural": 0.4}, "agents": 12,
    ...     "attractiveness": {"values": "values-*.npy"},
    ...     "consistency": {"anchor": [0.5, 0.5]}, "diversity": {"weight": 0.3}}))
    >>> found = solve_shards(ShardedGame.load(folder / "game.json"), folder)
    >>> found.certificate.coverage.round(6), found.certificate.uniqueness.verdict
    (array([0.461538, 0.538462]), 'proved')
    """
    if not 0 < tol < 1:
        raise BadInput(f"tol: {tol} is not between 0 and 1; write e.g. 1e-9")
    began = time.perf_counter()
    folder = _room(game, Path(out))
    population = _Population(game, engine, progress or (lambda done, total, what: None))
    coverage, steps = _find(population)
    population.write(coverage, folder)
    exam = certify_shards(game, folder, engine=engine, progress=progress)
    outcome = Outcome.solved if exam.max_relative_gap <= tol else Outcome.not_certified
    if outcome is not Outcome.solved and on_failure == "raise":
        raise NotSolved(
            f"not solved: agent {exam.worst + 1} could still gain {exam.max_relative_gap:.2e} of "
            f"its range (tolerance {tol:g}); {outcome.value}"
        )
    from equipoise import __version__

    record = SolveRecord(
        solver="mean-field Newton over shards (R10)",
        reason="everybody meets everybody and each agent's programme is strictly concave",
        settings={"tol": tol, "engine": repr(engine) if engine else "this process"},
        start="coverage of a sample of the rows",
        seed=0,
        steps=steps,
        seconds=time.perf_counter() - began,
        version=__version__,
    )
    files = tuple(profile_file(folder, shard) for shard in range(len(game.lengths)))
    return ShardedEquilibrium(game, files, exam, outcome, record)


def _room(game: ShardedGame, folder: Path) -> Path:
    """Return the folder, with space for the profile and none of another run's files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise BadInput(f"{folder}: it cannot be used ({error.strerror}); choose another") from None
    ours = {profile_file(folder, shard).name for shard in range(len(game.lengths))}
    for path in sorted(folder.glob("profile-*.npy")):
        if path.name not in ours:
            raise BadInput(f"{folder}: it holds {path.name} of another run; choose another folder")
        free += path.stat().st_size
    need = 8 * game.total * len(game.groups)
    if need > free:
        raise BadInput(
            f"{folder}: the profile takes {need / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; "
            "choose another folder"
        )
    return folder.resolve()


class _Population:
    """The game as Newton's method sees it: the kernel, the scales, and `evaluate`."""

    def __init__(self, game: ShardedGame, engine: Engine | None, tell: Progress) -> None:
        self.game, self.engine, self.tell = game, engine, tell
        self.extra = 0.0
        form = game.sample(1)
        self.kernel: FloatArray | float = (
            form.kernel_matrix() if form.kernel_scale is None else form.kernel_scale
        )
        parts = list(self.each(survey_shard, "checking", {}))
        lowest = np.array([part["lowest"] for part in parts])
        self.size = max(float(part["size"]) for part in parts)
        if lowest.min() <= 1e-13 * self.size:
            shard = int(lowest.argmin())
            row = sum(game.lengths[:shard]) + int(parts[shard]["row"])
            raise NotSolved(
                f"not solved: the programme of agent {row + 1} is not strictly concave (R10, "
                f"lowest curvature {lowest.min():.3g}); raise its consistency weight"
            )
        # ‖F‖ cannot go below the rounding of the answers (R10).
        self.floor = 4e-16 * (1.0 + max(float(part["ratio"]) for part in parts))

    def each(
        self, work: Callable[..., Mapping[str, Any]], what: str, more: dict[str, Any]
    ) -> Iterator[Mapping[str, Any]]:
        """Yield what `work` returns for every shard, in shard order."""
        yield from each_shard(self.game, work, more, self.engine, self.tell, what)

    def evaluate(self, m: FloatArray) -> Answered:
        """Return F(m) and the Jacobian Q: one pass."""
        k = len(self.game.groups)
        mean, jacobian = np.zeros(k), np.zeros((k, k))
        more = {"coverage": m.tolist(), "extra": self.extra}
        for part in self.each(answer_shard, "solving", more):
            mean += part["mean"]
            jacobian += part["jacobian"]
        return mean - m, jacobian

    def write(self, m: FloatArray, folder: Path) -> None:
        """Write every agent's answer to m."""
        more = {"coverage": m.tolist(), "extra": 0.0, "out": str(folder)}
        for _ in self.each(answer_shard, "writing", more):
            pass


def _find(population: _Population) -> tuple[FloatArray, int]:
    """Return the coverage at which F(m) = 0, by continuation in curvature if need be."""
    sample = population.game.sample(4000)
    m, steps = np.full(sample.n_groups, 1.0 / sample.n_groups), 0
    if sample.n_rows > 1:
        # Few rows, near the whole: their coverage is where the passes begin.
        problem = build_plain(sample)

        def guess(m: FloatArray) -> Answered:
            x = problem.respond(m)
            return problem.share @ x - m, problem.jacobian(x > 0)

        if float(lowest_programme(sample, sample.n_rows).min()) > 1e-13 * population.size:
            found, steps = _newton(guess, population.kernel, m, 1e-12)
            m = m if found is None else found
    found, more = _newton(population.evaluate, population.kernel, m, population.floor)
    steps += more
    for extra in [] if found is not None else [population.size * 4.0**-j for j in range(16)] + [0]:
        population.extra = extra
        found, more = _newton(population.evaluate, population.kernel, m, population.floor)
        steps += more
        if found is None:
            raise NotSolved(
                "not solved: Newton's method on the coverage did not settle; raise the "
                "consistency weight, or lower the diversity weight"
            )
        m = found
    assert found is not None
    return found, steps


def _newton(
    evaluate: Callable[[FloatArray], Answered],
    kernel: FloatArray | float,
    m: FloatArray,
    floor: float,
) -> tuple[FloatArray | None, int]:
    """Solve F(m) = 0 by :math:`d = (I + QS)^{-1}F` with the line search of R10."""
    value, q = evaluate(m)
    best, best_size, stalled, step = m, float(np.abs(value).max()), 0, 0
    while step < MAX_STEPS and best_size > floor and stalled < 3:
        step += 1
        try:
            coupling = q * kernel if isinstance(kernel, float) else q @ kernel
            direction = np.asarray(np.linalg.solve(np.eye(m.size) + coupling, value))
        except np.linalg.LinAlgError:
            direction = value
        m, value, q = _search(evaluate, kernel, m, value, direction)
        size = float(np.abs(value).max())
        stalled = 0 if size < 0.5 * best_size else stalled + 1
        if size < best_size:
            best, best_size = m, size
        if stalled and best_size <= 32 * floor:
            break
    return (best if best_size <= max(1e3 * floor, 1e-13) else None), step


def _search(
    evaluate: Callable[[FloatArray], Answered],
    kernel: FloatArray | float,
    m: FloatArray,
    value: FloatArray,
    direction: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Take the full step, or bracket the zero of φ'(t) = −F(m+td)ᵀSd on [0, 1] (R10)."""
    pull = kernel * direction if isinstance(kernel, float) else kernel @ direction
    slope0 = -float(value @ pull)
    point = m + direction
    at, q = evaluate(point)
    slope1 = -float(at @ pull)
    if slope0 >= 0 or slope1 <= 0.5 * abs(slope0):
        return point, at, q
    low, high, f_low, f_high = 0.0, 1.0, slope0, slope1
    for _ in range(40):
        t = low + (high - low) * min(0.9, max(0.1, -f_low / (f_high - f_low)))
        point = m + t * direction
        at, q = evaluate(point)
        slope = -float(at @ pull)
        if abs(slope) <= 0.1 * abs(slope0):
            break
        if slope > 0:
            high, f_high = t, slope
        else:
            low, f_low = t, slope
    return point, at, q
