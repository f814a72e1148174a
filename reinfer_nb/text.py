"""Text that came from a tenant or a user, made safe and short enough to show.

Knows nothing of sources or HTTP; everything that prints a foreign text goes through here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# What can move the cursor, recolour a terminal, hide or reorder what is written: controls,
# bidirectional marks and overrides, zero-width characters, line separators, lone surrogates.
INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def visible(text: str, limit: int | None = None) -> str:
    r"""Return `text` with every invisible or commanding character written as its escape.

    >>> visible("red \x1b[31malert")
    'red \\x1b[31malert'

    Args:
        text: Any text.
        limit: Longest result in characters of `text`; the rest becomes an ellipsis.
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    return INVISIBLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return ascii(match.group())[1:-1]


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
    """Return how a message goes on that a word is not known: with the near one, or with all."""
    words = list(known)
    guess = nearest(word, words) if isinstance(word, str) else None
    return f"did you mean {guess}?" if guess else f"there are {listed(words, limit)}."


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 source" and "1,200 sources"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(words: Iterable[object], limit: int = 10) -> str:
    """Return `words` as one line, cut with "and N more" after `limit` of them."""
    texts = [str(word) for word in words]
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
