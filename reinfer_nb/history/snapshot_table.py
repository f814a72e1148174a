"""How a listing is a table of Parquet, of the same columns for all listings, and back.

Rows are sorted by id, which lets a reader skip most of a file, and say in `position` where they
stood. What a row has beyond the definition of a source is JSON in `extra`. Knows no files; that is
`_snapshot_files`.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from reinfer_nb import strict_json
from reinfer_nb.diff.equality import as_sets
from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames import dtypes as _dtypes
from reinfer_nb.frames.columns import whole_text
from reinfer_nb.nesting import is_json, walked
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.provenance import ENDPOINT, FETCHED_AT, PROJECT
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Moment, Names, is_missing
from reinfer_nb.text import counted, listed, shown, visible

_TIME = pa.timestamp("us", "UTC")
COUNT = "num_comments"
_ARROW = {Moment: _TIME, Names: pa.list_(pa.string())}
FIELDS = {field.name: field.type for field in fields_of(Source)}
SCHEMA = pa.schema(
    [
        ("snapshot_at", _TIME),
        *((name, _ARROW.get(kind, kind.json)) for name, kind in FIELDS.items()),
        (COUNT, pa.int64()),
        ("extra", pa.string()),
        ("position", pa.int64()),
    ]
)
CONTENT = [*FIELDS, COUNT, "extra"]
FILE_NAME = r"\Adate=\d{4}-\d\d-\d\d/\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}\.parquet\Z"
_IDENTITY = "id", "owner", "name"
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True)
class About:
    """What a file says of itself, in its metadata.

    Attributes:
        snapshot_at: When the listing was as it is here.
        sources: How many it has.
        endpoint: The tenant; None where the listing did not say.
        project: The project it is of; None for all that the token sees.
        fetched_at: When it was fetched; None where the listing did not say.
        digest: Of the rows, whatever their order.
        columns: Those of the frame, in order.
        dtypes: Those of columns that are not of the definition.
        unchanged_since: The file that has the rows; None for this one.
    """

    snapshot_at: _Instant
    sources: int
    endpoint: str | None
    project: str | None
    fetched_at: _Instant | None
    digest: str
    columns: list[str]
    dtypes: dict[str, str]
    # It is followed, and so must lead nowhere else.
    unchanged_since: Annotated[str, msgspec.Meta(pattern=FILE_NAME)] | None = None

    def is_as(self, other: About) -> bool:
        """Whether both have the same rows, in whatever order, in the same columns."""
        mine, theirs = ((it.digest, it.columns, it.dtypes) for it in (self, other))
        return mine == theirs

    def a_step_later(self) -> About:
        """Return the same of the next moment that can be told from its own.

        Raises:
            InvalidInput: There is no later moment.
        """
        try:
            later = self.snapshot_at + timedelta(microseconds=1)
        except OverflowError:
            raise InvalidInput(
                f"There is a snapshot of {self.snapshot_at.isoformat()} already, and no later "
                "moment. Give an earlier one with when=."
            ) from None
        return replace(self, snapshot_at=later)


@dataclass(frozen=True)
class Snapshot:
    """A listing that was recorded.

    Attributes:
        at: When it was so.
        sources: How many there were.
        unchanged: Whether it was as the one before, so that no rows were written.
        endpoint: The tenant; None where the listing did not say.
        project: The project it is of; None for all that the token saw.
        path: Its file, within the history.
    """

    at: datetime
    sources: int
    unchanged: bool
    endpoint: str | None
    project: str | None
    path: str

    def __str__(self) -> str:
        of = f" of {visible(self.project)}" if self.project else ""
        state = ", unchanged" if self.unchanged else ""
        # To the microsecond where only that tells two snapshots apart.
        at = self.at.replace(tzinfo=None).isoformat(
            " ", "auto" if self.at.microsecond else "seconds"
        )
        return f"{counted(self.sources, 'source')}{of} at {at} UTC{state}"


def snapshot_of(name: str, about: About) -> Snapshot:
    """Return what a file says of itself as people see it."""
    return Snapshot(
        at=about.snapshot_at,
        sources=about.sources,
        unchanged=about.unchanged_since is not None,
        endpoint=about.endpoint,
        project=about.project,
        path=name,
    )


def table_of(df: pd.DataFrame) -> tuple[pa.Table, dict[str, str]]:
    """Return a listing as it is written, and the dtypes of the columns that are in `extra`.

    Raises:
        InvalidInput: It is no listing whose sources can be told apart, or a value has no form.
    """
    columns: list[Any] = list(df.columns)
    odd = [name for name in columns if not isinstance(name, str) or whole_text(name) != name]
    if odd:
        raise InvalidInput(f"A column's name is a text; {listed(map(shown, odd))} is none.")
    lacking = [name for name in _IDENTITY if name not in df.columns]
    if lacking:
        raise InvalidInput(f"A listing has the columns id, owner and name; not: {listed(lacking)}.")
    typed = _dtypes.typed(df)
    for name in _IDENTITY:
        rows = np.flatnonzero(typed[name].isna())
        if len(rows):
            raise InvalidInput(f"There is no {name} in row {listed(rows, 5)}.")
    twice = typed["id"][typed["id"].duplicated()].unique()
    if len(twice):
        raise InvalidInput(f"Several rows have the id {listed(map(shown, twice), 5)}.")
    others = [name for name in typed.columns if name not in FIELDS and name != COUNT]
    arrays = {name: _array(typed, df, name) for name in [*FIELDS, COUNT]}
    arrays["extra"] = _extras(typed[others])
    arrays["position"] = pa.array(np.arange(len(typed)))
    # When it was so is told when it is written.
    schema = SCHEMA.remove(0)
    table = pa.table([arrays[name] for name in schema.names], schema=schema)
    return table.sort_by("id"), {name: str(typed[name].dtype) for name in others}


def _array(typed: pd.DataFrame, df: pd.DataFrame, name: str) -> Any:
    kind = SCHEMA.field(name).type
    if name not in typed.columns:
        return pa.nulls(len(typed), kind)
    column = typed[name]
    if name == COUNT:
        try:
            column = column.astype("Int64")
        except (ValueError, TypeError):
            raise InvalidInput(f"{COUNT} holds what is no whole number.") from None
    if kind == _TIME and df[name].dtype.kind == "M" and df[name].dt.nanosecond.any():
        raise InvalidInput(
            f"The column {name} is finer than the microseconds of a snapshot; round it first, with "
            f'df["{name}"].dt.floor("us").'
        )
    try:
        if pa.types.is_list(kind):
            return pa.array(map(list, column), kind, size=len(column))
        return pa.array(column, kind, from_pandas=True)
    except UnicodeEncodeError:
        raise InvalidInput(f"The column {name} holds half a character.") from None


def _extras(df: pd.DataFrame) -> Any:
    """Return, a row each, the columns beyond the definition as a JSON object; null for none."""
    if df.columns.empty:
        return pa.nulls(len(df), pa.string())
    rows: list[dict[str, Any]] = [{} for _ in range(len(df))]
    for name in df.columns:
        column = df[name]
        if not _comes_back(column.dtype):
            raise InvalidInput(
                f"The column {shown(name)} is of dtype {column.dtype}, which has no exact form in "
                f"a snapshot; make it another with astype first, or leave it out."
            )
        for number, (row, value) in enumerate(zip(rows, column.tolist(), strict=True)):
            if is_missing(value):
                continue
            row[name] = _json_of(value, column.dtype)
            if not _is_json(row[name]):
                raise InvalidInput(
                    f"Column {shown(name)}, row {number:,}: {shown(value)} has no exact form in a "
                    "snapshot; make it a text first, or leave the column out."
                )
        if not _reads_back([row.get(name) for row in rows], column):
            raise InvalidInput(
                f"The column {shown(name)} ({column.dtype}) could not be read back from a snapshot "
                "as it is; make it one of texts with astype(str) first, or leave it out."
            )
    return pa.array([strict_json.text_of(row) if row else None for row in rows], pa.string())


def _reads_back(values: list[Any], column: pd.Series) -> bool:
    """Return True if the cells of a snapshot make the column that they were made of."""
    try:
        back = pd.Series(_restored(values, str(column.dtype)))
        return back.equals(column.reset_index(drop=True).rename(None))
    except (ValueError, TypeError, ArithmeticError):
        return False


def _comes_back(dtype: Any) -> bool:
    """Whether a dtype is what its name says."""
    try:
        return bool(pd.api.types.pandas_dtype(str(dtype)) == dtype)
    except (TypeError, ValueError, NotImplementedError):
        return False


def _json_of(value: Any, dtype: Any) -> Any:
    """Return a cell as JSON, from which the dtype of its column makes it again."""
    if dtype.kind == "M":
        has_zone = getattr(value, "tzinfo", None) is not None
        # In UTC: offsets of long ago have seconds, which pandas does not read.
        return (value.astimezone(UTC) if has_zone else value).isoformat()
    if dtype.kind == "f" and math.isinf(value):
        return str(value)
    return value


def _is_json(value: Any) -> bool:
    return is_json(value) and all(_is_exact(item) for item, _ in walked(value))


def _is_exact(item: Any) -> bool:
    """Whether a number is one that Python writes and reads."""
    if type(item) is int:
        # None of more than 4,300 digits.
        return item.bit_length() < 14_000
    return not (type(item) is float and math.isnan(item))


def frame_of(table: pa.Table, about: About) -> pd.DataFrame:
    """Return the listing that a table was made of."""
    ordered = table.sort_by("position")
    texts = ordered["extra"].to_pylist() if about.dtypes else []
    extras = [json.loads(text) if text else {} for text in texts]
    columns: dict[str, Any] = {}
    for name in about.columns:
        if name in about.dtypes:
            values = [row.get(name) for row in extras]
            columns[name] = _restored(values, about.dtypes[name])
        else:
            columns[name] = _column(ordered[name], name)
    df = pd.DataFrame(columns, index=pd.RangeIndex(len(ordered)), columns=about.columns)
    fetched_at = None if about.fetched_at is None else Moment.write(about.fetched_at)
    attrs = {ENDPOINT: about.endpoint, PROJECT: about.project, FETCHED_AT: fetched_at}
    df.attrs = {name: value for name, value in attrs.items() if value is not None}
    if about.endpoint is not None:
        df.attrs.setdefault(PROJECT, None)
    return df


def _column(column: pa.ChunkedArray, name: str) -> Any:
    if pa.types.is_list(column.type):
        cells = np.empty(len(column), dtype=object)
        cells[:] = [tuple(items or ()) for items in column.to_pylist()]
        return cells
    dtype: Any = FIELDS[name].dtype if name in FIELDS else pd.Int64Dtype()
    return dtype.__from_arrow__(column)


def _restored(values: list[Any], said: str) -> Any:
    dtype: Any = pd.api.types.pandas_dtype(said)
    if dtype.kind == "M":
        in_utc = getattr(dtype, "tz", None) is not None
        instants = pd.to_datetime(pd.Series(values, dtype=object), format="ISO8601", utc=in_utc)
        return instants.astype(dtype).array
    if isinstance(dtype, np.dtype) and dtype.kind in "biu" and None in values:
        # Of several snapshots, of which one has not got the column.
        return pd.array(values, dtype="boolean" if dtype.kind == "b" else "Int64")
    if dtype.kind == "f":
        values = [None if value is None else float(value) for value in values]
    return pd.Series(values, dtype=dtype)


def digest_of(table: pa.Table) -> str:
    """Return a digest of the rows of a sorted table, whatever order they had before."""
    total = hashlib.sha256()
    for name in CONTENT:
        column = table[name].combine_chunks()
        total.update(name.encode() + np.asarray(compute.is_valid(column)).tobytes())
        if pa.types.is_list(column.type):
            column = as_sets(column)
            total.update(np.asarray(compute.list_value_length(column).fill_null(0)).tobytes())
            column = column.flatten()
        if pa.types.is_string(column.type):
            filled = column.fill_null("")
            total.update(np.asarray(compute.binary_length(filled)).tobytes())
            total.update(_bytes_of(filled))
        else:
            zero = pa.scalar(0).cast(column.type) if column.type != pa.bool_() else False
            total.update(np.asarray(column.fill_null(zero)).tobytes())
    return total.hexdigest()


def _bytes_of(texts: pa.StringArray) -> Any:
    """Return the UTF-8 of texts, none of which is missing, one behind the other."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return b""
    ends = np.frombuffer(offsets, np.int32)[texts.offset :]
    return memoryview(data)[ends[0] : ends[len(texts)]]
