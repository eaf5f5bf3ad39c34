"""The page in a real browser: moved, tapped, typed into, given hostile text, scanned by axe.

Times are measured by `python -m benchmarks.app`; here only what is drawn counts.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import equipoise as eq
from equipoise.game.catalog import game as catalogue
from equipoise.game.gamefile import load_game, save_game
from tests.app.browser import NO_BROWSER, dashboard, launched, toy_dashboard

HOSTILE = (
    '<script>window.hacked=1</script><img src=x onerror="window.hacked=2">',
    "javascript:window.hacked=3 \u202egnp.exe \u05e9\u05dc\u05d5\u05dd",
    "W" * 100_000,
    '=HYPERLINK("http://x") {{7*7}} ${window.hacked=4} $\\frac12$',
)
AGENTS = ["<svg onload=window.hacked=5>", "\u2067" + "m" * 100_000, "'\"><b>"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    play_of = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with play_of.sync_playwright() as play:
        found = launched(play)
        if found is None:
            pytest.skip(NO_BROWSER)  # says how to install one
        yield found
        found.close()


@contextmanager
def opened(browser: Any, address: str, wide: int = 1440, **options: Any) -> Iterator[Any]:
    """A page on which the first picture and the map are drawn; whatever goes wrong is an error."""
    tall = 844 if wide < 500 else 900
    page = browser.new_page(viewport={"width": wide, "height": tall}, **options)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    own = address.partition("#")[0]
    page.on("request", lambda r: None if r.url.startswith((own, "blob:", "data:"))
            else wrong.append(f"asked for {r.url[:80]}"))  # fmt: skip
    page.goto(address)
    page.wait_for_selector("#served-chart .mark")
    page.wait_for_selector("#map-note:not(:empty)")
    yield page
    assert wrong == []
    page.close()


def set_range(page: Any, name: str, value: float) -> None:
    page.evaluate(
        "([id, v]) => { const r = document.getElementById(id); r.value = v;"
        " r.dispatchEvent(new Event('input', {bubbles: true})); }",
        [name, value],
    )


def percents(page: Any) -> list[str]:
    return [text.replace("\u00a0", " ") for text in
            page.locator("#served-chart .num").all_inner_texts()]  # fmt: skip


def becomes(page: Any, read: Callable[[], Any], want: Any) -> None:
    """Wait until the page shows what it should; a busy machine takes its time."""
    for _ in range(150):
        if read() == want:
            return
        page.wait_for_timeout(100)
    assert read() == want


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with toy_dashboard(tmp_path_factory.mktemp("browser")) as address:
        yield address


def test_a_moved_slider_redraws_the_equilibrium_of_the_library(browser: Any, toy: str) -> None:
    with opened(browser, toy) as page:
        assert percents(page)[2] == "1.3 %"
        set_range(page, "weight-attractiveness", 2.0)
        game = catalogue("toy").replace(eq.Attractiveness([0.5, 0.35, 0.15], 2.0))
        want = [f"{100 * x:.1f} %" if x else "0" for x in eq.solve(game).profile.coverage]
        becomes(page, lambda: percents(page), want)
        assert "Left out: rural" in page.locator("#said").inner_text()
        # Shares move together and still are one public.
        page.locator("#shares-part summary").click()
        set_range(page, "share-2", 0.5)
        shares = [float(page.input_value(f"#share-{k}")) for k in range(3)]
        assert sum(shares) == pytest.approx(1.0, abs=2e-3)
        page.get_by_role("button", name="Reset").click()
        becomes(page, lambda: percents(page)[2], "1.3 %")


def test_everything_is_done_from_the_keyboard(browser: Any, toy: str) -> None:
    with opened(browser, toy) as page:
        page.locator("#weight-attractiveness").focus()
        page.keyboard.press("End")
        becomes(page, lambda: percents(page)[2], "0")
        page.locator("#map").focus()
        page.keyboard.press("Shift+ArrowLeft")
        page.keyboard.press("ArrowUp")
        page.wait_for_selector("#cell .soft")
        said = page.locator("#cell").inner_text()
        assert "Nearest boundary" in said
        assert "alone" in said
        at = re.search(r"attractiveness α ([\d.]+), diversity γ ([\d.]+)", said)
        assert at is not None
        page.keyboard.press("Enter")
        assert float(page.input_value("#weight-attractiveness")) == pytest.approx(
            float(at[1]), rel=0.01
        )
        # Tab reaches every control without a trap.
        page.keyboard.press("Escape")
        seen = set()
        for _ in range(60):
            page.keyboard.press("Tab")
            seen.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        assert {"goal", "find", "map"} <= seen


def test_a_click_on_the_map_asks_for_that_cell(browser: Any, toy: str) -> None:
    with opened(browser, toy, wide=390, has_touch=True) as page:
        page.locator("#map").scroll_into_view_if_needed()
        box = page.locator("#map-cross").bounding_box()
        page.touchscreen.tap(box["x"] + 0.85 * box["width"], box["y"] + 0.7 * box["height"])
        page.wait_for_selector("#cell .soft")
        assert "left out: rural" in page.locator("#cell").inner_text()


def test_plans_side_by_side_one_applied_and_undone(browser: Any, toy: str) -> None:
    with opened(browser, toy) as page:
        page.select_option("#goal-kind", "floor")
        page.fill("#goal", "5")
        page.get_by_role("button", name="Find plans").click()
        page.wait_for_selector("#find:not([disabled])", timeout=30_000)
        cards = page.locator(".plan")
        assert cards.count() == 5
        first = cards.first.inner_text()
        assert "Pay 0.0725 per unit of attention to rural." in first
        assert "least, proved" in first
        cards.first.get_by_role("button").click()
        page.wait_for_selector("#back:not([hidden])")
        becomes(page, lambda: percents(page)[2], "5.0 %")
        page.get_by_role("button", name="Undo plan").click()
        becomes(page, lambda: percents(page)[2], "1.3 %")


def test_a_link_restores_the_page(browser: Any, toy: str) -> None:
    with opened(browser, toy) as page:
        set_range(page, "weight-diversity", 1.25)
        page.select_option("#map-y", "consistency")
        game = catalogue("toy").replace(eq.Diversity(1.25))
        want = [f"{100 * x:.1f} %" for x in eq.solve(game).profile.coverage]
        becomes(page, lambda: percents(page), want)
        page.get_by_role("button", name="Copy link").click()
        becomes(page, lambda: "#" in page.url, True)
        link = page.url
    with opened(browser, link) as page:
        becomes(page, lambda: percents(page), want)
        assert float(page.input_value("#weight-diversity")) == 1.25
        assert page.input_value("#map-y") == "consistency"


def test_files_are_opened_and_saved(browser: Any, toy: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"groups": {"a": 1}, "agents": 1, "wieght": 2}')
    with pytest.raises(eq.BadInput) as error:
        load_game(bad)
    page = browser.new_page()
    page.goto(toy)
    page.wait_for_selector("#served-chart .mark")
    page.get_by_role("button", name="Open…").click()
    page.set_input_files("#file", bad)
    page.wait_for_selector("#opening-error:not(:empty)")
    assert page.locator("#opening-error").inner_text() == str(error.value)
    survey = tmp_path / "mine.csv"
    lines = [f"{'ab'[i % 2]},{i % 3}" for i in range(90)]
    survey.write_text("party,tax\n" + "\n".join(lines) + "\n")
    page.set_input_files("#file", survey)
    page.get_by_role("button", name="Open survey").click()
    page.wait_for_selector("#people-card:not([hidden])")
    assert page.locator("#title").inner_text() == "mine.csv"
    # The note comes with the first question, after the card.
    page.wait_for_selector("#people-note:not(:empty)")
    assert "45 to 45 answers a group" in page.locator("#people-note").inner_text()
    page.get_by_role("button", name="Export…").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="The game at these settings as JSON").click()
    assert set(json.loads(Path(saved.value.path()).read_text())["groups"]) == {"a", "b"}
    page.close()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("hostile") / "hostile.json"
    groups = eq.Groups(dict(zip(HOSTILE, (0.4, 0.3, 0.2, 0.1), strict=True)))
    game = eq.AlignmentGame(groups, AGENTS, [
        eq.Attractiveness([0.9, 0.6, 0.4, 0.1]),
        eq.Consistency([[0.1, 0.2, 0.3, 0.4], [0.25] * 4, [0.4, 0.3, 0.2, 0.1]]),
    ])  # fmt: skip
    save_game(game, path)
    with dashboard(path) as address:
        yield address


@pytest.mark.parametrize("wide", [390, 1920])
def test_hostile_names_run_nothing_and_break_nothing(browser: Any, hostile: str, wide: int) -> None:
    with opened(browser, hostile, wide=wide) as page:
        for part in page.locator("details").all():
            part.locator("summary").click()
        page.locator("#map").focus()
        page.keyboard.press("ArrowRight")
        page.get_by_role("button", name="Find plans").click()
        page.wait_for_selector("#find:not([disabled])", timeout=30_000)
        assert page.evaluate("window.hacked") is None
        assert (
            page.evaluate("document.querySelectorAll('img:not([alt=\"\"]), iframe, object').length")
            == 0
        )
        assert page.evaluate("document.scripts.length") == 1
        assert page.evaluate("[...document.querySelectorAll('a')].every((a) => a.hash)")
        assert page.evaluate("document.documentElement.scrollWidth") <= wide
        # No text may run out of its card.
        assert (
            page.evaluate("""[...document.querySelectorAll('.card')].filter((card) =>
            card.scrollWidth > card.clientWidth + 1).map((card) => card.className)""")
            == []
        )
        text = page.locator("main").inner_text()
        assert "<script>window.hacked=1</script>" in text
        assert "\u202e" not in text
        assert len(text) < 30_000


def serious(page: Any) -> list[tuple[str, list[str]]]:
    """What axe calls serious or critical: rule and elements."""
    scanner = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python"
    )
    return [
        (one["id"], [node["html"][:160] for node in one["nodes"]][:3])
        for one in scanner.Axe().run(page).response["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def test_a_hostile_survey_runs_nothing(browser: Any, toy: str, tmp_path: Path) -> None:
    survey = tmp_path / "<img src=x onerror=alert(1)>.csv"
    head = ["<svg onload=window.hacked=6>", "=1+1", "q" * 5000, HOSTILE[1]]
    lines = [",".join(f'"{text}"' for text in head)]
    for i in range(120):
        lines.append(f'"{HOSTILE[0 if i % 2 else 1]}","{HOSTILE[3][:20] if i % 3 else "no"}",{i},1')
    lines = [lines[0], *(line.replace('"http', "'http") for line in lines[1:])]
    survey.write_text("\n".join(line.replace('\\"', "'") for line in lines), encoding="utf-8")
    with opened(browser, toy, wide=390) as page:
        page.get_by_role("button", name="Open…").click()
        page.set_input_files("#file", survey)
        page.wait_for_selector("#columns-go:not([hidden]), #opening-error:not(:empty)")
        assert page.locator("#opening-error").inner_text() == ""
        assert page.evaluate("document.querySelector('dialog').scrollWidth") <= 390
        page.select_option("#column-group", head[0])
        for box in page.locator("#column-questions input").all():
            box.set_checked(box.get_attribute("value") == "=1+1")
        page.get_by_role("button", name="Open survey").click()
        page.wait_for_selector("#people-card:not([hidden])")
        page.wait_for_selector("#people .mark")
        assert page.evaluate("window.hacked") is None
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(("wide", "scheme"), [(390, "dark"), (1920, "light")])
def test_axe_finds_nothing_serious(browser: Any, toy: str, wide: int, scheme: str) -> None:
    with contextlib.ExitStack() as stack:
        # The phone has the survey, the desk has the plans.
        address = stack.enter_context(dashboard(None)) if wide == 390 else toy
        page = stack.enter_context(opened(browser, address, wide=wide, color_scheme=scheme))
        for part in page.locator("details").all():
            part.locator("summary").click()
        if address == toy:
            page.get_by_role("button", name="Find plans").click()
            page.wait_for_selector("#find:not([disabled])", timeout=60_000)
        page.locator("#map").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_selector("#cell .soft")
        assert serious(page) == []
        page.get_by_role("button", name="Export…").click()
        assert serious(page) == []
        # The scanner has been seen to find a fault: a button without a name, grey on grey.
        page.evaluate("""() => { const made = document.createElement('button');
            const text = document.createElement('p'); text.textContent = 'faint';
            text.style.color = '#888'; text.style.background = '#777';
            document.querySelector('dialog[open]').append(made, text); }""")
        assert {rule for rule, _ in serious(page)} == {"button-name", "color-contrast"}
