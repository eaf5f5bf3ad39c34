"""Settings shared by all tests, and the place where long runs leave their figures."""

from __future__ import annotations

import datetime
import json
import platform
import signal
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"

# The same examples on every machine: a red run can be repeated.
settings.register_profile("equipoise", derandomize=True, deadline=None, database=None)
settings.load_profile("equipoise")

# A suite started in the background may have been told to ignore Ctrl-C, and its children with it.
signal.signal(signal.SIGINT, signal.default_int_handler)

_figures: dict[str, Any] = {}


@pytest.fixture
def record_figure() -> Callable[[str, Any], None]:
    """Keep one measured figure of a long run; written as dated JSON when the session ends."""

    def keep(name: str, value: Any) -> None:
        _figures[name] = value

    return keep


@pytest.fixture(scope="session", autouse=True)
def _write_figures() -> Iterator[None]:
    yield
    if not _figures:
        return
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    path = RESULTS / f"{today}-soak.json"
    known = json.loads(path.read_text()) if path.exists() else {"figures": {}}
    known["date"] = today
    known["python"] = platform.python_version()
    known["machine"] = platform.machine()
    known["versions"] = {
        name: metadata.version(name) for name in ("equipoise", "numpy", "scipy", "hypothesis")
    }
    known["figures"] |= _figures
    RESULTS.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
