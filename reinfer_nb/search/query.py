"""Split a search into its words, phrases and fields.

A search is a list of terms, all of which a row must match:

- a word, or a phrase in double quotes: the text of the row contains it;
- `field:value`, such as `language:de` or `title:"two words"`: see `field_terms`;
- any of these after a minus: the row must not match it.

A search is read while a person types it: a closing quote, a value or the rest of a date may be
missing, and nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

SEARCH_HELP = (
    'Words or "phrases"; a field: language:de, title:"", bucket:none, comments:>100, '
    "comments:10..20, updated:2024-05, created:<2020; a minus excludes: -kind:chat"
)

# A phrase, whose closing quote may not be typed yet, or a word; a minus before it.
_TERM = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))')
_QUOTED = re.compile(r'"([^"]*)("?)')
# The name of a field may have colons, such as "string:Team".
_MOST_COLONS = 4
# The beginnings of values after which a phrase in quotes belongs to the value.
_OPERATORS = ("", "=", "<", "<=", ">", ">=")


@dataclass(frozen=True)
class Term:
    """A term of a search.

    Attributes:
        typed: The term as typed, without its minus.
        value: The text to find, or the value of the field, without quotes.
        field: The field as typed; None if the term is a text.
        is_quoted: True if the value of the field was typed in quotes.
        is_excluded: True if rows must not match the term.
        unknown_field: For a text, what stands before its colon; None if it has none.
    """

    typed: str
    value: str
    field: str | None = None
    is_quoted: bool = False
    is_excluded: bool = False
    unknown_field: str | None = None


def terms_of(search: str, is_field: Callable[[str], bool]) -> list[Term]:
    """Return the terms of a search, in the order typed.

    >>> from reinfer_nb.search.query import terms_of
    >>> [(term.field, term.value) for term in terms_of("motor language:de", "language".__eq__)]
    [(None, 'motor'), ('language', 'de')]

    Terms that restrict nothing yet are left out: a minus alone, an empty phrase, and a field
    without a value.

    Args:
        search: The text, as typed.
        is_field: True for a text before a colon that names a field.
    """
    terms = []
    position = 0
    while match := _TERM.search(search, position):
        position = match.end()
        minus, phrase, word = match.groups()
        field = None if word is None else _field_of(word, is_field)
        if field is not None:
            term = _field_term(search, match.start(3), position, field)
            position = match.start(3) + len(term.typed)
        elif word is None:
            term = Term(f'"{phrase}"', phrase)
        else:
            before, colon, _ = word.partition(":")
            term = Term(word, word.strip("-") and word, unknown_field=before if colon else None)
        if term.value or term.is_quoted:
            terms.append(replace(term, is_excluded=True) if minus else term)
    return terms


def _field_of(word: str, is_field: Callable[[str], bool]) -> str | None:
    """Return the longest text before a colon of a word that names a field; None if none does."""
    parts = word.split(":", _MOST_COLONS + 1)
    names = (":".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))
    return next(filter(is_field, names), None)


def _field_term(search: str, start: int, end: int, field: str) -> Term:
    """Return the term of a field, whose word stands in a search from `start` to `end`."""
    value = search[start + len(field) + 1 : end]
    quoted = _QUOTED.match(search, end) if value in _OPERATORS else None
    if quoted is None:
        return Term(search[start:end], value, field)
    phrase, closing_quote = quoted.groups()
    # After an opening quote alone, the phrase is not typed yet.
    is_quoted = bool(phrase or closing_quote)
    return Term(search[start : quoted.end()], value + phrase, field, is_quoted)


def plain(text: str) -> str:
    """Return a search for the words of a text, none of which is read as a field or excluded.

    >>> from reinfer_nb.search.query import plain
    >>> plain("-x name:y")
    '"-x" "name:y"'
    """
    return " ".join(f'"{word}"' for word in text.replace('"', " ").split())
