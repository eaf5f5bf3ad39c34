"""The worked study: trained groups, measured game, exclusion, plan, gateway, audit.

    make showcase            # or: python -m tools.showcase --out out/showcase

Everything is done by the command line a user has; this file only calls it, asks the gateway as a
client would, and writes down what came out. What is finished is not done again. The page
docs/showcase.md is made of the numbers by `tools/showcase_page.py`.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import csv
import datetime
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
STUDY = ROOT / "studies" / "showcase.toml"
RESULTS = ROOT / "benchmarks" / "results"
PANEL, GROUPS = "gss2018", 3
MODEL = "smollm2-135m"
FLOOR = 0.3
SHEETS = 300
"""Questionnaires asked of the gateway, before and after; every agent gets as many."""

AT_ONCE = 3
TARGETS = 20


def run(*words: str, good: tuple[int, ...] = (0,)) -> str:
    """Run a verb of the command line; its output, or the end of everything."""
    done = subprocess.run(
        [sys.executable, "-m", "equipoise.cli", *words],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in good:
        sys.exit(f"equipoise {' '.join(words)}: exit code {done.returncode}")
    return done.stdout


def step(path: Path, *words: str, good: tuple[int, ...] = (0,)) -> dict[str, Any]:
    """Run a verb with --json unless its output is there; return the object."""
    if not path.is_file():
        print(f"equipoise {' '.join(words)}", file=sys.stderr, flush=True)
        begun = time.perf_counter()
        data = json.loads(run(*words, "--json", good=good))
        seconds = time.perf_counter() - begun
        path.with_suffix(".seconds").write_text(f"{seconds:.1f}\n")
        part = path.with_suffix(".part")
        part.write_text(json.dumps(data) + "\n")
        part.replace(path)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def seconds_of(path: Path) -> float:
    """How long a step took when it was done."""
    return float(path.with_suffix(".seconds").read_text())


@contextlib.contextmanager
def gateway(plan: Path, realisation: Path) -> Iterator[str]:
    """Serve a plan on this machine; its address."""
    words = ["serve", "--plan", str(plan), "--realisation", str(realisation), "--upstream", "local"]
    process = subprocess.Popen(
        [sys.executable, "-m", "equipoise.cli", *words, "--port", "0", "--slots", "1", "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        # The last line, the drift report, must find somebody who reads.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield first["address"]
    finally:
        process.terminate()
        process.wait()


def questionnaires(address: str, agents: list[str], seed: int) -> list[dict[str, str]]:
    """Ask the gateway `SHEETS` questionnaires; one row an answer that named an option.

    A questionnaire is a conversation, so one group answers all of it. Equal prompts are asked
    together: the model works each out once and then draws from it.
    """
    import httpx2

    from equipoise.measure.questionnaire import YOURSELF, Questionnaire
    from equipoise.measure.questions import questions_of
    from equipoise.panels import load_panel

    panel = load_panel(PANEL, groups=GROUPS)
    asked = Questionnaire(questions_of(panel.answers), orders=6)
    chance = random.Random(seed)
    client = httpx2.Client(timeout=600.0, trust_env=False)
    group: dict[int, str] = {}

    def said(sheet: int, body: dict[str, Any]) -> str:
        reply = client.post(
            f"{address}/v1/chat/completions",
            json={"model": agents[sheet % len(agents)], **body},
            headers={"X-Conversation-Id": f"s{sheet}"},
        )
        reply.raise_for_status()
        group[sheet] = reply.headers["x-equipoise-group"]
        return str(reply.json()["choices"][0]["message"]["content"]).strip()

    def answer(sheet: int, question: int, order: tuple[int, ...]) -> dict[str, str] | None:
        item = asked.questions[question]
        prompt = asked.prompt(item, 0, order, YOURSELF)
        body = {
            "messages": [{"role": m.role, "content": m.text} for m in prompt.messages],
            "max_tokens": 2, "temperature": 1.0, "seed": seed * 10**6 + 100 * sheet + question,
            "cache_prompt": True, "top_k": 0, "top_p": 1.0, "min_p": 0.0,
        }  # fmt: skip
        text = said(sheet, body)
        place = "ABCDEFGHIJ".find(text[:1]) if text else -1
        if not 0 <= place < len(order):
            return None
        return {
            "sheet": f"s{sheet}", "agent": agents[sheet % len(agents)], "question": item.name,
            "answer": item.options[order[place]],
        }  # fmt: skip

    rows: list[dict[str, str]] = []
    sheets = list(range(SHEETS))
    hello = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        # A greeting tells which group a conversation has.
        list(pool.map(lambda s: said(s, hello), sheets))
        for q in range(len(asked.questions)):
            orders = asked.sheets[q].orders
            put = {s: chance.choice(orders) for s in sheets}
            todo = sorted(sheets, key=lambda s: (group[s], put[s]))
            found = pool.map(lambda s, q=q, put=put: answer(s, q, put[s]), todo)
            rows += [row for row in found if row is not None]
            print(f"  question {q + 1} of {len(asked.questions)}", file=sys.stderr, flush=True)
    return rows


def served(folder: Path, name: str, plan: Path, agents: list[str], seed: int) -> dict[str, Any]:
    """Serve a plan, ask it, audit the answers; what the audit says."""
    corpus = folder / f"{name}.csv"
    if not corpus.is_file():
        print(
            f"serving {plan.name} and asking {SHEETS} questionnaires", file=sys.stderr, flush=True
        )
        with gateway(plan, folder / "groups" / "realisation.toml") as address:
            rows = questionnaires(address, agents, seed)
        part = corpus.with_suffix(".part")
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["sheet", "agent", "question", "answer"])
            writer.writeheader()
            writer.writerows(rows)
        part.replace(corpus)
    return step(
        folder / f"audit-{name}.json", "audit", str(corpus), "--panel", PANEL,
        "--groups", str(GROUPS), "--id", "sheet", good=(0, 1),
    )  # fmt: skip


def training(report: dict[str, Any]) -> dict[str, Any]:
    """Return of a training report what the page shows."""
    groups = report["groups"]
    taught = {
        g: {who: c["trained_questions"]["to_all_people"] for who, c in one["distances"].items()}
        for g, one in groups.items()
    }
    new = {
        g: {who: (c["held_out_questions"] or {}).get("to_all_people") for who, c in
            one["distances"].items()}
        for g, one in groups.items()
    }  # fmt: skip
    names = list(next(iter(taught.values())))
    return {
        "judged": report["judged"],
        "distances": {who: {g: taught[g][who] for g in groups} for who in names},
        "new": {who: {g: new[g][who] for g in groups} for who in names},
        "questions_held_out": len(report["questions_held_out"]),
        "noise": {g: one["half_sample_noise"]["value"] for g, one in groups.items()},
        "audit": {g: one["audit"]["own_weight"] for g, one in groups.items()},
        "sheets": {g: one["audit"]["sheets"] for g, one in groups.items()},
        "seconds": report["training_seconds"],
    }


def short(found: dict[str, Any], groups: list[str]) -> dict[str, Any]:
    """Return of an equilibrium what the page shows."""
    coverage = found["coverage"]
    return {
        "coverage": coverage if isinstance(coverage, list) else [coverage[g] for g in groups],
        "profile": found["profile"],
        "max_gap": found["max_gap"],
        "excluded": found.get("excluded", []),
    }


def main() -> None:
    """Do all steps that are not done yet, and keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "showcase")
    folder: Path = parser.parse_args().out.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    run("models", "pull", MODEL, "--quiet")
    groups, study = folder / "groups", folder / "study.toml"
    trained = step(
        folder / "train.json", "realise", "train", "--panel", PANEL, "--groups", str(GROUPS),
        "--model", MODEL, "--out", str(groups), "--resume",
    )  # fmt: skip
    shutil.copyfile(STUDY, study)
    out = folder / "study"
    measured = step(folder / "measured.json", "measure", str(study), "--out", str(out))
    run("study", "run", str(study), "--out", str(out), "--quiet")
    game = out / "measured" / "game.json"
    before = step(folder / "before.json", "solve", str(game))
    excluded, groups_named = before["excluded"], list(before["groups"])
    if not excluded:
        sys.exit("nobody is left out of the measured game: there is nothing to mend")
    floors = [word for g in excluded for word in ("--floor", f"{g}={FLOOR}")]
    plan = step(folder / "plan.json", "steer", str(game), *floors, "--lever", "prices")
    agents = list(before["agents"])
    audits = {
        name: served(folder, name, folder / f"{name}.json", agents, seed)
        for seed, name in enumerate(("before", "plan"), start=1)
    }
    check = step(
        folder / "check.json", "realise", "check", str(groups), "--targets", str(TARGETS),
        "--recorded", "--route", "routing",
    )  # fmt: skip
    loop = step(folder / "loop.json", "simulate", str(study), "--out", str(out), good=(0, 1))
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    kept = {
        "date": today, "cores": os.cpu_count(), "sheets": SHEETS, "floor": FLOOR,
        "groups": groups_named,
        "attractiveness": tomllib.loads(STUDY.read_text())["game"]["attractiveness"],
        "training": training(trained),
        "anchors": {one["agent"]: one["default_alignment"] for one in measured["agents"]},
        "before": short(before, groups_named),
        "plan": short(plan["after"], groups_named) | {
            key: plan[key] for key in ("change", "cost", "least", "losers", "group_gain")
        },
        "audits": {name: {g: {"value": one["weight"], "low": one["low"], "high": one["high"]}
                          for g, one in found["groups"].items()} for name, found in audits.items()},
        "check": check["routes"], "loop": loop,
        "seconds": {p.stem: seconds_of(p) for p in sorted(folder.glob("*.json"))
                    if p.with_suffix(".seconds").is_file()},
    }  # fmt: skip
    path = RESULTS / f"{today}-showcase.json"
    path.write_text(json.dumps(kept, indent=1) + "\n")
    print(f"written {path}; python -m tools.pages makes docs/showcase.md of it")


if __name__ == "__main__":
    main()
