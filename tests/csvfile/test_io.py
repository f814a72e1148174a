"""A listing written as CSV is read back exactly and runs no formula; other files are refused."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.csvfile import arrow_cells, parser, reader
from reinfer_nb.csvfile import cells as csv_cells
from reinfer_nb.csvfile import writer as csv_writer
from reinfer_nb.errors import FileProblem, InvalidInput, UnreadableWarning
from reinfer_nb.frames import convert
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Flag, Moment, Names, Text, Whole

BOM = b"\xef\xbb\xbf"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

NASTY = [
    *(f"{sign}cmd|' /C calc'!A0" for sign in FORMULA),
    *(f"{sign}" for sign in FORMULA),
    *("  =1+1", "'", "''", "'=", "''=1", "'''", "'x", "=", "' =", "'5", "'true", "'[1]", "'null"),
    *("NA", "N/A", "null", "None", "True", "true", "FALSE", "nan", "NaN", "inf", "-inf", "NaT"),
    *("", " ", "  ", "007", "0", "1", "-1", "+1", "1.0", ".5", "5.", "1e5", " 5", "5 ", "1_000"),
    *("1234567890123456", "123456789012345", "1e10000000000000", "9" * 40, "1" * 5000, "0x1F"),
    *("a,b", "a;b", "a\tb", ",", ";", ",,,", '"', '""', '"quoted"', 'say "hi"', '",="', "';=1;"),
    *("two\nlines", "two\r\nlines", "two\rlines", "end\n", "end\r", "\u2028", "\x85", "\x0b\x0c"),
    *("\ufeff", "\ufeff=1", "🦀", "שלום =1+1", "\u202egnp.exe", "e\u0301", "\x1b[31m", "\x7f"),
    *("2016-02-10", "2016-02-10T23:13:28Z", "2016-02-30T00:00:00Z", "1/2", "1.234,5", "50%"),
    *("[1]", "[", "{}", "{", '["email"]', '{"a": 1}', "[" * 3000, "\N{SUPERSCRIPT TWO}"),
]  # fmt: skip
UNKNOWN = ["extra.kind", "=cmd()", "'=cmd()", "+1", "007", 'say "hi"', " ", "Größe", "\ufeffx"]


def plain_text() -> st.SearchStrategy[str]:
    characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    return st.one_of(
        st.sampled_from(NASTY),
        st.tuples(st.sampled_from(NASTY), st.text(characters, max_size=5)).map("".join),
        st.text(characters, max_size=8),
    )


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


TEXTS = plain_text()
WHOLES = st.integers(-(2**63), 2**63 - 1)
MOMENTS = st.one_of(
    st.datetimes(timezones=st.just(UTC)),
    st.just(datetime(1, 1, 1, tzinfo=UTC)),
    st.just(datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
)
NUMBERS = st.floats(allow_nan=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
OF_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    Text: maybe(TEXTS),
    Flag: maybe(st.booleans()),
    Whole: maybe(WHOLES),
    Moment: maybe(MOMENTS),
    Names: maybe(st.lists(TEXTS, max_size=3).map(tuple)),
}
KNOWN: dict[str, Any] = {field.name: field.type for field in fields_of(Source)}
DTYPES: dict[str, Any] = {name: type_.dtype for name, type_ in KNOWN.items()}
PLAIN: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (Text.dtype, TEXTS),
    (Whole.dtype, WHOLES),
    (pd.Float64Dtype(), NUMBERS),
    (Flag.dtype, st.booleans()),
    (Moment.dtype, MOMENTS),
]


def column(values: list[Any], dtype: Any) -> Any:
    if dtype == np.dtype(object):
        cells = np.empty(len(values), dtype=object)
        cells[:] = values
        return cells
    return pd.array(values, dtype=dtype)


@st.composite
def listings(draw: st.DrawFn) -> pd.DataFrame:
    """Listings with every known column, and unknown columns of every dtype."""
    rows = draw(st.integers(0, 4))

    def cells(values: st.SearchStrategy[Any], size: int = rows) -> list[Any]:
        return draw(st.lists(values, min_size=size, max_size=size))

    columns = {name: column(cells(OF_TYPE[KNOWN[name]]), DTYPES[name]) for name in KNOWN}
    columns["num_comments"] = column(cells(OF_TYPE[Whole]), Whole.dtype)
    names = iter(draw(st.permutations(UNKNOWN)))
    if rows:
        # A CSV does not show the dtype of a column without any value.
        for dtype, values in PLAIN:
            columns[next(names)] = column([draw(values), *cells(maybe(values), rows - 1)], dtype)
        first = draw(st.lists(JSON, max_size=2) | st.dictionaries(TEXTS, JSON, max_size=2))
        columns[next(names)] = column([first, *cells(JSON_CELLS, rows - 1)], np.dtype(object))
    return pd.DataFrame(columns, index=pd.RangeIndex(rows))


# A cell with infinity alone has its own test.
JSON_CELLS = JSON.filter(lambda value: value not in (float("inf"), float("-inf")))


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    """A path that the property tests share; each test overwrites the file."""
    with TemporaryDirectory() as folder:
        yield Path(folder) / "listing.csv"


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left, right, check_exact=True, check_index_type=True)
    for name in [name for name in left if left[name].dtype == object]:
        # pandas considers [1] and (True,) equal.
        assert repr(left[name].tolist()) == repr(right[name].tolist())


def there_and_back(df: pd.DataFrame, path: Path, **how: Any) -> pd.DataFrame:
    return rnb.read_csv(rnb.to_csv(df, path, overwrite=True, **how))


def cells_of(path: Path, sep: str = ",") -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter=sep, strict=True))


def saved_again(content: bytes, sep: str = ",", into: str = ";") -> bytes:
    """Return a file as a spreadsheet saves it: quotes where needed, TRUE and FALSE, CRLF."""
    rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=sep)
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=into, lineterminator="\r\n")
    for row in rows:
        writer.writerow([cell.upper() if cell in ("true", "false") else cell for cell in row])
    return BOM + file.getvalue().encode()


def frame_of(**columns: Any) -> pd.DataFrame:
    """Return a frame; lists become columns with the dtype of a listing, or of texts."""
    made = {}
    for name, values in columns.items():
        dtype = DTYPES.get(name, Text.dtype)
        made[name] = column(values, dtype) if isinstance(values, list) else values
    return pd.DataFrame(made)


def sample() -> pd.DataFrame:
    """Return a small listing in which every column has a value and a missing value."""
    return convert.from_elements(
        [
            {
                "id": "18ba5ce699f8da1f",
                "owner": "acme",
                "name": "support",
                "title": '=HYPERLINK("x")',
                "description": "two\nlines, with a comma",
                "should_translate": True,
                "sensitive_properties": ["email", "=cmd()"],
                "email_transform_version": 7,
                "created_at": "2016-02-10T23:13:28.340295+00:00",
                "score": 1.5,
                "nested": {"a": [1, None]},
            },
            {"id": "1234567890123456", "should_translate": False, "title": "007", "last": "x"},
        ]
    )


# Round trips


@pytest.mark.slow
@given(df=listings(), sep=st.sampled_from([",", ";", "\t"]), spreadsheet=st.booleans())
@settings(max_examples=40, deadline=None)
def test_there_and_back_is_exact(
    path: Path, df: pd.DataFrame, sep: str, *, spreadsheet: bool
) -> None:
    same(there_and_back(df, path, sep=sep, spreadsheet=spreadsheet), df)


@pytest.mark.parametrize("spreadsheet", [True, False])
def test_a_column_named_by_a_space_stays_without_any_text(path: Path, *, spreadsheet: bool) -> None:
    df = frame_of(**{"id": ["1" * 16, "2" * 16], " ": ["", None]})
    same(there_and_back(df, path, spreadsheet=spreadsheet), df)


@pytest.mark.slow
@given(
    values=st.lists(maybe(TEXTS), max_size=6),
    name=st.sampled_from(["title", "note"]),
    sep=st.sampled_from([",", ";", "\t"]),
    spreadsheet=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_a_column_of_texts_alone(
    path: Path, values: list[str | None], name: str, sep: str, *, spreadsheet: bool
) -> None:
    if name == "note" and not any(value is not None for value in values):
        values = [*values, ""]
    df = pd.DataFrame({name: pd.array(values, dtype=Text.dtype)})
    same(there_and_back(df, path, sep=sep, spreadsheet=spreadsheet), df)


@pytest.mark.slow
@given(df=listings(), data=st.data())
@settings(max_examples=20, deadline=None)
def test_of_a_filtered_frame_the_rows(path: Path, df: pd.DataFrame, data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.booleans(), min_size=len(df), max_size=len(df)))
    part = df[np.array(kept, dtype=bool)].iloc[::-1]
    known = [*KNOWN, "num_comments"]
    same(there_and_back(part[known], path), part[known].reset_index(drop=True))


@pytest.mark.slow
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_every_column_by_itself(path: Path, rows: int) -> None:
    df = sample()[list(KNOWN)].iloc[::-1].head(rows)
    for name in KNOWN:
        same(there_and_back(df[[name]], path), df[[name]].reset_index(drop=True))


def test_no_rows_keep_the_dtypes(path: Path) -> None:
    df = convert.from_elements([])
    same(there_and_back(df, path), df)


def test_the_sandbox_s_listing(shared: rnb.Client, path: Path) -> None:
    df = shared.sources()
    assert len(df) > 10
    same(there_and_back(df, path), df)


def test_missing_and_empty_are_two_things(path: Path) -> None:
    df = frame_of(title=["", None], sensitive_properties=[(), None], note=[None, ""])
    back = there_and_back(df, path)
    assert back["title"].isna().tolist() == [False, True]
    assert back["note"].isna().tolist() == [True, False]
    assert back["sensitive_properties"].tolist() == [(), None]


def test_another_time_zone_is_the_same_instant_in_utc(path: Path) -> None:
    df = pd.DataFrame({"created_at": sample()["created_at"].dt.tz_convert("Asia/Kolkata")})
    same(there_and_back(df, path), sample()[["created_at"]])


def test_numpy_s_own_dtypes_come_back_nullable(path: Path) -> None:
    df = pd.DataFrame({"n": [1, -2], "x": [0.1, float("inf")], "b": [True, False]})
    expected = df.astype({"n": "Int64", "x": "Float64", "b": "boolean"})
    same(there_and_back(df, path), expected)


def test_columns_without_a_value_keep_their_dtype(path: Path) -> None:
    dtypes = {"n": "Int64", "x": "Float64", "b": "boolean", "t": "datetime64[us, UTC]", "s": "str"}
    df = pd.DataFrame(index=range(2), columns=list(dtypes)).astype(dtypes)
    same(there_and_back(df, path), df)
    assert cells_of(path)[0] == ["n (Int64)", "x (Float64)", "b (boolean)", "t (timestamp)", "s"]


def test_a_count_that_became_a_float_is_whole_again(path: Path) -> None:
    # As after a merge that found no partner for a row.
    df = frame_of(id=["a", "b"]).assign(email_transform_version=[3.0, np.nan])
    back = there_and_back(df, path)
    assert back["email_transform_version"].dtype == "Int64"
    assert back["email_transform_version"].tolist() == [3, pd.NA]


@pytest.mark.slow
@pytest.mark.parametrize("sep", [",", ";", "\t"])
@pytest.mark.parametrize(
    "names",
    [
        ["a,b,c", "d"],
        ["a;b;c", "d"],
        ["a\tb\tc", "d"],
        ["a\nb", "d"],
        ["a,b"],
        ["a;b"],
        ['",', "d"],
    ],
    ids=range(7),
)
def test_a_name_may_hold_a_separator(path: Path, names: list[str], sep: str) -> None:
    df = frame_of(**{name: ["x", "y"] for name in names})
    same(there_and_back(df, path, sep=sep), df)


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [
        pytest.param([True, 1], id="a flag and a number"),
        pytest.param([False, 0.5, None], id="a flag and a fraction"),
        pytest.param([2**70, 1], id="a huge number"),
        pytest.param([2**60, 0.5], id="numbers no float tells apart"),
        pytest.param([float("inf"), "a"], id="infinity and a text"),
        pytest.param([1, "a"], id="a number and a text"),
        pytest.param([True, [1]], id="a flag and a list"),
        pytest.param([None, {"a": None}], id="an object"),
        pytest.param(["x", {"=a": [float("inf"), 2**70]}], id="nested"),
    ],
)
def test_what_an_unknown_field_holds_comes_back(path: Path, values: list[Any]) -> None:
    df = convert.from_elements([{"id": "a", "field": value} for value in values])
    same(there_and_back(df, path), df)


def test_an_unknown_field_that_is_always_null_comes_back(path: Path) -> None:
    df = convert.from_elements([{"id": "a", "field": None}, {"id": "b"}])
    same(there_and_back(df, path), df)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pd.array([2**64 - 1, 1], dtype="UInt64"), id="beyond 64 bits"),
        pytest.param(column([(1,), (2,)], np.dtype(object)), id="tuples of numbers"),
        pytest.param(column([{1: 2}, {"a": 1}], np.dtype(object)), id="keys that are no texts"),
        pytest.param(column([["a"], [("b",)]], np.dtype(object)), id="a tuple in a list"),
        pytest.param(column([{"a"}, {"b"}], np.dtype(object)), id="sets"),
        pytest.param(column([b"a", b"b"], np.dtype(object)), id="bytes"),
        pytest.param(column([1j, 2j], np.dtype(complex)), id="complex numbers"),
        pytest.param(np.array([1, 2], dtype="timedelta64[s]"), id="durations"),
        pytest.param(pd.period_range("2020", periods=2, freq="D"), id="periods"),
    ],
)
def test_what_has_no_exact_form_is_refused(path: Path, values: Any) -> None:
    df = pd.DataFrame({"field": values})
    with pytest.raises(InvalidInput, match="field"):
        rnb.to_csv(df, path, overwrite=True)


@pytest.mark.parametrize("name", ["title", "note"])
def test_nul_is_written_so_that_it_can_be_read_or_not_at_all(tmp_path: Path, name: str) -> None:
    df = frame_of(**{name: ["a\0b"]})
    try:
        written = rnb.to_csv(df, tmp_path / "x.csv")
    except InvalidInput:
        assert not (tmp_path / "x.csv").exists()
    else:
        same(rnb.read_csv(written), df)


# Reading and writing by Arrow, and cell by cell


@contextmanager
def cell_by_cell() -> Iterator[None]:
    """Disable Arrow: each cell is read and written in Python."""

    def guarded(texts: Any, **how: Any) -> Any:
        return changed(texts, lambda text: csv_cells.guarded(text, **how))

    def unguarded(texts: Any, **how: Any) -> Any:
        return changed(texts, lambda text: csv_cells.unguarded(text, **how))

    def changed(texts: Any, change: Any) -> Any:
        each = [text and change(text) for text in texts.to_pylist()]
        return pa.chunked_array([pa.array(each, pa.large_string())])

    def sure_of_none(cells: Any) -> Any:
        return pa.nulls(len(cells))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_writer, "_by_arrow", lambda *_, **__: None)
        patch.setattr(parser, "_read_ours", lambda *_: None)
        patch.setattr(arrow_cells, "guarded", guarded)
        patch.setattr(arrow_cells, "unguarded", unguarded)
        patch.setattr(
            reader,
            "_READERS",
            {
                dtype: (lambda cells, kind=kind: sure_of_none(cells).cast(kind), read)
                for (dtype, (_, read)), kind in zip(
                    reader._READERS.items(), (pa.int64(), arrow_cells.TIMESTAMP), strict=True
                )
            },
        )
        yield


@contextmanager
def in_pieces(size: int, block: int) -> Iterator[None]:
    """Read files in pieces and blocks of only a few bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parser, "_PIECE", size)
        patch.setattr(parser, "_BLOCK", block)
        yield


def outcome(path: Path) -> pd.DataFrame | str:
    try:
        return rnb.read_csv(path)
    except FileProblem as error:
        return str(error)


def both_ways_read(path: Path, size: int = 8 << 20, block: int = 1 << 20) -> None:
    with in_pieces(size, block):
        at_once = outcome(path)
    with cell_by_cell():
        careful = outcome(path)
    if isinstance(at_once, str) or isinstance(careful, str):
        assert str(at_once) == str(careful)
    else:
        same(at_once, careful)


def both_ways_write(df: pd.DataFrame, path: Path, **how: Any) -> None:
    at_once = rnb.to_csv(df, path, overwrite=True, **how).read_bytes()
    with cell_by_cell():
        careful = rnb.to_csv(df, path, overwrite=True, **how).read_bytes()
    assert at_once == careful


SIGNS = [
    *"'0159.-+/:,% eEtT=@_x\"\n;",
    *("jan", "Feb", "true", "FALSE", "inf", "2016-02-10", "T23:13:28", ".340295", "Z", "+00:00"),
    *("\u00a0", "\u2028", "\x1c", "\x85", "\0", "\r\n", "ü", "中", "\uff1d", "\uff0d", "\ufeff"),
    # Characters whose case or digits Python and RE2 treat differently.
    *("\u017f", "\u212a", "\u0130", "\u0663", "\u00b2", "\u2163", "\U0001d7d9"),
]  # fmt: skip
LIKE_SOMETHING = st.lists(st.sampled_from(SIGNS), max_size=6).map("".join)
ODD_MOMENTS = [
    "2016-02-10T23:13:28.340295+00:00",
    "2016-02-30T23:13:28.340295+00:00",
    "2016-02-10T23:13:60.340295+00:00",
    "2016-02-10 23:13:28.3402951Z",
    "2016-02-10T23+0530",
    "2016-02-10T23:13:28.340295-23:59",
    "2016-02-10T23:13:28.340295",
    "0000-01-01T00:00:00.000000+00:00",
    "0001-01-01T00:00:00.000000+01:00",
    "9999-12-31T23:59:59.999999-00:01",
    " 2016-02-10T23:13:28.340295+00:00",
    "x016-02-10T23:13:28.340295+00:00",
]
ODD_CELLS = [
    *ODD_MOMENTS,
    *("true", "TRUE", "True", "tRue", "1", "0", "5", " 5", "0x1F", "+5", "-0", "007", "1.5"),
    *("9" * 19, str(2**63), str(-(2**63)), "1" * 5000, "1e400", "nan"),
    *("null", "[]", '["a", "b"]', "[1]", "Jan 5", "may-2020", "5 Feb 20 ", "12:30", "50 %", "1,5"),
]  # fmt: skip


@pytest.mark.slow
@given(
    texts=st.lists(maybe(TEXTS | LIKE_SOMETHING | st.sampled_from(ODD_CELLS)), max_size=6),
    storage=st.sampled_from(["pyarrow", "python"]),
    sep=st.sampled_from([",", ";", "\t"]),
    spreadsheet=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_texts_are_written_at_once_as_cell_by_cell(
    path: Path, texts: list[str | None], storage: Any, sep: str, *, spreadsheet: bool
) -> None:
    dtype = pd.StringDtype(storage, na_value=np.nan)
    df = pd.DataFrame({name: pd.array(texts, dtype=dtype) for name in ("title", "note")})
    both_ways_write(df, path, sep=sep, spreadsheet=spreadsheet)
    both_ways_read(path)


@pytest.mark.parametrize("spreadsheet", [True, False])
def test_odd_texts_are_written_at_once_as_cell_by_cell(path: Path, *, spreadsheet: bool) -> None:
    texts = [*NASTY, *ODD_CELLS]
    both_ways_write(frame_of(title=texts, note=texts), path, spreadsheet=spreadsheet)
    both_ways_read(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["created_at", "field", "t (timestamp)"])
@pytest.mark.parametrize("cell", ODD_MOMENTS)
def test_an_odd_timestamp_is_read_at_once_as_cell_by_cell(path: Path, name: str, cell: str) -> None:
    path.write_bytes(f'"id","{name}"\n"a","{ODD_MOMENTS[0]}"\n"b","{cell}"\n"c",\n'.encode())
    both_ways_read(path)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["{}", "{}5", "5{}", "{}=1", "tr{}e", "1/2{}"])
def test_every_character_is_guarded_at_once_as_by_itself(form: str) -> None:
    characters = [chr(code) for code in range(0x10000) if not 0xD800 <= code <= 0xDFFF]
    texts = [form.format(character) for character in characters]
    at_once = arrow_cells.guarded(pa.array(texts, pa.large_string()), free=True, spreadsheet=True)
    assert at_once.to_pylist() == [csv_cells.guarded(text, free=True) for text in texts]


@pytest.mark.slow
@given(df=listings(), sep=st.sampled_from([",", ";", "\t"]), spreadsheet=st.booleans())
@settings(max_examples=25, deadline=None)
def test_listings_are_written_at_once_as_cell_by_cell(
    path: Path, df: pd.DataFrame, sep: str, *, spreadsheet: bool
) -> None:
    both_ways_write(df, path, sep=sep, spreadsheet=spreadsheet)
    both_ways_read(path)


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
@given(data=st.data())
@settings(max_examples=6, deadline=None)
def test_instants_are_written_at_once_as_cell_by_cell(
    path: Path, unit: Any, zone: str, data: st.DataObject
) -> None:
    years = (1700, 2200) if unit == "ns" else (1, 9998)
    first, last = (datetime(year, 1, 2) for year in years)  # noqa: DTZ001 - of no zone yet
    instants = data.draw(st.lists(maybe(st.datetimes(first, last)), max_size=4))
    column = pd.Series(instants, dtype=f"datetime64[{unit}]").dt.tz_localize("UTC")
    column = column.dt.tz_convert(zone)
    both_ways_write(pd.DataFrame({"created_at": column, "when": column}), path)
    both_ways_read(path)


@pytest.mark.parametrize(
    "values",
    [
        np.array([-(2**63), 2**63 - 1]),
        np.array([0, 255], dtype="uint8"),
        np.array([-128, 127], dtype="int8"),
        np.array([True, False]),
        np.array([0.1, 1e22], dtype="float64"),
        np.array([0.1, 1e22], dtype="float32"),
        pd.array([1, None], dtype="Int8"),
        pd.array([1, None], dtype="UInt64"),
        pd.array([0.1, None], dtype="Float64"),
        pd.array([True, None], dtype="boolean"),
        pd.Categorical(["=a", None]),
    ],
    ids=lambda values: str(values.dtype),
)
def test_other_dtypes_are_written_at_once_as_cell_by_cell(path: Path, values: Any) -> None:
    both_ways_write(pd.DataFrame({"field": values}), path)
    both_ways_read(path)


KINDS_OF_COLUMN = [
    *("id", "created_at", "updated_at", "should_translate", "sensitive_properties"),
    *("num_comments", "field", "other", "n (Int64)", "x (Float64)", "b (boolean)"),
    *("t (timestamp)", "s (text)", "o (JSON)", " (JSON)", "", 'say "hi"'),
]


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Small files with every kind of cell and column, quoted or not, most of them complete."""
    sep = draw(st.sampled_from([",", ";", "\t"]))
    names = draw(st.lists(st.sampled_from(KINDS_OF_COLUMN), min_size=1, max_size=4))
    common = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    cells = st.sampled_from(["", '""']) | st.builds(
        in_quotes,
        st.sampled_from(ODD_CELLS) | TEXTS | LIKE_SOMETHING,
        only_if_needed=st.booleans(),
    )
    head = [in_quotes(name, only_if_needed=draw(st.booleans())) for name in names]
    text = draw(st.sampled_from(["", "", "\ufeff", "\n"])) + sep.join(head) + common
    for _ in range(draw(st.integers(0, 5))):
        row = draw(st.lists(cells, min_size=len(names), max_size=len(names)))
        text += sep.join(row) + draw(st.sampled_from([common, common, "\n", "\r\n"]))
    return text.encode()


def in_quotes(text: str, *, only_if_needed: bool) -> str:
    if only_if_needed and not set(text) & set('",;\t\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'


@pytest.mark.slow
@given(content=files(), size=st.integers(1, 200), block=st.integers(1, 200))
@settings(max_examples=90, deadline=None)
def test_a_file_is_read_at_once_as_cell_by_cell(
    path: Path, content: bytes, size: int, block: int
) -> None:
    path.write_bytes(content)
    both_ways_read(path, size, block)


QUOTES = ['"', '"', '""', '","', '"\n"', "\n", "\r\n", "a", "a", ",", ";", "é", "\ufeff"]


@pytest.mark.slow
@given(
    rows=st.lists(st.sampled_from(QUOTES), max_size=40).map("".join),
    broken=st.booleans(),
    size=st.integers(1, 40),
    block=st.integers(1, 40),
)
@settings(max_examples=90, deadline=None)
def test_quotes_anywhere_mean_the_same_in_pieces(
    path: Path, rows: str, size: int, block: int, *, broken: bool
) -> None:
    content = f'"a","b"\n{rows}'.encode()
    path.write_bytes(content.replace("é".encode(), b"\xc3", 1) if broken else content)
    both_ways_read(path, size, block)


@pytest.mark.parametrize("size", [10, 1 << 20])
def test_a_line_break_between_quotes_is_whole_wherever_a_block_ends(path: Path, size: int) -> None:
    # A row of at most two blocks, since Arrow refuses others, which are then read as one block.
    df = frame_of(id=["a" * 20, "b" * 20], title=["one\r\n", "\r\ntwo"])
    rnb.to_csv(df, path, overwrite=True)
    for block in range(16, 70):
        with in_pieces(size, block):
            same(rnb.read_csv(path), df)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows",
    [
        '"1","2""\n"",3"\n"4","5"\n',
        '"1","\n"\n"2","3"\n',
        '"1","2"\n\ufeff3,4\n',
        "\ufeff1,2\n3,4\n",
        '"1","2"x"\r\n"3","4"\r\n',
    ],
    ids=["a quote in a cell", "a line break alone", "a mark", "a mark at first", "after a quote"],
)
def test_what_looks_like_the_end_of_a_row_is_none(path: Path, rows: str) -> None:
    path.write_bytes(f'"id","title"\n{rows}'.encode())
    for size in range(1, 40):
        both_ways_read(path, size)


def test_a_file_is_read_in_pieces_of_whole_rows() -> None:
    rows = b"".join(b'"%d","a\r\n""b"\n' % number for number in range(100))
    with in_pieces(64, 64):
        pieces = [bytes(piece) for piece in parser._pieces(memoryview(rows))]
    assert b"".join(pieces) == rows
    assert len(pieces) > 10
    assert all(piece.endswith(b'b"\n') for piece in pieces)


def test_of_many_rows_the_one_that_does_not_fit_is_named(path: Path) -> None:
    moment = "2016-02-10T23:13:28.340295+00:00"
    for name, right in [
        ("created_at", moment),
        ("num_comments", "7"),
        ("should_translate", "true"),
        ("sensitive_properties", '["a"]'),
    ]:
        cells = [in_quotes(right, only_if_needed=False)] * 3000
        cells[1234] = '"wrong"'
        cells[2345] = '"wrong too"'
        path.write_text("\n".join([f'"{name}","x"', *(f"{cell},1" for cell in cells)]))
        with pytest.raises(FileProblem, match=f"row 1,236, column '{name}': 'wrong' "):
            rnb.read_csv(path)


# In a spreadsheet


@pytest.mark.slow
@given(df=listings(), sep=st.sampled_from([",", ";", "\t"]))
@settings(max_examples=25, deadline=None)
def test_no_cell_is_a_formula(path: Path, df: pd.DataFrame, sep: str) -> None:
    rnb.to_csv(df, path, sep=sep, overwrite=True)
    header, *rows = cells_of(path, sep)
    texts = [number for number, dtype in enumerate(df.dtypes) if dtype in (Text.dtype, object)]
    assert len(rows) == len(df)
    for cell in [*header, *(row[number] for row in rows for number in texts)]:
        # Numbers in a column of objects have no apostrophe, even with a sign.
        assert not cell.lstrip(" ").startswith(FORMULA) or is_number(cell)


def is_number(cell: str) -> bool:
    try:
        json.loads(cell)
    except ValueError:
        return False
    return cell == cell.strip()


@pytest.mark.parametrize("text", ["plain", "it's", "'quoted'", "a=b", "12345", "0", "x-1", "a@b.c"])
def test_other_texts_are_as_they_are(path: Path, text: str) -> None:
    rnb.to_csv(frame_of(id=[text], title=[text]), path, overwrite=True)
    assert cells_of(path)[1] == [text] * 2


def test_for_programs_there_are_no_apostrophes(path: Path) -> None:
    df = frame_of(id=["1234567890123456"], title=["=1+1"], note=["-x"])
    rnb.to_csv(df, path, spreadsheet=False, overwrite=True)
    assert cells_of(path) == [["id", "title", "note"], ["1234567890123456", "=1+1", "-x"]]


def test_the_file_begins_with_one_byte_order_mark(path: Path) -> None:
    content = rnb.to_csv(sample(), path, overwrite=True).read_bytes()
    assert content.startswith(BOM)
    assert content.count(BOM) == 1
    content.decode("utf-8")


def test_pandas_opens_it(path: Path) -> None:
    df = sample()
    plain = pd.read_csv(rnb.to_csv(df, path, overwrite=True))
    assert [name.removesuffix(" (JSON)") for name in plain.columns] == df.columns.tolist()
    assert plain["id"].tolist() == ["18ba5ce699f8da1f", "'1234567890123456"]
    assert plain["description"].tolist()[0] == "two\nlines, with a comma"
    assert plain["should_translate"].tolist() == [True, False]
    assert (pd.to_datetime(plain["created_at"])[0]) == df.loc[0, "created_at"]


def test_a_file_that_a_spreadsheet_saved(path: Path) -> None:
    path.write_bytes(
        BOM + "id;title;should_translate;sensitive_properties;email_transform_version;created_at;"
        "n;x;b;note\r\n"
        "18ba5ce699f8da1f;'=1+1;TRUE;[\"email\", \"phone\"];7;2016-02-10T23:13:28.340295+00:00;"
        "5;1.5;FALSE;Grüße\r\n"
        "'1234567890123456;;FALSE;[];;;;;;\r\n"
        ';"a;b ""c""";;;;;-1;2;TRUE;"two\nlines"\r\n'.encode()
    )  # fmt: skip
    moment = pd.Timestamp("2016-02-10T23:13:28.340295+00:00")
    expected = frame_of(
        id=["18ba5ce699f8da1f", "1234567890123456", None],
        title=["=1+1", None, 'a;b "c"'],
        should_translate=[True, False, None],
        sensitive_properties=[("email", "phone"), (), None],
        email_transform_version=[7, None, None],
        created_at=[moment, None, None],
        n=pd.array([5, None, -1], dtype="Int64"),
        x=pd.array([1.5, None, 2], dtype="Float64"),
        b=pd.array([False, None, True], dtype="boolean"),
        note=["Grüße", None, "two\nlines"],
    )
    same(rnb.read_csv(path), expected)


@pytest.mark.slow
@given(df=listings(), into=st.sampled_from([",", ";", "\t"]))
@settings(max_examples=25, deadline=None)
def test_saved_again_only_empty_texts_are_lost(path: Path, df: pd.DataFrame, into: str) -> None:
    # A spreadsheet does not distinguish missing from empty texts, or the text "true" from TRUE,
    objects = [name for name in df if name not in KNOWN and df[name].dtype == object]
    df = df.drop(columns=objects)
    for name in df.columns[df.dtypes == Text.dtype]:
        df[name] = df[name].mask(df[name].isin(["", "true", "false"]))
    df = df[[name for name in df if name in KNOWN or df[name].notna().any()]]
    # or a row of missing values from a blank row.
    df = df[df.notna().any(axis=1)].reset_index(drop=True)
    content = rnb.to_csv(df, path, overwrite=True).read_bytes()
    path.write_bytes(saved_again(content, into=into))
    same(rnb.read_csv(path), df)


def test_saved_again_a_flag_among_objects_is_read(path: Path) -> None:
    df = convert.from_elements([{"id": "a", "field": True}, {"id": "b", "field": [1]}])
    path.write_bytes(saved_again(rnb.to_csv(df, path, overwrite=True).read_bytes()))
    assert rnb.read_csv(path)["id"].tolist() == ["a", "b"]


@pytest.mark.parametrize("other", ["+5", "007", "1.", ".5", "TRUE", "inf", "2016-02-10T23:13:28Z"])
def test_what_looks_like_json_in_a_foreign_column_is_text(path: Path, other: str) -> None:
    path.write_bytes(f"id,note\na,[1]\nb,{other}\n".encode())
    assert rnb.read_csv(path)["id"].tolist() == ["a", "b"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("sep", [",", ";", "\t"])
@pytest.mark.parametrize("bom", [BOM, b""])
def test_any_line_ending_and_separator(path: Path, ending: str, sep: str, bom: bytes) -> None:
    rows = [["id", "title", "n"], ["a", "x", "5"], ["b", "", ""]]
    path.write_bytes(bom + "".join(sep.join(row) + ending for row in rows).encode())
    n = pd.array([5, None], dtype="Int64")
    same(rnb.read_csv(path), frame_of(id=["a", "b"], title=["x", None], n=n))


# What cannot be written


def test_the_path_is_returned(tmp_path: Path) -> None:
    assert rnb.to_csv(sample(), str(tmp_path / "x.csv")) == tmp_path / "x.csv"


@pytest.mark.parametrize("where", [".", "missing/x.csv", "file/x.csv"])
def test_where_no_file_can_be_is_said(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(FileProblem):
        rnb.to_csv(sample(), tmp_path / where, overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def shape(columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame([["x"] * len(columns)], columns=columns)


@pytest.mark.parametrize(
    ("df", "said"),
    [
        (shape(["a", "b", "a"]), "'a' twice"),
        (shape(["a", 5]), "not 5"),
        (shape([("a", "b")]), "name is a text"),
        (shape([""]), "name is a text"),
        (shape([]), "no columns"),
        (pd.DataFrame(), "no columns"),
        (shape(["a"]).rename_axis(index="id"), r"reset_index\(\)"),
        (shape(["a", "b", "c"]).set_index(["a", "b"]), r"reset_index\(\)"),
        (shape(["a"])["a"], "takes a DataFrame"),
        ([{"a": 1}], "takes a DataFrame"),
        (None, "takes a DataFrame"),
    ],
    ids=range(11),
)
def test_frames_that_no_csv_holds(tmp_path: Path, df: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        rnb.to_csv(df, tmp_path / "x.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sep", ["", "|", ",,", "\n", None, 5])
def test_other_separators_are_refused(tmp_path: Path, sep: Any) -> None:
    with pytest.raises(InvalidInput, match="sep is one of"):
        rnb.to_csv(sample(), tmp_path / "x.csv", sep=sep)
    assert not list(tmp_path.iterdir())


NAIVE = pd.Timestamp("2020-01-01")
FINE = pd.Timestamp(1, unit="ns", tz="UTC")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("title", 5, "5 is not text"),
        ("title", ("a",), "is not text"),
        ("title", b"a", "is not text"),
        ("title", "a\ud800", "lone surrogate"),
        ("should_translate", "true", "is not True or False"),
        ("should_translate", 1, "is not True or False"),
        ("sensitive_properties", "email", "is not a list of texts"),
        ("sensitive_properties", ("email", 5), "is not a list of texts"),
        ("sensitive_properties", ("a\ud800",), "lone surrogate"),
        ("email_transform_version", "7", "is not a whole number"),
        ("email_transform_version", 1.5, "is not a whole number"),
        ("email_transform_version", float("inf"), "is not a whole number"),
        ("email_transform_version", True, "is not a whole number"),
        ("email_transform_version", 2**64 - 1, "whole number"),
        ("num_comments", "many", "is not a whole number"),
        ("created_at", "2016-02-10T23:13:28Z", "is not a timestamp"),
        ("created_at", 1455146008, "is not a timestamp"),
        ("created_at", NAIVE, "no time zone"),
        ("created_at", FINE, "finer than a microsecond"),
        ("unknown", NAIVE, "no exact form in a file|no time zone"),
        ("unknown", {"a": NAIVE}, "no exact form in a file"),
        ("unknown", "a\ud800", "lone surrogate"),
        ("unknown", object(), "no exact form in a file"),
    ],
)
def test_values_that_do_not_fit_name_the_column(
    tmp_path: Path, name: str, value: Any, said: str
) -> None:
    values = pd.Series(column([None, value], np.dtype(object)), dtype=object)
    df = frame_of(id=["a", "b"]).assign(**{name: values})
    with pytest.raises(InvalidInput, match=said) as caught:
        rnb.to_csv(df, tmp_path / "x.csv")
    assert repr(name) in str(caught.value)
    assert "row 1" in str(caught.value) or "surrogate" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_a_column_without_time_zone_says_how_to_give_one(tmp_path: Path, unit: str) -> None:
    df = pd.DataFrame({"when": np.array(["2020-01-01"], dtype=f"datetime64[{unit}]")})
    with pytest.raises(InvalidInput, match=r"'when', row 0.*tz_localize\('UTC'\)"):
        rnb.to_csv(df, tmp_path / "x.csv")


@pytest.mark.parametrize("name", ["half \ud800", ""])
def test_a_name_that_no_file_holds_is_refused(tmp_path: Path, name: str) -> None:
    df = pd.DataFrame([["x"]], columns=pd.Index([name], dtype=object))
    with pytest.raises(InvalidInput):
        rnb.to_csv(df, tmp_path / "x.csv")
    assert not list(tmp_path.iterdir())


# What cannot be read


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match=r"x\.csv could not be read: No such file"):
        rnb.read_csv(tmp_path / "x.csv")
    with pytest.raises(FileProblem, match="could not be read: Is a directory"):
        rnb.read_csv(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"x" * 200_000, b'"' + b"x,\n" * 100_000 + b'"'], ids=range(2))
def test_a_file_of_one_long_line_is_read_or_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content + b",b\na,b\n")
    assert readable_or_refused(path)


def readable_or_refused(path: Path) -> bool:
    try:
        rnb.read_csv(path)
    except (FileProblem, UnreadableWarning) as error:
        return path.name in str(error)
    return True


@pytest.mark.parametrize(
    ("name", "cell", "said"),
    [
        ("created_at", "yesterday", "not an ISO 8601 timestamp"),
        ("created_at", "2016-02-10", "not an ISO 8601 timestamp"),
        ("created_at", "2016-02-30T00:00:00Z", "not a date and time that exist"),
        ("created_at", "0001-01-01T00:00:00+01:00", "outside the years"),
        ("created_at", "10.02.2016 23:13", "not an ISO 8601 timestamp"),
        ("should_translate", "yes", "not true or false"),
        ("should_translate", "1", "not true or false"),
        ("should_translate", "WAHR", "not true or false"),
        ("email_transform_version", "1.5", "not a whole number"),
        ("email_transform_version", "many", "not a whole number"),
        ("email_transform_version", str(2**63), "not a whole number"),
        ("email_transform_version", "1" * 5000, "row 3"),
        ("sensitive_properties", "email", "not a list of texts"),
        ("sensitive_properties", '"[1]"', "not a list of texts"),
        ("sensitive_properties", '"{""a"": 1}"', "not a list of texts"),
        ("sensitive_properties", "null", "not a list of texts"),
        ("sensitive_properties", "[" * 100_000, "not a list of texts"),
    ],
    ids=range(17),
)
def test_a_cell_that_does_not_fit_is_named(path: Path, name: str, cell: str, said: str) -> None:
    path.write_bytes(f'id,{name},title\n"a\nb",,\nc,{cell},"x"\n'.encode())
    with pytest.raises(FileProblem, match=said) as caught:
        rnb.read_csv(path)
    assert f"row 3, column '{name}'" in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "cell",
    ["1" * 5000, "[" * 100_000, "[" + "1" * 5000 + "]", "12345678901234567890"],
    ids=["5,000 digits", "too deep", "5,000 digits in a list", "20 digits"],
)
def test_an_odd_cell_of_a_foreign_column_is_kept_to_the_letter(path: Path, cell: str) -> None:
    path.write_bytes(f"id,field\na,{cell}\n".encode())
    back = rnb.read_csv(path)["field"].tolist()
    assert [str(value) for value in back] == [cell]


def test_numbers_that_no_double_holds_are_kept_to_the_letter(path: Path) -> None:
    path.write_bytes(b"id,field\na,9007199254740993\nb,1.5\n")
    assert rnb.read_csv(path)["field"].tolist() == ["9007199254740993", "1.5"]


@pytest.mark.parametrize(
    "content",
    [
        b"id,title\n\x1b[31mred,b,c\n",
        b"id,title\n\xe2\x80\xaegnp,b,c\n",
        b"id,\x1b[31mred,\x1b[31mred\na,b,c\n",
        b"id,created_at\na,\x1b[31mred\n",
    ],
)
def test_an_error_shows_nothing_that_commands_a_terminal(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(FileProblem) as caught:
        rnb.read_csv(path)
    assert "\x1b" not in str(caught.value)
    assert "\u202e" not in str(caught.value)


def cut_columns() -> list[list[str]]:
    return [
        ["id", "title", "should_translate", "created_at"],
        ["id", "should_translate", "title"],
        ["title", "sensitive_properties"],
    ]


@pytest.mark.slow
@pytest.mark.parametrize("columns", cut_columns(), ids=lambda names: names[-1])
@pytest.mark.parametrize("again", [False, True])
def test_a_file_cut_off_anywhere_is_refused_or_lacks_whole_rows(
    path: Path, columns: list[str], *, again: bool
) -> None:
    df = sample()[columns].assign(title=['say "=1"', 'ü "x" '])
    content = rnb.to_csv(df, path, overwrite=True).read_bytes()
    if again:
        content = saved_again(content)
    wrong = []
    for size in range(len(content)):
        path.write_bytes(content[:size])
        try:
            back = rnb.read_csv(path)
        except FileProblem:
            continue
        except UnreadableWarning:
            # Only files of other programs are read with a warning.
            assert again
            continue
        if not back.equals(df.head(len(back))):
            wrong.append(content[:size][-40:])
    assert wrong == []


@pytest.mark.slow
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(max_examples=120, deadline=None)
def test_any_bytes_are_read_or_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert readable_or_refused(path)


PIECES = [*"ab,;\t\n\r\"'=15.-+eT[]{}: ", "true", "null", "inf", "id", "created_at", "\n", ","]


@pytest.mark.slow
@given(content=st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
@settings(max_examples=120, deadline=None)
def test_anything_like_a_csv_is_read_or_refused(path: Path, content: str) -> None:
    path.write_bytes(content.encode())
    assert readable_or_refused(path)
