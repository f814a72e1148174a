"""The columns of the table of sources, and the short texts of their cells."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames.columns import has_time_zone
from reinfer_nb.schema.added_columns import ACTIVITY, ADDED
from reinfer_nb.schema.value_types import python_value, shown_cell
from reinfer_nb.search.text_index import TIMES
from reinfer_nb.text import hint, shown, visible

_LONGEST_TEXT = 200
_LONGEST_HEADING = 60

# The widths of the columns in pixels.
_WIDTHS = {
    "owner": 130,
    "name": 170,
    "title": 240,
    "num_comments": 115,
    "last_comment_at": 150,
    "comments_last_month": 120,
    "comments_usual_month": 120,
    "activity": 150,
    "language": 105,
    "kind": 95,
    "should_translate": 110,
    "bucket_id": 170,
    "created_at": 145,
    "updated_at": 145,
    "last_modified": 160,
    "sensitive_properties": 180,
    "email_transform_tag": 195,
    "email_transform_version": 195,
    "id": 150,
    "description": 320,
}
_COUNTS = "num_comments"
# Shown after the title: what is in the sources.
_ADDED = (*ADDED, ACTIVITY)
# The column that stays at its place while the others are scrolled.
_FROZEN = "name"
_NARROWEST, _WIDEST = 40, 2_000

# The columns to show, in this order, with their widths in pixels; None for the standard width.
Layout = dict[str, int | None]
# Headings that differ from the name of the column.
_HEADINGS = {
    "owner": "project",
    "num_comments": "comments",
    "last_comment_at": "newest comment",
    "comments_last_month": "last month",
    "comments_usual_month": "usual month",
    "updated_at": "updated",
    "should_translate": "translated",
    "bucket_id": "bucket",
    "created_at": "created",
}


@dataclass(frozen=True)
class Column:
    """A column of the table: its place in the frame, and its description for the browser."""

    place: int
    wire: dict[str, Any]


def columns_of(
    df: pd.DataFrame, layout: Layout | None = None
) -> tuple[list[Column], list[dict[str, Any]]]:
    """Return the columns of a listing to show, and descriptions of the others.

    Args:
        df: The listing.
        layout: The columns to show; None for all, in the order of the listing, with what is in
            the sources after the title.
    """
    names = [str(name) for name in df.columns]
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    added = [name for name in _ADDED if name in places]
    standard = [name for name in places if name not in _ADDED]
    standard.reverse()
    after = standard.index("title") + 1 if "title" in standard else len(standard)
    standard[after:after] = added
    wanted: Layout = dict.fromkeys(standard) if layout is None else layout
    visible_columns = [
        Column(places[name], _heading(name, df.dtypes.iloc[places[name]], width))
        for name, width in wanted.items()
        if name in places
    ]
    hidden = [
        _heading(name, df.dtypes.iloc[places[name]], None)
        for name in standard
        if name not in wanted
    ]
    if _COUNTS not in places:
        hidden.append({"key": _COUNTS, "heading": "comments (count them first)", "absent": True})
    return visible_columns, hidden


def checked_layout(layout: Layout | None, df: pd.DataFrame) -> Layout | None:
    """Return a layout whose columns the listing has or may get.

    Raises:
        InvalidInput: A column is unknown, or a width is not from 40 to 2,000 pixels.
    """
    known = [*map(str, df.columns), *_WIDTHS]
    for name, width in (layout or {}).items():
        if name not in known:
            raise InvalidInput(
                f"The listing has no column {shown(name)} to show. {hint(name, known)}"
            )
        if width is not None and not _NARROWEST <= width <= _WIDEST:
            raise InvalidInput(
                f"The width of a column must be {_NARROWEST} to {_WIDEST:,} pixels, not {width:,}."
            )
    return layout


def layout_of(columns: object, df: pd.DataFrame) -> Layout | None:
    """Return the layout that a browser asks for; None if it is malformed."""
    layout: Layout = {}
    known = set(map(str, df.columns))
    for column in columns if isinstance(columns, list) else []:
        match column:
            case [str(name), int() | None as width] if name in known and width is not True:
                fits = width is None or _NARROWEST <= width <= _WIDEST
                layout[name] = width if fits else None
            case _:
                return None
    return layout or None


def _heading(name: str, dtype: Any, width: int | None) -> dict[str, Any]:
    """Return the description of a column: "width" is the standard one, "chosen" the user's."""
    heading = _HEADINGS.get(name, visible(name.replace("_", " ").lower(), _LONGEST_HEADING))
    if has_time_zone(dtype) or name in TIMES:
        heading += " (UTC)"
    number = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
    return {
        "key": name,
        "heading": heading,
        "width": _WIDTHS.get(name, 150),
        "chosen": width,
        "number": number,
        "frozen": name == _FROZEN,
    }


def text_of(value: object) -> str | None:
    """Return a cell as the text to show; None where it is missing."""
    value = python_value(value)
    if value is None:
        return None
    if isinstance(value, bool):
        text = shown_cell(value)
    elif isinstance(value, datetime):
        if value.tzinfo is not None:
            with contextlib.suppress(OverflowError, ValueError):
                value = value.astimezone(UTC)
        text = value.isoformat(" ", "minutes")[:16]
    elif isinstance(value, int | float):
        # pandas keeps whole numbers as floats in a column with missing cells.
        text = f"{value:,}".removesuffix(".0")
    elif isinstance(value, tuple | list):
        text = ", ".join(map(str, value))
    else:
        text = str(value)
    return visible(text, _LONGEST_TEXT)
