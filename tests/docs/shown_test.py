"""The runner of pages fails where a page shows what is not so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.shown import Session, Tally, run_page

Runner = Callable[[str], Tally]

GAME = """
```json title="g.json"
{"groups": {"a": 0.5, "b": 0.5}, "agents": 1, "attractiveness": {"values": [0.3, 0.1]},
 "consistency": {"anchor": [0.5, 0.5]}}
```
"""


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    monkeypatch.chdir(tmp_path)

    def page(text: str) -> Tally:
        path = tmp_path / "page.md"
        path.write_text(text, encoding="utf-8")
        return run_page(path, Session(tmp_path, skip=("equipoise app",)))

    return page


@pytest.mark.parametrize(
    "right",
    [
        "```python\nprint(1 + 1)  # 2\n```",
        "```python\nfor i in range(2):\n    print(i)\n```\n\n```text\n0\n1\n```",
        "```python\nx = 1\n```\nwords\n```python\nprint(x)  # 1\n```",
        GAME + "```console\n$ equipoise solve g.json\n…\n a …0.6000…\n…\n```",
        GAME + "```console\n$ equipoise solve g.json --json > out.json\n$ cat out.json\n{…}\n```",
        "```console\n$ equipoise solve none.json\nerror: …\n$ echo $?\n2\n```",
        "```sh\nmake demo\nequipoise schema game  # every key\nequipoise app\n```",
    ],
)
def test_a_true_page_passes(ran: Runner, right: str) -> None:
    ran(right)


@pytest.mark.parametrize(
    "wrong",
    [
        "```python\nprint(1 + 1)  # 3\n```",
        "```python\nprint(1 + 1)\n```",
        "```python\nx = 1\n```\n\n```text\n1\n```",
        "```python\nprint(1)\nprint(2)\n```\n\n```text\n1\n```",
        GAME + "```console\n$ equipoise solve g.json\n…\n a …0.5000…\n…\n```",
        GAME + "```console\n$ equipoise solve g.json --json\n{…} \n{…}\n```",
        "```console\n$ equipoise solve none.json\n```",
        "```console\n$ equipoise solve none.json\nerror: …\n$ echo $?\n1\n```",
        "```console\n$ rm -r x\n```",
        "```sh\nequipoise solve none.json\n```",
    ],
)
def test_a_planted_error_is_seen(ran: Runner, wrong: str) -> None:
    with pytest.raises(AssertionError):
        ran(wrong)
