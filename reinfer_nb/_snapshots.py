"""How listings lie in a folder: a Parquet file each, all of the same columns, written whole.

`<folder>/date=2026-11-25/20261125T064933.123456Z-1f2e3d4c.parquet`, so that names sort by time and
Hive's partitions are dates. Rows are sorted by id, which lets a reader skip most of a file, and say
in `position` where they stood. What a row has beyond the definition of a source is JSON in `extra`.
Knows nothing of what snapshots mean to one another; that is `history`.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from reinfer_nb import _dtypes
from reinfer_nb._columns import whole_text
from reinfer_nb.errors import FileProblem, InvalidInput
from reinfer_nb.fields import fields_of
from reinfer_nb.files import written_whole
from reinfer_nb.models import Source
from reinfer_nb.text import listed, shown, visible
from reinfer_nb.value_types import Moment, Names, is_missing

_TIME = pa.timestamp("us", "UTC")
_COUNT = "num_comments"
_ARROW = {Moment: _TIME, Names: pa.list_(pa.string())}
FIELDS = {field.name: field.type for field in fields_of(Source)}
SCHEMA = pa.schema(
    [
        ("snapshot_at", _TIME),
        *((name, _ARROW.get(kind, kind.json)) for name, kind in FIELDS.items()),
        (_COUNT, pa.int64()),
        ("extra", pa.string()),
        ("position", pa.int64()),
    ]
)
_CONTENT = [*FIELDS, _COUNT, "extra"]
_NAME = re.compile(r"date=\d{4}-\d\d-\d\d/\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}\.parquet")
_KEY = b"reinfer_nb"
_ROWS_OF_GROUP = 2048
_MISSING_ID = "id", "owner", "name"


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

    snapshot_at: datetime
    sources: int
    endpoint: str | None
    project: str | None
    fetched_at: datetime | None
    digest: str
    columns: list[str]
    dtypes: dict[str, str]
    unchanged_since: str | None = None


# Frames and tables


def table_of(df: pd.DataFrame, at: datetime) -> tuple[pa.Table, dict[str, str]]:
    """Return a listing as it is written, and the dtypes of the columns that are in `extra`.

    Raises:
        InvalidInput: It is no listing whose sources can be told apart, or a value has no form.
    """
    columns: list[Any] = list(df.columns)
    odd = [name for name in columns if not isinstance(name, str) or whole_text(name) != name]
    if odd:
        raise InvalidInput(f"A column's name is a text; {listed(map(shown, odd))} is none.")
    lacking = [name for name in _MISSING_ID if name not in df.columns]
    if lacking:
        raise InvalidInput(f"A listing has the columns id, owner and name; not: {listed(lacking)}.")
    typed = _dtypes.typed(df)
    for name in _MISSING_ID:
        rows = np.flatnonzero(typed[name].isna())
        if len(rows):
            raise InvalidInput(f"There is no {name} in row {listed(rows, 5)}.")
    twice = typed["id"][typed["id"].duplicated()].unique()
    if len(twice):
        raise InvalidInput(f"Several rows have the id {listed(map(shown, twice), 5)}.")
    others = [name for name in typed.columns if name not in FIELDS and name != _COUNT]
    arrays = {name: _array(typed, name, SCHEMA.field(name).type) for name in [*FIELDS, _COUNT]}
    arrays["extra"] = pa.array(_extras(typed[others]), pa.string())
    arrays["position"] = pa.array(np.arange(len(typed)))
    arrays["snapshot_at"] = pa.array([at] * len(typed), _TIME)
    table = pa.table([arrays[name] for name in SCHEMA.names], schema=SCHEMA)
    return table.sort_by("id"), {name: str(typed[name].dtype) for name in others}


def _array(df: pd.DataFrame, name: str, kind: pa.DataType) -> Any:
    if name not in df.columns:
        return pa.nulls(len(df), kind)
    column = df[name]
    if name == _COUNT:
        try:
            column = column.astype("Int64")
        except (ValueError, TypeError):
            raise InvalidInput(f"{_COUNT} holds what is no whole number.") from None
    try:
        if pa.types.is_list(kind):
            return pa.array(map(list, column), kind)
        return pa.array(column, kind, from_pandas=True)
    except UnicodeEncodeError:
        raise InvalidInput(f"The column {name} holds half a character.") from None


def _extras(df: pd.DataFrame) -> list[str | None]:
    """Return, a row each, the columns beyond the definition as a JSON object; None for none."""
    rows: list[dict[str, Any]] = [{} for _ in range(len(df))]
    for name in df.columns:
        for number, (row, value) in enumerate(zip(rows, df[name].tolist(), strict=True)):
            if is_missing(value):
                continue
            row[name] = value.isoformat() if isinstance(value, datetime) else value
            if not _is_json(row[name]):
                raise InvalidInput(
                    f"Column {shown(name)}, row {number:,}: {shown(value)} has no exact form in a "
                    "snapshot; make it a text first, or leave the column out."
                )
    return [json.dumps(row, sort_keys=True) if row else None for row in rows]


def _is_json(value: Any) -> bool:
    if type(value) is dict:
        return all(type(key) is str and _is_json(item) for key, item in value.items())
    if type(value) is list:
        return all(map(_is_json, value))
    return value is None or type(value) in (str, bool, int, float)


def frame_of(table: pa.Table, about: About) -> pd.DataFrame:
    """Return the listing that a table was made of."""
    ordered = table.sort_by("position")
    extras = [json.loads(text) if text else {} for text in ordered["extra"].to_pylist()]
    columns: dict[str, Any] = {}
    for name in about.columns:
        if name in about.dtypes:
            values = [row.get(name) for row in extras]
            columns[name] = _restored(values, about.dtypes[name])
        else:
            columns[name] = _column(ordered[name], name)
    df = pd.DataFrame(columns, index=pd.RangeIndex(len(ordered)), columns=about.columns)
    said = {"endpoint": about.endpoint, "project": about.project, "fetched_at": about.fetched_at}
    df.attrs = {name: value for name, value in said.items() if value is not None}
    if about.endpoint is not None:
        df.attrs.setdefault("project", None)
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
    if isinstance(dtype, pd.DatetimeTZDtype):
        return pd.to_datetime(pd.Series(values, dtype=object), format="ISO8601", utc=True).astype(
            dtype
        )
    return pd.Series(values, dtype=dtype).array


def digest_of(table: pa.Table) -> str:
    """Return a digest of the rows of a sorted table, whatever order they had before."""
    total = hashlib.sha256()
    for name in _CONTENT:
        column = table[name].combine_chunks()
        total.update(name.encode() + np.asarray(compute.is_valid(column)).tobytes())
        if pa.types.is_list(column.type):
            total.update(np.asarray(compute.list_value_length(column).fill_null(0)).tobytes())
            column = column.flatten()
        if pa.types.is_string(column.type):
            filled = column.fill_null("")
            total.update(np.asarray(compute.binary_length(filled)).tobytes())
            total.update("".join(filled.to_pylist()).encode())
        else:
            zero = pa.scalar(0).cast(column.type) if column.type != pa.bool_() else False
            total.update(np.asarray(column.fill_null(zero)).tobytes())
    return total.hexdigest()


def differing(before: pa.Table, after: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the rows of two tables that the other has not, or not so."""
    there = compute.index_in(after["id"], value_set=before["id"].combine_chunks())
    both = np.asarray(compute.is_valid(there), dtype=np.bool_)
    at_after = np.flatnonzero(both)
    at_before = np.asarray(there.filter(pa.array(both)), dtype=np.int64)
    differs = np.zeros(len(at_after), dtype=np.bool_)
    for name in _CONTENT:
        left, right = (
            _plain(t[name].take(pa.array(r))) for t, r in ((before, at_before), (after, at_after))
        )
        unequal = compute.fill_null(compute.not_equal(left, right), True)  # noqa: FBT003 - the value
        missing = compute.and_(compute.is_null(left), compute.is_null(right))
        differs |= np.asarray(compute.and_not(unequal, missing), dtype=np.bool_)
    gone = np.setdiff1d(np.arange(len(before)), at_before)
    new = np.flatnonzero(~both)
    rows_before = np.sort(np.concatenate([gone, at_before[differs]]))
    rows_after = np.sort(np.concatenate([new, at_after[differs]]))
    return before.take(pa.array(rows_before)), after.take(pa.array(rows_after))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of a type that Arrow compares."""
    return compute.binary_join(column, "\0") if pa.types.is_list(column.type) else column


# Files


class Folder:
    """The files of a history, in a folder of this machine or behind an fsspec URL.

    Args:
        where: Its path or URL.
        options: What fsspec needs for it.
    """

    def __init__(self, where: str, options: Mapping[str, Any]) -> None:
        self.where = where
        if "://" in where:
            from fsspec.core import url_to_fs

            self._fs, self._root = url_to_fs(where, **options)
        else:
            from fsspec.implementations.local import LocalFileSystem

            self._fs, self._root = LocalFileSystem(), str(Path(where).expanduser().absolute())
        self._root = self._root.rstrip("/")

    @property
    def is_local(self) -> bool:
        """Whether it is of this machine."""
        protocols = self._fs.protocol
        return "file" in ((protocols,) if isinstance(protocols, str) else protocols)

    def path(self, name: str) -> str:
        """Return the full path of a file."""
        return f"{self._root}/{name}"

    def names(self) -> list[str]:
        """Return the files of the history, the oldest first; others are passed over."""
        if self.is_local and Path(self._root).is_file():
            raise FileProblem(f"{visible(self.where, 200)} is a file; a history is a folder.")
        try:
            self._fs.invalidate_cache()
            found = self._fs.find(self._root) if self._fs.exists(self._root) else []
        except OSError as error:
            raise self._failed("looked at", error) from error
        names = (path[len(self._root) + 1 :] for path in found)
        ours = [name for name in names if _NAME.fullmatch(name)]
        return sorted(ours, key=lambda name: name.partition("/")[2])

    def write(self, table: pa.Table, about: About) -> str:
        """Write a snapshot, whole or not at all, and return the name of its file.

        Raises:
            FileProblem: It could not be written.
        """
        from pyarrow import parquet

        at = about.snapshot_at
        stamp = f"{at:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(4)}"
        name = f"date={at:%Y-%m-%d}/{stamp}.parquet"
        said = json.dumps(asdict(about), default=lambda moment: moment.isoformat())
        file = io.BytesIO()
        parquet.write_table(
            table.replace_schema_metadata({_KEY: said.encode()}),
            file,
            compression="zstd",
            row_group_size=_ROWS_OF_GROUP,
        )
        try:
            if self.is_local:
                path = Path(self.path(name))
                path.parent.mkdir(parents=True, exist_ok=True)
                with written_whole(path, overwrite=False) as target:
                    target.write(file.getbuffer())
            else:
                # Under a name that no reader of Parquet looks for, until it is whole.
                part = self.path(f"date={at:%Y-%m-%d}/.{stamp}.part")
                self._fs.makedirs(self.path(f"date={at:%Y-%m-%d}"), exist_ok=True)
                self._fs.pipe_file(part, file.getvalue())
                self._fs.mv(part, self.path(name))
        except FileProblem:
            raise
        except OSError as error:
            raise self._failed("written to", error) from error
        return name

    def about(self, name: str) -> About:
        """Return what a file says of itself.

        Raises:
            FileProblem: It is none of a history, or is cut.
        """
        from pyarrow import parquet

        try:
            with self._fs.open(self.path(name), "rb") as file:
                metadata = parquet.read_metadata(file).metadata or {}
            said = json.loads(metadata[_KEY])
            moments = {
                key: None if said[key] is None else datetime.fromisoformat(said[key])
                for key in ("snapshot_at", "fetched_at")
            }
            return About(**(said | moments))
        except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError) as error:
            raise self._unreadable(name, error) from error

    def tables(
        self, names: Sequence[str], columns: Iterable[str] | None = None, rows: Any = None
    ) -> pa.Table:
        """Return the rows of several files as one table.

        Args:
            names: The files.
            columns: Those that are wanted; None for all.
            rows: An Arrow expression that they fulfil; None for all.
        """
        from pyarrow import dataset

        if not names:
            return SCHEMA.empty_table()
        try:
            files = dataset.dataset(
                [self.path(name) for name in names],
                schema=SCHEMA,
                format="parquet",
                filesystem=None if self.is_local else self._fs,
            )
            wanted = None if columns is None else list(columns)
            return files.to_table(columns=wanted, filter=rows)
        except (pa.ArrowInvalid, OSError) as error:
            # Which of them it was is asked only now.
            for name in names:
                self.about(name)
            raise self._unreadable(names[0] if len(names) == 1 else self.where, error) from error

    def _unreadable(self, name: str, error: Exception) -> FileProblem:
        if isinstance(error, FileNotFoundError):
            return FileProblem(f"{visible(self.path(name), 300)} is gone; it was removed.")
        return FileProblem(
            f"{visible(self.path(name), 300)} is no snapshot of a history, or is damaged: "
            f"{visible(str(error), 150)}. Move it elsewhere to go on without it."
        )

    def _failed(self, done: str, error: OSError) -> FileProblem:
        reason = error.strerror or visible(str(error), 150)
        return FileProblem(f"{visible(self.where, 200)} could not be {done}: {reason}.")
