"""Fit texts into a chart: measure, shorten, wrap, and escape characters that no font has."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from reinfer_nb.text import visible

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties

_HINTING = 1.03  # factor by which a text widens when its letters are aligned to pixels
_MIN_SIZE = 6.5  # points; smaller texts are unreadable


def font(size: float) -> FontProperties:
    """Return the style's font in a size in points."""
    from matplotlib.font_manager import FontProperties

    return FontProperties(size=size)


def size_of(setting: str) -> float:
    """Return the style's font size for a setting such as "ytick.labelsize", in points."""
    from matplotlib import rcParams

    return float(font(cast("Any", rcParams)[setting]).get_size_in_points())


def width_of(text: str, prop: FontProperties) -> float:
    """Return the width of a text of one line, in points."""
    from matplotlib.textpath import text_to_path

    if not text:
        return 0
    width, _, _ = text_to_path.get_text_width_height_descent(text, prop, ismath=False)
    return float(width) * _HINTING


def fitted(
    names: Sequence[str], space: float, setting: str
) -> tuple[list[str], FontProperties, float]:
    """Return names in a font that fits, shortened if necessary.

    Args:
        names: Texts from any origin.
        space: The maximum width of each, in points.
        setting: The style setting that holds the font size.

    Returns:
        The texts, their font, and the width of the widest, in points.
    """
    size = size_of(setting)
    prop = font(size)
    drawable = [_drawable(name, prop) for name in names]
    widest = max((width_of(name, prop) for name in drawable), default=0)
    # In a narrow space, a smaller font keeps more of a name than shortening does.
    if widest > space and space < 10 * size:
        prop = font(min(size, max(size * space / widest, _MIN_SIZE)))
    texts = [shortened(name, space, prop) for name in drawable]
    return texts, prop, max((width_of(text, prop) for text in texts), default=0)


def wrapped(text: str, space: float, prop: FontProperties) -> str:
    """Return a text broken into lines that fit into a width in points."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if line and width_of(longer, prop) > space:
                lines.append(line)
                line = word
            else:
                line = longer
        lines.append(line)
    return "\n".join(shortened(line, space, prop) for line in lines)


def shortened(text: str, space: float, prop: FontProperties) -> str:
    """Return a text that fits, its middle replaced by an ellipsis; both ends stay readable."""
    if width_of(text, prop) <= space:
        return text
    low, high = 2, max(len(text) - 1, 2)
    while low < high:
        length = (low + high + 1) // 2
        if width_of(_without_middle(text, length), prop) <= space:
            low = length
        else:
            high = length - 1
    return _without_middle(text, low)


def _without_middle(text: str, length: int) -> str:
    return f"{text[: (length + 1) // 2]}…{text[len(text) - length // 2 :]}"


def _drawable(text: str, prop: FontProperties) -> str:
    r"""Return a text in which characters that no font has are escaped, such as "\u4fdd"."""
    # Only the ends of a very long text can be shown.
    if len(text) > 400:
        text = f"{text[:200]}…{text[-200:]}"
    escaped = visible(text)
    if escaped.isascii():
        return escaped
    fonts = _paths(tuple(prop.get_family()), prop.get_style(), str(prop.get_weight()))
    return "".join(
        c if c.isascii() or any(ord(c) in _characters(path) for path in fonts) else ascii(c)[1:-1]
        for c in escaped
    )


def _paths(families: tuple[str, ...], style: str, weight: str) -> list[str]:
    from matplotlib.font_manager import FontProperties, findfont

    paths: list[str] = []
    for family in families:
        try:
            prop = FontProperties(family=[family], style=style, weight=weight)  # type: ignore[arg-type]
            paths.append(findfont(prop, fallback_to_default=False))
        except ValueError:  # not installed
            continue
    return paths or [findfont(FontProperties())]


@lru_cache(maxsize=16)
def _characters(path: str) -> frozenset[int]:
    from matplotlib.font_manager import get_font

    return frozenset(get_font(path).get_charmap())
