"""Pieces of work for the tests: named by import path, as real ones are."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.errors import BadInput, MissingExtra


def note(log: str | None, number: int) -> None:
    """Append one line in one write: who did which piece."""
    if log is not None:
        with Path(log).open("ab", buffering=0) as handle:
            handle.write(f"{number} {os.getpid()}\n".encode())


def noted(log: Path) -> list[int]:
    """Pieces in the order in which they were begun."""
    return [int(line.split()[0]) for line in log.read_text().splitlines()]


def product(number: int, size: int = 60, log: str | None = None, wait: float = 0.0) -> Any:
    """A matrix product and an eigenvalue: the sum order shows in the last bits."""
    note(log, number)
    time.sleep(wait)
    sys.stdout.write("work may talk\n")
    a = np.random.default_rng(number).standard_normal((size, size))
    return {"product": a @ a, "values": np.linalg.eigvalsh(a + a.T), "number": np.int64(number)}


def die_once(number: int, mark: str, log: str | None = None) -> Mapping[str, Any]:
    """Piece 2 is killed in the middle, the first time it is tried."""
    note(log, number)
    if number == 2:
        with contextlib.suppress(FileExistsError):
            Path(mark).touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)
    return {"number": np.array(number)}


def die(number: int) -> Mapping[str, Any]:
    """Piece 1 never survives."""
    if number == 1:
        os._exit(7)
    return {"number": np.array(number)}


def complain(kind: str) -> Any:
    """Fail, one way or another."""
    match kind:
        case "ours":
            raise BadInput("weight: -1 is negative; write a number >= 0")
        case "extra":
            raise MissingExtra("plots", "plots")
        case "theirs":
            raise ZeroDivisionError("nothing to divide by")
        case "object":
            return {"x": np.array([object()])}
        case _:
            # What a wrong function would do.
            return [1, 2, 3]


def where(wait: float) -> Mapping[str, Any]:
    """Say on which node of a Ray cluster this runs."""
    time.sleep(wait)
    context = importlib.import_module("ray").get_runtime_context()
    return {"node": np.array(context.get_node_id())}


class Holder:
    """Something with a method."""

    def method(self) -> Mapping[str, Any]:
        """Not a module-level function."""
        return {}


same = product
