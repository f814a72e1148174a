"""The columns of any listing, as texts and full names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reinfer_nb.frames.cells import full_names


@pytest.mark.parametrize("dtype", ["str", "object", "category", "string[pyarrow]"])
def test_a_full_name_needs_owner_and_name(dtype: str) -> None:
    df = pd.DataFrame(
        {"owner": ["claims", None, "", "claims", "claims"], "name": ["a", "a", "a", None, ""]},
        index=list("vwxyz"),
        dtype=dtype,
    )
    names = full_names(df)
    expected = ["claims/a", *[np.nan] * 4]
    pd.testing.assert_series_equal(names, pd.Series(expected, list("vwxyz"), dtype="str"))


def test_names_of_digits_and_missing_columns() -> None:
    df = pd.DataFrame({"owner": [7], "name": [2024]})
    assert full_names(df).tolist() == ["7/2024"]
    assert full_names(df[["owner"]]).isna().all()
    assert full_names(df.head(0)).empty
