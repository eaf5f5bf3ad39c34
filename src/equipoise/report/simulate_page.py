"""Files of a simulation: JSON, tables, figures and one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.display import escaped, html_table
from equipoise.report.canvas import drawn
from equipoise.report.figures import inline
from equipoise.report.files import make_folder, write_whole
from equipoise.report.page_parts import paragraphs
from equipoise.report.result import to_text
from equipoise.report.simulate_plots import simulation, simulation_differences, simulation_welfare
from equipoise.report.style import CSS
from equipoise.report.tables import Table, points, to_csv

if TYPE_CHECKING:
    from equipoise.simulate.outcome import Simulation

__all__ = ["in_short", "simulation_page", "write_simulation"]

POLICY = "default-src 'none'; style-src 'unsafe-inline'"

GROUP_KEYS = (
    "phase", "group", "predicted", "coverage", "low", "high", "noise", "drift", "inside", "floor",
    "floor_met", "finite samples", "learning", "infidelity", "formula", "welfare", "welfare_low",
    "welfare_high", "welfare_predicted", "welfare_proportional", "welfare_best",
)  # fmt: skip
PATH_KEYS = ("round", "group", "coverage", "low", "high", "least", "most", "top_weight", "expected")

MEANING = {
    "as predicted": "The band of every group holds the predicted equilibrium and is narrow enough.",
    "differs": "The band of at least one group does not hold the predicted equilibrium.",
    "too short": "The bands hold the prediction but are too wide to say so; simulate more rounds.",
}


def write_simulation(found: Simulation, out: Path, title: str) -> dict[str, Path]:
    """Write simulation.json, tables (CSV), figures (SVG, PNG) and simulation.html into a folder.

    Parameters
    ----------
    found : Simulation
    out : Path
        Made if absent.
    title : str
        Head of the page.

    Returns
    -------
    dict of what to path

    Raises
    ------
    BadInput
        The folder cannot be written.
    MissingExtra
        matplotlib is not installed; everything but figures and page is written then.
    """
    make_folder(out)
    paths = {name: out / name for name in ("simulation.json", "groups.csv", "path.csv")}
    write_whole(paths["simulation.json"], to_text(found.to_dict()).encode())
    write_whole(paths["groups.csv"], _csv("groups", GROUP_KEYS, _group_rows(found)))
    write_whole(paths["path.csv"], _csv("path", PATH_KEYS, found.to_rows()))
    draw = {
        "simulation": lambda: simulation(found),
        "differences": lambda: simulation_differences(found),
        "welfare": lambda: simulation_welfare(found),
    }
    svgs = {}
    for name, one in draw.items():
        for kind in ("svg", "png"):
            content = drawn(one, kind)
            paths[f"{name}.{kind}"] = out / f"{name}.{kind}"
            write_whole(paths[f"{name}.{kind}"], content)
            if kind == "svg":
                svgs[name] = content
    paths["simulation.html"] = out / "simulation.html"
    write_whole(paths["simulation.html"], simulation_page(found, svgs, title).encode())
    return paths


def _group_rows(found: Simulation) -> list[dict[str, Any]]:
    return [
        {"phase": one["name"], **row, **row["why"]}
        for one in (phase.to_dict() for phase in found.phases)
        for row in one["groups"]
    ]


def _csv(name: str, keys: tuple[str, ...], rows: Sequence[Mapping[str, Any]]) -> bytes:
    return to_csv(Table(name, "", keys, (), tuple(rows))).encode()


def in_short(found: Simulation) -> list[str]:
    """Return what happened, in sentences."""
    out = []
    for one in found.phases:
        data = one.to_dict()
        gone = [r["group"] for r in data["groups"] if r["predicted_top_weight"] == 0.0]
        said = f"{one.name.capitalize()}: {one.verdict}. {MEANING[one.verdict]}"
        if gone:
            seen = ", ".join(
                f"{r['group']} {100 * r['coverage']:.2f} % [{100 * max(0.0, r['low']):.2f}, "
                f"{100 * r['high']:.2f}]" for r in data["groups"] if r["group"] in gone
            )  # fmt: skip
            said += f" Predicted to be left out, and simulated at: {seen}."
        for r in data["groups"]:
            # Who is above the floor anyway is not what the plan is for.
            if r["floor"] is not None and r["predicted"] < r["floor"] + 1e-6:
                met = "reaches" if r["floor_met"] else "does not reach"
                said += (
                    f" {r['group']} {met} its floor of {100 * r['floor']:.3g} %: "
                    f"{100 * r['coverage']:.2f} % [{100 * r['low']:.2f}, {100 * r['high']:.2f}]."
                )
        order = "in the order predicted" if one.order_kept else "not in the order predicted"
        out.append(f"{said} Groups predicted more than {one.width:g} apart came out {order}.")
    if any(one.predicted.certificate.uniqueness.verdict != "proved" for one in found.phases):
        out.append(
            "The prediction is not proved to be the only equilibrium: agents that differ from it "
            "may have settled at another."
        )
    moved = found.changes_as_predicted
    if moved is not None:
        out.append(
            "The plan moved every group the way predicted." if moved
            else "The plan did not move every group the way predicted."
        )  # fmt: skip
    if found.change is not None and found.change.note:
        out.append(found.change.note[:1].upper() + found.change.note[1:] + ".")
    need = found.rounds_needed()
    if need is not None:
        out.append(f"About {need:,} rounds would make every band narrower than {found.width:g}.")
    return out


def simulation_page(found: Simulation, figures: Mapping[str, bytes], title: str) -> str:
    """Return the report of a simulation as one self-contained page."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{escaped(title)}</title><style>{CSS}</style></head>\n"
        f"<body><header><h1><bdi>{escaped(title)}</bdi></h1></header><main>",
        '<section class="short"><h2>In short</h2>', paragraphs(in_short(found)), "</section>",
        _drawn("simulation", figures, "Coverage over the rounds: mean of the replicates with its "
               "band; dashed, the predicted equilibrium; thin, the same agents if every sample "
               "were its expectation."),
    ]  # fmt: skip
    for one in found.phases:
        parts.append(f"<section><h2>{escaped(one.name.capitalize())}</h2>{_table(one)}</section>")
    parts.append(_posts(found))
    parts += [
        "<section><h2>Why simulation and prediction differ</h2>", paragraphs(_why(found)),
        _drawn("differences", figures, "Simulated less predicted coverage in the last phase, and "
               "its parts, which add up to it exactly."),
        "</section><section><h2>Welfare</h2>", paragraphs(WELFARE),
        _drawn("welfare", figures, "Share of readings that met agreement, by the reader's group, "
               "in the last half of each phase."),
        "</section>", f"<section><h2>How it was made</h2>{paragraphs(_how(found))}</section>",
        "</main></body></html>\n",
    ]  # fmt: skip
    return "\n".join(parts)


WELFARE = (
    "The welfare of a group is the chance that a person of the group agrees with a post that it "
    "reads: the share of all readings by its people in which the post gave their own answer. It is "
    "predicted by the group's agreement with each law, weighted by coverage.",
)


def _drawn(name: str, figures: Mapping[str, bytes], text: str) -> str:
    if name not in figures:
        return ""
    return (
        f'<figure><div class="scroll" tabindex="0" role="region" aria-label="{name}, figure">'
        f'<div role="img" aria-label="{escaped(text)}">{inline(figures[name], name)}</div></div>'
        f"<figcaption>{escaped(text)}</figcaption></figure>"
    )


def _table(one: Any) -> str:
    data = one.to_dict()
    rows = [
        [
            r["group"], f"{r['predicted']:.4f}", f"{r['coverage']:.4f}",
            f"{r['low']:.4f} to {r['high']:.4f}", "yes" if r["inside"] else "no",
            "" if r["floor"] is None else f"{r['floor']:.4g}", f"{r['welfare']:.4f}",
            f"{r['welfare_predicted']:.4f}", f"{r['welfare_proportional']:.4f}",
        ]
        for r in data["groups"]
    ]  # fmt: skip
    head = ["group", "predicted", "simulated", "band", "held", "floor", "welfare",
            "welfare predicted", "if proportional"]  # fmt: skip
    caption = (
        f"Rounds {one.first:,} to {one.last:,}, coverage over the last half of them. The "
        f"prediction is certified (gap {data['max_gap']:.1e}), the only equilibrium: "
        f"{data['uniqueness']}."
    )
    made = html_table(head, rows, caption=caption)
    return f'<div class="scroll" role="region" aria-label="{one.name}" tabindex="0">{made}</div>'


def _posts(found: Simulation) -> str:
    if not found.posts:
        return ""
    rows = [[a, k, q, c, f"{agreed:.2f}"] for a, k, q, c, agreed in found.posts]
    head = ["agent", "speaks for", "question", "answers", "agreed"]
    made = html_table(head, rows, caption="Some of the latest posts.", texts=4)
    return (
        '<section><h2>What is posted</h2><div class="scroll" role="region" tabindex="0" '
        f'aria-label="Table: posts">{made}</div></section>'
    )


def _why(found: Simulation) -> list[str]:
    one = found.phases[-1]
    k = int(abs(one.coverage.mean - one.theory).argmax())
    parts = ", ".join(f"{part} {points(float(v[k]))}" for part, v in one.why.items())
    return [
        f"Largest in the last phase for {found.groups[k]}, in percentage points: {parts}.",
        "Finite samples: less the same steps with every sample replaced by its expectation. "
        "Learning: what those steps still lack when they end. Infidelity: posts are drawn from "
        "models, not from people. Formula: where agents with exact payoffs come to rest, less "
        "where the solver says.",
    ]


def _how(found: Simulation) -> list[str]:
    s = found.settings
    return [
        f"{found.agents:,} agents, {found.rounds[-1]:,.0f} rounds, {s['posts_per_round']} posts "
        f"of each agent a round, {s['readers']} readers a post, {s['replicates']} replicates, "
        f"learning by {s['learning']}, posts from the answers of {s['laws']}, seed {s['seed']}.",
        f"A band is the hull of two intervals (Student's t over replicates, {100 * found.level:g} "
        "% for all groups together): of the mean over the last half of a phase, and of where that "
        f"mean would end if its error falls as rounds^-{found.falls:.3g}.",
    ]
