"""The dashboard over HTTP: who may call, how much may be sent, what a page may do."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from equipoise.app.api import Api
from equipoise.app.server import POLICY, make_app
from equipoise.app.uploads import LARGEST
from equipoise.errors import BadInput
from tests.app.browser import toy_dashboard


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with toy_dashboard(tmp_path_factory.mktemp("server")) as found:
        yield found


def sent(
    address: str, path: str, method: str = "POST", *, body: bytes = b"{}", **headers: Any
) -> tuple[int, dict[str, str], bytes]:
    place = urlsplit(address).netloc
    connection = http.client.HTTPConnection(place, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        reply = connection.getresponse()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def test_its_own_page_may_ask(address: str) -> None:
    status, _, body = sent(address, "/api/open", Origin=address.rstrip("/"))
    assert status == 200
    assert json.loads(body)["title"] == "toy.json"


@pytest.mark.parametrize("path", ["/", "/api/open", "/api/upload", "/api/export", "/page/app.js"])
@pytest.mark.parametrize("headers", [
    {"Host": "evil.example"}, {"Host": "evil.example:8420"}, {"Origin": "http://evil.example"},
    {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}, {"Host": "127.0.0.1.evil.example"},
])  # fmt: skip
def test_other_hosts_and_pages_may_not(address: str, path: str, headers: dict[str, Any]) -> None:
    method = "POST" if path.startswith("/api") else "GET"
    assert sent(address, path, method, **headers)[0] == 403


def test_what_is_sent_has_a_limit(address: str) -> None:
    status, _, body = sent(address, "/api/upload", body=b"", Content_Length=str(LARGEST + 1))
    assert (status, b"larger than" in body) == (413, True)
    for path in ("/api/solve", "/api/export"):
        assert sent(address, path, body=b" " * 70_000)[0] == 413


def test_what_is_no_question_is_refused(address: str) -> None:
    for path in ("/api/solve", "/api/export"):
        for body in (b"{", b"[]", b"\xff", b"[" * 60_000):
            assert sent(address, path, body=body)[0] == 400
    large = b'{"set": {"below": 1' + b"0" * 400 + b"}}"
    for path in ("/api/solve", "/api/export"):
        assert sent(address, path, body=large)[0] == 400
    assert sent(address, "/api/nothing")[0] == 404
    assert sent(address, "/api/open", "GET")[0] == 405
    status, _, body = sent(address, "/api/solve", body=b'{"source": "gone"}')
    assert (status, json.loads(body)["error"]) == (
        400, "source: this game is not open any more; open it again",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["..%2fserver.py", "%2e%2e/api.py", "nothing.js", "__init__.py"])
def test_only_files_of_the_page_are_served(address: str, name: str) -> None:
    assert sent(address, f"/page/{name}", "GET")[0] == 404


def test_the_page_brings_everything_and_may_run_nothing_else(address: str) -> None:
    status, headers, body = sent(address, "/", "GET")
    assert status == 200
    assert headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    text = body.decode()
    for name in ("app.css", "app.js", "charts.js", "map.js", "plans.js", "dialogs.js", "dom.js"):
        text += sent(address, f"/page/{name}", "GET")[2].decode()
    # No address outside, no markup out of text, no code out of text.
    known = "http://www.w3.org/2000/svg"
    assert [url for url in re.findall(r"https?://[^\"'`\s)]+", text) if url != known] == []
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text)
    assert not re.search(r"<script>|\son\w+=|style=\"", body.decode())


def test_what_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"groups": {"a": 1}, "agents": 1, "wieght": 2}')
    made = subprocess.run(
        [sys.executable, "-m", "equipoise.cli", "app", "--no-open", str(bad)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert made.returncode == 2
    assert made.stdout == ""
    assert made.stderr.startswith("error: bad.json: ")
    assert len(made.stderr.strip().splitlines()) == 1


def test_a_host_with_a_scheme_is_refused() -> None:
    with pytest.raises(BadInput):
        make_app(Api(None), hosts=["http://x"])
