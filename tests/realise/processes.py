"""A gateway and an upstream as processes of their own, ended with the test."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STUB = Path(__file__).with_name("stub_upstream.py")


def start_stub(port: int = 0, delay: float = 0.0) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, str(STUB), str(port), str(delay)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


@contextlib.contextmanager
def stub(delay: float = 0.0) -> Iterator[str]:
    process, port = start_stub(0, delay)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)


class Served:
    """A running gateway; its plan lies in `folder`."""

    def __init__(self, process: subprocess.Popen[str], address: str, folder: Path) -> None:
        self.process = process
        self.address = address
        self.folder = folder

    def ended(self) -> tuple[int, dict[str, Any], str]:
        """End it as Ctrl-C does; its exit code, drift report and notes."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, json.loads(out.splitlines()[-1])["drift"], err


@contextlib.contextmanager
def gateway(plan: Path, upstream: str, *options: str, **environment: str) -> Iterator[Served]:
    process = subprocess.Popen(
        [sys.executable, "-m", "equipoise.cli", "serve", "--plan", str(plan), "--upstream",
         upstream, "--port", "0", "--json", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(f"it did not start: {process.communicate()[1]}")
        yield Served(process, json.loads(line)["address"], plan.parent)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def write_plan(path: Path, profile: list[list[float]], **more: Any) -> Path:
    """A plan as `solve --json` prints it, cut to what is read."""
    groups = ["left", "middle", "right"][: len(profile[0])]
    agents = [f"agent-{chr(97 + i)}" for i in range(len(profile))]
    path.write_text(json.dumps({"groups": groups, "agents": agents, "profile": profile, **more}))
    return path
