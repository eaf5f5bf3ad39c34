r"""Mathematics as MathML, made when the site is built: no script and no font is fetched.

A Markdown extension for pages (`$x_i$`, `$$ … $$`) and for docstrings (`:math:` with backticks,
`.. math::` with an indented block). A formula that cannot be read stops the build.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from markdown.preprocessors import Preprocessor

__all__ = ["Mathematics", "mathml"]

BLOCK = re.compile(r"^(?P<indent> *)\$\$\n(?P<text>.*?)\n *\$\$ *$", re.M | re.S)
DIRECTIVE = re.compile(
    r"^(?P<indent> *)\.\. math:: *(?P<first>[^\n]*)\n"
    r"(?P<text>(?:(?P=indent) +[^\n]*\n|[ ]*\n)*)",
    re.M,
)

WORDS = ("arg", "logit", "softmax")
"""Commands of LaTeX, or of its packages, that the converter does not know."""


def mathml(latex: str, *, block: bool = False) -> str:
    """Return a formula as MathML; raise ValueError where it cannot be read.

    Examples
    --------
    >>> mathml("x_i")
    '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline"><mrow><msub><mi>x</mi><mi>i</mi></msub></mrow></math>'
    """  # noqa: E501  # one line of output
    for name in WORDS:
        latex = re.sub(rf"\\{name}(?![A-Za-z])", rf"\\mathrm{{{name}}}\\,", latex)
    try:
        made = str(convert(latex.strip(), display="block" if block else "inline"))
    except Exception as error:
        raise ValueError(f"this formula cannot be read: {latex}") from error
    if "\\" in made:
        raise ValueError(f"this formula has a command that is not known: {latex}")
    return made


class _Inline(InlineProcessor):  # type: ignore[misc]  # Markdown has no types
    def handleMatch(self, m: re.Match[str], data: str) -> tuple[Element | str, int, int]:
        made = self.md.htmlStash.store(mathml(m["text"]))
        return made, m.start(0), m.end(0)


class _Blocks(Preprocessor):  # type: ignore[misc]  # Markdown has no types
    def run(self, lines: list[str]) -> list[str]:
        text = "\n".join(lines) + "\n"
        # Fenced code has been put aside before (it has a higher priority).
        text = BLOCK.sub(self._stashed, text)
        return DIRECTIVE.sub(self._directive, text).split("\n")

    def _stashed(self, m: re.Match[str]) -> str:
        return self._block(m["indent"], m["text"])

    def _directive(self, m: re.Match[str]) -> str:
        return self._block(m["indent"], m["first"] + "\n" + textwrap.dedent(m["text"]))

    def _block(self, indent: str, latex: str) -> str:
        made = self.md.htmlStash.store(f'<div class="maths">{mathml(latex, block=True)}</div>')
        return f"\n{indent}{made}\n\n"


class Mathematics(Extension):  # type: ignore[misc]  # Markdown has no types
    """The extension: inline and block formulas of pages and of docstrings."""

    def extendMarkdown(self, md: Markdown) -> None:  # Markdown's own name
        """Register the processors."""
        md.preprocessors.register(_Blocks(md), "maths-blocks", 20)
        # Above backticks (190): a role has backticks of its own.
        md.inlinePatterns.register(_Inline(r":math:`(?P<text>[^`]+)`", md), "maths-role", 195)
        md.inlinePatterns.register(
            _Inline(r"(?<![\\$\w])\$(?P<text>[^\s$](?:[^$\n]*[^\s$])?)\$(?![\d$])", md),
            "maths",
            185,
        )


def makeExtension(**settings: Any) -> Mathematics:  # Markdown's own name
    """Return the extension, for `markdown_extensions`."""
    return Mathematics(**settings)
