"""CSV files of pandas, spreadsheets and the csv module are read correctly, or refused."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import cli
from reinfer_nb.errors import FileProblem, InvalidInput, UnreadableWarning
from reinfer_nb.schema.value_types import Names


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.csv"


def read(path: Path, content: str | bytes) -> pd.DataFrame:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return rnb.read_csv(path)


def cells_of(df: pd.DataFrame) -> list[list[Any]]:
    """Return the cells of a frame; missing and empty texts are None, as files may confuse them."""
    rows = df.astype(object).to_numpy().tolist()
    return [
        [
            None if not isinstance(cell, tuple) and (pd.isna(cell) or cell == "") else cell
            for cell in r
        ]
        for r in rows
    ]


# Other programs


def test_two_indexes_without_names_are_left_out(shared: rnb.Client, path: Path) -> None:
    df = shared.sources("claims")
    index = pd.MultiIndex.from_arrays([range(len(df)), range(len(df))])
    df.set_index(index).to_csv(path)
    assert list(rnb.read_csv(path).columns) == list(df.columns)


def test_an_index_of_texts_without_a_name_is_asked_about(path: Path) -> None:
    with pytest.raises(FileProblem, match=r"column 1 has no name in the first row\. Name it, or"):
        read(path, ",id\nx,a\n")


def test_the_advice_for_a_file_of_another_encoding_keeps_all_else(path: Path) -> None:
    rows = [["id", "title"], ["a", "Größe\r\nund\nFarbe"]]
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    with pytest.raises(FileProblem) as caught:
        read(path, file.getvalue().encode("cp1252"))
    advice = str(caught.value).rpartition("converts it: ")[2].removesuffix(".")
    exec(advice, {"Path": Path, "file": path})  # noqa: S102 - as a reader would run it
    assert rnb.read_csv(path).to_numpy().tolist() == rows[1:]


def test_a_last_line_without_a_line_break_is_a_line(path: Path) -> None:
    assert cells_of(read(path, "id,title\na,b\nc,d")) == [["a", "b"], ["c", "d"]]
    # With a byte order mark, a missing line break at the end means that rows may be missing.
    with pytest.warns(UnreadableWarning, match=r"x\.csv does not end in a line break"):
        back = read(path, "\ufeffid;title\r\na;b\r\nc;d")
    assert cells_of(back) == [["a", "b"], ["c", "d"]]


@pytest.mark.parametrize(
    ("before", "row"),
    [
        ("", 2),
        ("\n\n", 4),
        ('"one\ntwo\nthree",\n', 3),
        (",\n\n,\n", 5),
        ('"a\r\nb",\n\n"c\n\nd",\n', 5),
    ],
)
@pytest.mark.parametrize(
    "head", ["id,created_at\n", "\n\nid,created_at\n", "sep=,\nid,created_at\n"]
)
def test_rows_are_counted_as_a_spreadsheet_shows_them(
    path: Path, before: str, row: int, head: str
) -> None:
    row += 2 * head.startswith("\n")
    with pytest.raises(FileProblem, match=rf"row {row}, column 'created_at': 'bad'"):
        read(path, f"{head}{before}x,bad\ny,\n")
    with pytest.raises(FileProblem, match=rf"row {row} has 4 cells, and the header has 2"):
        read(path, f"{head}{before}x,,,y\n")


# Unknown columns

NUMBERS = {"5": 5, "-6": -6, "0": 0, "1.5": 1.5, "-0.0": -0.0, "1e+16": 1e16, "inf": float("inf")}


@pytest.mark.parametrize("cell", NUMBERS)
def test_what_is_written_again_as_it_was_is_a_number(path: Path, cell: str) -> None:
    back = read(path, f"id,own\nx,{cell}\ny,\n")["own"]
    assert back[0] == NUMBERS[cell]
    assert str(back.dtype) == ("Int64" if isinstance(NUMBERS[cell], int) else "Float64")
    again = rnb.read_csv(rnb.to_csv(back.to_frame(), path, overwrite=True))
    pd.testing.assert_frame_equal(again, back.to_frame())


@pytest.mark.slow
def test_no_number_is_read_whose_text_is_another(path: Path) -> None:
    random = np.random.default_rng(20261128)
    signs = np.array(list("0123456789+-.eE"))
    for _ in range(300):
        cell = "".join(random.choice(signs, random.integers(1, 8)))
        value = read(path, f"id,own\nx,{cell}\n")["own"].tolist()[0]
        if not isinstance(value, str | pd.Timestamp):
            assert str(value) == cell


# Lists as texts


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("email",),
        ("a", "b"),
        ("it's",),
        ('"',),
        ("'\"",),
        ("\n\t\\",),
        ("\x1b", "ü", "\U0001f980"),
    ],
)
@pytest.mark.parametrize("form", [repr, lambda names: repr(list(names))], ids=["tuple", "list"])
def test_a_list_as_python_prints_it_is_read(path: Path, names: tuple[str, ...], form: Any) -> None:
    assert Names.parse(form(names)) == names
    written = pd.DataFrame({"id": ["x"], "sensitive_properties": [form(names)]})
    written.to_csv(path)
    assert rnb.read_csv(path)["sensitive_properties"].tolist() == [names]


@pytest.mark.parametrize(
    "text",
    [
        *("['a' 'b']", '["a" "b"]', "('a')", "'a'", "['a',]", "[a]", "['a', 5]", "('a', 'b'", ""),
        *("{'a'}", "['a', b'b']", "['\\u0061']", "['\\U11111111']", "__import__('os')", "['a']]"),
    ],
)
def test_what_only_looks_like_a_list_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="list of texts"):
        Names.parse(text)


# Writing


@pytest.mark.parametrize("name", ["x.csv.gz", "X.CSV.GZ"])
def test_a_name_in_gz_is_compressed(shared: rnb.Client, tmp_path: Path, name: str) -> None:
    df = shared.sources()
    packed = rnb.to_csv(df, tmp_path / name)
    plain = rnb.to_csv(df, tmp_path / "y.csv").read_bytes()
    assert gzip.decompress(packed.read_bytes()) == plain
    assert rnb.read_csv(packed).equals(df)
    assert packed.read_bytes() == rnb.to_csv(df, tmp_path / f"again-{name}").read_bytes()


@pytest.mark.parametrize("report", ["audit", "compare"])
def test_reports_are_compressed_too(shared: rnb.Client, tmp_path: Path, report: str) -> None:
    df = shared.sources()
    made: Any = rnb.audit(df) if report == "audit" else rnb.compare(df, df.iloc[1:])
    packed = made.to_csv(tmp_path / "x.csv.gz").read_bytes()
    assert gzip.decompress(packed) == made.to_csv(tmp_path / "x.csv").read_bytes()


@pytest.mark.slow
def test_the_command_line_compresses_too(configured: rnb.Client, tmp_path: Path) -> None:
    words = ["audit", "--fail-on", "never", "--format", "csv", "--out"]
    for name in ("x.csv", "x.csv.gz"):
        assert cli.main([*words, str(tmp_path / name)]) == 0
        assert cli.main(["list", "--csv", str(tmp_path / f"list-{name}")]) == 0
    for name in ("x.csv", "list-x.csv"):
        packed = (tmp_path / f"{name}.gz").read_bytes()
        assert gzip.decompress(packed) == (tmp_path / name).read_bytes()
    assert cli.main([*words, str(tmp_path / "x.xlsx")]) == 2
    assert configured.sources().equals(rnb.read_csv(tmp_path / "list-x.csv.gz"))


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        *(
            (f"x.{end}", r"rnb\.to_excel .*name that ends in \.csv")
            for end in ("xlsx", "XLSX", "xls", "ods")
        ),
        *((f"x.csv.{end}", r"\.csv or \.csv\.gz") for end in ("zip", "bz2", "xz", "zst", "7z")),
        *((f"x.{end}", rf"df\.to_{end}\(path\)") for end in ("parquet", "feather", "json")),
    ],
)
def test_a_name_of_another_kind_of_file_is_refused(
    shared: rnb.Client, tmp_path: Path, name: str, advice: str
) -> None:
    with pytest.raises(InvalidInput, match=advice):
        rnb.to_csv(shared.sources(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_arrays_are_lists(tmp_path: Path) -> None:
    with rnb.sandbox() as client:
        own_lists: Any = [[1, 2.5, None, "x"]] * 130
        deep: Any = [{"a": ["b"]}] * 130
        df = client.sources().assign(own=own_lists, deep=deep)
    plain = df.copy()
    plain.attrs = {}
    file = tmp_path / "x.parquet"
    texts: Any = [["a", "b"]] * 130
    plain.assign(own=texts).to_parquet(file)
    back = pd.read_parquet(file)
    assert isinstance(back["sensitive_properties"][0], np.ndarray)
    read_again = rnb.read_csv(rnb.to_csv(back, tmp_path / "x.csv"))
    assert read_again["own"].tolist() == [["a", "b"]] * 130
    assert read_again["deep"].tolist() == df["deep"].tolist()
    assert read_again["sensitive_properties"].equals(df["sensitive_properties"])
    with rnb.sandbox(back) as copy:
        listing = copy.sources()
    assert listing["sensitive_properties"].equals(df["sensitive_properties"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(5), 5),
        (np.float32(1.5), 1.5),
        (np.bool_(True), True),  # noqa: FBT003 - a value
        (np.str_("x"), "x"),
        (np.array([1, 2]), [1, 2]),
        (np.array([[1], [2]]), [[1], [2]]),
        (np.array(5), 5),
        ({"a": np.int64(5), "b": [np.array(["x"])]}, {"a": 5, "b": [["x"]]}),
        ([np.float64(1.5), np.bool_(False)], [1.5, False]),  # noqa: FBT003 - a value
        (np.datetime64("2026-03-01T09:00:00", "ns"), "2026-03-01T09:00:00"),
    ],
    ids=range(10),
)
def test_values_of_numpy_fill_a_sandbox(value: Any, expected: Any) -> None:
    rows = np.empty(1, dtype=object)
    rows[0] = value
    data = pd.DataFrame({"id": ["0" * 16], "owner": ["a"], "name": ["b"], "own": rows})
    with rnb.sandbox(data) as client:
        assert client.sources()["own"].tolist() == [expected]


@pytest.mark.parametrize(
    "value",
    [float("inf"), [float("nan")], {1, 2}, b"x", np.timedelta64(5, "s"), object(), {"a": object()}],
    ids=range(7),
)
def test_what_json_has_not_is_refused_by_the_sandbox(value: Any) -> None:
    data = pd.DataFrame({"id": ["0" * 16], "owner": ["a"], "name": ["b"], "own": [value]})
    with pytest.raises(
        InvalidInput, match=r"'own', row 0: .* (cannot be written as|number in) JSON"
    ):
        rnb.sandbox(data).start()
