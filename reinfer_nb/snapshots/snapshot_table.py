"""Converts a listing to an Arrow table with the columns of a snapshot file, and back.

Rows are sorted by id, so that a reader can skip most of a file; `position` holds the original
order. `extra` holds columns that are not fields of a source, as JSON. Files are read and written in
`snapshot_store`.
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

from reinfer_nb import markup, strict_json
from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames import dtypes as _dtypes
from reinfer_nb.frames.cells import as_sets
from reinfer_nb.frames.columns import whole_text
from reinfer_nb.frames.row_numbers import row_numbers
from reinfer_nb.nesting import is_json, walked
from reinfer_nb.schema.added_columns import COMMENTS
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.provenance import ENDPOINT, FETCHED_AT, PROJECT
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Moment, Names, is_missing
from reinfer_nb.text import counted, listed, shown, visible
from reinfer_nb.wording import spelled

_TIME = pa.timestamp("us", "UTC")
_ARROW = {Moment: _TIME, Names: pa.list_(pa.string())}
FIELDS = {field.name: field.type for field in fields_of(Source)}
SCHEMA = pa.schema(
    [
        ("snapshot_at", _TIME),
        *((name, _ARROW.get(kind, kind.json)) for name, kind in FIELDS.items()),
        (COMMENTS, pa.int64()),
        ("extra", pa.string()),
        ("position", pa.int64()),
    ]
)
CONTENT = [*FIELDS, COMMENTS, "extra"]
FILE_NAME = r"\Adate=\d{4}-\d\d-\d\d/\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}\.parquet\Z"
_IDENTITY = "id", "owner", "name"
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True)
class Metadata:
    """The metadata of a snapshot file.

    Attributes:
        snapshot_at: The time of the listing.
        sources: The number of sources.
        endpoint: The tenant; None if the listing did not name it.
        project: The project; None for all projects that the token sees.
        fetched_at: When the listing was fetched; None if unknown.
        digest: A digest of the rows, independent of their order.
        columns: The columns of the frame, in order.
        dtypes: The dtypes of the columns in `extra`.
        unchanged_since: The file that has the rows; None if this one has them.
    """

    snapshot_at: _Instant
    sources: int
    endpoint: str | None
    project: str | None
    fetched_at: _Instant | None
    digest: str
    columns: list[str]
    dtypes: dict[str, str]
    # The pattern keeps the reference within the folder of the history.
    unchanged_since: Annotated[str, msgspec.Meta(pattern=FILE_NAME)] | None = None

    def has_rows_of(self, other: Metadata) -> bool:
        """True if both have the same columns and the same rows, in any order."""
        mine, theirs = ((each.digest, each.columns, each.dtypes) for each in (self, other))
        return mine == theirs

    def a_microsecond_later(self) -> Metadata:
        """Return a copy whose time is a microsecond later.

        Raises:
            InvalidInput: The time is the last that a `datetime` can hold.
        """
        try:
            later = self.snapshot_at + timedelta(microseconds=1)
        except OverflowError:
            raise InvalidInput(
                f"There is a snapshot of {self.snapshot_at.isoformat()} already, and no later "
                "time is possible. Pass an earlier one as when=."
            ) from None
        return replace(self, snapshot_at=later)


@dataclass(frozen=True, repr=False)
class Snapshot:
    """A recorded listing.

    Attributes:
        at: The time of the listing.
        sources: The number of sources.
        unchanged: True if it equals the snapshot before, so that no rows were written.
        endpoint: The tenant; None if the listing did not name it.
        project: The project; None for all projects that the token saw.
        path: The file, relative to the history.
    """

    at: datetime
    sources: int
    unchanged: bool
    endpoint: str | None
    project: str | None
    path: str

    def __repr__(self) -> str:
        endpoint = f" of {visible(self.endpoint, 200)}" if self.endpoint else ""
        return f"<Snapshot{endpoint}: {self}>"

    def _repr_html_(self) -> str:
        facts = {
            "Time": f"{self._time()} UTC",
            "Sources": f"{self.sources:,}",
            "Project": self.project or "(all projects)",
            "Tenant": self.endpoint or "(not known)",
            "Unchanged": "yes" if self.unchanged else "no",
            "File": self.path,
        }
        return str(markup.facts(facts, "Snapshot"))

    def _time(self) -> str:
        # Snapshots of the same second differ only in their microseconds.
        digits = "auto" if self.at.microsecond else "seconds"
        return self.at.replace(tzinfo=None).isoformat(" ", digits)

    def __str__(self) -> str:
        of = f" of {visible(self.project)}" if self.project else ""
        state = ", unchanged" if self.unchanged else ""
        return f"{counted(self.sources, 'source')}{of} at {self._time()} UTC{state}"


def snapshot_of(name: str, metadata: Metadata) -> Snapshot:
    """Return the snapshot that the metadata of a file describes."""
    return Snapshot(
        at=metadata.snapshot_at,
        sources=metadata.sources,
        unchanged=metadata.unchanged_since is not None,
        endpoint=metadata.endpoint,
        project=metadata.project,
        path=name,
    )


def table_of(df: pd.DataFrame) -> tuple[pa.Table, dict[str, str]]:
    """Return the rows of a snapshot file, and the dtypes of the columns in `extra`.

    Raises:
        InvalidInput: A column or a unique id is missing, or a value cannot be stored exactly.
    """
    columns: list[Any] = list(df.columns)
    odd = [name for name in columns if not isinstance(name, str) or whole_text(name) != name]
    if odd:
        raise InvalidInput(f"A column's name is a text, not {listed(map(shown, odd))}.")
    missing = [name for name in _IDENTITY if name not in df.columns]
    if missing:
        raise InvalidInput(
            f"A listing has the columns id, owner and name. Missing: {listed(missing)}."
        )
    typed = _dtypes.typed(df)
    for name in _IDENTITY:
        rows = np.flatnonzero(typed[name].isna())
        if len(rows):
            raise InvalidInput(f"Missing {name} in row {listed(row_numbers(df)[rows], 5)}.")
    duplicates = typed["id"][typed["id"].duplicated()].unique()
    if len(duplicates):
        raise InvalidInput(f"Several rows have the id {listed(map(shown, duplicates), 5)}.")
    others = [name for name in typed.columns if name not in FIELDS and name != COMMENTS]
    arrays = {name: _array(typed, df, name) for name in [*FIELDS, COMMENTS]}
    arrays["extra"] = _extras(typed[others], row_numbers(df))
    arrays["position"] = pa.array(np.arange(len(typed)))
    schema = SCHEMA.remove(0)  # snapshot_at is added when the file is written.
    table = pa.table([arrays[name] for name in schema.names], schema=schema)
    return table.sort_by("id"), {name: str(typed[name].dtype) for name in others}


def _array(typed: pd.DataFrame, df: pd.DataFrame, name: str) -> Any:
    kind = SCHEMA.field(name).type
    if name not in typed.columns:
        return pa.nulls(len(typed), kind)
    column = typed[name]
    if name == COMMENTS:
        try:
            column = column.astype("Int64")
        except (ValueError, TypeError):
            raise InvalidInput(f"The column {COMMENTS} must hold whole numbers.") from None
    if kind == _TIME and df[name].dtype.kind == "M" and df[name].dt.nanosecond.any():
        raise InvalidInput(
            f"The column {name} is finer than microseconds, which a snapshot cannot hold. Round it "
            f'with df["{name}"].dt.floor("us").'
        )
    try:
        if pa.types.is_list(kind):
            return pa.array(map(list, column), kind, size=len(column))
        return pa.array(column, kind, from_pandas=True)
    except UnicodeEncodeError:
        raise InvalidInput(
            f"The column {name} holds half a character (a lone surrogate). Replace it first."
        ) from None


def _extras(df: pd.DataFrame, numbers: pd.Index) -> Any:
    """Return one JSON object per row with all cells that are not missing; null if all are."""
    if df.columns.empty:
        return pa.nulls(len(df), pa.string())
    rows: list[dict[str, Any]] = [{} for _ in range(len(df))]
    for name in df.columns:
        column = df[name]
        if not _has_exact_name(column.dtype):
            raise InvalidInput(
                f"The column {shown(name)} is of dtype {column.dtype}, which has no exact form in "
                "a snapshot. Convert it with astype, or drop the column."
            )
        for number, (row, value) in enumerate(zip(rows, column.tolist(), strict=True)):
            if is_missing(value):
                continue
            row[name] = _json_of(value, column.dtype)
            if not _is_json(row[name]):
                raise InvalidInput(
                    f"Column {shown(name)}, row {numbers[number]:,}: {shown(value)} has no exact "
                    "form in a snapshot. Convert it to text, or drop the column."
                )
        if not _reads_back([row.get(name) for row in rows], column):
            raise InvalidInput(
                f"The column {shown(name)} ({column.dtype}) could not be read back unchanged from "
                "a snapshot. "
                + spelled("Convert it to text with astype(str), or drop", "Drop")
                + " the column."
            )
    return pa.array([strict_json.text_of(row) if row else None for row in rows], pa.string())


def _reads_back(values: list[Any], column: pd.Series) -> bool:
    """True if the JSON cells of a column restore exactly that column."""
    try:
        restored = pd.Series(_restored(values, str(column.dtype)))
        return restored.equals(column.reset_index(drop=True).rename(None))
    except (ValueError, TypeError, ArithmeticError):
        return False


def _has_exact_name(dtype: Any) -> bool:
    """True if pandas reads the name of a dtype as the same dtype."""
    try:
        return bool(pd.api.types.pandas_dtype(str(dtype)) == dtype)
    except (TypeError, ValueError, NotImplementedError):
        return False


def _json_of(value: Any, dtype: Any) -> Any:
    """Return the JSON value of a cell, which `_restored` reads back."""
    if dtype.kind == "M":
        has_zone = getattr(value, "tzinfo", None) is not None
        # In UTC, since pandas cannot read the offsets with seconds of old time zones.
        return (value.astimezone(UTC) if has_zone else value).isoformat()
    if dtype.kind == "f" and math.isinf(value):
        return str(value)
    return value


def _is_json(value: Any) -> bool:
    return is_json(value) and all(_is_exact(item) for item, _ in walked(value))


def _is_exact(item: Any) -> bool:
    """True unless the value is a number that JSON cannot hold."""
    if type(item) is int:
        # Python reads at most 4,300 digits.
        return item.bit_length() < 14_000
    return not (type(item) is float and math.isnan(item))


def frame_of(table: pa.Table, metadata: Metadata) -> pd.DataFrame:
    """Return the listing of a table that `table_of` made."""
    ordered = table.sort_by("position")
    texts = ordered["extra"].to_pylist() if metadata.dtypes else []
    extras = [json.loads(text) if text else {} for text in texts]
    columns: dict[str, Any] = {}
    for name in metadata.columns:
        if name in metadata.dtypes:
            values = [row.get(name) for row in extras]
            columns[name] = _restored(values, metadata.dtypes[name])
        else:
            columns[name] = _column(ordered[name], name)
    df = pd.DataFrame(columns, index=pd.RangeIndex(len(ordered)), columns=metadata.columns)
    fetched_at = None if metadata.fetched_at is None else Moment.write(metadata.fetched_at)
    attrs = {ENDPOINT: metadata.endpoint, PROJECT: metadata.project, FETCHED_AT: fetched_at}
    df.attrs = {name: value for name, value in attrs.items() if value is not None}
    if metadata.endpoint is not None:
        df.attrs.setdefault(PROJECT, None)
    return df


def _column(column: pa.ChunkedArray, name: str) -> Any:
    if pa.types.is_list(column.type):
        cells = (tuple(items or ()) for items in column.to_pylist())
        return np.fromiter(cells, object, len(column))
    dtype: Any = FIELDS[name].dtype if name in FIELDS else pd.Int64Dtype()
    return dtype.__from_arrow__(column)


def _restored(values: list[Any], dtype_name: str) -> Any:
    """Return the column of a dtype that JSON values stand for."""
    dtype: Any = pd.api.types.pandas_dtype(dtype_name)
    if dtype.kind == "M":
        # The constructor of Series gives the same, only slower.
        in_utc = getattr(dtype, "tz", None) is not None
        instants = pd.to_datetime(pd.Series(values, dtype=object), format="ISO8601", utc=in_utc)
        return instants.astype(dtype).array
    if isinstance(dtype, np.dtype) and dtype.kind in "biu" and None in values:
        # In a timeline, some snapshots may not have the column.
        return pd.array(values, dtype="boolean" if dtype.kind == "b" else "Int64")
    if dtype.kind == "f":
        values = [None if value is None else float(value) for value in values]
    return pd.Series(values, dtype=dtype)


def digest_of(table: pa.Table) -> str:
    """Return a digest of the rows of a table from `table_of`, independent of `position`."""
    digest = hashlib.sha256()
    for name in CONTENT:
        column = table[name].combine_chunks()
        digest.update(name.encode() + np.asarray(compute.is_valid(column)).tobytes())
        if pa.types.is_list(column.type):
            column = as_sets(column)
            digest.update(np.asarray(compute.list_value_length(column).fill_null(0)).tobytes())
            column = column.flatten()
        if pa.types.is_string(column.type):
            filled = column.fill_null("")
            digest.update(np.asarray(compute.binary_length(filled)).tobytes())
            digest.update(_bytes_of(filled))
        else:
            zero = pa.scalar(0).cast(column.type) if column.type != pa.bool_() else False
            digest.update(np.asarray(column.fill_null(zero)).tobytes())
    return digest.hexdigest()


def _bytes_of(texts: pa.StringArray) -> Any:
    """Return the concatenated UTF-8 bytes of texts, none of which is missing."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return b""
    ends = np.frombuffer(offsets, np.int32)[texts.offset :]
    return memoryview(data)[ends[0] : ends[len(texts)]]
