"""Colours of groups, the same in every figure, page and dashboard; no plotting library needed."""

from __future__ import annotations

__all__ = ["GROUPS", "RAMP", "group_colors", "luminance", "ramp"]

GROUPS = ("#0072b3", "#e69f02", "#009e73", "#cc79a7", "#56b4ea", "#d55e02", "#f0e442", "#999999")
"""Okabe and Ito's colours for up to eight groups, a hair off those the page swaps in the dark."""

RAMP = ("#00224e", "#002e6a", "#1a386f", "#32436d", "#434e6c", "#535a6d", "#61656f", "#6f7073",
        "#7d7c78", "#8c8878", "#9b9476", "#aba072", "#bcae6c", "#cdbb63", "#dec958", "#f0d846",
        "#fee838")  # fmt: skip
"""Seventeen equal steps of cividis: told apart without colour vision, and in grey."""


def group_colors(k: int) -> list[str]:
    """Return a colour per group: told apart up to eight, in order of the groups beyond.

    Examples
    --------
    >>> group_colors(2)
    ['#0072b3', '#e69f02']
    """
    if k <= len(GROUPS):
        return list(GROUPS[:k])
    return [ramp(j / (k - 1)) for j in range(k)]


def ramp(part: float) -> str:
    """Return the colour of a part from 0 (dark) to 1 (light) of the ramp.

    Examples
    --------
    >>> ramp(0.0), ramp(1.0)
    ('#00224e', '#fee838')
    """
    at = min(max(part, 0.0), 1.0) * (len(RAMP) - 1)
    low = min(int(at), len(RAMP) - 2)
    one, two = RAMP[low], RAMP[low + 1]
    mixed = [
        round((1 - at + low) * int(one[i : i + 2], 16) + (at - low) * int(two[i : i + 2], 16))
        for i in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in mixed)


def luminance(color: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
