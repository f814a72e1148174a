"""Text that came from a tenant or a user, made safe and short enough to show.

Knows nothing of sources or HTTP; everything that prints a foreign text goes through here.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable

# Unicode's categories of characters that show nothing, or that command whoever shows them:
# controls, formats (bidirectional marks, joiners, tags), halves of characters, separators.
_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Signs of category Cf that have a glyph: Unicode's Prepended_Concatenation_Mark.
_SIGNS = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
# Characters of other categories that show nothing: what Unicode's Default_Ignorable_Code_Point
# has beyond Cf. Python's unicodedata does not tell that property.
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
    """Whether a text, or a text in JSON content, holds a lone surrogate: no UTF-8 has those."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def is_blank(value: object) -> bool:
    """Whether a value is a text that is empty or only white space."""
    return isinstance(value, str) and not value.strip()


def visible(text: str, limit: int | None = None) -> str:
    r"""Return `text` with every invisible or commanding character written as its escape.

    >>> visible("red \x1b[31malert")
    'red \\x1b[31malert'

    A joiner or a variation selector stays where writing needs it: within an emoji, between Arabic
    letters, after the virama of an Indic script, after an ideograph. Anywhere else it is escaped.

    Args:
        text: Any text.
        limit: Longest result in characters of `text`; the rest becomes an ellipsis.
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    return replaced(text, lambda char, _: ascii(char)[1:-1])


def visible_lines(text: str) -> str:
    """Return a text of several lines as `visible` shows it, its line breaks kept."""
    return replaced(text, lambda char, _: char if char == "\n" else ascii(char)[1:-1])


def replaced(text: str, replace: Callable[[str, int], str]) -> str:
    """Return a text with its invisible characters replaced.

    Args:
        text: Any text.
        replace: Called with each such character and its place in the text.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        replace(char, place) if _hidden(char) and not _needed(text, place) else char
        for place, char in enumerate(text)
    )


def _hidden(char: str) -> bool:
    if unicodedata.category(char) in _CATEGORIES:
        return char not in _SIGNS
    return ord(char) in _IGNORABLE


def _needed(text: str, place: int) -> bool:
    """Return whether the writing around it needs an invisible character."""
    char = text[place]
    before, after = text[max(0, place - 8) : place], text[place + 1 : place + 9]
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
    """Return whether a joiner stands where RFC 5892 lets a domain name have one."""
    import idna

    try:
        return idna.valid_contextj(before + char + after, len(before))
    except ValueError:  # a character beside it is not assigned
        return False


def _pictograph(char: str) -> bool:
    # The block of emoji may hold some that are newer than Python's tables.
    if char <= "\x7f":
        return False
    return "\U0001f000" <= char <= "\U0001faff" or unicodedata.category(char) in ("So", "Sm")


def shown(value: object, limit: int = 80) -> str:
    """Return a short, safe `repr` of a value, for an error message."""
    try:
        return visible(repr(value), limit)
    except ValueError:
        return "a number of very many digits"


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the one of `words` that `word` was probably meant to be, if any is close."""
    import difflib

    candidates = {candidate.lower(): candidate for candidate in words}
    close = difflib.get_close_matches(word.lower().lstrip("_"), candidates, n=1, cutoff=0.7)
    return candidates[close[0]] if close else None


def hint(word: object, known: Iterable[str], limit: int = 20) -> str:
    """Return the sentence that follows "Unknown ...": the nearest known word, or all of them."""
    words = list(known)
    guess = nearest(word, words) if isinstance(word, str) else None
    return f"Did you mean {shown(guess)}?" if guess else f"Choose from {listed(words, limit)}."


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 source" and "1,200 sources"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(words: Iterable[object], limit: int = 10) -> str:
    """Return `words`, made visible, as one line, cut with "and N more" after `limit` of them."""
    texts = [visible(str(word)) for word in words]
    line = ", ".join(texts[:limit])
    return line if len(texts) <= limit else f"{line} and {len(texts) - limit:,} more"


def more(number: int, limit: int | None) -> list[str]:
    """Return the line that says how many were not told; none where all were.

    >>> more(1200, 50)
    ['... and 1,150 more']

    Args:
        number: How many there are.
        limit: How many of them are told; None for all.
    """
    return [f"... and {number - limit:,} more"] if limit is not None and number > limit else []
