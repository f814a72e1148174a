"""HTML of the widgets: every text stays text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reinfer_nb import markup
from reinfer_nb.text import visible

NASTY = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</textarea></div></pre></td><b>",
    '" onmouseover="alert(1)" x=\'',
    "' autofocus onfocus='alert(1)",
    "&lt;b&gt; &amp; &#60; &#x3c;",
    "<!-- --> <![CDATA[ ]]> <?php ?>",
    "javascript:alert(1)",
    "$$x$$ [a](b) `c` **d**",
]
TEXTS = st.one_of(
    st.sampled_from(NASTY),
    st.text(),
    st.text("<>\"'&;=/! \t\r\n\x00\x1b\x85\u200b\u202e\u2028\ud800abc#x3"),
    st.lists(st.sampled_from(NASTY)).map("".join),
)


class Parsed(HTMLParser):
    """The elements and the text of a page, as a browser parses it."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.ends: list[str] = []
        self.text = ""
        self.others: list[str] = []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.ends.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_decl(self, decl: str) -> None:
        self.others.append(decl)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.elements]


def visible_lines(text: str) -> str:
    """Return the expected text: line breaks and tabs kept, invisible characters as escapes."""
    parts = re.split(r"([\n\t])", text.replace("\r\n", "\n"))
    return "".join(part if part in ("\n", "\t") else visible(part) for part in parts)


@given(TEXTS, TEXTS)
@settings(deadline=None)
def test_a_text_is_neither_element_nor_attribute(text: str, value: str) -> None:
    made = markup.tag("b", [text, markup.tag("i", text)], title=value, data_x=value)
    parsed = Parsed(made)
    assert parsed.elements == [
        ("b", {"title": visible(value), "data-x": visible(value)}),
        ("i", {}),
    ]
    assert parsed.ends == ["i", "b"]
    assert parsed.text == visible_lines(text) * 2
    assert parsed.others == []


@given(TEXTS)
@settings(deadline=None)
def test_nothing_invisible_is_left(text: str) -> None:
    made = markup.tag("b", text, title=text)
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e]", made) is None
    made.encode()


@pytest.mark.slow
@pytest.mark.parametrize(
    "function",
    [markup.block, markup.muted, markup.error, markup.status, markup.code, markup.progress],
    ids=lambda function: function.__name__,
)
@pytest.mark.parametrize("text", NASTY)
def test_each_line_holds_text_only(function: object, text: str) -> None:
    plain = Parsed(function("x"))  # type: ignore[operator]
    parsed = Parsed(function(text))  # type: ignore[operator]
    assert parsed.names == plain.names
    assert [set(attributes) for _, attributes in parsed.elements] == [
        set(attributes) for _, attributes in plain.elements
    ]
    assert parsed.text.strip() == text
    assert parsed.others == []


@pytest.mark.slow
@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=3), TEXTS, TEXTS)
@settings(deadline=None)
def test_a_table_holds_its_cells(rows: list[list[str]], head: str, caption: str) -> None:
    parsed = Parsed(markup.table((head, "x"), rows, caption))
    body = ["tr", "th", "td"] * len(rows)
    titles = ["caption"] if caption else []
    assert parsed.names == ["div", "table", *titles, "thead", "tr", "th", "th", "tbody", *body]
    cells = "".join(visible_lines(cell) for row in rows for cell in row)
    assert parsed.text == f"{visible_lines(caption)}{visible_lines(head)}x{cells}"
    scopes = [attributes["scope"] for name, attributes in parsed.elements if name == "th"]
    assert scopes == ["col", "col"] + ["row"] * len(rows)


def test_names_and_values_are_a_table_of_two_columns() -> None:
    parsed = Parsed(markup.facts({"<b>": "<i>"}))
    assert parsed.names == ["div", "table", "tbody", "tr", "th", "td"]
    assert parsed.text == "<b><i>"


def test_what_was_made_here_is_not_escaped_twice_and_a_sum_with_it_is() -> None:
    bold = markup.tag("b", "&")
    assert bold == "<b>&amp;</b>"
    assert markup.join(bold) == bold
    assert Parsed(markup.tag("p", [bold, "<i>"])).names == ["p", "b"]
    # A plain concatenation of both is a text.
    assert Parsed(markup.tag("p", bold + "<i>")).names == ["p"]


def test_titles_with_dollars_are_no_formulas() -> None:
    for made in (markup.muted("$a$"), markup.error("$a$"), markup.table((), [["$a$", "$b$"]])):
        _, attributes = Parsed(made).elements[0]
        assert {"tex2jax_ignore", "mathjax_ignore"} <= set(str(attributes["class"]).split())


def test_lines_are_spoken() -> None:
    assert Parsed(markup.error("x")).elements[0][1]["role"] == "alert"
    assert Parsed(markup.status("x")).elements[0][1]["role"] == "status"
    pre = dict(Parsed(markup.code("x")).elements)["pre"]
    assert pre["tabindex"] == "0"


def test_progress_says_how_far_it_is() -> None:
    known = Parsed(markup.progress("Counting", 1200, 2000))
    bar = dict(known.elements)["progress"]
    assert (bar["value"], bar["max"]) == ("1200", "2000")
    assert bar["aria-label"] == known.text.strip() == "Counting: 1,200 of 2,000"
    for unknown in (markup.progress("Counting"), markup.progress("Counting", 0, 0)):
        assert "value" not in dict(Parsed(unknown).elements)["progress"]
        assert Parsed(unknown).text.strip() == "Counting"
