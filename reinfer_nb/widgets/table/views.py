"""Views of the explorer's table that the user keeps under a name: a file each in a config folder.

A view is a plain dictionary: "search", "facets" (the chosen values by facet), "sort" (a column and
whether it is descending, or None) and "columns" (the widths in pixels by column, in the order
shown; None for the standard columns).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from reinfer_nb import files, user_folders
from reinfer_nb.errors import FileProblem, InvalidInput, reason_of
from reinfer_nb.schema.added_columns import ACTIVITY, ADDED
from reinfer_nb.search.table_filter import Narrowing
from reinfer_nb.text import hint, holds_half_character, is_blank, shown, visible

View = dict[str, Any]
_PARTS = ("search", "facets", "sort", "columns")
_LONGEST = 240  # bytes of a file name
_SUFFIX = ".json"


def checked(view: object) -> View:
    """Return a view with all its parts, of which those that were left out are empty.

    Raises:
        InvalidInput: It is not a dictionary of a view's parts, or a part is malformed.
    """
    if not isinstance(view, Mapping):
        raise InvalidInput(
            f"A view must be a dictionary or the name of a kept view, not {shown(view)}. Example: "
            '{"search": "motor", "facets": {"language": ["en"]}}.'
        )
    for name in view:
        if name not in _PARTS:
            raise InvalidInput(f"A view has no part {shown(name)}. {hint(str(name), _PARTS)}")
    search, sort = view.get("search", ""), view.get("sort")
    facets, columns = view.get("facets") or {}, view.get("columns")
    if not isinstance(search, str):
        raise InvalidInput(f'"search" of a view must be a text, not {shown(search)}.')
    if not isinstance(facets, Mapping):
        raise InvalidInput(
            f'"facets" of a view must be a dictionary such as {{"language": ["en"]}}, not '
            f"{shown(facets)}."
        )
    if sort is not None and not _is_sort(sort):
        raise InvalidInput(
            f'"sort" of a view must be None or a pair such as ("updated_at", True), in which True '
            f"stands for descending, not {shown(sort)}."
        )
    if columns is not None and not _are_columns(columns):
        raise InvalidInput(
            f'"columns" of a view must be None, names, or widths in pixels such as '
            f'{{"name": None, "title": 300}}, not {shown(columns)}.'
        )
    if columns is not None and not isinstance(columns, Mapping):
        columns = dict.fromkeys(columns)
    return {
        "search": search,
        "facets": {
            key: [value] if isinstance(value, str) else [*value] for key, value in facets.items()
        },
        "sort": None if sort is None else (sort[0], sort[1]),
        "columns": None if columns is None else dict(columns),
    }


def _is_sort(sort: object) -> bool:
    return (
        isinstance(sort, list | tuple)
        and len(sort) == 2
        and isinstance(sort[0], str)
        and isinstance(sort[1], bool)
    )


def _are_columns(columns: object) -> bool:
    if isinstance(columns, Mapping):
        widths = [width for width in columns.values() if width is not None]
        whole = all(type(width) is int and width > 0 for width in widths)
        return whole and bool(columns) and all(isinstance(name, str) for name in columns)
    return (
        isinstance(columns, list | tuple)
        and bool(columns)
        and all(isinstance(name, str) for name in columns)
    )


def fitted(view: View, narrowing: Narrowing) -> tuple[View, list[str]]:
    """Return the parts of a view that fit a listing, and a sentence for each that does not.

    Args:
        view: A view that `checked` returned.
        narrowing: The listing.
    """
    notes = []
    facets: dict[str, list[str]] = {}
    for key, chosen in view["facets"].items():
        choices = narrowing.facet(key).choices if key in narrowing.labels else ()
        values = {choice.value for choice in choices}
        for value in chosen:
            if {value, f"={value}"} & values:
                facets.setdefault(key, []).append(value)
            else:
                notes.append(f"No source has {shown(value.removeprefix('='))} as {visible(key)}.")
    columns = [str(name) for name in narrowing.frame.columns]
    sort = view["sort"]
    if sort is not None and sort[0] not in columns:
        notes.append(f"It cannot be sorted by {visible(sort[0])}, which the listing lacks.")
        sort = None
    layout = view["columns"]
    if layout is not None:
        known = {*columns, *ADDED, ACTIVITY}
        layout = {name: width for name, width in layout.items() if name in known} or None
    return {"search": view["search"], "facets": facets, "sort": sort, "columns": layout}, notes


def kept() -> list[str]:
    """Return the names of the kept views, sorted; an empty list if they cannot be read."""
    try:
        found = [unquote(path.stem) for path in _folder().glob(f"*{_SUFFIX}")]
    except (OSError, FileProblem):
        return []
    return sorted(found, key=str.lower)


def load(name: str) -> View:
    """Return the view that was kept under a name.

    Raises:
        InvalidInput: There is no such view.
        FileProblem: Its file cannot be read.
    """
    path = _path(name)
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InvalidInput(f"No view is kept as {shown(name)}. {hint(name, kept())}") from None
    except (OSError, ValueError) as error:
        raise FileProblem(f"The view in {path} cannot be read: {reason_of(error)}.") from None
    try:
        return checked(content)
    except InvalidInput as error:
        raise FileProblem(f"The view in {path} is malformed: {error}") from None


def keep(name: str, view: Mapping[str, Any]) -> Path:
    """Keep a view under a name, in place of an earlier one of that name; return its file.

    Raises:
        InvalidInput: The name is blank or too long.
        FileProblem: The file cannot be written.
    """
    path = _path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileProblem(f"{path.parent} cannot be created: {reason_of(error)}.") from None
    with files.written_whole(path, overwrite=True) as file:
        file.write(files.encoded(checked(view), indent=2) + b"\n")
    return path


def remove(name: str) -> None:
    """Remove the view that was kept under a name; do nothing if there is none.

    Raises:
        FileProblem: The file cannot be removed.
    """
    path = _path(name)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise FileProblem(f"{path} cannot be removed: {reason_of(error)}.") from None


def _path(name: object) -> Path:
    is_text = isinstance(name, str) and not is_blank(name) and not holds_half_character(name)
    file = quote(str(name).strip(), safe=" ", errors="replace") + _SUFFIX
    # File systems take names of 255 bytes.
    if not is_text or len(file) > _LONGEST:
        raise InvalidInput(
            f"The name of a view must be a text of at most 60 characters, not {shown(name)}."
        )
    return _folder() / file


def _folder() -> Path:
    return user_folders.config("kept views") / "views"
