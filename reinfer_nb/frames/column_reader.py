"""Converts the elements of a listing to columns; reads one by one only the cells that need it.

It takes every listing. For long ones, `arrow_reader` is faster.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET

from reinfer_nb import strict_json
from reinfer_nb.frames import json_slices
from reinfer_nb.frames.columns import TEXT, Columns, arrow_type, tuples_of, typed, whole_text
from reinfer_nb.frames.instants import instants, with_form
from reinfer_nb.nesting import DEEPEST, is_too_deep
from reinfer_nb.schema.fields import Field, fields_of
from reinfer_nb.schema.value_types import Flag, Moment, Names, Text, ValueType, Whole
from reinfer_nb.strict_json import fast
from reinfer_nb.text import shown

# The type in Python of JSON values.
_PLAIN: dict[type[ValueType], type] = {Text: str, Moment: str, Flag: bool, Whole: int}
# With more fields, a class of their own would cost more than dictionaries.
_MOST_FIELDS = 200
_HALF = "half a character is shown as \N{REPLACEMENT CHARACTER}"
_NONE: Mapping[int, str] = MappingProxyType({})


def columns(rows: Sequence[Any], model: type) -> Columns:
    """Return the columns of decoded elements.

    Args:
        rows: The elements; any that is not an object becomes a row of missing values.
        model: The record class of the elements.

    Raises:
        strict_json.Malformed: A known field holds `NaN` or `Infinity`, or an element that is not an
            object does.
    """
    not_objects = {}
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            strict_json.refuse_non_finite(row)
            not_objects[number] = f"the element is not an object: {shown(row)}"
    objects = [row if isinstance(row, dict) else {} for row in rows] if not_objects else rows
    wires = [field.wire for field in fields_of(model)]
    names: dict[str, None] = dict.fromkeys(chain(wires, *objects))
    cells = {name: [row.get(name) for row in objects] for name in names}
    return _Reading(model, cells, len(rows), not_objects, with_halves=True).columns()


class Reader:
    """Reads the slices of one listing, in one thread.

    Args:
        model: The record class of the elements.
    """

    def __init__(self, model: type) -> None:
        self._model = model
        self._names: tuple[str, ...] = ()

    def columns(self, text: bytes | memoryview) -> Columns:
        """Return the columns of a slice.

        Args:
            text: The elements as JSON, comma-separated, without brackets around them.

        Raises:
            json_slices.Irregular: The text in brackets is not a list.
            strict_json.Malformed: An object has a name twice, or a value is not JSON.
        """
        document = b"".join((b"[", text, b"]"))
        self._names = tuple(dict.fromkeys((*json_slices.first_element(text), *self._names)))
        result = _columns_of_records(document, self._model, self._names)
        if result is None:
            rows = _elements(document)
            self._names = tuple(dict.fromkeys(chain(*(row for row in rows if type(row) is dict))))
            result = columns(rows, self._model)
        return result


def _columns_of_records(document: bytes, model: type, names: tuple[str, ...]) -> Columns | None:
    """Return the columns of a list of objects that have these names; None if it is not such."""
    shape = _shape(model, names) if len(names) < _MOST_FIELDS else None
    if shape is None:
        return None
    try:
        records = shape.decoder.decode(document)
    except (msgspec.DecodeError, RecursionError):
        return None
    values = zip(*map(msgspec.structs.astuple, records), strict=True) if records else ()
    cells = dict(zip(shape.wires, values or [()] * len(shape.wires), strict=True))
    reading = _Reading(model, cells, len(records), counting=True)
    try:
        result = reading.columns()
        # An object with a name twice has lost a member.
        if b"\\" in document:
            is_whole = fast.holds_all(document, records)
        else:
            is_whole = fast.quotes_in(document) == 2 * (reading.members + reading.texts)
    except RecursionError:  # msgspec decodes a few levels more than it encodes.
        return None
    return result if is_whole else None


class _Shape:
    """A class whose instances hold the members of one element, and its decoder.

    Attributes:
        wires: The JSON names of its attributes, in order.
        decoder: Decodes a list of elements; refuses members with other names.
    """

    def __init__(self, wires: Sequence[str]) -> None:
        self.wires = wires
        # The names in JSON may be no names in Python.
        attributes = [f"member_{number}" for number in range(len(wires))]
        self.decoder = msgspec.json.Decoder(
            list[  # type: ignore[misc]
                msgspec.defstruct(
                    "Element",
                    [(attribute, Any, UNSET) for attribute in attributes],
                    rename=dict(zip(attributes, wires, strict=True)),
                    forbid_unknown_fields=True,
                    gc=False,
                )
            ]
        )


@functools.lru_cache(maxsize=16)
def _shape(model: type, names: tuple[str, ...]) -> _Shape | None:
    """Return the shape of elements with these names and those of the model; None if impossible."""
    known = (field.wire for field in fields_of(model))
    try:
        # In the order of the text, which is decoded faster.
        return _Shape(list(dict.fromkeys((*names, *known))))
    except ValueError:  # A name with a quotation mark, for instance.
        return None


def _elements(document: bytes) -> list[Any]:
    """Return the elements of a list, each decoded; no object has a name twice."""
    rows: list[Any]
    try:
        rows = _ROWS.decode(document)
        if fast.holds_all(document, rows):
            return rows
    except (msgspec.DecodeError, RecursionError):
        pass
    # Only elements that msgspec refuses need strict decoding, which is slow: those with half a
    # character, for instance.
    raws = json_slices.elements(document[1:-1])
    rows, whole = [], False
    strict: list[msgspec.Raw] = []
    for raw in raws:
        try:
            rows.append(_ROW.decode(raw))
        except (msgspec.DecodeError, RecursionError):
            rows.append(None)
            strict.append(raw)
    with suppress(RecursionError):
        whole = fast.quotes_in(document) == sum(map(fast.quotes_in, strict)) + fast.quotes_of(rows)
    if whole:
        decoded = (strict_json.decode(bytes(raw)) for raw in strict)
        return [next(decoded) if row is None else row for row in rows]
    # Some object has a name twice. The strict decoder refuses it by name.
    return [strict_json.decode(bytes(raw)) for raw in raws]


_ROWS = msgspec.json.Decoder(list[dict[str, Any]])
_ROW = msgspec.json.Decoder(dict[str, Any])


class _Reading:
    """Converts cells, by column, and collects the unreadable ones.

    Args:
        model: The record class of the elements.
        cells: The cells of each column, by JSON name; `None` or `UNSET` is missing.
        rows: The number of rows.
        problems: A message for each row that cannot be read at all.
        counting: Count the members and texts.
        with_halves: Texts may hold half a character.

    Attributes:
        members: The number of cells that are not absent.
        texts: The number of texts in the cells, with the names in nested objects.
    """

    def __init__(
        self,
        model: type,
        cells: Mapping[str, Sequence[Any]],
        rows: int,
        problems: Mapping[int, str] = _NONE,
        *,
        counting: bool = False,
        with_halves: bool = False,
    ) -> None:
        self._table = fields_of(model)
        self._cells = cells
        self._rows = rows
        self._problems = list(problems.items())
        self._counting, self._with_halves = counting, with_halves
        self.members = len(cells) * rows
        self.texts = 0

    def columns(self) -> Columns:
        """Return the columns."""
        wires = {field.wire for field in self._table}
        known = {field.name: self._known(field, self._cells[field.wire]) for field in self._table}
        unknown = {
            name: self._unknown(name, cells)
            for name, cells in self._cells.items()
            if name not in wires
        }
        return Columns(self._rows, known, unknown, self._named_problems(known))

    def _named_problems(self, known: dict[str, Any]) -> list[tuple[int, str]]:
        """Return the problems by row, each with the id in its row."""
        self._problems.sort(key=lambda problem: problem[0])
        ids = known.get("id", pa.nulls(self._rows))
        return [
            (row, f"({shown(ids[row].as_py(), 24)}): {message}") for row, message in self._problems
        ]

    def _known(self, field: Field, cells: Sequence[Any]) -> Any:
        kind = field.type
        column = _column(kind, cells)
        if column is None:
            present = self._present(cells)
            column = None if present is cells else _column(kind, present)
            cells = present
        if column is None:
            self._count(cells)
            return self._odd(field, cells)
        if kind is Names:
            self.texts += sum(map(len, column))
        elif kind in (Text, Moment):
            self.texts += self._rows - column.null_count
        return column

    def _count(self, cells: Sequence[Any]) -> None:
        """Count the texts in cells of any types."""
        if self._counting:
            self.texts += fast.quotes_of(cells) // 2

    def _present(self, cells: Sequence[Any]) -> Sequence[Any]:
        """Return cells with None for those that are absent."""
        absent = cells.count(UNSET)
        self.members -= absent
        if absent == self._rows:
            return [None] * absent
        return [None if cell is UNSET else cell for cell in cells] if absent else cells

    def _odd(self, field: Field, cells: Sequence[Any]) -> Any:
        """Return a column of which some cells have another type or cannot be read."""
        plain = _PLAIN.get(field.type)
        read = [
            cell if cell is None or type(cell) is plain else self._cell(field, row, cell)
            for row, cell in enumerate(cells)
        ]
        if field.type is Names:
            tuples = (
                () if cell is None else value for cell, value in zip(cells, read, strict=True)
            )
            return np.fromiter(tuples, object, len(cells))
        if field.type is Moment:
            read = self._with_form(field, read)
        column = _column(field.type, read)
        if column is not None:
            return column
        # Such as a day that does not exist, a whole number beyond 64 bits, or half a character.
        read = [self._cell(field, row, cell) for row, cell in enumerate(read)]
        return pa.array(read, arrow_type(field.type))

    def _with_form(self, field: Field, cells: list[Any]) -> list[Any]:
        """Return texts with None for those that do not have the form of a timestamp."""
        try:
            texts = with_form(pa.array(cells, TEXT))
        except UnicodeEncodeError:
            return cells
        for row in np.flatnonzero(texts.is_null()):
            cells[row] = self._cell(field, int(row), cells[row])
        return cells

    def _cell(self, field: Field, row: int, cell: Any) -> Any:
        """Return the value of a cell; None if it is missing, or unreadable, which is a problem."""
        if cell is None:
            return None
        strict_json.refuse_non_finite(cell)
        try:
            value = field.type.read(cell)
        except ValueError as error:
            self._problems.append((row, f"{field.wire} is {error}: {shown(cell)}"))
            return None
        if isinstance(value, str):
            whole: Any = whole_text(value)
        elif isinstance(value, tuple):
            whole = tuple(map(whole_text, value))
        else:
            return value
        if whole != value:
            self._problems.append((row, _HALF))
        return whole

    def _unknown(self, name: str, cells: Sequence[Any]) -> Any:
        cells = self._present(cells)
        if self._with_halves:
            cells = [self._whole(row, cell) for row, cell in enumerate(cells)]
            if whole_text(name) != name and cells:
                self._problems.append((0, f"the name {shown(name)} {_HALF}"))
        column = typed(cells)
        if isinstance(column, pa.Array):
            if column.type == TEXT:
                self.texts += self._rows - column.null_count
            # Keep integers beside fractions: another part may show that the column holds objects.
            return column if column.type != pa.float64() else lambda: cells
        self._count(cells)
        if not _is_regular(cells):
            cells = [self._regular(name, row, cell) for row, cell in enumerate(cells)]
        return lambda: cells

    def _whole(self, row: int, cell: Any) -> Any:
        """Return a cell without half a character, which is a problem."""
        if not isinstance(cell, str) or whole_text(cell) == cell:
            return cell
        self._problems.append((row, _HALF))
        return whole_text(cell)

    def _regular(self, name: str, row: int, cell: Any) -> Any:
        """Return a cell of an unknown field; None if it is not JSON or too deep."""
        constant = strict_json.non_finite_in(cell)
        if constant:
            problem = f"{shown(name)} holds {constant}, which is not JSON"
        elif is_too_deep(cell):
            problem = f"{shown(name)} is nested more than {DEEPEST} levels deep"
        else:
            return cell
        self._problems.append((row, problem))
        return None


def _column(kind: type[ValueType], cells: Sequence[Any]) -> Any:
    """Return cells as a column if all are as their type wants them, or None; else None."""
    try:
        if kind is Names:
            return tuples_of(cells)
        if kind is Whole and not set(map(type, cells)) <= {int, type(None)}:
            return None  # Arrow would take 1.5 for 1.
        column = pa.array(cells, TEXT if kind is Moment else arrow_type(kind))
        return instants(column) if kind is Moment else column
    except (ValueError, TypeError, OverflowError):
        return None


def _is_regular(cells: Sequence[Any]) -> bool:
    """True if no cell holds `NaN` or `Infinity`, or is nested too deeply."""
    level = list(cells)
    for _ in range(DEEPEST + 1):
        kinds = set(map(type, level))
        if strict_json.NonFinite in kinds:
            return False
        if kinds.isdisjoint((dict, list)):
            return True
        objects = [cell.values() for cell in level if isinstance(cell, dict)]
        lists = [cell for cell in level if isinstance(cell, list)]
        level = list(chain(chain.from_iterable(objects), chain.from_iterable(lists)))
    return False
