"""Markdown of a notebook as HTML, with maths as MathML, which browsers draw without scripts."""

from __future__ import annotations

from html import escape

import mistune
from mistune.plugins.math import math, math_in_list, math_in_quote
from mistune.renderers.html import HTMLRenderer

from .sanitise import sanitised


class _Renderer(HTMLRenderer):
    """Writes maths as MathML."""

    def inline_math(self, text: str) -> str:
        return _formula(text, "inline")

    def block_math(self, text: str) -> str:
        return f"{_formula(text, 'block')}\n"  # in a paragraph, too, which holds no block of HTML


_PLUGINS = ["table", "strikethrough", math, math_in_quote, math_in_list]
_TO_HTML = mistune.create_markdown(renderer=_Renderer(escape=False), plugins=_PLUGINS)


def rendered(source: str) -> str:
    """Render Markdown as harmless HTML; `$…$` and `$$…$$` hold LaTeX, as in JupyterLab.

    Maths that cannot be read is shown as its source.
    """
    return sanitised(str(_TO_HTML(source)))


def _formula(latex: str, display: str) -> str:
    from latex2mathml.converter import convert  # few notebooks have maths

    try:
        return convert(latex, display=display)
    except Exception:  # its errors share no class, and a StopIteration or ValueError may come through
        sign = "$$" if display == "block" else "$"
        return f"<code>{escape(f'{sign}{latex}{sign}')}</code>"
