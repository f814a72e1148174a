"""Texts on a chart made to fit: measured, shortened, wrapped, and without what no font can draw."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from reinfer_nb.text import visible

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties

_HINTED = 1.03  # what a text is wider when its letters are fitted to pixels
_SMALLEST = 6.5  # points; what is smaller nobody reads


def font(size: float) -> FontProperties:
    """Return the font of the style in some size, in points."""
    from matplotlib.font_manager import FontProperties

    return FontProperties(size=size)


def size_of(setting: str) -> float:
    """Return the size that the style has for something, such as "ytick.labelsize", in points."""
    from matplotlib import rcParams

    return float(font(cast("Any", rcParams)[setting]).get_size_in_points())


def width_of(text: str, prop: FontProperties) -> float:
    """Return how wide a text of one line is, in points."""
    from matplotlib.textpath import text_to_path

    if not text:
        return 0
    width, _, _ = text_to_path.get_text_width_height_descent(text, prop, ismath=False)
    return float(width) * _HINTED


def fitted(
    names: Sequence[str], space: float, setting: str
) -> tuple[list[str], FontProperties, float]:
    """Return names as they fit, shortened where they must be.

    Args:
        names: Texts, which may be foreign.
        space: How wide each may be, in points.
        setting: Where the style has the size of their font.

    Returns:
        The texts, their font, and how wide the widest is, in points.
    """
    size = size_of(setting)
    prop = font(size)
    drawn = [_drawn(name, prop) for name in names]
    widest = max((width_of(name, prop) for name in drawn), default=0)
    # Where there is hardly any room, a smaller font says more than half a name.
    if widest > space and space < 10 * size:
        prop = font(min(size, max(size * space / widest, _SMALLEST)))
    texts = [shortened(name, space, prop) for name in drawn]
    return texts, prop, max((width_of(text, prop) for text in texts), default=0)


def wrapped(text: str, space: float, prop: FontProperties) -> str:
    """Return a text in lines that fit into so many points."""
    lines: list[str] = []
    for part in text.split("\n"):
        line = ""
        for word in part.split(" "):
            longer = f"{line} {word}" if line else word
            if line and width_of(longer, prop) > space:
                lines.append(line)
                line = word
            else:
                line = longer
        lines.append(line)
    return "\n".join(shortened(line, space, prop) for line in lines)


def shortened(text: str, space: float, prop: FontProperties) -> str:
    """Return a text with its middle left out, so far that it fits: both ends tell it apart."""
    if width_of(text, prop) <= space:
        return text
    least, most = 2, max(len(text) - 1, 2)
    while least < most:
        kept = (least + most + 1) // 2
        if width_of(_without_middle(text, kept), prop) <= space:
            least = kept
        else:
            most = kept - 1
    return _without_middle(text, least)


def _without_middle(text: str, kept: int) -> str:
    return f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"


def _drawn(text: str, prop: FontProperties) -> str:
    r"""Return a foreign text as it can be drawn: what no font has as its escape, "\u4fdd"."""
    # Of very long texts only the ends are looked at.
    if len(text) > 400:
        text = f"{text[:200]}…{text[-200:]}"
    seen = visible(text)
    if seen.isascii():
        return seen
    fonts = _paths(tuple(prop.get_family()), prop.get_style(), str(prop.get_weight()))
    return "".join(
        c if c.isascii() or any(ord(c) in _characters(path) for path in fonts) else ascii(c)[1:-1]
        for c in seen
    )


def _paths(families: tuple[str, ...], style: str, weight: str) -> list[str]:
    from matplotlib.font_manager import FontProperties, findfont

    found: list[str] = []
    for family in families:
        try:
            prop = FontProperties(family=[family], style=style, weight=weight)  # type: ignore[arg-type]
            found.append(findfont(prop, fallback_to_default=False))
        except ValueError:  # not installed
            continue
    return found or [findfont(FontProperties())]


@lru_cache(maxsize=16)
def _characters(path: str) -> frozenset[int]:
    from matplotlib.font_manager import get_font

    return frozenset(get_font(path).get_charmap())
