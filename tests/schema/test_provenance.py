"""The `attrs` of listings: JSON values, readable from frames of all versions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.schema import provenance

MOMENT = datetime(2026, 3, 1, 9, 30, 15, 250, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["sources", "projects", "buckets", "statistics"])
def test_attrs_are_json(shared: rnb.Client, kind: str) -> None:
    listing = shared.sources("claims")
    if kind == "statistics":
        listing = shared.statistics(listing.head(1), progress=False)
    elif kind != "sources":
        listing = getattr(shared, kind)()
    assert json.loads(json.dumps(listing.attrs)) == listing.attrs
    text = listing.attrs["fetched_at"]
    assert datetime.fromisoformat(text).isoformat(timespec="microseconds") == text
    assert text.endswith("+00:00")


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01T09:30:15.000250+00:00",
        "2026-03-01T10:30:15.000250+01:00",
        "2026-03-01T09:30:15.000250",
        pd.Timestamp(MOMENT),
        pd.Timestamp(MOMENT).tz_convert("Europe/Berlin"),
        pd.Timestamp(MOMENT).tz_localize(None),
        MOMENT,
        np.datetime64("2026-03-01T09:30:15.000250", "us"),
    ],
)
def test_whatever_version_wrote_it_is_read(value: Any) -> None:
    df = pd.DataFrame()
    df.attrs["fetched_at"] = value
    assert provenance.fetched_at(df) == MOMENT


@pytest.mark.parametrize("value", [None, pd.NaT, pd.NA, float("nan")])
def test_what_is_missing_is_not_said(value: Any) -> None:
    df = pd.DataFrame()
    assert provenance.fetched_at(df) is None
    df.attrs["fetched_at"] = value
    assert provenance.fetched_at(df) is None


@pytest.mark.slow
@pytest.mark.parametrize("value", ["", "soon", "2026-03-01T09:", 5, ["2026-03-01"]])
def test_damaged_times_are_refused_where_they_count(shared: rnb.Client, value: Any) -> None:
    df = shared.sources("claims")
    df.attrs["fetched_at"] = value
    for consumer in (rnb.audit, rnb.charts.freshness):
        with pytest.raises(
            rnb.InvalidInput, match=r'df.attrs\["fetched_at"\] is .* not a date or time'
        ):
            consumer(df)
    assert rnb.audit(df, rules=[], now="2026-01-01").now.year == 2026
    assert "2026-01-01" in rnb.charts.freshness(df, now="2026-01-01").get_title()


@pytest.mark.parametrize("value", [None, pd.NaT])
def test_charts_take_a_listing_without_a_time(shared: rnb.Client, value: Any) -> None:
    df = shared.sources("claims")
    df.attrs["fetched_at"] = value
    assert str(datetime.now(UTC).year) in rnb.charts.freshness(df).get_title()
