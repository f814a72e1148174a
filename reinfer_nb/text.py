"""Texts of tenants and users, made safe and short enough to show; parts of messages.

All code that shows a text from outside uses this module.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable

# Unicode's categories of invisible and control characters: controls, formats (bidirectional marks,
# joiners, tags), surrogates, line and paragraph separators.
_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Characters of category Cf that have a glyph: Unicode's Prepended_Concatenation_Mark.
_SIGNS = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
# Invisible characters of other categories: Unicode's Default_Ignorable_Code_Point without Cf.
# Python's unicodedata does not have that property.
_IGNORABLE = frozenset(
    code
    for first, last in (
        (0x34F, 0x34F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2065, 0x2065),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0xFFF0, 0xFFF8),
        (0xE0000, 0xE0FFF),
    )
    for code in range(first, last + 1)
)
_JOINERS = frozenset("\u200c\u200d")
_SKIN_TONES = frozenset("\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")


def holds_half_character(content: object) -> bool:
    """True if a text, or JSON content, has a lone surrogate, which UTF-8 cannot encode."""
    import json

    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def is_blank(value: object) -> bool:
    """True if a value is a text that is empty or only white space."""
    return isinstance(value, str) and not value.strip()


def visible(text: str, limit: int | None = None) -> str:
    r"""Return `text` with invisible and control characters written as escapes.

    >>> visible("red \x1b[31malert")
    'red \\x1b[31malert'

    Joiners and variation selectors stay where the script needs them: within an emoji, between
    Arabic letters, after the virama of an Indic script, after an ideograph.

    Args:
        text: Any text.
        limit: Number of characters of `text` to keep; the rest becomes an ellipsis.
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    return replaced(text, lambda char, _: ascii(char)[1:-1])


def visible_lines(text: str) -> str:
    """Return a text as `visible` does, but keep its line breaks."""
    return replaced(text, lambda char, _: char if char == "\n" else ascii(char)[1:-1])


def replaced(text: str, replace: Callable[[str, int], str]) -> str:
    """Return a text with its invisible characters replaced.

    Args:
        text: Any text.
        replace: Called with each such character and its position in the text.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        replace(char, position) if _hidden(char) and not _needed(text, position) else char
        for position, char in enumerate(text)
    )


def _hidden(char: str) -> bool:
    if unicodedata.category(char) in _CATEGORIES:
        return char not in _SIGNS
    return ord(char) in _IGNORABLE


def _needed(text: str, position: int) -> bool:
    """True if the characters around an invisible character need it."""
    char = text[position]
    before, after = text[max(0, position - 8) : position], text[position + 1 : position + 9]
    last = before[-1:]
    if char in _JOINERS:
        return _joins_emoji(before, char, after) or _joins_letters(before, char, after)
    if char in "\ufe0e\ufe0f":
        keycap = last in set("0123456789#*") and after.startswith("\u20e3")
        return keycap or _pictograph(last) or last in set("\u203c\u2049\u3030")
    if "\ufe00" <= char <= "\ufe02" or "\U000e0100" <= char <= "\U000e01ef":
        return unicodedata.name(last or " ", "").startswith("CJK ")
    if "\u180b" <= char <= "\u180f":
        return unicodedata.name(last or " ", "").startswith("MONGOLIAN LETTER")
    return False


def _joins_emoji(before: str, char: str, after: str) -> bool:
    base = before.removesuffix("\ufe0f")
    if base[-1:] in _SKIN_TONES:
        base = base[:-1]
    return char == "\u200d" and _pictograph(base[-1:]) and _pictograph(after[:1])


def _joins_letters(before: str, char: str, after: str) -> bool:
    """True if RFC 5892 allows a joiner at this position of a domain name."""
    import idna

    try:
        return idna.valid_contextj(before + char + after, len(before))
    except ValueError:  # a neighbouring character is not assigned
        return False


def _pictograph(char: str) -> bool:
    # The block of emoji may have characters that are newer than Python's tables.
    if char <= "\x7f":
        return False
    return "\U0001f000" <= char <= "\U0001faff" or unicodedata.category(char) in ("So", "Sm")


def shown(value: object, limit: int = 80) -> str:
    """Return a short, safe `repr` of a value for a message."""
    try:
        return visible(repr(value), limit)
    except ValueError:
        return "a number of very many digits"
    except RecursionError:
        return "a deeply nested value"
    except NotImplementedError:  # of pandas, for a time outside the years 1 to 9999
        return f"a {type(value).__name__} that cannot be shown"


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the word of `words` closest to `word`; None if none is close."""
    import difflib

    candidates = {candidate.lower(): candidate for candidate in words}
    close = difflib.get_close_matches(word.lower().lstrip("_"), candidates, n=1, cutoff=0.7)
    return candidates[close[0]] if close else None


def nearest_source(given: str, full_names: Iterable[str]) -> str | None:
    """Return the full name closest to `given`; None if none is close.

    >>> nearest_source("clams/motor-inbx", ["claims/motor-inbox", "people/payroll"])
    'claims/motor-inbox'

    Args:
        given: A full name, or the name of a source without its project.
        full_names: The full names of sources, as "project/name".
    """
    names: dict[str, list[str]] = {}
    for full_name in full_names:
        owner, _, name = full_name.partition("/")
        names.setdefault(owner, []).append(name)
    owner, slash, name = given.partition("/")
    if not slash:
        # Which project is meant is clear only if one project has that name.
        owners = [project for project in names if given in names[project]]
        return f"{owners[0]}/{given}" if len(owners) == 1 else None
    # Compared part by part: the same project would make any two names similar.
    project = owner if owner in names else nearest(owner, names)
    similar = None if project is None else nearest(name, names[project])
    return None if similar is None else f"{project}/{similar}"


def did_you_mean(guess: str | None) -> str:
    """Return the question that ends a message, after a space; empty without a guess."""
    return "" if guess is None else f" Did you mean {visible(guess, 300)}?"


def hint(word: object, choices: Iterable[str], limit: int = 20) -> str:
    """Return the sentence that follows "Unknown ...": the nearest choice, or all choices."""
    words = list(choices)
    guess = nearest(word, words) if isinstance(word, str) else None
    return f"Did you mean {shown(guess)}?" if guess else f"Choose from {listed(words, limit)}."


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 source" and "1,200 sources"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(words: Iterable[object], limit: int = 10) -> str:
    """Return `words`, made visible, as one line; "and N more" replaces those beyond `limit`."""
    texts = [visible(str(word)) for word in words]
    line = ", ".join(texts[:limit])
    return line if len(texts) <= limit else f"{line} and {len(texts) - limit:,} more"


def more(number: int, limit: int | None) -> list[str]:
    """Return a line with the number of omitted items; an empty list if none are omitted.

    >>> more(1200, 50)
    ['... and 1,150 more']

    Args:
        number: How many items there are.
        limit: How many of them are shown; None for all.
    """
    return [f"... and {number - limit:,} more"] if limit is not None and number > limit else []
