"""Texts of a listing made ready to be searched in, whatever their case and however composed."""

from __future__ import annotations

import re
import unicodedata
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from reinfer_nb.diff.equality import instants
from reinfer_nb.frames.cells import TEXT, column_of, texts_of
from reinfer_nb.frames.columns import whole_text
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Moment

# A phrase in quotes, which may still lack its end while it is typed, or a word.
_TERM = re.compile(r'"([^"]*)"?|([^\s"]+)')
_SPECIAL = re.compile(r"[\x00-/:-@\[-^`{-\x7f]")
# All characters that are not in composed texts, or only behind some others; and more.
_LOOSE = (
    r"[\p{M}\x{374}-\x{387}\x{958}-\x{b5d}\x{f43}-\x{f69}\x{1100}-\x{11ff}\x{1f00}-\x{2001}"
    r"\x{2126}-\x{212b}\x{2329}\x{232a}\x{2adc}\x{f900}-\x{fb4e}\x{11000}-\x{11fff}"
    r"\x{16100}-\x{16dff}\x{1d15e}-\x{1d1c0}\x{2f800}-\x{2fa1f}]"
)
# The columns of a listing that hold times.
TIMES = frozenset(field.name for field in fields_of(Source) if field.type is Moment)

Mask = np.ndarray[Any, np.dtype[np.bool_]]


class Haystack:
    """What is searched of a listing: a row's id, names, title and description.

    Args:
        df: The listing; what it lacks of these is not searched.
    """

    def __init__(self, df: pd.DataFrame) -> None:
        self._texts = _haystack(df)
        # The rows that hold each term of the last search: the next one has most of them too.
        self._known: dict[str, Mask] = {}

    def found(self, search: str) -> Mask:
        """Return which rows hold everything that is searched for.

        Args:
            search: Words, each anywhere, and phrases in double quotes.
        """
        mask = np.ones(len(self._texts), dtype=np.bool_)
        parts = [whole_text(phrase or word) or "" for phrase, word in _TERM.findall(search)]
        array = pa.array([text.replace("\n", " ") for text in parts], TEXT)
        terms = set(folded(array).to_pylist()) - {""}
        known = {term: self._known[term] for term in terms if term in self._known}
        for rows_of_term in known.values():
            mask &= rows_of_term
        # The longest first: it leaves fewest rows to look at.
        for term in sorted(terms - set(known), key=len, reverse=True):
            rows = np.flatnonzero(mask)
            if len(rows) * 4 > len(mask):
                known[term] = self._holding(term)
                mask &= known[term]
            else:
                mask[rows] = self._matches(term, rows)
        self._known = known
        return mask

    def _holding(self, term: str) -> Mask:
        """Return which rows hold a term; only those that held a part of it need a look."""
        near = [mask for part, mask in self._known.items() if part in term]
        if near:
            rows = np.flatnonzero(np.logical_and.reduce(near))
            if len(rows) * 4 <= len(self._texts):
                mask = np.zeros(len(self._texts), dtype=np.bool_)
                mask[rows] = self._matches(term, rows)
                return mask
        return self._matches(term)

    def _matches(self, term: str, rows: np.ndarray[Any, Any] | None = None) -> Mask:
        texts = self._texts if rows is None else self._texts.take(pa.array(rows))
        # RE2 finds a literal faster than Arrow's own search does, but refuses very long ones.
        if len(term) > 200:
            return np.asarray(compute.match_substring(texts, term), dtype=np.bool_)
        pattern = _SPECIAL.sub(lambda match: f"\\x{ord(match[0]):02x}", term)
        return np.asarray(compute.match_substring_regex(texts, pattern), dtype=np.bool_)


def with_instants(column: pd.Series) -> pd.Series:
    """Return a column of times of a listing as instants, whatever it holds; any other as it is.

    A file read without dates holds texts.
    """
    return instants(column) if str(column.name) in TIMES else column


def _haystack(df: pd.DataFrame) -> Any:
    """Return what is searched: a row's texts, one a line."""
    texts = {name: column_of(df, name) for name in ("id", "owner", "name", "title", "description")}
    lines = {name: texts_of(column) for name, column in texts.items() if column is not None}
    for name, values in lines.items():
        if _has(values, 10, 10):
            lines[name] = compute.replace_substring(values, "\n", " ")
    join = partial(compute.binary_join_element_wise, null_handling="replace")
    if {"owner", "name"} <= set(lines):
        # What is in one of the two is in this as well.
        lines["name"] = join(lines.pop("owner"), lines["name"], pa.scalar("/", TEXT))
    first = pa.array([""] * len(df), TEXT)  # there may be no columns
    return folded(join(first, *lines.values(), pa.scalar("\n", TEXT)))


def _has(texts: Any, first: int, last: int) -> bool:
    """Whether a byte in a range is in the UTF-8 of any of the texts."""
    found = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    return bool(((found >= first) & (found <= last)).any())


def folded(texts: Any) -> Any:
    """Return texts in lower case and composed, each character whatever stands around it."""
    composed = _composed(texts)
    lowered = compute.utf8_lower(composed)
    if _has(lowered, 0xCF, 0xCF):  # the sigma at the end of a word is a sigma
        lowered = compute.replace_substring(lowered, "\u03c2", "\u03c3")
    return lowered if composed is texts else _composed(lowered)


def _composed(texts: Any) -> Any:
    # Below U+0300, whose UTF-8 begins with 0xCC, everything is composed.
    if not _has(texts, 0xCC, 0xFF):
        return texts
    loose = compute.fill_null(compute.match_substring_regex(texts, _LOOSE), fill_value=False)
    tight = [unicodedata.normalize("NFC", text) for text in texts.filter(loose).to_pylist()]
    return compute.replace_with_mask(texts, loose, pa.array(tight, TEXT)) if tight else texts
