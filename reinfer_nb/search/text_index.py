"""Prepare the texts of a listing for a search that ignores case and Unicode composition."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from reinfer_nb.diff.equality import instants
from reinfer_nb.frames.cells import TEXT, column_of, texts_of
from reinfer_nb.frames.columns import whole_text
from reinfer_nb.schema.added_columns import listing_types
from reinfer_nb.schema.value_types import Moment

_SPECIAL = re.compile(r"[\x00-/:-@\[-^`{-\x7f]")
# Characters that may change when a text is composed, and some that do not.
_COMPOSABLE = (
    r"[\p{M}\x{374}-\x{387}\x{958}-\x{b5d}\x{f43}-\x{f69}\x{1100}-\x{11ff}\x{1f00}-\x{2001}"
    r"\x{2126}-\x{212b}\x{2329}\x{232a}\x{2adc}\x{f900}-\x{fb4e}\x{11000}-\x{11fff}"
    r"\x{16100}-\x{16dff}\x{1d15e}-\x{1d1c0}\x{2f800}-\x{2fa1f}]"
)
# The columns of a listing that hold times.
TIMES = frozenset(name for name, kind in listing_types().items() if kind is Moment)

Mask = np.ndarray[Any, np.dtype[np.bool_]]


class Haystack:
    """The searchable text of each row: id, owner, name, title and description.

    Args:
        texts: The texts, as an Arrow array.
    """

    def __init__(self, texts: Any) -> None:
        self._texts = texts
        # The rows with each term of the last search; the next search shares most terms.
        self._known: dict[str, Mask] = {}

    @classmethod
    def of(cls, df: pd.DataFrame) -> Haystack:
        """Return the texts of a listing; missing columns are not searched."""
        return cls(_haystack(df))

    def with_row(self, position: int, row: pd.DataFrame) -> Haystack:
        """Return the texts with another row at a position.

        Args:
            position: The position of the row to replace.
            row: A listing of one row, with the columns of this one.
        """
        parts = [self._texts[:position], _haystack(row), self._texts[position + 1 :]]
        return Haystack(pa.concat_arrays(parts))

    def found(
        self, words: Iterable[str], without: Iterable[str] = (), among: Mask | None = None
    ) -> Mask:
        """Return a mask of the rows that contain all of some texts and none of others.

        Args:
            words: The texts to find, folded; "" is in each row.
            without: The texts that a row must not contain, folded; "" is ignored.
            among: A mask of the rows to search; None for all.
        """
        count = len(self._texts)
        mask = np.ones(count, dtype=np.bool_) if among is None else among.copy()
        terms = [(term, False) for term in set(words)] + [(term, True) for term in set(without)]
        known = {term: self._known[term] for term, _ in terms if term in self._known}

        def cost(item: tuple[str, bool]) -> tuple[bool, bool, int]:
            # Long terms are rare and leave few rows to check, excluded terms leave many.
            term, is_excluded = item
            return term not in known, is_excluded, -len(term)

        for term, is_excluded in sorted(terms, key=cost):
            if not term:
                continue
            if term not in known:
                rows = np.flatnonzero(mask)
                if len(rows) * 4 <= count:
                    mask[rows] = rows_with(self._texts, term, rows) ^ is_excluded
                    continue
                known[term] = self._rows_with(term)
            mask &= known[term] ^ is_excluded
        self._known = known
        return mask

    def _rows_with(self, term: str) -> Mask:
        """Return a mask of the rows that contain a term."""
        # Only rows that contain all known parts of the term can contain the term.
        masks = [mask for part, mask in self._known.items() if part in term]
        if masks:
            rows = np.flatnonzero(np.logical_and.reduce(masks))
            if len(rows) * 4 <= len(self._texts):
                mask = np.zeros(len(self._texts), dtype=np.bool_)
                mask[rows] = rows_with(self._texts, term, rows)
                return mask
        return rows_with(self._texts, term)


def rows_with(texts: Any, term: str, rows: np.ndarray[Any, Any] | None = None) -> Mask:
    """Return a mask of the texts that contain a term.

    Args:
        texts: An Arrow array of texts without missing ones.
        term: The term, as literal text.
        rows: The positions of the texts to look at; None for all.
    """
    some = texts if rows is None else texts.take(pa.array(rows))
    # RE2 finds literals faster than Arrow's substring search, but refuses very long ones.
    if len(term) > 200:
        return np.asarray(compute.match_substring(some, term), dtype=np.bool_)
    pattern = _SPECIAL.sub(lambda match: f"\\x{ord(match[0]):02x}", term)
    return np.asarray(compute.match_substring_regex(some, pattern), dtype=np.bool_)


def with_instants(column: pd.Series) -> pd.Series:
    """Convert a time column of a listing to instants; return any other column unchanged.

    Time columns hold texts if a file was read without dates.
    """
    return instants(column) if str(column.name) in TIMES else column


def _haystack(df: pd.DataFrame) -> Any:
    """Return the searchable text of each row, one column per line."""
    texts = {name: column_of(df, name) for name in ("id", "owner", "name", "title", "description")}
    lines = {
        name: one_line(texts_of(column)) for name, column in texts.items() if column is not None
    }
    join = partial(compute.binary_join_element_wise, null_handling="replace")
    if {"owner", "name"} <= set(lines):
        # The full name contains owner and name.
        lines["name"] = join(lines.pop("owner"), lines["name"], pa.scalar("/", TEXT))
    first = pa.array([""] * len(df), TEXT)  # the frame may have no columns
    return folded(join(first, *lines.values(), pa.scalar("\n", TEXT)))


def _has(texts: Any, first: int, last: int) -> bool:
    """True if the UTF-8 of any text contains a byte in a range."""
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    return bool(((data >= first) & (data <= last)).any())


def folded_text(text: str) -> str:
    """Return a text as `folded` does; a line break becomes a space, as in a haystack."""
    if text.isascii():
        return text.lower().replace("\n", " ")
    folded_texts = folded(pa.array([(whole_text(text) or "").replace("\n", " ")], TEXT))
    return str(folded_texts[0].as_py())


def one_line(texts: Any) -> Any:
    """Return texts with each line break replaced by a space."""
    return compute.replace_substring(texts, "\n", " ") if _has(texts, 10, 10) else texts


def folded(texts: Any) -> Any:
    """Return texts in lower case and composed form (NFC), independent of context."""
    composed = _composed(texts)
    lowered = compute.utf8_lower(composed)
    if _has(lowered, 0xCF, 0xCF):  # a final sigma equals a sigma
        lowered = compute.replace_substring(lowered, "\u03c2", "\u03c3")
    return lowered if composed is texts else _composed(lowered)


def _composed(texts: Any) -> Any:
    # All characters below U+0300, whose UTF-8 begins with 0xCC, are composed.
    if not _has(texts, 0xCC, 0xFF):
        return texts
    mask = compute.fill_null(compute.match_substring_regex(texts, _COMPOSABLE), fill_value=False)
    composed = [unicodedata.normalize("NFC", text) for text in texts.filter(mask).to_pylist()]
    return compute.replace_with_mask(texts, mask, pa.array(composed, TEXT)) if composed else texts
