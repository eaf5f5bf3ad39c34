"""Fidelity on trained adapters: the folder that `equipoise realise train` wrote.

Which folder, the environment variable EQUIPOISE_REALISED says; training one takes half an hour, so
nothing is trained here. The witness of the gateway is the audit: answers that came over HTTP.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("xllamacpp", reason="needs the extra local")

from equipoise.llm.answers import option_named
from equipoise.measure.agents import idle_cores
from equipoise.measure.mixture import estimate_mixture
from equipoise.measure.questionnaire import YOURSELF, Questionnaire
from equipoise.measure.units import sheets
from equipoise.realise.check import CheckSettings, check_folder
from equipoise.realise.group_answers import read_answers
from equipoise.realise.laws_file import read_surveyed
from equipoise.realise.realisation_file import read_realisation
from tests.realise.processes import gateway

pytestmark = pytest.mark.soak

TARGETS, ENOUGH = 20, 17


@pytest.fixture(scope="module")
def folder() -> Path:
    given = os.environ.get("EQUIPOISE_REALISED")
    if not given:
        pytest.skip("EQUIPOISE_REALISED does not say which trained folder to check")
    return Path(given)


def test_twenty_targets_through_every_route(
    folder: Path, record_figure: Callable[[str, Any], None]
) -> None:
    found = check_folder(folder, CheckSettings(targets=TARGETS, threads=idle_cores()))
    rows = {row["route"]: row for row in found.fidelity.to_rows()}
    record_figure("realise_check", {"questions": len(found.questions), "routes": rows})
    for route in ("routing", "bayes"):
        assert min(rows[route]["inside"].values()) >= ENOUGH
        assert rows[route]["distance"] < 1e-9
        assert rows[route]["interval"] < 0.5
    for route in ("geometric", "interpolation"):
        assert rows[route]["distance"] > 0.001
    part = rows["routing"]["people"]
    assert part["distance"] == pytest.approx(part["models_distance"])


def test_answers_that_models_wrote(folder: Path, record_figure: Callable[[str, Any], None]) -> None:
    """Every answer one call: five targets, thirty sheets each."""
    settings = CheckSettings(
        targets=5, sheets=30, routes=("routing",), sampled=True, threads=idle_cores(), seed=11
    )
    found = check_folder(folder, settings)
    row = found.fidelity.to_rows()[0]
    record_figure("realise_check_sampled", row | {"unparsed": found.unparsed})
    assert min(row["inside"].values()) >= 4


def test_the_mixture_is_heard_through_the_gateway(
    folder: Path, tmp_path: Path, record_figure: Callable[[str, Any], None]
) -> None:
    """Sheets asked of an agent over HTTP, one conversation each, audited against its models."""
    from equipoise.llm.models import local_server

    routes = read_realisation(folder / "realisation.toml")
    surveyed = read_surveyed(folder / "laws.json")
    surveyed = surveyed.only(surveyed.trained)
    asked = Questionnaire(surveyed.questions, orders=6)
    with local_server(routes.models[0], adapters=routes.adapters, threads=idle_cores()) as server:
        own = read_answers(
            {g: server.backend(g) for g in surveyed.groups}, asked,
            dict.fromkeys(surveyed.groups, YOURSELF),
        )  # fmt: skip
    target = np.array([0.6, 0.15, 0.25])
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({
        "groups": list(surveyed.groups), "agents": ["agent"], "profile": [target.tolist()],
    }))  # fmt: skip
    options = ["--realisation", str(folder / "realisation.toml"), "--slots", "2", "--threads",
               str(idle_cores()), "--quiet"]  # fmt: skip
    with gateway(plan, "local", *options) as served:
        codes = asyncio.run(answered(served.address, asked, 60))
        _, drift, _ = served.ended()
    estimate = estimate_mixture(own.laws, sheets(codes))
    record_figure("gateway_audited", {
        "sheets": 60, "answers": estimate.answers, "unparsed": int((codes < 0).sum()),
        "target": target.tolist(), "audited": estimate.to_dict()["weights"],
        "drift": drift["verdict"],
    })  # fmt: skip
    assert np.all((estimate.low <= target) & (target <= estimate.high))
    assert drift["verdict"] == "as planned"


async def answered(address: str, asked: Questionnaire, n: int) -> Any:
    """Ask the official client's way; the option named in each answer, -1 where none is."""
    import openai

    codes = np.full((n, len(asked.questions)), -1)
    rng = np.random.default_rng(5)
    at_once = asyncio.Semaphore(4)
    async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="none") as client:

        async def one(i: int, q: int) -> None:
            sheet, question = asked.sheets[q], asked.questions[q]
            r = int(rng.integers(len(sheet)))
            prompt = asked.prompt(question, sheet.wording[r], sheet.orders[r], YOURSELF)
            said: Any = [{"role": m.role, "content": m.text} for m in prompt.messages]
            for attempt in range(10):
                async with at_once:
                    reply = await client.chat.completions.create(
                        model="agent", messages=said, max_tokens=1, temperature=1.0,
                        seed=1000 * i + 20 * q + attempt,
                        extra_headers={"X-Conversation-Id": f"sheet {i}"},
                        extra_body={"cache_prompt": False},
                    )  # fmt: skip
                names = asked.names(question, sheet.orders[r])
                named = option_named(reply.choices[0].message.content or "", names)
                if named:
                    codes[i, q] = sheet.orders[r][names.index(named)]
                    return

        await asyncio.gather(*(one(i, q) for i in range(n) for q in range(codes.shape[1])))
    return codes
