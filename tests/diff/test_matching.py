"""Which row of a listing is which row of another."""

from __future__ import annotations

import pandas as pd

from reinfer_nb.diff.matching import places_by_id, places_by_name

KNOWN = pd.DataFrame(
    {
        "id": ["1", "2", None, "2", ""],
        "owner": ["a", "a", "b", "b", "a"],
        "name": ["x", "y", "x", "y", ""],
    }
)


def test_ids_and_names_give_the_first_row() -> None:
    asked = pd.DataFrame({"id": ["2", "3", "1"], "owner": ["b", "a", "c"], "name": ["x", "x", "y"]})
    assert places_by_id(KNOWN, asked).tolist() == [1, -1, 0]
    assert places_by_name(KNOWN, asked).tolist() == [2, 0, -1]


def test_missing_and_empty_texts_match_nothing() -> None:
    asked = pd.DataFrame({"id": [None, ""], "owner": ["a", None], "name": ["", "x"]})
    assert places_by_id(KNOWN, asked).tolist() == [-1, -1]
    assert places_by_name(KNOWN, asked).tolist() == [-1, -1]
    assert places_by_id(KNOWN, asked[["name"]]).tolist() == [-1, -1]


def test_ids_that_were_read_as_numbers() -> None:
    asked = pd.DataFrame({"id": [2, 1]})
    assert places_by_id(KNOWN, asked).tolist() == [1, 0]
    assert places_by_id(asked, KNOWN).tolist() == [1, 0, -1, 0, -1]
