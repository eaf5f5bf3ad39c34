"""The glossary: the words of the report, and those that only the documentation needs."""

from __future__ import annotations

from equipoise.report.words import WORDS

__all__ = ["glossary"]

HEAD = """\
# Glossary

The words equipoise uses, each in one sense. The first table is the one every report ends with.

This page is made by `python -m tools.pages`.

| word | meaning |
|---|---|
"""

MORE = (
    ("anchor", "the target as a parameter of a game, cᵢ; measured on a model it is called its "
     "default alignment"),
    ("attractiveness", "the term that rewards appeal to the audience; its weight is α"),
    ("audit", "estimating the mixture of groups behind a set of answers"),
    ("boundary", "where a group is just served or just left out; its margin is 0"),
    ("consistency", "the term that costs leaving the target; its weight is β"),
    ("counts", "answers that were sampled and tallied, with the unparsed and the refused beside"),
    ("curvature", "how quickly the next bit of weight on a group becomes worth less"),
    ("diversity", "the term that costs doing what the others do; its weight is γ, below 0 it "
     "is herding"),
    ("estimate", "a number from people or from a model: value, interval, n, and how it was made"),
    ("floor", "the least coverage a group is to have; a goal of steering"),
    ("gap", "the Frank–Wolfe gap: an upper bound of what an agent could gain by moving alone"),
    ("goal", "what a plan has to reach at equilibrium"),
    ("kernel", "how alike content for two groups is, from 0 to 1"),
    ("least", "proved: nothing cheaper reaches the goal; otherwise a plan is \"best found\""),
    ("lever", "what a plan may change: prices, anchors, diversity, caps, audience, entry"),
    ("plan", "a setting of a lever that reaches a goal, solved afresh, certified, with who loses"),
    ("profile", "the mixtures of all agents"),
    ("realisation", "how a mixture becomes behaviour: one model or adapter per group, and a mixer"),
    ("regret", "what an agent could really gain by moving alone"),
    ("scores", "probabilities of options that were read from a model, not sampled"),
    ("share", "how large a group is among people"),
    ("term", "one summand of an agent's utility"),
    ("threshold", "below this top weight a group counts as left out; 0 by default"),
    ("type", "many identical agents, with a count; one row of a profile"),
)  # fmt: skip


def glossary() -> str:
    """Return the page as Markdown."""
    first = "".join(f"| **{word}** | {text} |\n" for word, text in WORDS)
    more = "".join(f"| **{word}** | {text} |\n" for word, text in MORE)
    return f"{HEAD}{first}\nMore words of these pages:\n\n| word | meaning |\n|---|---|\n{more}"
