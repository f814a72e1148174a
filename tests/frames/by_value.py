"""A listing as a frame, built value by value with the standard library; the toolkit's oracle."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

TEXTS = ["id", "owner", "name", "title", "description", "language", "kind", "bucket_id"]
TEXTS.append("email_transform_tag")
# The columns in the order that a person reads.
ORDER = [
    "owner",
    "name",
    "title",
    "language",
    "kind",
    "should_translate",
    "bucket_id",
    "created_at",
    "updated_at",
    "last_modified",
    "sensitive_properties",
    "email_transform_tag",
    "email_transform_version",
    "id",
    "description",
]
MOMENTS = ["created_at", "updated_at", "last_modified"]
JSON_NAMES = {"kind": "_kind"}
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]\d\d(?::?\d\d)?)",
    re.ASCII,
)


def frame_of(rows: list[Any]) -> tuple[pd.DataFrame, int]:
    """Return the frame of decoded elements, and the number of unreadable values in it."""
    columns: dict[str, Any] = {}
    bad = sum(not isinstance(row, dict) for row in rows)
    rows = [row if isinstance(row, dict) else {} for row in rows]

    def column(name: str, read: Any) -> list[Any]:
        nonlocal bad
        cells = []
        for row in rows:
            cell = row.get(JSON_NAMES.get(name, name))
            value = None if cell is None else read(cell)
            bad += cell is not None and (value is None or _halved(cell))
            cells.append(value)
        return cells

    for name in TEXTS:
        columns[name] = pd.array(column(name, _text), dtype="str")
    columns["should_translate"] = pd.array(
        column("should_translate", lambda cell: cell if isinstance(cell, bool) else None), "boolean"
    )
    lists = column("sensitive_properties", _list)
    asked = [row.get("sensitive_properties") for row in rows]
    columns["sensitive_properties"] = np.fromiter(
        (() if cell is None else value for cell, value in zip(asked, lists, strict=True)),
        object,
        len(rows),
    )
    columns["email_transform_version"] = pd.array(column("email_transform_version", _int), "Int64")
    for name in MOMENTS:
        columns[name] = pd.Series(column(name, _moment), dtype="datetime64[us, UTC]")
    columns = {name: columns[name] for name in ORDER}
    known = {JSON_NAMES.get(name, name) for name in columns}
    for name in sorted({name for row in rows for name in row} - known):
        label = _whole(name)
        bad += label != name
        while label in columns:
            label = f"extra.{label}"
        cells = [row.get(name) for row in rows]
        bad += sum(isinstance(cell, str) and _halved(cell) for cell in cells)
        columns[label] = _unknown(
            [_whole(cell) if isinstance(cell, str) else cell for cell in cells]
        )
    return pd.DataFrame(columns), bad


def _halved(cell: Any) -> bool:
    texts = cell if isinstance(cell, list) else [cell]
    return any(isinstance(text, str) and _whole(text) != text for text in texts)


def _whole(text: str) -> str:
    """Return a text with half characters replaced."""
    units = text.encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "replace")


def _text(cell: Any) -> str | None:
    return _whole(cell) if isinstance(cell, str) else None


def _list(cell: Any) -> tuple[str, ...] | None:
    if not isinstance(cell, list) or not all(isinstance(item, str) for item in cell):
        return None
    return tuple(_whole(item) for item in cell)


def _int(cell: Any) -> int | None:
    if (
        isinstance(cell, bool)
        or not isinstance(cell, int | float)
        or cell in (float("inf"), -float("inf"))
    ):
        return None
    return int(cell) if cell == int(cell) and -(2**63) <= int(cell) < 2**63 else None


def _moment(cell: Any) -> datetime | None:
    match = _MOMENT.fullmatch(cell) if isinstance(cell, str) else None
    if match is None:
        return None
    day, hour, minute, second, fraction, offset = match.groups()
    micro = ((fraction or "") + "000000")[:6]
    if offset == "Z":
        offset = "+0000"
    offset = offset.replace(":", "").ljust(5, "0")
    text = f"{day} {hour}:{minute or '00'}:{second or '00'}.{micro} {offset}"
    if int(offset[3:]) > 59:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f %z").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _unknown(cells: list[Any]) -> Any:
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds == {str}:
        return pd.array(cells, dtype="str")
    if kinds == {bool}:
        return pd.array(cells, dtype="boolean")
    whole = [cell for cell in cells if type(cell) is int]
    if kinds == {int} and all(-(2**63) <= cell < 2**63 for cell in whole):
        return pd.array(cells, dtype="Int64")
    if kinds and kinds <= {int, float} and all(abs(cell) <= 2**53 for cell in whole):
        return pd.array([None if c is None else float(c) for c in cells], dtype="Float64")
    return np.fromiter(cells, object, len(cells))
