"""Find the rows that match the terms of a search with a field, such as `language:de`.

What a value means depends on the column:

- texts and lists: the text that the table shows contains the value, as in a search for a word;
- codes (language, kind): exactly this code. If there is no such code, all codes that begin with
  the value, or whose meaning has a word that does: `language:ger`, `kind:design`;
- numbers: `0`, `>100`, `>=100`, `<100`, `<=100`, `10..20`;
- times in UTC, as long as typed: `2024`, `2024-05`, `>2024-05-31`, `2023..2024`,
  `"2024-05-31 12:30"`;
- flags: `yes`, `no`, `true`, `false`, or their beginnings.

For all of them, `none` is a missing value or an empty list, `any` is the opposite of `none`, and
`""` is an empty text or list. In quotes, "none" and "any" are ordinary values. Case is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reinfer_nb.frames.cells import column_of
from reinfer_nb.schema.added_columns import ADDED, COMMENTS
from reinfer_nb.search.field_columns import SOURCE_FIELDS, FieldColumn
from reinfer_nb.search.field_values import shown_value
from reinfer_nb.search.query import Term
from reinfer_nb.search.text_index import Mask, folded_text
from reinfer_nb.text import counted, nearest, visible

# The words of the table's headings, and short forms.
_ALIASES = {
    "project": "owner",
    "comments": COMMENTS,
    "bucket": "bucket_id",
    "translated": "should_translate",
    "created": "created_at",
    "updated": "updated_at",
    "modified": "last_modified",
    "properties": "sensitive_properties",
    "sensitive": "sensitive_properties",
    "tag": "email_transform_tag",
    "version": "email_transform_version",
}
# Words for a missing value and for its opposite.
_PRESENCE = ("none", "any")


@dataclass(frozen=True)
class _Result:
    """The rows of a term.

    Attributes:
        rows: A mask of the rows; None if the term restricts nothing yet.
        note: What to tell about the term; "" if nothing.
        is_readable: False if the term cannot be read and finds no rows, excluded or not.
    """

    rows: Mask | None
    note: str = ""
    is_readable: bool = True


class FieldTerms:
    """The fields of a listing that a search can name, and the rows that their terms match.

    Args:
        df: The listing.
    """

    def __init__(self, df: pd.DataFrame) -> None:
        self._df = df
        self._columns: dict[str, FieldColumn] = {}
        # The results of the last search; the next one shares most terms.
        self._known: dict[str, _Result] = {}
        # Columns of the listing come before aliases, and exact names before others.
        exact = {str(name): str(name) for name in df.columns}
        plain = {_plain_name(name): name for name in reversed(exact)}
        self._fields = {name: name for name in (*SOURCE_FIELDS, *ADDED)} | _ALIASES | plain | exact

    def is_field(self, name: str) -> bool:
        """True if a text names a column of the listing, or a known field; case is ignored."""
        return self._column_named(name) is not None

    def _column_named(self, name: str) -> str | None:
        column = self._fields.get(name) or self._fields.get(_plain_name(name))
        return column if name else None

    def rows(self, terms: Iterable[Term]) -> tuple[Mask | None, tuple[str, ...]]:
        """Return a mask of the rows that match all terms with a field, and notes.

        Args:
            terms: The terms of a search; texts only get a note if they look like a field.

        Returns:
            The mask, None if no term restricts the rows; and short notes for a person, about
            values that could not be read and fields that do not exist.
        """
        known: dict[str, _Result] = {}
        notes = []
        mask = None
        for term in terms:
            if term.field is None:
                notes.append(self._note_on_text(term.unknown_field))
                continue
            result = known[term.typed] = self._known.get(term.typed) or self._result(term)
            notes.append(result.note)
            if result.rows is not None:
                rows = result.rows ^ (term.is_excluded and result.is_readable)
                mask = rows if mask is None else mask & rows
        self._known = known
        return mask, tuple(dict.fromkeys(filter(None, notes)))

    def _note_on_text(self, unknown_field: str | None) -> str:
        # Long texts before a colon are no misspelt names.
        if not unknown_field or len(unknown_field) > 40:
            return ""
        guess = nearest(_plain_name(unknown_field), self._fields)
        name = shown_value(unknown_field)
        return f"There is no field {name}; did you mean {visible(guess)}?" if guess else ""

    def _result(self, term: Term) -> _Result:
        typed, value = visible(term.typed, 60), folded_text(term.value)
        nothing = np.zeros(len(self._df), dtype=np.bool_)
        name = str(self._column_named(str(term.field)))
        column = self._column(name)
        if column is None:
            note = f"{typed}: this listing has no column {visible(name)}"
            if name == COMMENTS:
                note = f"{typed}: the comments are not counted yet"
            return _Result(nothing, note, is_readable=False)
        if not value:
            return _Result(column.is_empty)
        if not term.is_quoted and value in _PRESENCE:
            return _Result(column.is_none if value == "none" else ~column.is_none)
        try:
            rows, incomplete = column.matching(value)
        except ValueError as error:
            # A person may be typing "none" or "any".
            if not term.is_quoted and any(word.startswith(value) for word in _PRESENCE):
                return _Result(None)
            return _Result(nothing, f"{typed}: {error}", is_readable=False)
        note = f"{typed}: {shown_value(incomplete)} is not complete" if incomplete else ""
        uncounted = int(np.count_nonzero(column.is_none)) if name == COMMENTS else 0
        if uncounted and rows is not None and not note:
            note = f"{typed}: the comments of {counted(uncounted, 'source')} are not counted"
        return _Result(rows, note)

    def _column(self, name: str) -> FieldColumn | None:
        """Return a column, prepared; None if the listing does not have it."""
        if name not in self._columns:
            cells = column_of(self._df, name)
            if cells is None:
                return None
            self._columns[name] = FieldColumn(name, cells)
        return self._columns[name]


def _plain_name(name: str) -> str:
    """Return a name as it can be typed: in lower case, and with underscores instead of spaces."""
    return re.sub(r"\s", "_", folded_text(name))
