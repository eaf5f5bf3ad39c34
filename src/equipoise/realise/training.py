"""Teaching one adapter a group's answers: steps of Adam, and going on after a kill.

How fast and how long is the schedule's business; what is kept is the adapter of the best look.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.realise.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from equipoise.realise.fluency import passages
from equipoise.realise.lora_net import LoraNet
from equipoise.realise.schedule import Look, Schedule
from equipoise.realise.task import AnswerTask

__all__ = ["Trained", "train_adapter"]

FloatArray = NDArray[np.float64]
Arrays = dict[str, NDArray[np.float32]]
Progress = Callable[[str, int, int, float], Any]
"""Called with (what, steps done, steps at most, seconds of this run)."""

BETAS = (0.9, 0.99)
TINY = 1e-8
LARGEST_GRADIENT = 1.0


@final
@dataclass(frozen=True, eq=False)
class Trained:
    """An adapter that was trained.

    Parameters
    ----------
    state : mapping of name to array
        Its matrices at the best look.
    looks : tuple of Look
    why : str
        Why training ended: "near enough", "no nearer", or "all steps".
    seconds : float
        Of computing, over all runs.
    """

    state: Arrays
    looks: tuple[Look, ...]
    why: str
    seconds: float

    @property
    def best(self) -> Look:
        """The look that was kept."""
        return min(self.looks, key=lambda look: look.trained)


@final
@dataclass
class _Run:
    """One adapter while it is trained."""

    net: LoraNet
    task: AnswerTask
    tokens: Sequence[Sequence[int]]
    shares: FloatArray
    schedule: Schedule
    seed: int
    step: int = 0
    seconds: float = 0.0
    looks: list[Look] = field(default_factory=list)
    moments: Arrays = field(default_factory=dict)
    best: Arrays = field(default_factory=dict)
    passages: list[tuple[Any, Any]] = field(default_factory=list)

    def prepare(self) -> None:
        """Compute what does not change: lower layers, and what the untrained model says."""
        import torch

        self.net.remember(self.blocks(range(len(self.tokens))))
        if not self.schedule.fluency:
            return
        now = self.net.state()
        self.net.restore({n: a if "lora_A" in n else np.zeros_like(a) for n, a in now.items()})
        with torch.no_grad():
            for before, text in passages():
                blocks = self.net.passage(before, text)
                self.passages.append((blocks, self.net.logprobs(blocks)))
        self.net.restore(now)

    def begin(self, start: Arrays | None) -> None:
        if start:
            self.net.restore(start)
        else:
            taught = np.isin(self.task.question, self.task.trained)
            self.net.reset(self.seed, self.blocks(np.flatnonzero(taught)))
        self.best = self.net.state()
        for name, a in self.best.items():
            self.moments[f"first/{name}"] = np.zeros_like(a)
            self.moments[f"second/{name}"] = np.zeros_like(a)

    def go_on(self, kept: Checkpoint) -> None:
        part: dict[str, Arrays] = {"now": {}, "best": {}, "first": {}, "second": {}}
        for key, a in kept.arrays.items():
            kind, name = key.split("/", 1)
            # A copy: what was read cannot be written to.
            part[kind][name] = np.array(a)
        self.net.restore(part["now"])
        self.best = part["best"]
        self.moments = {f"{k}/{n}": a for k in ("first", "second") for n, a in part[k].items()}
        self.step, self.seconds = kept.about["step"], kept.about["seconds"]
        self.looks = [Look.from_dict(look) for look in kept.about["looks"]]

    def checkpoint(self, digest: str, why: str) -> Checkpoint:
        arrays = {f"now/{n}": a for n, a in self.net.state().items()}
        arrays |= {f"best/{n}": a for n, a in self.best.items()} | self.moments
        about = {
            "digest": digest, "step": self.step, "seconds": self.seconds, "why": why,
            "looks": [look.to_dict() for look in self.looks],
        }  # fmt: skip
        return Checkpoint(about, arrays)

    def blocks(self, rows: Iterable[int]) -> list[list[Sequence[int]]]:
        """Return the tokens of prompts, a block for every run of one question."""
        out: list[list[Sequence[int]]] = []
        before = -1
        for i in rows:
            if self.task.question[i] != before:
                out.append([])
            before = self.task.question[i]
            out[-1].append(self.tokens[i])
        return out

    def one_step(self) -> float:
        import torch

        plan = self.schedule
        rows = self.task.batch(self.step, self.seed, plan.squares, plan.questions)
        targets = self.task.targets(self.shares)
        letters = self.net.letters(targets.shape[1])
        logs = self.net.logprobs(self.blocks(rows))[:, letters]
        loss = -(torch.from_numpy(targets[rows]).float() * logs).sum(-1).mean()
        whole = loss
        if plan.fluency:
            blocks, before = self.passages[self.step % len(self.passages)]
            now = self.net.logprobs(blocks)
            apart = torch.nn.functional.kl_div(now, before, log_target=True, reduction="batchmean")
            whole = loss + plan.fluency * apart
        parameters = self.net.parameters
        gradients = torch.autograd.grad(whole, list(parameters.values()))
        self._update(dict(zip(parameters, gradients, strict=True)))
        self.step += 1
        return float(loss.detach())

    def _update(self, gradients: dict[str, Any]) -> None:
        """Adam's step, written out: its whole state is two arrays a matrix."""
        import torch

        size = torch.sqrt(sum((g.double() ** 2).sum() for g in gradients.values()))
        scale = min(1.0, LARGEST_GRADIENT / (float(size) + TINY))
        rate = self.schedule.rate_at(self.step)
        (b1, b2), t = BETAS, self.step + 1
        with torch.no_grad():
            for name, p in self.net.parameters.items():
                g = gradients[name] * scale
                first = torch.from_numpy(self.moments[f"first/{name}"])
                second = torch.from_numpy(self.moments[f"second/{name}"])
                first.mul_(b1).add_(g, alpha=1 - b1)
                second.mul_(b2).addcmul_(g, g, value=1 - b2)
                root = (second / (1 - b2**t)).sqrt_().add_(TINY)
                p.addcdiv_(first, root, value=-rate / (1 - b1**t))

    def look(self, loss: float) -> None:
        """Look at all prompts; keep the adapter when it is the nearest so far."""
        options = self.shares.shape[1]
        given = self.net.letter_probabilities(self.blocks(range(len(self.tokens))), options)
        given = np.where(self.task.orders >= 0, given, 0.0)
        gap = np.abs(self.task.balanced(given) - self.shares).sum(axis=1) / 2.0
        inside = np.isin(np.arange(gap.size), self.task.trained)
        out = float(gap[~inside].mean()) if (~inside).any() else math.nan
        covered = float(given.sum(axis=1).mean())
        found = Look(self.step, loss, float(gap[inside].mean()), out, covered)
        if not self.looks or found.trained < min(look.trained for look in self.looks):
            self.best = self.net.state()
        self.looks.append(found)


def train_adapter(
    net: LoraNet,
    task: AnswerTask,
    shares: FloatArray,
    schedule: Schedule,
    *,
    seed: int,
    folder: Path,
    name: str,
    digest: str,
    start: Arrays | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train one adapter, or go on with it, or return it where it is finished.

    Parameters
    ----------
    net : LoraNet
        Its adapter is overwritten.
    task : AnswerTask
        What is asked.
    shares : (Q, C) array
        The answers taught.
    schedule : Schedule
    seed : int
        Of the first matrices and of the batches.
    folder, name : Path, str
        Where checkpoints lie.
    digest : str
        Of everything the result depends on; a checkpoint of another digest is refused.
    start : mapping, optional
        Matrices to begin from.
    progress : callable, optional

    Returns
    -------
    Trained. The same to the last bit whether or not the run was killed, on the same machine with
    the same number of threads.

    Raises
    ------
    BadInput
        The folder has a checkpoint of other settings.
    """
    tokens = [_tokens(net, task, i) for i in range(len(task.prompts))]
    run = _Run(net, task, tokens, shares, schedule, seed)
    kept = read_checkpoint(folder, name)
    if kept is not None and kept.about["digest"] != digest:
        raise BadInput(
            f"{folder}: it has a checkpoint of other settings; choose another --out, or remove it"
        )
    run.begin(start) if kept is None else run.go_on(kept)
    why = str(kept.about["why"]) if kept is not None else ""
    if not why:
        run.prepare()
    began, loss = time.perf_counter() - run.seconds, math.nan
    while not why:
        loss = run.one_step()
        run.seconds = time.perf_counter() - began
        if run.step % schedule.look_every == 0 or run.step >= schedule.steps:
            run.look(loss)
            why = schedule.why_ended(run.step, run.looks)
            run.seconds = time.perf_counter() - began
            write_checkpoint(folder, name, run.step, run.checkpoint(digest, why))
        if progress is not None:
            progress(name, run.step, schedule.steps, run.seconds)
    return Trained(run.best, tuple(run.looks), why, run.seconds)


def _tokens(net: LoraNet, task: AnswerTask, i: int) -> list[int]:
    from equipoise.llm.hf_local import chat_tokens

    return chat_tokens(net.tokenizer, task.prompts[i])
