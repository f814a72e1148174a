"""The columns of the table of sources, and the short texts of their cells."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from reinfer_nb.frames.columns import has_time_zone
from reinfer_nb.schema.value_types import python_value, shown_cell
from reinfer_nb.search.text_index import TIMES
from reinfer_nb.text import visible

_LONGEST_TEXT = 200
_LONGEST_HEADING = 60

# The columns in the order shown, with their widths in pixels.
_WIDTHS = {
    "owner": 130,
    "name": 170,
    "title": 240,
    "num_comments": 115,
    "language": 105,
    "kind": 95,
    "updated_at": 145,
    "should_translate": 110,
    "bucket_id": 150,
    "sensitive_properties": 180,
    "description": 320,
    "created_at": 145,
    "last_modified": 160,
    "email_transform_tag": 195,
    "email_transform_version": 195,
    "id": 150,
}
# Headings that differ from the name of the column.
_HEADINGS = {
    "owner": "project",
    "num_comments": "comments",
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


def columns_of(df: pd.DataFrame) -> list[Column]:
    """Return the columns of a listing in the order of the table."""
    names = [str(name) for name in df.columns]
    known = [names.index(name) for name in _WIDTHS if name in names]
    others = [place for place in range(len(names)) if place not in known]
    return [
        Column(place, _heading(names[place], df.dtypes.iloc[place])) for place in known + others
    ]


def _heading(name: str, dtype: Any) -> dict[str, Any]:
    heading = _HEADINGS.get(name, visible(name.replace("_", " ").lower(), _LONGEST_HEADING))
    if has_time_zone(dtype) or name in TIMES:
        heading += " (UTC)"
    number = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
    return {"key": name, "heading": heading, "width": _WIDTHS.get(name, 150), "number": number}


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
