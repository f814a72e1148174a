"""Data for a sandbox, and damaged database files: refused, with the place of the problem."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests

import reinfer_nb as rnb

TWO = pd.DataFrame({"owner": ["acme", "acme"], "name": ["a", "b"]})
HALF = "\ud83d"


def raw_listing(client: rnb.Client) -> Any:
    """Return the listing as a strict JSON parser reads it."""
    assert client.sandbox is not None
    response = requests.get(
        f"{client.endpoint}/api/v1/sources",
        headers={"Authorization": f"Bearer {client.sandbox.tokens['admin']}"},
        timeout=30,
    )
    assert response.status_code == 200

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(response.content.decode(), parse_constant=refuse)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("title", HALF),
        ("description", "x" + HALF),
        ("sensitive_properties", [HALF]),
        ("own", HALF),
        ("own", [{"deep": [HALF]}]),
        ("own", {HALF: 1}),
    ],
)
def test_half_a_character_is_refused_with_row_and_column(column: str, value: object) -> None:
    data = TWO.assign(**{column: pd.Series([None, value], dtype=object)})
    with pytest.raises(rnb.InvalidInput, match=f"[cC]olumn '{column}', row 1:.*half a character"):
        rnb.sandbox(data).start()


def test_half_a_character_in_the_name_of_a_column_is_refused() -> None:
    data = pd.DataFrame([["acme", "a", 1]], columns=pd.Index(["owner", "name", HALF], dtype=object))
    with pytest.raises(rnb.InvalidInput, match="half a character"):
        rnb.sandbox(data).start()


@pytest.mark.parametrize(
    "value", [np.inf, -np.inf, [np.inf], {"x": [np.nan]}, [np.float64("inf")], {"x": object()}]
)
def test_what_json_does_not_have_is_refused_with_row_and_column(value: object) -> None:
    data = TWO.assign(own=pd.Series([1.5, value], dtype=object))
    with pytest.raises(rnb.InvalidInput, match=r"Column 'own', row 1:.*JSON"):
        rnb.sandbox(data).start()


def test_values_of_numpy_and_missing_ones_make_a_listing_that_can_be_read() -> None:
    values = [np.int64(1), np.array(["a", "b"]), [np.float32(0.5), np.bool_(True)], np.nan]  # noqa: FBT003
    values += [pd.NA, pd.NaT, None, {"x": np.array([1, 2])}, np.str_("text")]
    data = pd.DataFrame({"owner": "acme", "name": [f"s{n}" for n in range(len(values))]}).assign(
        own=pd.Series(values, dtype=object), number=[1.5, *[np.nan] * (len(values) - 1)]
    )
    with rnb.sandbox(data) as client:
        sources = raw_listing(client)["sources"]
    assert [source.get("own") for source in sources] == [
        *(1, ["a", "b"], [0.5, True], None),
        *(None, None, None, {"x": [1, 2]}, "text"),
    ]
    assert ["number" in source for source in sources] == [True, *[False] * (len(values) - 1)]


DAMAGES = {
    "not UTF-8": ("sources", "body", b'{"id": "\xff"}'),
    "not JSON": ("sources", "body", b'{"id": '),
    "no object": ("sources", "body", b"[]"),
    "a name": ("sources", "name", b"\xff\xfe"),
    "a project": ("projects", "body", b"{"),
    "a bucket": ("buckets", "settings", b"\xff"),
    "a user": ("users", "body", b"null"),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_text_names_file_and_row_and_leaves_the_file(tmp_path: Path, damage: str) -> None:
    table, column, content = DAMAGES[damage]
    file = tmp_path / "box.db"
    with rnb.sandbox(database=file):
        pass
    db = sqlite3.connect(file)
    second = f"(SELECT rowid FROM {table} ORDER BY rowid LIMIT 1 OFFSET 1)"  # noqa: S608
    update = f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE rowid = {second}"  # noqa: S608
    db.execute(update, (content,))
    db.commit()
    db.close()
    before = file.read_bytes()
    with pytest.raises(rnb.FileProblem, match="row 2 of the table") as caught:
        rnb.sandbox(database=file).start()
    assert str(file) in str(caught.value)
    assert f"the {column} in row 2 of the table {table}" in str(caught.value)
    assert file.read_bytes() == before


SCRIPT = """
import pandas as pd
import tqdm.auto

made = []


class Bar(tqdm.auto.tqdm):
    def __init__(self, *args, **options):
        options["delay"], self.wanted = 0, options["delay"]
        super().__init__(*args, **options)
        made.append((self.desc, self.total, self.wanted))


tqdm.auto.tqdm = Bar
import reinfer_nb as rnb

data = pd.DataFrame({"owner": "acme", "name": [f"s{n}" for n in range(3000)]})
with rnb.sandbox(data) as client:
    assert len(client.sources()) == 3000
print(made)
"""


@pytest.mark.slow
def test_filling_shows_how_far_it_is() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.stdout.startswith("[('Filling the sandbox', 3000, 1.0)"), ended.stderr
    assert "Filling the sandbox" in ended.stderr
