"""Workbooks of other programs are read correctly, or refused with advice."""

from __future__ import annotations

import io
import math
import re
import shutil
import subprocess
import zipfile
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.errors import FileProblem, InvalidInput
from reinfer_nb.snapshots.listing_source import listing_at
from tests.csvfile.test_io import NASTY, frame_of, same
from tests.excelfile.workbooks import sheet_xml, workbook

SOFFICE = shutil.which("soffice")
office = pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.xlsx"


def row(*cells: str) -> str:
    return f"<row>{''.join(cells)}</row>"


def text(value: str) -> str:
    return f'<c t="inlineStr"><is><t>{value}</t></is></c>'


def number(value: object, style: int = 0) -> str:
    return f'<c s="{style}"><v>{value}</v></c>'


def made(path: Path, rows: list[list[Any]]) -> Path:
    """Write a workbook with openpyxl, and return its path."""
    book = openpyxl.Workbook()
    assert book.active is not None
    for cells in rows:
        book.active.append(cells)
    book.save(path)
    return path


# pandas and openpyxl


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["openpyxl", "xlsxwriter"])
@pytest.mark.parametrize("index", [True, False])
def test_what_pandas_wrote_is_read(
    client: rnb.Client, path: Path, engine: Any, *, index: bool
) -> None:
    df = client.sources()
    plain = df.assign(
        **{str(name): df[name].dt.tz_localize(None) for name in df.select_dtypes("datetimetz")}
    )
    plain.to_excel(path, index=index, engine=engine)
    back = rnb.read_excel(path)
    assert back.dtypes.equals(df.dtypes)
    assert client.plan(back).steps == ()
    assert client.plan(back).problems.empty


@pytest.mark.parametrize(
    ("heading", "value"),
    [
        ("created_at (UTC)", datetime(2026, 1, 2, 3, 4, 5)),  # noqa: DTZ001
        ("created_at", datetime(2026, 1, 2, 3, 4, 5)),  # noqa: DTZ001
        (" created_at ", datetime(2026, 1, 2, 3, 4, 5)),  # noqa: DTZ001
        ("created_at", "2026-01-02T03:04:05+00:00"),
        ("created_at", "2026-01-02T04:04:05+01:00"),
        ("created_at (UTC)", "2026-01-02T03:04:05Z"),
        ("created_at (UTC)", "2026-01-02 03:04:05"),
    ],
)
def test_a_time_is_a_date_or_a_text(path: Path, heading: str, value: Any) -> None:
    df = rnb.read_excel(made(path, [["id", heading], ["a", value], ["b", None]]))
    moment = pd.Timestamp("2026-01-02T03:04:05Z")
    same(df, frame_of(id=["a", "b"], created_at=[moment, None]))


def test_a_day_is_its_midnight(path: Path) -> None:
    df = rnb.read_excel(made(path, [["id", "created_at"], ["a", date(2026, 1, 2)]]))
    assert df["created_at"].tolist() == [pd.Timestamp("2026-01-02", tz="UTC")]


@pytest.mark.parametrize("value", [45000.5, 1767322800, True, "2026-01-02 03:04:05", "yesterday"])
def test_what_is_no_time_is_named(path: Path, value: Any) -> None:
    made(path, [["id", "created_at"], ["a", None], ["b", value]])
    with pytest.raises(FileProblem, match="row 3, column 'created_at'"):
        rnb.read_excel(path)


def test_empty_rows_and_columns_are_left_out(path: Path) -> None:
    rows: list[list[Any]] = [
        [None],
        [None, "id", None, "title", None],
        [None],
        [None, "a", None, "x"],
        [None] * 9,
    ]
    made(path, [*rows, [None, "b", "", None], ["", "", ""]])
    book = openpyxl.load_workbook(path)
    assert book.active is not None
    book.active["Z99"].font = openpyxl.styles.Font(bold=True)
    book.save(path)
    df = rnb.read_excel(path)
    assert df[["id", "title"]].iloc[:2].fillna("-").to_numpy().tolist() == [["a", "x"], ["b", "-"]]


def test_the_sheet_is_chosen_by_name(path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "Notes"
    book.active.sheet_state = "hidden"
    for name in ("One", "Two & <three>"):
        book.create_sheet(name).append(["id"])
        book[name].append([name])
    book.save(path)
    assert rnb.read_excel(path)["id"].tolist() == ["One"]
    assert rnb.read_excel(path, "Two & <three>")["id"].tolist() == ["Two & <three>"]
    with pytest.raises(InvalidInput, match=r"no worksheet 'one'\. Did you mean 'One'"):
        rnb.read_excel(path, "one")
    with pytest.raises(InvalidInput, match="name of a worksheet"):
        rnb.read_excel(path, 0)  # type: ignore[arg-type]
    with pytest.raises(FileProblem, match="no cells in this worksheet"):
        rnb.read_excel(path, "Notes")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["id", None], ["a", "b"]], "column B has no name in row 1"),
        ([["My sources"], ["id", "title"], ["a", "b"]], "column B has no name in row 1"),
        ([["id", "title", "id"], ["a", "b", "c"]], "column 'id' twice"),
        ([["created_at", "created_at (UTC)"], [None, None]], "column 'created_at' twice"),
        ([["id", "should_translate"], ["a", "perhaps"]], "row 2, column 'should_translate'"),
        ([["id", "should_translate"], ["a", 1]], "row 2, column 'should_translate': 1 is not true"),
        ([["id", "email_transform_version"], ["a", 1.5]], "column 'email_transform_version': 1.5"),
        ([["id", "sensitive_properties"], ["a", "email"]], "column 'sensitive_properties'"),
        ([["id", "x (JSON)"], ["a", "{"]], "column 'x': '{' is not JSON"),
        ([], "no cells in this worksheet"),
    ],
)
def test_what_is_no_listing_is_said(path: Path, rows: list[list[Any]], message: str) -> None:
    with pytest.raises(FileProblem, match=re.escape(message)):
        rnb.read_excel(made(path, rows))


@pytest.mark.parametrize("value", ["true", "TRUE", True])
def test_flags_may_be_texts(path: Path, value: Any) -> None:
    df = rnb.read_excel(made(path, [["should_translate"], [value], [None]]))
    same(df, frame_of(should_translate=[True, None]).head(1))


def test_unknown_columns_get_the_dtype_that_their_cells_show(path: Path) -> None:
    columns: dict[str, tuple[list[Any], str]] = {
        "whole": ([1, None], "Int64"),
        "number": ([1, 1.5], "Float64"),
        "flag": ([True, None], "boolean"),
        "when": ([datetime(2026, 1, 1), None], "datetime64[us, UTC]"),  # noqa: DTZ001
        "text": (["1", "x"], "str"),
        "mixed": ([1, "x"], "str"),
        "odd": ([True, datetime(2026, 1, 1)], "str"),  # noqa: DTZ001
        "error": (["#N/A", "x"], "str"),
    }
    rows = zip(*(cells for cells, _ in columns.values()), strict=True)
    made(path, [[*columns], *map(list, rows)])
    df = rnb.read_excel(path)
    assert df.dtypes.astype(str).to_dict() == {name: dtype for name, (_, dtype) in columns.items()}
    assert df["mixed"].tolist() == ["1", "x"]
    assert df["odd"].tolist() == ["true", "2026-01-01T00:00:00.000000+00:00"]
    assert df["error"].tolist() == ["#N/A", "x"]


# A spreadsheet takes a text for a number


def test_numbers_among_texts_are_problems_of_a_plan(client: rnb.Client, path: Path) -> None:
    rnb.to_excel(client.sources("claims"), path)
    book = openpyxl.load_workbook(path)
    sheet = book.active
    assert sheet is not None
    names = [cell.value for cell in sheet[1]]
    sheet.cell(2, names.index("title") + 1).value = 2024
    sheet.cell(3, names.index("title") + 1).value = "2024"
    sheet.cell(4, names.index("id") + 1).value = 1234567890123456
    sheet.cell(5, names.index("description") + 1).value = datetime(2024, 1, 5)  # noqa: DTZ001
    book.save(path)
    df = rnb.read_excel(path)
    assert df["title"].iloc[:2].tolist() == [2024, "2024"]
    assert df["id"].iloc[2] == 1234567890123456
    plan = client.plan(df)
    found = plan.problems[["row", "column"]].dropna().to_numpy().tolist()
    assert sorted(found) == [[0, "title"], [2, "id"], [3, "description"]]
    assert plan.problems["reason"].str.contains("number format of texts").any()


def test_an_edited_cell_is_the_only_step(client: rnb.Client, path: Path) -> None:
    rnb.to_excel(client.sources(), path)
    book = openpyxl.load_workbook(path)
    sheet = book.active
    assert sheet is not None
    place = [cell.value for cell in sheet[1]].index("title") + 1
    sheet.cell(2, place).value = "Edited"
    book.save(path)
    plan = client.plan(rnb.read_excel(path))
    assert plan.problems.empty
    (step,) = plan.steps
    assert dict(step.settings) == {"title": "Edited"}


# Workbooks made part by part


def test_formulas_give_the_value_in_the_file(path: Path) -> None:
    rows = row(text("id"), text("title"), text("num_comments"), text("should_translate")) + row(
        text("a"),
        '<c t="str"><f>A2&amp;"x"</f><v>ax</v></c>',
        "<c><f>1+1</f><v>2</v></c>",
        '<c t="b"><f>TRUE()</f><v>1</v></c>',
    )
    rows += row(text("b"), '<c t="str"><f>""</f><v></v></c>')
    expected = frame_of(id=["a", "b"], title=["ax", ""]).assign(
        num_comments=pd.array([2, None], "Int64"),
        should_translate=pd.array([True, None], "boolean"),
    )
    same(rnb.read_excel(workbook(path, rows)), expected)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("<c><f>1+1</f></c>", "does not hold the value of this formula"),
        ("<c><f>1+1</f><v></v></c>", "does not hold the value of this formula"),
        ('<c t="e"><f>1/0</f><v>#DIV/0!</v></c>', "has the error #DIV/0!"),
        ('<c t="e"><v>#REF!</v></c>', "has the error #REF!"),
    ],
)
def test_a_formula_without_a_value_is_not_a_missing_value(
    path: Path, cell: str, message: str
) -> None:
    workbook(path, row(text("id"), text("title")) + "<row/>" + row(text("a"), cell))
    with pytest.raises(FileProblem, match=f"row 3, column 'title': .*{re.escape(message)}"):
        rnb.read_excel(path)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (number(45000.5, 1), "2023-03-15T12:00:00Z"),
        (number(45000.5, 2), "2023-03-15T12:00:00Z"),
        (number("4.50005E4", 1), "2023-03-15T12:00:00Z"),
        (number("45000.123456789", 1), "2023-03-15T02:57:46.667Z"),  # 14 digits
        (number("45000.123456789005", 1), "2023-03-15T02:57:46.666570Z"),
        (number("45000", 1), "2023-03-15T00:00:00Z"),
        ('<c t="d"><v>2023-03-15T12:00:00</v></c>', "2023-03-15T12:00:00Z"),
        ('<c t="d" s="1"><v>2023-03-15T12:00:00.000002</v></c>', "2023-03-15T12:00:00.000002Z"),
    ],
)
def test_dates_of_any_format(path: Path, cell: str, expected: str) -> None:
    workbook(path, row(text("created_at"), text("when")) + row(cell, cell))
    df = rnb.read_excel(path)
    assert df["created_at"].tolist() == df["when"].tolist() == [pd.Timestamp(expected)]


@pytest.mark.parametrize("second", range(0, 60, 7))
def test_a_millisecond_that_a_program_missed_is_whole(path: Path, second: int) -> None:
    days = 46024 + Fraction(((3 * 60 + 4) * 60 + second) * 1000 + 678, 86_400_000)
    rows = [number(repr(math.nextafter(float(days), end)), 1) for end in (0, math.inf)]
    df = rnb.read_excel(workbook(path, row(text("created_at")) + "".join(map(row, rows))))
    assert df["created_at"].tolist() == [pd.Timestamp(f"2026-01-02T03:04:{second:02}.678Z")] * 2


def test_numbers_with_other_formats_are_numbers(path: Path) -> None:
    cells = number(45000.5), number(45000.5, 3), number(0.5, 1), number(60, 1), number(3e6, 1)
    headings = [text(f"c{place}") for place in range(len(cells))]
    df = rnb.read_excel(workbook(path, row(*headings) + row(*cells)))
    assert df.iloc[0].tolist() == [45000.5, 45000.5, 0.5, 60, 3e6]


def test_the_calendar_from_1904(path: Path) -> None:
    rows = row(text("created_at")) + row(number(43538.5, 1))
    df = rnb.read_excel(workbook(path, rows, properties='date1904="1"'))
    assert df["created_at"].tolist() == [pd.Timestamp("2023-03-15T12:00:00Z")]


def test_shared_texts_with_formats_and_phonetics(path: Path) -> None:
    strings = (
        "<si><t>title</t></si><si><r><rPr/><t>a </t></r><r><t>b</t></r></si>"
        '<si><t>東</t><rPh sb="0" eb="1"><t>ひがし</t></rPh><phoneticPr/></si>'
        "<si><t>_x000D__x005F_x0041_</t></si><si><t/></si><si/>"
    )
    cells = [f'<c r="C{place + 5}" t="s"><v>{place}</v></c>' for place in range(6)]
    rows = "".join(f'<row r="{place + 5}">{cell}</row>' for place, cell in enumerate(cells))
    df = rnb.read_excel(workbook(path, rows, strings=strings))
    same(df, frame_of(title=["a b", "東", "\r_x0041_", "", ""]))


def test_names_with_a_prefix_and_sheets_of_other_kinds(path: Path) -> None:
    others = '<sheet name="Chart" sheetId="2" r:id="r4"/>'
    workbook(path, row(text("id")) + row(text("a")), others=others)
    content = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            xml = archive.read(name).decode()
            if "/sheet1" in name or name == "xl/workbook.xml":
                xml = re.sub(r"<(/?)(?=\w)", r"<\1x:", xml).replace("xmlns=", "xmlns:x=")
            content[name] = xml
    with zipfile.ZipFile(path, "w") as archive:
        for name, xml in content.items():
            archive.writestr(name, xml)
    assert "<x:row>" in sheet_xml(path)
    same(rnb.read_excel(path), frame_of(id=["a"]))


# Other files


def zipped(**parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return file.getvalue()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"id,title\n", "a text such as CSV.*rnb.read_csv"),
        ("id\ttitle\n".encode("utf-16"), "a text such as CSV.*rnb.read_csv"),
        (b"\xef\xbb\xbf<html><table>", "HTML or XML.*save it as .xlsx"),
        (OLE, r"old workbook \(.xls\).*save it as .xlsx"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "protected by a password"),
        (zipped(content_xml=b"x"), r"OpenDocument file \(.ods\)"),
        (zipped(xl__workbook_bin=b"x"), r"binary workbook \(.xlsb\)"),
        (zipped(word__document_xml=b"x"), "Word document"),
        (zipped(Index__Document_iwa=b"x"), "Numbers"),
        (zipped(sources_csv=b"x"), "zip archive, but not a workbook"),
        (b"PK\x03\x04rest", "cut off or damaged"),
        (b"PAR1rest", "pd.read_parquet"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not a workbook"),
    ],
    ids=range(14),
)
def test_other_files_are_recognized(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(FileProblem, match=message):
        rnb.read_excel(path)


@pytest.mark.slow
def test_no_part_of_a_workbook_is_taken_for_the_whole(shared: rnb.Client, path: Path) -> None:
    content = rnb.to_excel(shared.sources("claims"), path).read_bytes()
    for end in range(0, len(content), 97):
        path.write_bytes(content[:end])
        with pytest.raises(FileProblem):
            rnb.read_excel(path)


@pytest.mark.slow
def test_a_damaged_workbook_is_refused_or_read_as_before(shared: rnb.Client, path: Path) -> None:
    df = shared.sources("claims")
    content = bytearray(rnb.to_excel(df, path).read_bytes())
    for place in range(0, len(content), 61):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            back = rnb.read_excel(path)
        except FileProblem:
            continue
        same(back, df)


def test_entities_are_refused(path: Path) -> None:
    doctype = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>'
    workbook(path, row(text("id")) + row(text("&a;")), doctype=doctype)
    with pytest.raises(FileProblem, match="damaged or not an Excel workbook"):
        rnb.read_excel(path)


@pytest.mark.parametrize("place", ["ZZZZZZZ1", "XFE1", "1", "a1"])
def test_a_cell_outside_a_worksheet_is_refused(path: Path, place: str) -> None:
    workbook(path, f'<row r="1"><c r="{place}"><v>1</v></c></row>')
    with pytest.raises(FileProblem, match="damaged or not an Excel workbook"):
        rnb.read_excel(path)


def test_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="could not be read"):
        rnb.read_excel(tmp_path / "none.xlsx")
    with pytest.raises(FileProblem, match="could not be read"):
        rnb.read_excel(tmp_path)


# Wherever a listing may be a file


def test_workbooks_are_taken_where_files_are(client: rnb.Client, tmp_path: Path) -> None:
    df = client.sources()
    for name in ("a.xlsx", "without"):
        path = rnb.to_excel(df, tmp_path / name)
        assert len(rnb.audit(path).findings) == len(rnb.audit(df).findings)
        assert rnb.compare(df, path).ok
        assert rnb.compare(str(path), df).ok
        same(listing_at(path), df)
        with rnb.sandbox(path) as other:
            assert len(other.sources()) == len(df)


@pytest.mark.parametrize("read", [rnb.audit, listing_at])
def test_a_file_that_is_named_like_a_workbook_is_said(path: Path, read: Any) -> None:
    path.write_bytes(b"id,title\n")
    with pytest.raises(FileProblem, match=r"rnb\.read_csv"):
        read(path)


# LibreOffice


def saved_by_office(path: Path) -> Path:
    """Return a workbook that LibreOffice saved."""
    folder = path.parent / "saved"
    profile = f"-env:UserInstallation=file://{path.parent}/profile"
    command = [str(SOFFICE), profile, "--headless", "--convert-to", "xlsx"]
    subprocess.run(
        [*command, "--outdir", str(folder), str(path)], check=True, capture_output=True, timeout=120
    )
    return folder / path.name


@pytest.mark.slow
@office
def test_libreoffice_saves_a_listing_without_a_change(client: rnb.Client, path: Path) -> None:
    df = client.sources()
    df["title"] = [*NASTY, *[None] * len(df)][: len(df)]
    df["extra"] = pd.array([{"a": [1]}] * len(df), dtype=object)
    df["flag"] = pd.array([None, *[True] * (len(df) - 1)], "boolean")
    back = rnb.read_excel(saved_by_office(rnb.to_excel(df, path)))
    assert back.dtypes.equals(df.dtypes)
    times = [name for name in df if df[name].dtype.kind == "M"]
    for name in times:
        assert ((back[name] - df[name]).abs().dropna() < pd.Timedelta("1ms")).all()
    # LibreOffice drops empty texts and turns line breaks into "\n".
    texts = df["title"].where(df["title"] != "").str.replace("\r\n?", "\n", regex=True)
    saved = back["title"].str.replace("\r\n?", "\n", regex=True)
    differ = ~((saved == texts) | (saved.isna() & texts.isna()))
    assert saved[differ].tolist() == texts[differ].tolist() == []
    for name in [name for name in df if name not in ("title", "description", *times)]:
        assert back[name].equals(df[name]), name


@pytest.mark.slow
@office
def test_a_plan_of_a_file_that_libreoffice_saved_has_no_steps(
    client: rnb.Client, path: Path
) -> None:
    plan = client.plan(rnb.read_excel(saved_by_office(rnb.to_excel(client.sources(), path))))
    assert plan.steps == ()
    assert plan.problems.empty


@pytest.mark.slow
@office
def test_libreoffice_computes_formulas(path: Path) -> None:
    made(path, [["id", "title"], ["a", '=A2&"x"']])
    with pytest.raises(FileProblem, match="does not hold the value of this formula"):
        rnb.read_excel(path)
    same(rnb.read_excel(saved_by_office(path)), frame_of(id=["a"], title=["ax"]))
