"""A whole measurement of GSS 2018 with the small local model, beside a bare HTTP client.

`python -m benchmarks.measure` needs the extra `local` and `equipoise models pull smollm2-135m`; it
writes `benchmarks/results/DATE-measure.json`: 18 questions × 6 orders × (3 personas + default), by
both clients on the same server in turns of one block, so that other work on the machine hits both.
To our time count the plan, the store, all estimates and all files.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.llm import bare, cpu
from equipoise.engine.local import usable_cores
from equipoise.llm.asking import ask
from equipoise.llm.local_server import LocalServer
from equipoise.llm.models import model_named
from equipoise.llm.spoken import body_of
from equipoise.llm.store import Store
from equipoise.llm.wrappers import wrapped
from equipoise.measure.agents import AgentSpec
from equipoise.measure.asking import AT_ONCE_HERE
from equipoise.measure.plan import requests_of
from equipoise.measure.population import Measured, Population
from equipoise.measure.questionnaire import Questionnaire
from equipoise.measure.questions import questions_of
from equipoise.panels import load_panel

HERE = Path(__file__).parent
NAME = "smollm2-135m"


def cpu_of(pid: int) -> float:
    """CPU seconds of another process so far; NaN where the system does not say (not Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def population() -> Population:
    """The measurement of the brief: all of GSS 2018, three groups, six orders."""
    panel = load_panel("gss2018", groups=3)
    asked = Questionnaire(questions_of(panel.answers), orders=6)
    return Population(panel, (AgentSpec(NAME, NAME),), asked)


def measured(threads: int, blocks: int) -> tuple[dict[str, Any], Measured]:
    """Both clients on one server; returns the times and what was found."""
    known, who = model_named(NAME), population()
    spec = who.agents[0]
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalServer(Path(known.gguf), threads=threads, digest=known.sha256) as server,
        Store(Path(folder) / "answers.sqlite") as store,
    ):
        backend = server.backend()
        able = backend.capabilities
        parts = requests_of(who.asked, who.conditions(spec), "scores", able, "default")
        requests = [one for part in parts for one in part]
        bodies = [body_of(one, backend.endpoint, able.chat_scores) for one in requests]
        model = wrapped(backend, store=store, label="benchmark")
        times, used = {"bare": 0.0, "ours": 0.0}, {"bare": 0.0, "ours": 0.0}
        served = {"bare": 0.0, "ours": 0.0}
        size = -(-len(requests) // blocks)
        bare(backend.endpoint, bodies[:1], 1)
        for block in range(blocks):
            at = slice(block * size, (block + 1) * size)
            for who_asks in ("bare", "ours") if block % 2 else ("ours", "bare"):
                before, there, start = cpu(), cpu_of(server.pid), time.perf_counter()
                if who_asks == "bare":
                    bare(backend.endpoint, bodies[at], AT_ONCE_HERE)
                else:
                    ask(model, requests[at], in_flight=AT_ONCE_HERE).complete()
                times[who_asks] += time.perf_counter() - start
                used[who_asks] += cpu() - before
                served[who_asks] += cpu_of(server.pid) - there
            print(f"block {block + 1} of {blocks}: {times}", flush=True)
        start = time.perf_counter()
        who.plan(store=store)
        found = who.measure(store=store, given={NAME: backend})
        found.write(Path(folder) / "out")
        rest = time.perf_counter() - start
    out = {
        "calls": len(requests),
        "threads": threads,
        "bare_seconds": times["bare"],
        "asking_seconds": times["ours"],
        "plan_estimates_files_seconds": rest,
        "ratio": (times["ours"] + rest) / times["bare"],
        # What does not depend on other work on the machine.
        "bare_server_cpu_seconds": served["bare"],
        "server_cpu_seconds": served["ours"],
        "client_cpu_ms_a_call": 1e3 * used["ours"] / len(requests),
    }
    return out, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--blocks", type=int, default=12)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    times, found = measured(options.threads, options.blocks)
    one = found.agents[0]
    steered = one.steerability
    assert steered is not None
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    result = {
        "date": today,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": usable_cores(),
        "load_before": load,
        "versions": {n: metadata.version(n) for n in ("httpx2", "xllamacpp", "numpy")},
        **times,
        "found": {
            "random_answers": one.randomness.to_dict(),
            "steerability": steered.to_dict(),
            "default_alignment": {g: e.to_dict() for g, e in one.alignment.items()},
            "distances": one.distances.to_dict(),
        },
    }
    path = HERE / "results" / f"{today}-measure.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(times, indent=1))
    print(one.randomness.verdict, "| driven by", one.randomness.driven_by, "|", steered.verdict)
    print(f"from uniform {one.randomness.uniform.distance}, letters {one.randomness.letters}")
    for group in steered.moved:
        print(f"{group}: moved {steered.moved[group]}, towards {steered.towards[group]}")
    print(f"written {path}")


if __name__ == "__main__":
    main()
