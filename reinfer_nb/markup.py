"""HTML elements for the widgets; every text in them is escaped.

Colours are Jupyter's variables, which fit light and dark themes. Where a host does not define them,
the fallback mixes in the colour of the surrounding text, `currentColor`, since a fixed colour has
too little contrast on either a light or a dark background.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping

from reinfer_nb.text import visible, visible_lines

MUTED = "var(--jp-ui-font-color2, color-mix(in srgb, currentColor 75%, transparent))"
# Mixed with the text's colour: pure red has too little contrast on some dark backgrounds.
ERROR_COLOR = "var(--jp-error-color1, color-mix(in srgb, #e53935 60%, currentColor))"
ERROR = f"color-mix(in srgb, {ERROR_COLOR} 75%, var(--jp-ui-font-color1, currentColor))"
SUCCESS_COLOR = "var(--jp-success-color1, #43a047)"
BORDER = "var(--jp-border-color2, color-mix(in srgb, currentColor 30%, transparent))"


class Markup(str):
    """HTML made by this module; any other `str` is escaped."""

    __slots__ = ()


Content = str | Iterable[str]


def tag(name: str, content: Content = "", **attributes: str) -> Markup:
    """Return an element.

    >>> tag("b", "<i>", style="color:red")
    '<b style="color:red">&lt;i&gt;</b>'

    Args:
        name: The element's name.
        content: Text, which is escaped, or elements, or several of either.
        **attributes: The attributes. "_" in a name becomes "-"; a final "_" is removed.
    """
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(visible(value))}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{pairs}>{join(content)}</{name}>")


def join(content: Content) -> Markup:
    """Join texts and elements; texts are escaped, and invisible characters made visible."""
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        # Line breaks and tabs are common in descriptions; CSS keeps them.
        cells = content.replace("\r\n", "\n").split("\t")
        return Markup(html.escape("\t".join(map(visible_lines, cells))))
    return Markup("".join(map(join, content)))


def block(content: Content, **attributes: str) -> Markup:
    """Return a block in which Jupyter does not read two dollars as a formula."""
    return tag("div", content, class_="tex2jax_ignore mathjax_ignore", **attributes)


def muted(content: Content) -> Markup:
    """Return content as HTML in the muted colour of explanations."""
    return block(
        content,
        style=f"color:{MUTED};line-height:1.35;white-space:pre-wrap;overflow-wrap:anywhere",
    )


def error(content: Content) -> Markup:
    """Return an error message, which a screen reader announces at once."""
    return block(
        content,
        role="alert",
        style=f"color:{ERROR};line-height:1.35;white-space:pre-wrap;overflow-wrap:anywhere",
    )


def status(content: Content) -> Markup:
    """Return a status message, which a screen reader announces when idle."""
    return block(
        content, role="status", style="line-height:1.35;white-space:pre-wrap;overflow-wrap:anywhere"
    )


def progress(label: str, done: int | None = None, total: int | None = None) -> Markup:
    """Return a progress bar with a label.

    Args:
        label: The name of the job.
        done: The number of items done; None if unknown.
        total: The number of all items.
    """
    position = {} if done is None or not total else {"value": str(done), "max": str(total)}
    text = label if not position else f"{label}: {done:,} of {total:,}"
    bar = tag("progress", "", aria_label=text, **position)
    return status([bar, " ", text])


def code(text: str) -> Markup:
    """Return a block of code or JSON that can be focused and scrolled by keyboard."""
    return block(
        tag(
            "pre",
            text,
            tabindex="0",
            style=f"margin:0;padding:8px;border:1px solid {BORDER};overflow:auto;max-height:340px;"
            "white-space:pre-wrap;overflow-wrap:anywhere;color:inherit;background:transparent;"
            "font-family:var(--jp-code-font-family, monospace);"
            "font-size:var(--jp-code-font-size, 13px)",
        )
    )


_CELL = (
    "text-align:left;vertical-align:top;padding:3px 12px 3px 0;white-space:pre-wrap;"
    f"overflow-wrap:break-word;min-width:5em;border-bottom:1px solid {BORDER}"
)
_ROW_HEADER = "font-weight:600;width:18em"
# The longest word, in characters, that a column is made wide enough for; longer ones are broken.
_LONGEST_WORD = 16


def _cell_style(content: str) -> str:
    words = re.split(r"\s|<[^>]*>", content)
    breaks = "word-break:break-word;" if max(map(len, words)) > _LONGEST_WORD else ""
    return breaks + _CELL


def table(heads: Iterable[str], rows: Iterable[Iterable[Content]], caption: str = "") -> Markup:
    """Return a table whose first column holds the row headers.

    Args:
        heads: The column headers; empty for no head.
        rows: The cells.
        caption: The caption.
    """
    titles = list(heads)
    head = tag("tr", [tag("th", title, scope="col", style=_cell_style(title)) for title in titles])
    body = [
        tag(
            "tr",
            [
                tag("td", item, style=_cell_style(item))
                if number
                else tag("th", item, scope="row", style=f"{_cell_style(item)};{_ROW_HEADER}")
                for number, item in enumerate(map(join, row))
            ],
        )
        for row in rows
    ]
    return block(
        tag(
            "table",
            [
                tag("caption", caption, style="text-align:left;padding:4px 0") if caption else "",
                tag("thead", head) if titles else "",
                tag("tbody", body),
            ],
            # Notebooks set table-layout: fixed, which makes all columns equally wide.
            style="border-collapse:collapse;width:100%;table-layout:auto;color:inherit;"
            "background:transparent",
        ),
        style="overflow-x:auto;line-height:1.35",
    )


def removed(content: Content) -> Markup:
    """Return an old value that a change removes."""
    return tag("del", content, style=_marked(ERROR_COLOR))


def added(content: Content) -> Markup:
    """Return a new value that a change sets."""
    return tag("ins", content, style=_marked(SUCCESS_COLOR))


def _marked(color: str) -> str:
    # The text keeps its colour, which is readable on the paler background.
    return f"text-decoration:none;background:color-mix(in srgb, {color} 18%, transparent)"


def facts(values: Mapping[str, str], caption: str = "") -> Markup:
    """Return names and values as a table of two columns."""
    return table((), values.items(), caption)


def page(title: str, content: Content) -> Markup:
    """Return a complete page for light and dark themes, which loads no other files.

    Args:
        title: The title.
        content: The body.
    """
    return Markup(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"{tag('title', title)}\n<style>{_PAGE}</style>\n</head>\n"
        f"<body>\n{tag('h1', title)}\n{join(content)}\n</body>\n</html>\n"
    )


_PAGE = """
:root { color-scheme: light dark; --jp-ui-font-color1: #212121; --jp-ui-font-color2: #616161;
  --jp-border-color2: #bdbdbd; --jp-error-color1: #c62828; background: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --jp-ui-font-color1: #e0e0e0; --jp-ui-font-color2: #a8a8a8; --jp-border-color2: #616161;
    --jp-error-color1: #ef9a9a; background: #111111; }
}
body { margin: 2em auto; max-width: 75em; padding: 0 1em; font: 14px system-ui, sans-serif;
  color: var(--jp-ui-font-color1); }
h1 { font-size: 1.4em; }
"""
