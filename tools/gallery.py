"""The gallery: every game of the catalogue, its known answer, and a picture of it."""

from __future__ import annotations

from html import escape

import numpy as np

from equipoise.game.catalog import entry, names
from equipoise.game.catalog_entries import Entry

__all__ = ["gallery"]

HEAD = """\
# Gallery of games

Small games whose equilibria are known by hand or from elsewhere, none from a solver of this
library. They test the solvers, and they show what the terms do. Get one with

```python
from equipoise.game.catalog import game
print(game("toy"))  # AlignmentGame(2 agents × 3 groups; Attractiveness, Consistency, Diversity)
```

Each picture has a bar for the public and one for every agent; a bar is one whole, split by group.
A group that nobody serves is named below. Derivations use the notation of
[The mathematics](theory.md). This page is made by `python -m tools.pages`.
"""

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999")
"""Okabe and Ito: told apart also by the colour-blind."""

SHOWN, WIDTH, HEIGHT = 7, 420, 18


def gallery() -> str:
    """Return the page as Markdown."""
    return HEAD + "".join(_section(entry(name)) for name in names())


def _section(one: Entry) -> str:
    game = one.game
    labels = game.groups.labels
    agents = game.agents.labels()
    rows = [("public", game.groups.shares)] if game.groups.shares is not None else []
    rows += [(str(label), row) for label, row in zip(agents, one.profile, strict=True)]
    terms = ", ".join(type(term).__name__ for term in game.terms)
    sizes = f"{_many(game.agents.total, 'agent')} × {_many(len(labels), 'group')}"
    facts = [f"{sizes}; {terms}"]
    for word, found in (("left out", one.excluded), ("on the boundary", one.boundary)):
        if found:
            facts.append(f"{word}: {_listed(found)}")
    facts.append("one equilibrium" if one.equilibria == "one" else "several equilibria; one shown")
    items = "".join(f"- {fact}\n" for fact in facts)
    return (
        f"\n## {one.title}\n\n`{one.name}`\n\n{_picture(one.name, labels, rows)}\n\n{items}"
        f"- why: {_plain(one.source)}\n"
    )


def _many(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def _plain(text: str) -> str:
    """Return a derivation as code where Markdown would read its signs."""
    return f"`{text}`" if any(c in text for c in "_*<>") else text


def _listed(found: tuple[str, ...]) -> str:
    return ", ".join(found) if len(found) <= SHOWN else f"{found[0]} to {found[-1]} ({len(found)})"


def _picture(name: str, labels: tuple[str, ...], rows: list[tuple[str, np.ndarray]]) -> str:
    """Return bars as inline SVG; colours of text follow the page."""
    left = 12 + 7 * max(len(label) for label, _ in rows)
    out, y = [], 0
    for label, weights in rows:
        out.append(f'<text x="0" y="{y + 13}" fill="currentColor">{escape(label)}</text>')
        x = float(left)
        for k, weight in enumerate(weights):
            wide = WIDTH * float(weight)
            if wide > 0:
                shade = COLOURS[k % len(COLOURS)]
                out.append(
                    f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{HEIGHT}" '
                    f'fill="{shade}"><title>{escape(labels[k])}: {float(weight):.4f}</title></rect>'
                )
            x += wide
        y += HEIGHT + 6
    for k, label in enumerate(labels[:SHOWN]):
        at = left + (k % 3) * 150
        line = y + 16 + 18 * (k // 3)
        out.append(
            f'<rect x="{at}" y="{line - 10}" width="10" height="10" fill="{COLOURS[k]}"/>'
            f'<text x="{at + 15}" y="{line}" fill="currentColor">{escape(label)}</text>'
        )
    lines = (min(len(labels), SHOWN) + 2) // 3
    high = y + 8 + 18 * lines
    said = "; ".join(
        f"{label}: " + ", ".join(f"{labels[k]} {w:.3f}" for k, w in enumerate(weights[:SHOWN]))
        for label, weights in rows
    )
    return (
        f'<svg viewBox="0 0 {left + WIDTH + 60} {high}" width="{left + WIDTH + 60}" '
        f'style="max-width:100%;height:auto;font-size:13px" role="img" '
        f'aria-label="{escape(said)}">{"".join(out)}</svg>'
    )
