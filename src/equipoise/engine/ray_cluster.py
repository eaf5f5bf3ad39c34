"""Pieces on a Ray cluster: one task a piece, retried by Ray alone when its worker dies.

Every node needs the same version of equipoise installed. Results come back as .npz bytes, so
nodes and this process need not share a disk.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

from equipoise.engine.local import RETRIES
from equipoise.engine.worker import ONE_THREAD, PieceFailed, answer, failure
from equipoise.errors import BadInput, MissingExtra

__all__ = ["Ray", "RayCrew"]


@final
@dataclass(frozen=True)
class Ray:
    """Run pieces on a Ray cluster.

    Parameters
    ----------
    address : str, optional
        "host:port" or "ray://host:port" of a running cluster; default what Ray finds (an open
        session of this process, `RAY_ADDRESS`, a cluster on this machine).

    Raises
    ------
    BadInput
        An empty address, or something that is no text.

    Examples
    --------
    >>> Ray("10.0.0.5:6379")
    Ray(address='10.0.0.5:6379')
    """

    address: str | None = None

    def __post_init__(self) -> None:
        given = self.address
        if given is not None and (not isinstance(given, str) or not given.strip()):
            raise BadInput(f"address: {given!r}; write host:port of a running Ray cluster")

    @contextlib.contextmanager
    def crew(self, work: str, pieces: int) -> Iterator[RayCrew]:
        """Hold the connection while the block runs; a session opened before stays open.

        Raises
        ------
        MissingExtra
            Ray is not installed.
        BadInput
            No cluster answers at the address.
        """
        if importlib.util.find_spec("ray") is None:
            raise MissingExtra("the engine ray", "ray")
        ray = importlib.import_module("ray")
        opened = not ray.is_initialized()
        if opened:
            try:
                _knock(self.address)
                ray.init(address=self.address or "auto", log_to_driver=False)
            except (RuntimeError, ValueError, OverflowError, OSError) as error:
                first = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise BadInput(
                    f"address: no Ray cluster answers at {self.address or 'this machine'} "
                    f"({first}); start one with `ray start --head`, or check the address"
                ) from None
        crew = RayCrew(ray, work, pieces)
        try:
            yield crew
        finally:
            crew.end()
            if opened:
                ray.shutdown()


def _knock(address: str | None) -> None:
    """Raise OSError at once where nobody listens: Ray itself would wait for minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


class RayCrew:
    """Tasks on the cluster, at most two a core in flight."""

    def __init__(self, ray: Any, work: str, pieces: int) -> None:
        self.work = work
        self.size = max(1, min(pieces, int(ray.cluster_resources().get("CPU", 1))))
        self._ray = ray
        self._numbers: dict[Any, int] = {}
        self._task = ray.remote(
            num_cpus=1, max_retries=RETRIES, runtime_env={"env_vars": dict(ONE_THREAD)}
        )(answer)

    def give(self, number: int, arguments: str) -> None:
        """Hand out one piece."""
        self._numbers[self._task.remote(self.work, arguments)] = number

    def take(self, *, wait: bool = True) -> tuple[int, bytes] | None:
        """Return a finished piece, whichever comes first; None if none is ready and not `wait`.

        Raises
        ------
        PieceFailed
            Its worker died three times, or the work itself failed (then the error may be
            another of `equipoise.errors`).
        """
        ready: list[Any] = []
        while not ready:
            waiting = list(self._numbers)
            if not waiting:
                return None
            ready, _ = self._ray.wait(waiting, num_returns=1, timeout=1.0 if wait else 0.0)
            if not ready and not wait:
                return None
        number = self._numbers.pop(ready[0])
        try:
            done, content = self._ray.get(ready[0])
        except self._ray.exceptions.RayError as error:
            first = (str(error).strip().splitlines() or [""])[0]
            raise PieceFailed(
                f"piece {number} of {self.work} was lost by the cluster "
                f"({type(error).__name__}: {first}); it was tried {RETRIES + 1} times: use "
                "smaller pieces, or look at `ray status`"
            ) from None
        if done:
            return number, content
        raise failure(self.work, number, content)

    def end(self) -> None:
        """Cancel what is still running."""
        for task in self._numbers:
            with contextlib.suppress(self._ray.exceptions.RayError, ValueError):
                self._ray.cancel(task, force=True)
        self._numbers.clear()
