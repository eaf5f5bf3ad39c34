"""One page that stands alone: the verdict in words, then evidence, method, certificate, recipe.

No script, no network, no font to fetch. Every text that came from data, labels or the study
file is escaped in `display`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.display import escaped, html_table
from equipoise.inclusion.plan_path import PlanPath
from equipoise.report.clipped import clipped
from equipoise.report.figures import draw_all
from equipoise.report.files import make_folder, write_whole
from equipoise.report.in_short import summary
from equipoise.report.map_files import cells_csv, read_maps
from equipoise.report.map_words import draws_caption, map_caption, map_heading, map_tables
from equipoise.report.page_parts import figure, paragraphs, sentence, table_region
from equipoise.report.result import read_result
from equipoise.report.steer_files import read_ways
from equipoise.report.steer_page import steers
from equipoise.report.steer_tables import steer_tables, ways_csv
from equipoise.report.style import CSS
from equipoise.report.tables import Table, few, tables, to_csv
from equipoise.report.words import WORDS, certificate, method, specialists

__all__ = ["html_page", "write_outputs", "write_report"]

Result = Mapping[str, Any]

POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def write_report(directory: str | os.PathLike[str]) -> Path:
    """Write tables, figures and `report.html` of a finished study again.

    Parameters
    ----------
    directory : path
        A folder with a `result.json`.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    BadInput
        There is no result, or the folder cannot be written.
    MissingExtra
        matplotlib is not installed.
    """
    folder = Path(directory)
    return write_outputs(read_result(folder), folder)


def write_outputs(result: Result, out: Path) -> Path:
    """Write tables (CSV), figures (SVG, PNG) and `report.html`, each whole or absent."""
    maps, ways = read_maps(result, out), read_ways(result, out)
    folder = make_folder(out / "tables")
    made = {**tables(result), **steer_tables(result), **map_tables(result)}
    for name, table in made.items():
        write_whole(folder / f"{name}.csv", to_csv(table).encode())
    for name, lines in ways.items():
        write_whole(folder / f"{name}_path.csv", ways_csv(lines).encode())
    for name, found in maps.items():
        write_whole(folder / f"{name}.csv", cells_csv(found).encode())
    drawn = draw_all(result, maps, ways)
    folder = make_folder(out / "figures")
    for name, (svg, png) in drawn.items():
        write_whole(folder / f"{name}.svg", svg)
        write_whole(folder / f"{name}.png", png)
    page = out / "report.html"
    svgs = {name: svg for name, (svg, _) in drawn.items()}
    write_whole(page, html_page(result, svgs, ways).encode())
    return page


def html_page(
    result: Result,
    figures: Mapping[str, bytes],
    ways: Mapping[str, Mapping[str, PlanPath]] | None = None,
) -> str:
    """Return the report as one self-contained HTML page.

    Parameters
    ----------
    result : dict
        Content of `result.json`, as `read_result` gives it.
    figures : mapping of name to SVG
        As `draw_all` made them.
    ways : mapping, optional
        The ways of the study's plans, as `read_ways` gives them.
    """
    result = clipped(dict(result))
    made = tables(result)
    parts = [_header(result), "<main>", _short(result), _first(result, made)]
    parts += [_evidence(result, made, figures), steers(result, figures, ways or {})]
    parts += [_maps(result, figures), _method(result)]
    parts += [
        _certificate(result),
        _reproduce(result),
        _glossary(),
        "</main>",
        _footer(result),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _header(result: Result) -> str:
    title = escaped(result["title"])
    authors = ", ".join(result["authors"])
    by = f'<p class="by">{escaped(authors)}</p>' if authors else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{title}</title><style>{CSS}</style></head>\n"
        f"<body><header><h1><bdi>{title}</bdi></h1>{by}</header>"
    )


def _short(result: Result) -> str:
    return (
        '<section class="short" aria-labelledby="short"><h2 id="short">In short</h2>\n'
        f"{paragraphs(summary(result))}\n"
        '<p class="more">What the words mean: <a href="#words">Words</a>, at the end.</p></section>'
    )


def _first(result: Result, made: Mapping[str, Table]) -> str:
    """Return what must stand on the first page beside the verdict."""
    out = []
    if "critical_incentives" in made:
        out.append(
            "<section><h2>From which incentive on is each group left out?</h2>\n"
            f"{table_region(made['critical_incentives'])}{_note(result)}</section>"
        )
    if "welfare" in made:
        out.append(
            "<section><h2>Who gains, who loses against proportional service?</h2>\n"
            f"{table_region(made['welfare'])}</section>"
        )
    return '<div class="two">' + "\n".join(out) + "</div>" if out else ""


def _note(result: Result) -> str:
    if result["critical"]["law"] != "ignored":
        return ""
    text = (
        "These ratios are for agents that ignore each other. In this study they do not (diversity "
        f"weight {result['settings']['diversity']:g}), and no such ratio is known: compare with "
        "the verdicts below, not with α/β."
    )
    return f"<p>{sentence(text)}</p>"


def _evidence(result: Result, made: Mapping[str, Table], figures: Mapping[str, bytes]) -> str:
    out = ['<section class="evidence"><h2>Who is served, and who is left out</h2>']
    out += [table_region(made["exclusion"]), _by_agent(result)]
    if "topics" in figures:
        out.append(f"<h3>Topic by topic</h3>{figure('topics', result, figures)}")
        out.append(_topic_notes(result))
    out.append('<div class="two">')
    for heading, name in (
        ("Weight and size of every group", "coverage"),
        ("Which incentive leaves whom out", "critical_incentives"),
        ("What it means for people", "welfare"),
        ("Who serves whom", "profile"),
    ):
        if name in figures:
            out.append(f"<div><h3>{heading}</h3>{figure(name, result, figures)}</div>")
    return "\n".join(out) + "</div></section>"


def _maps(result: Result, figures: Mapping[str, bytes]) -> str:
    """Return the maps of a study, each with its finding and its table."""
    rows = result.get("maps", ())
    if not rows:
        return ""
    made = map_tables(result)
    out = ["<section><h2>Who is left out under other incentives</h2>"]
    for row in rows:
        name = row["name"]
        out.append(f'<h3>{sentence(map_heading(row))}</h3><div class="two">')
        out.append(f"<div>{figure(name, result, figures, map_caption(row, result))}</div>")
        draws = f"{name}_draws"
        if draws in figures:
            text = draws_caption(row, result)
            out.append(f"<div>{figure(draws, result, figures, text)}</div>")
        out.append(f"</div>{table_region(made[f'{name}_groups'])}")
    return "\n".join(out) + "</section>"


def _by_agent(result: Result) -> str:
    """Say which agent serves each group most, where agents differ."""
    if result["settings"]["symmetric"]:
        return ""
    rows = [
        [row["group"], row["top_agent"] if row["top_weight"] > 0 else "nobody"]
        for row in result["exclusion"]
    ]
    made = html_table(["group", "served most by"], rows, texts=2)
    return (
        f'<div class="scroll" role="region" aria-label="Table: by agent" tabindex="0">{made}</div>'
    )


def _topic_notes(result: Result) -> str:
    rows = [[q["topic"], q["question"], q["wording"]] for q in result["people"]["questions"]]
    made = html_table(["topic", "column", "what was asked"], rows, texts=3)
    return (
        "<details><summary>What the questions were</summary>"
        f'<div class="scroll" role="region" aria-label="Table: questions" tabindex="0">{made}</div>'
        "</details>"
    )


def _method(result: Result) -> str:
    rows = [
        [row["group"], f"{100 * row['share']:.1f} %",
         f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %",
         "–" if row["n"] is None else f"{row['n']:,}" + (" (few)" if few(row["n"]) else "")]
        for row in result["groups"]
    ]  # fmt: skip
    made = html_table(
        ["group", "share", f"{100 * result['uncertainty']['level']:g} % interval", "respondents"],
        rows,
        caption="The groups.",
    )
    return (
        "<section><h2>How this was found</h2>\n"
        f"{paragraphs(method(result))}"
        f'<div class="scroll" role="region" aria-label="Table: groups" tabindex="0">{made}</div>'
        "</section>"
    )


def _certificate(result: Result) -> str:
    return (
        "<section><h2>The certificate: what is proved, and what is not</h2>\n"
        f"{paragraphs(certificate(result))}<details><summary>For specialists</summary>"
        f"{paragraphs(specialists(result))}</details></section>"
    )


def _reproduce(result: Result) -> str:
    recipe, people, uncertainty = result["reproduce"], result["people"], result["uncertainty"]
    command = (
        f"pip install 'equipoise[data,plots]=={result['version']}'\n"
        "equipoise study run study.toml --out again"
    )
    facts: list[tuple[str, str | list[str]]]
    facts = [("Version", f"equipoise {result['version']}, Python {recipe['python']}, NumPy "
              f"{recipe['numpy']}"), ("Study, sha256", recipe["study_sha256"])]  # fmt: skip
    if uncertainty["seed"] is not None:
        facts.append(("Seed", str(uncertainty["seed"])))
    if people:
        facts += [("Data", people["source"]), ("Licence", people["licence"])]
        facts += [("Cite", people["citation"])] if people["citation"] else []
        facts.append(("Data, sha256", people["sha256"]))
        left = [f"{reason} ({count:,})" for reason, count in people["dropped"].items()]
        facts.append(("Not used", left or "nothing"))
    if result["game_file"]:
        facts += [("Game file", result["game_file"]["file"])]
        facts += [("Game file, sha256", result["game_file"]["sha256"])]
        facts += [(key, str(value)) for key, value in result["game_file"]["about"].items()]
    rows = "".join(f"<dt>{escaped(k)}</dt><dd>{_fact(v)}</dd>" for k, v in facts)
    study = json.dumps(recipe["study"], ensure_ascii=False, indent=1)
    pre = "\n".join(escaped(line) or "" for line in command.split("\n"))
    body = "\n".join("&#8203;" + _indented(line) for line in study.split("\n"))
    return (
        "<section><h2>How to reproduce it</h2>\n"
        "<p>The study that was run lies beside this page as <code>study.toml</code>, every default "
        "filled in. In this folder:</p>"
        f'<pre tabindex="0"><code>{pre}</code></pre>\n<dl>{rows}</dl>\n'
        "<p>All numbers stand in <code>result.json</code> and in the folder <code>tables</code>; "
        "the same study, version and machine give the same bytes but for <code>seconds</code>.</p>"
        "<details><summary>The study with every default filled in</summary>"
        f'<pre tabindex="0"><code>{body}</code></pre></details></section>'
    )


def _fact(value: str | list[str]) -> str:
    if isinstance(value, str):
        return f"<bdi>{escaped(value)}</bdi>"
    return "<ul>" + "".join(f"<li><bdi>{escaped(x)}</bdi></li>" for x in value) + "</ul>"


def _indented(line: str) -> str:
    bare = line.lstrip(" ")
    return " " * (len(line) - len(bare)) + escaped(bare)


def _glossary() -> str:
    rows = "".join(f"<dt>{escaped(word)}</dt><dd>{escaped(text)}</dd>" for word, text in WORDS)
    head = '<section aria-labelledby="words"><h2 id="words">Words</h2>'
    return f"{head}<dl>{rows}</dl></section>"


def _footer(result: Result) -> str:
    return f"<footer><p>Made with equipoise {escaped(result['version'])}.</p></footer>"
