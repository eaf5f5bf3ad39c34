"""The gateway as a process of its own, asked by the official client, by curl and by hand.

Witnesses: the `openai` package, `curl`, and an upstream of plain sockets that says back what
reached it.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from tests.realise.processes import Served, gateway, stub, write_plan

CLIENT_KEY, UPSTREAM_KEY = "CLIENT-SECRET-22", "UPSTREAM-SECRET-1"
REALISATION = """
model = "base"
[groups.left]
persona = "You are on the left."
[groups.middle]
model = "neutral"
[groups.right]
persona = "You are on the right."
"""


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with stub() as address:
        yield address


@pytest.fixture(scope="module")
def open_gateway(upstream: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Three agents, models named like the groups, no key."""
    plan = write_plan(
        tmp_path_factory.mktemp("open") / "plan.json",
        [[0.2, 0.3, 0.5], [1, 0, 0], [0, 0, 1]],
        topics={"tax": [[0, 1, 0], [0, 1, 0], [0, 1, 0]]},
    )
    with gateway(plan, upstream, "--seed", "5", "--timeout", "2") as served:
        yield served


@pytest.fixture(scope="module")
def kept(upstream: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Personas, a key for clients and one for the upstream, a trace file."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "realisation.toml").write_text(REALISATION)
    plan = write_plan(folder / "plan.json", [[1, 0, 0], [0, 1, 0]])
    options = ["--key-env", "CLIENT_API_KEY", "--upstream-key-env", "UP_API_KEY",
               "--max-body", "5000", "--trace", str(folder / "trace.jsonl")]  # fmt: skip
    keys = {"CLIENT_API_KEY": CLIENT_KEY, "UP_API_KEY": UPSTREAM_KEY}
    with gateway(plan, upstream, *options, **keys) as served:
        yield served


def call(
    served: Served,
    data: Any,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    **headers: str,
) -> tuple[int, dict[str, str], Any]:
    """Send one request; headers' _ become -."""
    host = served.address.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        connection.request(
            method, path, body if method == "POST" else None,
            {k.replace("_", "-"): v for k, v in headers.items()},
        )  # fmt: skip
        answer = connection.getresponse()
        found = answer.read()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, json.loads(found)
    finally:
        connection.close()


def ask(
    served: Served, text: str, agent: str = "agent-a", **more: Any
) -> tuple[int, dict[str, str], Any]:
    headers = more.pop("headers", {})
    data = {"model": agent, "messages": [{"role": "user", "content": text}], **more}
    return call(served, data, **headers)


def heard(reply: Any) -> dict[str, Any]:
    """What the upstream was asked, as it says."""
    found = json.loads(reply["choices"][0]["message"]["content"])
    assert isinstance(found, dict)
    return found


def test_a_conversation_keeps_its_group_and_groups_follow_the_plan(open_gateway: Served) -> None:
    groups: Counter[str] = Counter()
    for i in range(300):
        status, headers, reply = ask(open_gateway, f"question {i}")
        assert status == 200
        group = headers["x-equipoise-group"]
        assert heard(reply)["body"]["model"] == group
        groups[group] += 1
        if i < 20:
            again = {"model": "agent-a", "messages": [
                {"role": "user", "content": f"question {i}"},
                {"role": "assistant", "content": "yes"}, {"role": "user", "content": "why?"},
            ]}  # fmt: skip
            assert call(open_gateway, again)[1]["x-equipoise-group"] == group
    from scipy.stats import chisquare

    seen = [groups[g] for g in ("left", "middle", "right")]
    assert chisquare(seen, [60, 90, 150]).pvalue > 0.001
    assert {ask(open_gateway, f"q{i}", "agent-b")[1]["x-equipoise-group"] for i in range(20)} == {
        "left"
    }


def test_the_conversation_id_decides_over_the_text(open_gateway: Served) -> None:
    def group(text: str, name: str) -> str:
        return ask(open_gateway, text, headers={"X_Conversation_Id": name})[1]["x-equipoise-group"]

    for i in range(10):
        assert group("one text", f"c{i}") == group("another text", f"c{i}")
    assert len({group("one text", f"c{i}") for i in range(30)}) == 3


def test_a_draw_for_every_response(upstream: str, tmp_path: Path) -> None:
    """Turns of one conversation have their own draws; a turn asked again has the same."""
    plan = write_plan(tmp_path / "plan.json", [[0.4, 0.2, 0.4]])
    with gateway(plan, upstream, "--per-response", "--hide-group", "--quiet") as served:
        drawn = []
        for turns in (*range(1, 40, 2), 1):
            asked = [{"role": ("user", "assistant")[i % 2], "content": "x"} for i in range(turns)]
            status, headers, reply = call(served, {"model": "agent-a", "messages": asked})
            assert (status, "x-equipoise-group" in headers) == (200, False)
            drawn.append(heard(reply)["body"]["model"])
        assert len(set(drawn)) == 3
        assert drawn[-1] == drawn[0]
        assert served.ended()[1]["agents"][0]["conversations"] == 20


def test_a_seed_gives_the_same_draws_in_another_process(
    open_gateway: Served, upstream: str, tmp_path: Path
) -> None:
    plan = write_plan(tmp_path / "plan.json", [[0.2, 0.3, 0.5]])
    drawn = {}
    for seed in ("5", "6"):
        with gateway(plan, upstream, "--seed", seed) as other:
            drawn[seed] = [ask(other, f"s{i}")[1]["x-equipoise-group"] for i in range(30)]
            code, drift, notes = other.ended()
        assert code == 0
        assert (drift["requests"], drift["agents"][0]["conversations"]) == (30, 30)
        assert "30 conversations answered" in notes
    first = [ask(open_gateway, f"s{i}")[1]["x-equipoise-group"] for i in range(30)]
    assert drawn["5"] == first
    assert drawn["6"] != first


def test_the_mixture_may_depend_on_the_topic(open_gateway: Served) -> None:
    for i in range(10):
        headers = ask(open_gateway, f"t{i}", headers={"X_Equipoise_Topic": "tax"})[1]
        assert (headers["x-equipoise-group"], headers["x-equipoise-topic"]) == ("middle", "tax")
    other = ask(open_gateway, "t", "agent-b", headers={"X_Equipoise_Topic": "war"})[1]
    assert other["x-equipoise-group"] == "left"
    assert "x-equipoise-topic" not in other


def test_the_official_client(open_gateway: Served) -> None:
    openai = pytest.importorskip("openai")
    with openai.OpenAI(
        base_url=open_gateway.address + "/v1", api_key="not-needed", max_retries=0
    ) as client:
        assert [m.id for m in client.models.list()] == ["agent-a", "agent-b", "agent-c"]
        assert client.models.retrieve("agent-b").id == "agent-b"
        asked: Any = [{"role": "user", "content": "hello"}]
        raw = client.chat.completions.with_raw_response.create(model="agent-c", messages=asked)
        assert raw.headers["x-equipoise-group"] == "right"
        assert raw.parse().choices[0].finish_reason == "stop"
        parts = list(client.chat.completions.create(model="agent-c", messages=asked, stream=True))
        text = "".join(part.choices[0].delta.content or "" for part in parts)
        assert text == "one two right"
        bare = client.completions.create(model="agent-b", prompt="Once")
        assert json.loads(bare.choices[0].text)["body"]["model"] == "left"
        with pytest.raises(openai.NotFoundError, match="agent-a, agent-b, agent-c"):
            client.chat.completions.create(model="agent-x", messages=asked)
        with pytest.raises(openai.InternalServerError, match="it broke"):
            client.chat.completions.create(
                model="agent-a", messages=[{"role": "user", "content": "error 500"}]
            )
        cut: Any = [{"role": "user", "content": "cut"}]
        with pytest.raises(openai.APIError, match="broke the reply off"):
            list(client.chat.completions.create(model="agent-c", messages=cut, stream=True))


def test_curl(open_gateway: Served, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("needs curl")
    url = open_gateway.address + "/v1/chat/completions"
    data = json.dumps({"model": "agent-b", "messages": [{"role": "user", "content": "hi"}]})
    done = subprocess.run([curl, "-sS", "-i", url, "-d", data], capture_output=True, text=True,
                          timeout=30, check=True)  # fmt: skip
    head, _, body = done.stdout.partition("\n\n")
    assert "200 OK" in head
    assert "x-equipoise-group: left" in head
    assert json.loads(body)["object"] == "chat.completion"
    foreign = subprocess.run([curl, "-sS", url, "-d", data, "-H", "Host: evil.example"],
                             capture_output=True, text=True, timeout=30, check=True)  # fmt: skip
    assert "not a name of this server" in json.loads(foreign.stdout)["error"]["message"]


def test_parts_of_a_stream_come_as_they_are_made(open_gateway: Served) -> None:
    """The first part is here while the upstream still works on the last."""
    host = open_gateway.address.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=30)
    data = {"model": "agent-b", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(data))
    answer = connection.getresponse()
    came = []
    while line := answer.readline():
        if line.startswith(b"data:"):
            came.append(time.perf_counter())
    connection.close()
    # The upstream pauses three times; had the parts been held back, all would come at once.
    assert len(came) == 4
    assert min(b - a for a, b in zip(came, came[1:], strict=False)) > 0.0
    assert came[-1] - came[0] > 0.05


@pytest.mark.parametrize(
    ("wish", "status", "code", "says"),
    [
        ("error 500", 500, "upstream_status", "it broke"),
        ("error 400", 400, "upstream_status", "max_tokens is too large"),
        ("error 429", 429, "upstream_status", "slow down"),
        ("error 401", 502, "upstream_key", "does not let the gateway in"),
        ("error text", 503, "upstream_status", "answered 503"),
        ("redirect", 502, "upstream_reply", "not followed"),
        ("html", 502, "upstream_reply", "not JSON"),
        ("packed", 502, "upstream_reply", "packed"),
        ("half json", 502, "upstream_cut_short", "broke the reply off"),
        ("short", 502, "upstream_cut_short", "broke the reply off"),
        ("hang up", 502, "upstream_cut_short", "broke the reply off"),
        ("no content", 502, "upstream_reply", "status 204"),
        ("never", 504, "upstream_timeout", "in 2 s"),
    ],
)
def test_what_the_upstream_does_wrong_is_a_proper_error(
    open_gateway: Served, wish: str, status: int, code: str, says: str
) -> None:
    found, headers, reply = ask(open_gateway, wish)
    assert (found, reply["error"]["code"]) == (status, code)
    assert says in reply["error"]["message"]
    assert "x-equipoise-group" in headers
    assert headers.get("retry-after") == ("7" if wish == "error 429" else None)


BAD_BODIES: list[tuple[Any, int, str]] = [
    (b"", 400, "not JSON"),
    (b"{", 400, "not JSON"),
    (b"[" * 100_000, 400, "not JSON"),
    (b"\xff\xfe", 400, "not JSON"),
    (b'{"model": NaN}', 400, "not JSON"),
    (b'"text"', 400, "not a JSON object"),
    ({}, 400, "model is not given"),
    ({"model": 3}, 400, "model is not given"),
    ({"model": "agent-a"}, 400, "messages"),
    ({"model": "agent-a", "messages": []}, 400, "messages"),
    ({"model": "agent-a", "messages": "hi"}, 400, "messages"),
    ({"model": "agent-a", "messages": ["hi"]}, 400, "every message"),
    ({"model": "agent-a", "messages": [{"role": 1}]}, 400, "every message"),
    ({"model": "agent-a", "messages": [{"role": "user"}], "stream": "yes"}, 400, "stream"),
    ({"model": "agnet-a", "messages": [{"role": "user"}]}, 404, 'did you mean "agent-a"'),
    ({"model": "\u202e<b>", "messages": [{"role": "user"}]}, 404, "agents: agent-a"),
]


@pytest.mark.parametrize(("body", "status", "says"), BAD_BODIES)
def test_a_bad_request_is_a_sentence(
    open_gateway: Served, body: Any, status: int, says: str
) -> None:
    found, _, reply = call(open_gateway, body)
    assert found == status
    assert says in reply["error"]["message"]
    assert set(reply["error"]) == {"message", "type", "param", "code"}


def test_other_ways_to_ask_wrongly(open_gateway: Served) -> None:
    assert call(open_gateway, {}, "/v1/nothing")[0] == 404
    assert call(open_gateway, {}, method="GET")[0] == 405
    assert ask(open_gateway, "x", headers={"X_Conversation_Id": "x" * 513})[0] == 400
    assert ask(open_gateway, "x", headers={"Origin": "http://evil.example"})[0] == 403
    assert call(open_gateway, {"model": "agent-a", "prompt": 3}, "/v1/completions")[0] == 400
    assert call(open_gateway, {"groups": []}, "/plan")[0] == 403


def test_a_client_that_leaves_stops_the_asking(open_gateway: Served) -> None:
    host, port = open_gateway.address.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    data = {"model": "agent-a", "messages": [{"role": "user", "content": "never"}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(data))
    time.sleep(0.2)
    connection.close()
    for _ in range(100):
        if call(open_gateway, None, "/health", "GET")[2]["in_flight"] == 0:
            break
        time.sleep(0.05)
    assert call(open_gateway, None, "/drift", "GET")[2]["failed"]["client_gone"] >= 1


def test_keys_are_needed_sent_on_and_never_shown(kept: Served) -> None:
    right = {"Authorization": f"Bearer {CLIENT_KEY}"}
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": CLIENT_KEY}):
        status, _, reply = ask(kept, "hi", headers=headers)
        assert (status, reply["error"]["code"]) == (401, "invalid_api_key")
        for path in ("/v1/models", "/drift", "/plan"):
            assert call(kept, None, path, "GET", **headers)[0] == 401
    assert call(kept, None, "/health", "GET")[0] == 200
    status, _, reply = ask(kept, "hi", headers=right)
    said = heard(reply)
    assert f"Bearer {UPSTREAM_KEY}".lower() in said["head"].lower()
    assert CLIENT_KEY not in said["head"]
    status, _, reply = ask(kept, "error 401", headers=right)
    assert (status, UPSTREAM_KEY in json.dumps(reply)) == (502, False)
    lines = (kept.folder / "trace.jsonl").read_text().splitlines()
    assert {json.loads(line)["group"] for line in lines} == {"left"}
    assert not any(secret in "".join(lines) for secret in (CLIENT_KEY, UPSTREAM_KEY, 'hi"'))


def test_a_persona_stands_first_and_the_clients_system_text_after_it(kept: Served) -> None:
    right = {"Authorization": f"Bearer {CLIENT_KEY}"}
    body = heard(ask(kept, "hi", lora=[{"id": 0, "scale": 9}], headers=right)[2])["body"]
    assert body["messages"][0] == {"role": "system", "content": "You are on the left."}
    assert (body["model"], "lora" in body) == ("base", False)
    own = {"model": "agent-a", "messages": [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]}  # fmt: skip
    body = heard(call(kept, own, **right)[2])["body"]
    assert body["messages"][0]["content"] == "You are on the left.\n\nBe brief."
    assert len(body["messages"]) == 2
    body = heard(ask(kept, "hi", "agent-b", headers=right)[2])["body"]
    assert (body["model"], len(body["messages"])) == ("neutral", 1)
    status, _, reply = call(kept, {"model": "agent-a", "prompt": "x"}, "/v1/completions", **right)
    assert (status, reply["error"]["code"]) == (400, "no_persona")


def test_a_large_body_is_refused(kept: Served) -> None:
    right = {"Authorization": f"Bearer {CLIENT_KEY}"}
    assert ask(kept, "x" * 5000, headers=right)[0] == 413


def test_the_plan_changes_without_a_restart(kept: Served) -> None:
    """By the file, and over HTTP with the key; a broken plan changes nothing."""
    right = {"Authorization": f"Bearer {CLIENT_KEY}"}
    path = kept.folder / "plan.json"

    def wait_for(key: str, wanted: Any) -> Any:
        for _ in range(200):
            health = call(kept, None, "/health", "GET")[2]
            if health[key] == wanted or (wanted is True and health[key]):
                return health
            time.sleep(0.05)
        raise AssertionError(f"{key} is {health[key]!r}")

    assert ask(kept, "hi", headers=right)[1]["x-equipoise-group"] == "left"
    write_plan(path, [[0, 0, 1], [0, 1, 0]])
    assert wait_for("revision", 2)["plan_error"] == ""
    assert ask(kept, "hi", headers=right)[1]["x-equipoise-group"] == "right"
    path.write_text('{"groups": ["left"], "agents": 1, "profile": [[0.4]]}')
    assert "sums to 0.4" in wait_for("plan_error", True)["plan_error"]
    assert ask(kept, "hi", headers=right)[1]["x-equipoise-group"] == "right"
    new = {"groups": ["middle"], "agents": ["agent-a"], "profile": [[1.0]]}
    status, _, reply = call(kept, new, "/plan", **right)
    assert (status, reply["revision"]) == (200, 3)
    assert ask(kept, "hi", headers=right)[1]["x-equipoise-plan"].startswith("3-")
    assert ask(kept, "hi", "agent-b", headers=right)[0] == 404
    assert call(kept, {**new, "groups": ["centre"]}, "/plan", **right)[0] == 400
    assert call(kept, None, "/plan", "GET", **right)[2]["groups"] == ["middle"]


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    """Other parts work without FastAPI; here its absence is simulated."""
    if importlib.util.find_spec("fastapi") is None:
        pytest.skip("it is absent: shown by the skip itself")
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from equipoise.cli.main import run\n"
        f"sys.exit(run(['serve', '--plan', {str(write_plan(tmp_path / 'p.json', [[1.0, 0.0]]))!r},"
        " '--upstream', 'http://127.0.0.1:9']))"
    )
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "pip install 'equipoise[serve]'" in done.stderr
    assert "Traceback" not in done.stderr
