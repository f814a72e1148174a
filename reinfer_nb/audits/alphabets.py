"""Characters that deceive: those nobody sees, and words that mix alphabets which look alike."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa
from pyarrow import compute

from reinfer_nb.text import replaced

# Nothing beyond it mixes or hides; most texts end here.
_BEYOND_LATIN = r"[^\x00-\x{24f}]|[\x00-\x1f\x7f-\x9f\x{ad}]"
_WORD = re.compile(r"[^\W\d_]+")
# Alphabets with letters that cannot be told from one another.
_ALIKE = {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"}
_MARKS = "\u200e\u200f\u061c"


def suspects(texts: pa.Array) -> pa.Array:
    """Return, of an Arrow array of texts, which may hold such characters; none else does."""
    return compute.fill_null(compute.match_substring_regex(texts, _BEYOND_LATIN), fill_value=False)


def without_invisible(text: str) -> str:
    r"""Return a text without characters that nobody sees; where one parted two words, a space.

    >>> without_invisible("Motor\u200b claims\tinbox\r\n")
    'Motor claims inbox'

    Joiners within emoji and scripts that need them, and marks of direction in a text that runs
    from right to left, stay.
    """
    both_ways = any(unicodedata.bidirectional(char) in ("R", "AL") for char in text)

    def put(char: str, _: int) -> str:
        if char in _MARKS and both_ways:
            return char
        return " " if char in "\t\n\r\x0b\x0c\x85\u2028\u2029" else ""

    bare = replaced(text.replace("\r\n", "\n"), put)
    return text if bare == text else bare.strip()


def mixed_words(text: str) -> list[str]:
    """Return the words of a text whose letters are of several alphabets that look alike.

    >>> mixed_words("motor cl\u0430ims")
    ['cl\u0430ims']
    """
    return [word for word in _WORD.findall(text) if len(_alphabets(word) & _ALIKE) > 1]


def scripts_of(word: str) -> list[str]:
    """Return the alphabets of a word's letters, such as ["Cyrillic", "Latin"]."""
    return sorted(name.capitalize() for name in _alphabets(word))


def _alphabets(word: str) -> set[str]:
    return {unicodedata.name(char, "").partition(" ")[0] for char in word} - {""}
