"""Everything README, docs and examples show is run, and prints what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.settings import PAGES, ROOT, SKIPPED, missing, ready
from tests.docs.shown import Session, run_page


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_what_is_so(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if need := missing(page):
        pytest.skip(f"{page} shows `{need}`, which this version has not")
    monkeypatch.chdir(tmp_path)
    with ready(page, tmp_path):
        run_page(ROOT / page, Session(tmp_path, SKIPPED))
