"""Fit texts into a chart: measure, shorten, wrap, and escape characters that no font has."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from reinfer_nb.text import visible

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

# Settings of a text whose dollar signs and backslashes are not formulas.
PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}
_HINTING = 1.03  # factor by which a text widens when its letters are aligned to pixels
_SMALL_SIZE, _MIN_SIZE = 8.0, 6.5  # points; smaller texts are unreadable


def size_of(setting: str) -> float:
    """Return the style's font size for a setting such as "ytick.labelsize", in points."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties

    size = cast("Any", rcParams)[setting]
    return float(FontProperties(size=size).get_size_in_points())


def width_of(text: str, size: float) -> float:
    """Return the width of a text of one line in a font size, in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    prop = FontProperties(size=size)
    return float(text_to_path.get_text_width_height_descent(text, prop, ismath=False)[0]) * _HINTING


def fitted(names: Sequence[str], space: float, setting: str) -> tuple[list[str], float, float]:
    """Return names that fit into a width in points, their font size, and the widest width.

    Where the font size of a style setting is too large, names are smaller or shortened.
    """
    size = size_of(setting)
    texts = [_drawable(name) for name in names]
    widest = max(width_of(text, size) for text in texts)
    # In a narrow space, a smaller font keeps more of a name than shortening does.
    if widest > space and space < 10 * size:
        smallest = _MIN_SIZE if space < 6 * size else _SMALL_SIZE
        size = min(size, max(size * space / widest, smallest))
    texts = [shortened(text, space, size) for text in texts]
    return texts, size, max(width_of(text, size) for text in texts)


def wrapped(text: str, space: float, setting: str) -> str:
    """Return an English text in lines of about a width in points."""
    letters = max(10, int(space / (size_of(setting) * 0.55)))
    lines = text.split("\n")
    return "\n".join(textwrap.fill(line, letters, break_on_hyphens=False) for line in lines)


def shortened(text: str, space: float, size: float) -> str:
    """Return a text that fits, its middle replaced by an ellipsis; both ends stay readable."""
    short, length = text, len(text)
    while length > 2 and (width := width_of(short, size)) > space:
        length = max(2, min(length - 1, int(length * space / width)))
        short = f"{text[: (length + 1) // 2]}…{text[-(length // 2) :]}"
    return short


def _drawable(text: str) -> str:
    r"""Return a text in which characters that no font has are escaped, such as "\u4fdd"."""
    # Only the ends of a very long text can be shown.
    if len(text) > 400:
        text = f"{text[:200]}…{text[-200:]}"
    text = visible(text)
    if text.isascii():
        return text
    fonts = _fonts()
    return "".join(
        char
        if char.isascii() or any(font.get_char_index(ord(char)) for font in fonts)
        else ascii(char)[1:-1]
        for char in text
    )


def _fonts() -> list[FT2Font]:
    """Return the fonts of the style that are installed."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = []
    for family in rcParams["font.family"]:
        with suppress(ValueError):  # not installed
            path = findfont(FontProperties(family=[family]), fallback_to_default=False)
            fonts.append(get_font(path))
    return fonts or [get_font(findfont(FontProperties()))]
