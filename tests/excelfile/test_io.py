"""A listing written as a workbook is read back exactly, and opens in other programs as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.errors import ConfigurationError, FileProblem, InvalidInput
from reinfer_nb.frames import convert
from reinfer_nb.schema.value_types import Moment, Text
from tests.csvfile.test_io import NASTY, WHOLES, column, frame_of, listings, same, sample
from tests.excelfile.workbooks import cell_types, sheet_xml

# Texts that mean something in a workbook, or to the programs that read and write it.
ODD = [
    *("_x0041_", "_x0041_x0042_", "_x005F_x0041_", "_x005f_", "_x", "_xD83D__xDE00_", "_x000d_\r"),
    *("<r>x</r>", "<r><t>&lt;</t></r>", "<r>_x0041_x0042_\x01 ]]></r>", "<r>\n</r>", "&#10;"),
    *("\0", "\x01\x1f\x7f\x85", "\ufffe\uffff", "http://x.invalid", "internal:Sheet1!A1", "#N/A"),
    *("mailto:a@b.invalid", "{=1+1}", "#REF!", "1900-01-01", "0.10", "1,5", "\u3000x", "x\u00a0"),
]  # fmt: skip
TEXTS = [*NASTY, *ODD]


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    """A path that the property tests share; each test overwrites the file."""
    with TemporaryDirectory() as folder:
        yield Path(folder) / "listing.xlsx"


def there_and_back(df: pd.DataFrame, path: Path) -> pd.DataFrame:
    return rnb.read_excel(rnb.to_excel(df, path, overwrite=True))


def by_openpyxl(path: Path) -> list[list[Any]]:
    """Return the cells of the first worksheet, as openpyxl reads them."""
    book = openpyxl.load_workbook(path)
    return [list(row) for row in book.worksheets[0].iter_rows()]


# Round trips


@pytest.mark.slow
@given(df=listings())
@settings(max_examples=60, deadline=None)
def test_there_and_back_is_exact(path: Path, df: pd.DataFrame) -> None:
    same(there_and_back(df, path), df)
    assert "<f" not in sheet_xml(path)


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_a_nasty_text_anywhere(path: Path, text: str) -> None:
    df = frame_of(id=[text, None], title=["x", text], sensitive_properties=[(text,), ()])
    df["note"] = pd.array([None, text], dtype=Text.dtype)
    df["any"] = column([[text], {text: text}], np.dtype(object))
    same(there_and_back(df, path), df)


@pytest.mark.slow
@given(st.lists(st.text(alphabet=["_", "x", "0", "4", "1", "A", "<", "r", ">", "/", "\r", "&"])))
@settings(max_examples=80, deadline=None)
def test_what_looks_like_markup_or_an_escape_is_text(path: Path, texts: list[str]) -> None:
    wrapped = [form for text in texts for form in (text, f"<r>{text}</r>", f"_x0041_{text}_x0042_")]
    df = frame_of(title=wrapped, id=["1" * 16] * len(wrapped))
    same(there_and_back(df, path), df)


def test_the_listing_of_a_tenant(shared: rnb.Client, path: Path) -> None:
    df = shared.statistics(shared.sources(), progress=False)
    same(there_and_back(df, path), df)
    assert shared.plan(rnb.read_excel(path)).steps == ()
    assert shared.plan(rnb.read_excel(path)).problems.empty


def test_no_rows_keep_the_dtypes(path: Path) -> None:
    df = convert.from_elements([])
    same(there_and_back(df, path), df)


def test_missing_and_empty_are_two_things(path: Path) -> None:
    df = frame_of(title=["", None, "x"], note=["", None, None])
    same(there_and_back(df, path), df)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_rows_without_any_value_are_kept(path: Path, rows: int) -> None:
    df = frame_of(title=["x", None, "y"][:rows], created_at=[None] * rows)
    same(
        there_and_back(df.iloc[::-1].reset_index(drop=True), path),
        df.iloc[::-1].reset_index(drop=True),
    )
    same(there_and_back(df[["created_at"]], path), df[["created_at"]])


FIRST, LAST = datetime(1900, 3, 1, tzinfo=UTC), datetime(2079, 6, 5, 23, 59, 59, 999999, tzinfo=UTC)
EDGES = [
    *(FIRST, FIRST - timedelta(microseconds=1), LAST, LAST + timedelta(microseconds=1)),
    *(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    *(datetime(1900, 1, 1, tzinfo=UTC), datetime(1900, 2, 28, 12, tzinfo=UTC)),
    *(datetime(2100, 1, 1, 1, 1, 1, 1000, tzinfo=UTC), datetime(1969, 12, 31, 23, tzinfo=UTC)),
]


@pytest.mark.slow
@given(st.lists(st.none() | st.datetimes(timezones=st.just(UTC)) | st.sampled_from(EDGES)))
@settings(max_examples=80, deadline=None)
def test_times_are_exact(path: Path, times: list[datetime | None]) -> None:
    df = pd.DataFrame({"created_at": pd.array(times, dtype=Moment.dtype)})
    df["seen"] = df["created_at"]
    df["id"] = "x"
    same(there_and_back(df, path), df)


@pytest.mark.slow
@pytest.mark.parametrize(
    "day",
    # As numbers of days these have two, three, four and five digits.
    [
        "1900-04-01T00:00:00",
        "1902-01-01T00:00:00",
        "1905-07-01",
        "2026-11-30T12:34:56",
        "2076-11-17",
    ],
)
def test_every_microsecond_is_a_date(path: Path, day: str) -> None:
    micros = np.datetime64(day, "us").astype(np.int64) + np.arange(10_000)
    for name in ("created_at", "seen"):
        times = pd.to_datetime(micros, unit="us", utc=True).as_unit("us")
        df = pd.DataFrame({name: times})
        same(there_and_back(df, path), df)
        assert sheet_xml(path).count("<t>") == 1  # the heading


@pytest.mark.slow
@given(st.lists(st.none() | WHOLES | st.integers(-(10**16), 10**16)), st.lists(st.floats()))
@settings(max_examples=50, deadline=None)
def test_numbers_are_exact(path: Path, wholes: list[int | None], floats: list[float]) -> None:
    for df in (
        pd.DataFrame({"num_comments": pd.array(wholes, "Int64"), "id": "x"}),
        pd.DataFrame({"count": pd.array(wholes, "Int64"), "id": "x"}),
        pd.DataFrame({"share": pd.array(floats, "Float64"), "id": "x"}),
    ):
        same(there_and_back(df, path), df)


def test_all_digits_of_a_number_are_kept(path: Path) -> None:
    numbers = [0.1 + 0.2, 1 / 3, -2 / 3 * 1e300, 5e-324, 1e-310, 1.7976931348623157e308, 123456.0]
    df = pd.DataFrame({"share": pd.array(numbers, "Float64")})
    assert there_and_back(df, path)["share"].tolist() == numbers


def test_a_column_named_like_a_heading_with_a_dtype(path: Path) -> None:
    df = frame_of(id=["a"], created_at=[datetime(2026, 1, 1, tzinfo=UTC)])
    for name in ("created_at (UTC)", "x (text)", "x (JSON)", "x (Int64) (UTC)", "y (timestamp)"):
        df[name] = pd.array(["1"], dtype=Text.dtype)
    same(there_and_back(df, path), df)


@pytest.mark.parametrize(
    "dtype",
    ["category", "string[pyarrow]", "string[python]", "large_string[pyarrow]", "object"],
)
def test_texts_of_any_dtype(path: Path, dtype: Any) -> None:
    texts = pd.Series(["=1", None, "007"], dtype="str")
    there_and_back(pd.DataFrame({"title": texts.astype(dtype), "id": "x"}), path)
    same(rnb.read_excel(path)[["title"]], pd.DataFrame({"title": texts}))


def test_other_dtypes_come_back_nullable(path: Path) -> None:
    df = pd.DataFrame(
        {
            "id": ["a", "b"],
            "whole": np.array([1, 2], "uint8"),
            "float": [1.0, 2.0],
            "flag": [True, False],
            "arrow": pd.array([1, None], "int64[pyarrow]"),
            "when": pd.to_datetime(["2026-01-01T12:00+05:30"] * 2).as_unit("ns"),
            "email_transform_version": [3.0, np.nan],
        }
    )
    back = there_and_back(df, path)
    expected = ["str", "Int64", "Float64", "boolean", "Int64", "datetime64[us, UTC]", "Int64"]
    assert back.dtypes.astype(str).tolist() == expected
    assert back["when"].tolist() == df["when"].tolist()


# What other programs see


def test_openpyxl_sees_types_formats_and_a_frozen_heading(path: Path) -> None:
    df = sample().assign(num_comments=pd.array([10**15, 10**15 - 1], "Int64"))
    rnb.to_excel(df, path, overwrite=True)
    headings, *rows = by_openpyxl(path)
    cells = {cell.value: under for cell, under in zip(headings, rows[0], strict=True)}
    assert cells["title"].data_type == "s"
    assert cells["title"].value == '=HYPERLINK("x")'
    assert cells["title"].hyperlink is None
    assert cells["title"].number_format == "@"
    assert cells["should_translate"].value is True
    assert cells["email_transform_version"].value == 7
    assert cells["sensitive_properties"].value == '["email", "=cmd()"]'
    assert cells["created_at (UTC)"].is_date
    assert cells["created_at (UTC)"].number_format.endswith("hh:mm:ss")
    assert abs(cells["created_at (UTC)"].value - datetime(2016, 2, 10, 23, 13, 28, 340295)) < (  # noqa: DTZ001
        timedelta(milliseconds=1)
    )
    assert cells["score"].value == 1.5
    assert cells["num_comments"].value == "1000000000000000"
    assert cells["nested (JSON)"].value == '{"a": [1, null]}'
    under = {cell.value: under for cell, under in zip(headings, rows[1], strict=True)}
    assert under["id"].value == "1234567890123456"
    assert under["title"].value == "007"
    assert under["num_comments"].value == 10**15 - 1
    assert under["created_at (UTC)"].value is None
    sheet = openpyxl.load_workbook(path).worksheets[0]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == sheet.dimensions
    assert headings[0].font.bold
    widths = [dimension.width for dimension in sheet.column_dimensions.values()]
    assert min(widths) >= 8
    assert max(widths) < 62


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@x", "{=1}", "=", "http://a.b", "1e5", "TRUE"]
)
def test_no_text_is_a_formula_a_link_or_a_number(path: Path, text: str) -> None:
    rnb.to_excel(frame_of(id=[text], title=[text], note=[text]), path, overwrite=True)
    xml = sheet_xml(path)
    assert "<f" not in xml
    assert "hyperlink" not in xml
    assert cell_types(path) == {"inlineStr"}


# Limits


@pytest.mark.parametrize("text", ["x" * 32_768, "🦀" * 16_384, "\n" * 32_768], ids=range(3))
def test_a_text_that_no_cell_holds_is_refused(tmp_path: Path, text: str) -> None:
    df = frame_of(id=["a", "b"], description=["x", text])
    with pytest.raises(InvalidInput, match=r"'description', row 1: the text has .*to_csv"):
        rnb.to_excel(df, tmp_path / "x.xlsx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["x" * 32_767, "🦀" * 16_383, "\r" * 32_767, "_x0041_" * 4_681], ids=range(4)
)
def test_the_longest_text_is_kept(path: Path, text: str) -> None:
    df = frame_of(id=["a"], description=[text])
    same(there_and_back(df, path), df)


@pytest.mark.parametrize(("rows", "columns"), [(1_048_576, 1), (1, 16_385)])
def test_more_than_a_worksheet_holds_is_refused(tmp_path: Path, rows: int, columns: int) -> None:
    df = pd.DataFrame({f"c{number}": np.zeros(rows, "int8") for number in range(columns)})
    with pytest.raises(InvalidInput, match="1,048,575 rows below the headings and 16,384 columns"):
        rnb.to_excel(df, tmp_path / "x.xlsx")
    assert list(tmp_path.iterdir()) == []


# Arguments, and files that exist


@pytest.mark.parametrize("name", ["x.xls", "x.XLSM", "x.csv", "x.ods", "x.parquet", "x.xlsb"])
def test_the_name_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match=r"to_excel writes \.xlsx"):
        rnb.to_excel(sample(), tmp_path / name)


@pytest.mark.parametrize("where", [".", "missing/x.xlsx"])
def test_where_no_file_can_be_is_said(tmp_path: Path, where: str) -> None:
    with pytest.raises(FileProblem):
        rnb.to_excel(sample(), tmp_path / where)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.to_datetime(["2026-01-01"]), "has no time zone"),
        (pd.to_datetime(["2026-01-01T00:00:00.000000001Z"]), "finer than a microsecond"),
        ([object()], "no exact form"),
        (pd.Series(["a\ud800"], dtype=object), "half a character"),
        (pd.Series(["a\ud800"], dtype="string[python]"), "half a character"),
        (pd.to_timedelta(["1s"]), "no exact form"),
    ],
)
def test_what_has_no_exact_form_is_refused(tmp_path: Path, values: Any, message: str) -> None:
    name = "title" if "half" in message else "field"
    with pytest.raises(InvalidInput, match=message):
        rnb.to_excel(pd.DataFrame({name: values}), tmp_path / "x.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_without_xlsxwriter_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = rnb.to_excel(sample(), tmp_path / "x.xlsx")
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(ConfigurationError, match=re.escape("pip install 'reinfer_nb[excel]'")):
        rnb.to_excel(sample(), tmp_path / "y.xlsx")
    # Reading needs no extra.
    same(rnb.read_excel(path), sample())


def test_a_full_disk_leaves_no_file(tmp_path: Path) -> None:
    code = (
        "import resource, sys, reinfer_nb as rnb, pandas as pd\n"
        "df = pd.DataFrame({'title': [str(n) * 9 for n in range(20_000)]})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try: rnb.to_excel(df, sys.argv[1])\n"
        "except rnb.FileProblem as error: print(error)\n"
    )
    import signal

    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x.xlsx")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
    )
    assert "could not be written" in result.stdout
    assert list(tmp_path.iterdir()) == []
