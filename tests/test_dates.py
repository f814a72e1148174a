"""Dates and times are accepted in every usual form, and other values are refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reinfer_nb.dates import moment
from reinfer_nb.errors import InvalidInput

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EAST, WEST = (timezone(timedelta(hours=hours)) for hours in (5, -5))
ZONES = st.sampled_from([UTC, EAST, WEST, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu")])
# Bounds that are in the years 1 to 9999 in every time zone.
FIRST, LAST = datetime(1, 1, 2), datetime(9999, 12, 30)  # noqa: DTZ001 - bounds have no zone here


@pytest.mark.parametrize(
    "when",
    [
        "2026-03-01T12:00",
        "2026-03-01 12:00:00",
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00.000000+00:00",
        "2026-03-01T17:00+05:00",
        "20260301T120000Z",
        datetime(2026, 3, 1, 12),  # noqa: DTZ001 - without a zone it is UTC
        datetime(2026, 3, 1, 13, tzinfo=ZoneInfo("Europe/Berlin")),
        pd.Timestamp("2026-03-01T12:00"),
        pd.Timestamp("2026-03-01T07:00-05:00"),
        pd.Timestamp("2026-03-01T12:00", tz="UTC").as_unit("s"),
    ],
)
@pytest.mark.parametrize("end", [True, False])
def test_a_time_of_day_is_that_moment(when: Any, *, end: bool) -> None:
    result = moment(when, end=end)
    assert result == NOON
    assert result.tzinfo is UTC
    assert type(result) is datetime


@pytest.mark.parametrize("when", ["2026-03-01", "20260301", "2026-W09-7", date(2026, 3, 1)])
def test_a_day_begins_and_ends(when: Any) -> None:
    assert moment(when) == datetime(2026, 3, 1, tzinfo=UTC)
    last = datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=UTC)
    assert moment(when, end=True) == last


@pytest.mark.parametrize("year", [1, 9999])
def test_the_first_and_the_last_year_are_years(year: int) -> None:
    assert moment(date(year, 1, 1)) == datetime(year, 1, 1, tzinfo=UTC)
    assert moment(f"{year:04}-12-31", end=True) == datetime(
        year, 12, 31, 23, 59, 59, 999999, tzinfo=UTC
    )


def test_what_is_finer_than_a_microsecond_is_cut() -> None:
    fine = pd.Timestamp("2026-03-01T12:00:00.000000999Z")
    assert moment(fine) == moment("2026-03-01T12:00:00.000000999Z") == NOON


@pytest.mark.slow
@given(st.datetimes(FIRST, LAST, timezones=ZONES))
def test_a_moment_is_the_same_in_any_zone_and_as_a_text(when: datetime) -> None:
    result = moment(when)
    # Python compares times in the skipped hour of a clock change as unequal across zones.
    assert result == when.astimezone(UTC)
    assert result.tzinfo is UTC
    assert moment(result.isoformat()) == moment(pd.Timestamp(result)) == result


@pytest.mark.parametrize(
    "when",
    [
        "0001-01-01T00:00+05:00",
        "9999-12-31T23:59-05:00",
        datetime(1, 1, 1, tzinfo=EAST),
        datetime(9999, 12, 31, 23, tzinfo=WEST),
        pd.Timestamp(datetime(1, 1, 1), tz=EAST),  # noqa: DTZ001 - the zone is beside
    ],
)
def test_what_is_in_no_year_in_utc_is_refused(when: Any) -> None:
    with pytest.raises(InvalidInput, match=r"outside the years 1 to 9999 in UTC\.$"):
        moment(when)


@pytest.mark.parametrize(
    "when",
    [
        *("", " ", "now", "today", "yesterday", "3", "2026", "2026-03", "2026-13-01", "2026-02-30"),
        *("01/02/2026", "1.2.2026", "March 2026", "2026-03-01T", "2026-03-01T25:00", "12:00"),
        *(None, True, 5, 1.5, pd.NaT, pd.NA, np.nan, b"2026-03-01", ["2026-03-01"]),
        *(np.datetime64("2026-03"), np.datetime64("NaT", "D"), np.datetime64("NaT", "us")),
        *(timedelta(days=1), pd.Period("2026-03-01")),
    ],
)
def test_what_is_no_moment_is_refused_with_what_is_one(when: Any) -> None:
    with pytest.raises(
        InvalidInput, match=r"is not a date or time\. Give .* '2026-03-01T12:00'\.$"
    ):
        moment(when)


def test_numpy_has_moments_and_dates_too() -> None:
    assert moment(np.datetime64("2026-03-01T12:00", "ns")) == NOON
    assert moment(np.datetime64("2026-03-01T12", "h")) == NOON
    assert moment(np.datetime64("2026-03-01"), end=True) == moment("2026-03-01", end=True)


def test_a_message_says_what_is_no_moment() -> None:
    with pytest.raises(InvalidInput, match=r"^now is 'soon', which is not a date or time\. Give"):
        moment("soon", name="now")


def test_a_long_or_commanding_text_is_shown_short_and_escaped() -> None:
    with pytest.raises(InvalidInput) as caught:
        moment("\x1b[31m" + "x" * 10_000)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 300
