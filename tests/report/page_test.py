"""The page: hostile labels, nothing from outside, the promised order, the same bytes."""

from __future__ import annotations

import csv
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from equipoise.errors import BadInput
from equipoise.report.page import html_page, write_report
from equipoise.report.result import read_result, to_text
from equipoise.study import run_study
from tests.study.study_files import small_study, survey

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    '=HYPERLINK("http://x")\u202egnp.exe $\\frac{1}{0}$ \'; --',
    "a very long name " * 20 + "\u05e9\u05dc\u05d5\u05dd \U0001f600",
)


MAP = """
[[map]]
x = "attractiveness=0:80:17"
y = "diversity=-4:2:7"
[[map]]
x = "attractiveness=0:80:9"
y = "diversity=0:2:3"
z = "consistency=0.5:2:3"
"""


class Page(HTMLParser):
    """Collects tags, checks that they nest, keeps ids, links and texts."""

    VOID = frozenset({"meta", "br", "img", "hr", "input", "link"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id" and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    study = small_study(
        folder,
        game='per = "question"\nagents = ["</td><b>", "=1+1"]',
        more='[report]\ntitle = "</title><script>x"\nauthors = ["<i>"]\n' + MAP,
    )
    survey(folder, HOSTILE)
    run_study(study, folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def page(hostile: Path) -> Page:
    return Page((hostile / "report.html").read_text(encoding="utf-8"))


def test_no_label_becomes_markup(page: Page, hostile: Path) -> None:
    allowed = {"html", "head", "meta", "title", "style", "body", "header", "main", "footer", "h1",
               "h2", "h3", "p", "section", "div", "table", "caption", "thead", "tbody", "tr", "th",
               "td", "bdi", "span", "figure", "figcaption", "details", "summary", "pre", "code",
               "dl", "dt", "dd", "ul", "li", "a", "svg", "g", "path", "defs", "use", "clippath",
               "pattern", "rect"}  # fmt: skip
    assert {tag for tag, _ in page.tags} <= allowed
    assert "<script>alert(1)</script>" in "".join(page.words)
    text = (hostile / "report.html").read_text(encoding="utf-8")
    assert "\u202e" not in text
    for path in hostile.glob("figures/*.svg"):
        assert "<script" not in path.read_text(encoding="utf-8")


def test_the_parser_sees_an_unescaped_label() -> None:
    """The checker has been seen to fail."""
    with pytest.raises(AssertionError):
        Page("<p><b></p>")
    assert ("script", {}) in Page("<p><script></script></p>").tags


def test_nothing_is_fetched_and_nothing_runs(page: Page) -> None:
    for tag, attributes in page.tags:
        for key, value in attributes.items():
            assert not key.startswith("on")
            if key in ("src", "href", "xlink:href", "action", "data"):
                assert str(value).startswith("#"), (tag, key, value)
    policy = next(a for t, a in page.tags if t == "meta" and "http-equiv" in a)
    assert str(policy["content"]).startswith("default-src 'none'")


def test_ids_are_unique_and_references_meet_them(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    for _, attributes in page.tags:
        for key in ("href", "xlink:href", "aria-labelledby"):
            if value := attributes.get(key):
                assert value.removeprefix("#") in page.ids


def test_the_verdict_the_incentives_and_welfare_come_first(page: Page) -> None:
    text = "".join(page.words)
    order = ["In short", "From which incentive on", "Who gains, who loses", "Who is served, and",
             "Who is left out under", "How this was found", "The certificate",
             "How to reproduce"]  # fmt: skip
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_tables_and_figures_are_labelled(page: Page) -> None:
    for tag, attributes in page.tags:
        if tag == "th":
            assert attributes.get("scope") in ("col", "row")
        if attributes.get("role") == "img":
            assert len(attributes.get("aria-label") or "") > 40
    headings = [tag for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert headings.count("h1") == 1
    assert headings[0] == "h1"
    levels = [int(h[1]) for h in headings]
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))


def test_no_cell_of_a_csv_is_a_formula(hostile: Path) -> None:
    """OWASP's list of characters that start one; numbers keep their minus."""
    for path in hostile.glob("tables/*.csv"):
        with path.open(encoding="utf-8", newline="") as handle:
            for row in csv.reader(handle):
                for cell in row:
                    if cell[:1] in ("=", "+", "@", "\t", "\r", "-"):
                        float(cell)
    text = (hostile / "tables" / "profile.csv").read_text(encoding="utf-8")
    assert "'=1+1" in text
    assert "'=HYPERLINK" in text


def test_the_report_written_again_is_the_same(hostile: Path, tmp_path: Path) -> None:
    shutil.copy(hostile / "result.json", tmp_path / "result.json")
    shutil.copytree(hostile / "arrays", tmp_path / "arrays")
    assert write_report(tmp_path) == tmp_path / "report.html"
    for path in (*hostile.glob("figures/*"), *hostile.glob("tables/*"), hostile / "report.html"):
        again = tmp_path / path.relative_to(hostile)
        assert again.read_bytes() == path.read_bytes(), path.name


def test_the_result_is_read_back_as_it_was(hostile: Path) -> None:
    text = (hostile / "result.json").read_text(encoding="utf-8")
    assert to_text(read_result(hostile)) == text


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"format": 99}', "[" * 100_000])
def test_a_folder_without_a_result_is_one_sentence(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "result.json").write_text(content)
    with pytest.raises(BadInput, match="result.json") as error:
        write_report(tmp_path)
    assert "\n" not in str(error.value)


def contrast(one: str, two: str) -> float:
    """Contrast of two colours by the formula of WCAG 2.2."""

    def light(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    a, b = sorted((light(one), light(two)))
    return (b + 0.05) / (a + 0.05)


def test_colours_of_the_page_are_readable_in_light_and_dark() -> None:
    """WCAG AA: 4.5 for text on both grounds, 3 for the marks of figures."""
    from equipoise.report.style import CSS

    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    modes = [dict(re.findall(r"--(\w+):(#\w{6})", block)) for block in CSS.split("@media", 1)]
    light, dark = modes[0], dict(re.findall(r"--(\w+):(#\w{6})", CSS.split(":root")[2][:300]))
    for mode in (light, dark):
        for ground in ("paper", "panel"):
            for ink in ("ink", "soft", "link"):
                assert contrast(mode[ink], mode[ground]) >= 4.5
        for ink in ("bad", "good", "unsure"):
            assert contrast(mode[ink], mode["paper"]) >= 4.5
        for mark in ("blue", "red"):
            assert contrast(mode[mark], mode["paper"]) >= 3


def test_a_page_without_figures_still_stands(hostile: Path) -> None:
    result: dict[str, Any] = read_result(hostile)
    assert Page(html_page(result, {})).open == []
