"""HTML made of texts that are never HTML: whatever comes in is escaped on its way.

The one place where the widgets write markup. Colours are Jupyter's own variables, so that what is
shown is right in light and dark. Hosts that lack them have a fallback made from the colour of the
text around it, `currentColor`, since a fixed colour is too pale on either a light or a dark ground.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping

from reinfer_nb.text import visible, visible_lines

MUTED = "var(--jp-ui-font-color2, color-mix(in srgb, currentColor 75%, transparent))"
# Nearer to the colour of the text: by itself it is too pale on some of the dark grounds.
ERROR_COLOR = "var(--jp-error-color1, color-mix(in srgb, #e53935 60%, currentColor))"
ERROR = f"color-mix(in srgb, {ERROR_COLOR} 75%, var(--jp-ui-font-color1, currentColor))"
SUCCESS_COLOR = "var(--jp-success-color1, #43a047)"
BORDER = "var(--jp-border-color2, color-mix(in srgb, currentColor 30%, transparent))"


class Markup(str):
    """HTML that was made here; every other text is escaped where it is put in."""

    __slots__ = ()


Content = str | Iterable[str]


def tag(name: str, content: Content = "", **attributes: str) -> Markup:
    """Return an element.

    >>> tag("b", "<i>", style="color:red")
    '<b style="color:red">&lt;i&gt;</b>'

    Args:
        name: The element's name.
        content: What is in it: text, which is escaped, elements, or several of either.
        **attributes: Its attributes; an underscore stands for a hyphen and is dropped at the end.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(visible(value))}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{written}>{join(content)}</{name}>")


def join(content: Content) -> Markup:
    """Return texts and elements as one piece; texts are escaped, what is invisible made visible."""
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        # Line breaks and tabs are ordinary in a description, and lie within what CSS keeps.
        cells = content.replace("\r\n", "\n").split("\t")
        return Markup(html.escape("\t".join(map(visible_lines, cells))))
    return Markup("".join(map(join, content)))


def block(content: Content, **attributes: str) -> Markup:
    """Return a block, in which two dollars of a title are no formula."""
    return tag("div", content, class_="tex2jax_ignore mathjax_ignore", **attributes)


def muted(content: Content) -> Markup:
    """Return a line that explains, and stands back."""
    return block(
        content,
        style=f"color:{MUTED};line-height:1.35;white-space:pre-wrap;overflow-wrap:anywhere",
    )


def error(content: Content) -> Markup:
    """Return a line that says what is wrong, and that a screen reader speaks at once."""
    return block(
        content,
        role="alert",
        style=f"color:{ERROR};line-height:1.35;white-space:pre-wrap;overflow-wrap:anywhere",
    )


def status(content: Content) -> Markup:
    """Return a line that says what happened, spoken when the screen reader has time."""
    return block(
        content, role="status", style="line-height:1.35;white-space:pre-wrap;overflow-wrap:anywhere"
    )


def progress(label: str, done: int | None = None, total: int | None = None) -> Markup:
    """Return a progress bar with what it is about.

    Args:
        label: What is going on.
        done: How much of it is done; None where nobody knows.
        total: Out of how much.
    """
    how_far = {} if done is None or not total else {"value": str(done), "max": str(total)}
    said = label if not how_far else f"{label}: {done:,} of {total:,}"
    bar = tag("progress", "", aria_label=said, **how_far)
    return status([bar, " ", said])


def code(text: str) -> Markup:
    """Return a block of code or JSON, which can be reached and scrolled by keyboard."""
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


def table(heads: Iterable[str], rows: Iterable[Iterable[Content]], caption: str = "") -> Markup:
    """Return a table whose first column names its rows.

    Args:
        heads: What stands above the columns; none for no head.
        rows: The cells.
        caption: What the table is about.
    """
    cell = (
        "text-align:left;vertical-align:top;padding:3px 12px 3px 0;white-space:pre-wrap;"
        "overflow-wrap:break-word;word-break:break-word;min-width:5em;"
        f"border-bottom:1px solid {BORDER}"
    )
    titles = list(heads)
    head = tag("tr", [tag("th", title, scope="col", style=cell) for title in titles])
    named = f"{cell};font-weight:600;width:18em"
    body = [
        tag(
            "tr",
            [
                tag("td", item, style=cell) if number else tag("th", item, scope="row", style=named)
                for number, item in enumerate(row)
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
            # Notebooks would make all columns equally wide.
            style="border-collapse:collapse;width:100%;table-layout:auto;color:inherit;"
            "background:transparent",
        ),
        style="overflow-x:auto;line-height:1.35",
    )


def removed(content: Content) -> Markup:
    """Return what was there and is not to be."""
    return tag("del", content, style=_marked(ERROR_COLOR))


def added(content: Content) -> Markup:
    """Return what is to be there."""
    return tag("ins", content, style=_marked(SUCCESS_COLOR))


def _marked(color: str) -> str:
    # The text keeps its own colour, which can be read on the paler ground.
    return f"text-decoration:none;background:color-mix(in srgb, {color} 18%, transparent)"


def facts(values: Mapping[str, str], caption: str = "") -> Markup:
    """Return names and values as a table of two columns."""
    return table((), values.items(), caption)


def page(title: str, content: Content) -> Markup:
    """Return a whole page for a browser, right in light and dark, which asks for nothing else.

    Args:
        title: What it is about.
        content: What is on it.
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
