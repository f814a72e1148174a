"""Find deceptive characters: invisible ones, and words that mix look-alike alphabets."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa
from pyarrow import compute

from reinfer_nb.text import replaced

# A text without a match has neither problem; most texts need no further check.
_SUSPECT = r"[^\x00-\x{24f}]|[\x00-\x1f\x7f-\x9f\x{ad}]"
_WORD = re.compile(r"[^\W\d_]+")
# Alphabets that share letters of the same shape.
_LOOK_ALIKE = {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"}
_DIRECTION_MARKS = "\u200e\u200f\u061c"


def suspects(texts: pa.Array) -> pa.Array:
    """Return a mask of the texts that may contain deceptive characters; all others are clean."""
    return compute.fill_null(compute.match_substring_regex(texts, _SUSPECT), fill_value=False)


def without_invisible(text: str) -> str:
    r"""Remove invisible characters from a text; tabs and line breaks become spaces.

    >>> without_invisible("Motor\u200b claims\tinbox\r\n")
    'Motor claims inbox'

    Kept: joiners in emoji and in scripts that need them, and direction marks in texts with
    right-to-left letters.
    """
    right_to_left = any(unicodedata.bidirectional(char) in ("R", "AL") for char in text)

    def replacement(char: str, _: int) -> str:
        if char in _DIRECTION_MARKS and right_to_left:
            return char
        return " " if char in "\t\n\r\x0b\x0c\x85\u2028\u2029" else ""

    cleaned = replaced(text.replace("\r\n", "\n"), replacement)
    return text if cleaned == text else cleaned.strip()


def mixed_words(text: str) -> list[str]:
    """Return the words of a text that mix letters of look-alike alphabets.

    >>> mixed_words("motor cl\u0430ims")
    ['cl\u0430ims']
    """
    return [word for word in _WORD.findall(text) if len(_alphabets(word) & _LOOK_ALIKE) > 1]


def scripts_of(word: str) -> list[str]:
    """Return the names of a word's alphabets, such as ["Cyrillic", "Latin"]."""
    return sorted(name.capitalize() for name in _alphabets(word))


def _alphabets(word: str) -> set[str]:
    return {unicodedata.name(char, "").partition(" ")[0] for char in word} - {""}
