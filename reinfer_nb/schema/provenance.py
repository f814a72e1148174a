"""The origin of a listing, in the `attrs` of its frame: tenant, project and time.

`attrs` hold JSON values only, since pandas writes them into Parquet and Feather files as JSON.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from typing import Any

import pandas as pd

from reinfer_nb.dates import moment
from reinfer_nb.schema.value_types import Moment, is_missing

ENDPOINT, PROJECT, FETCHED_AT = "endpoint", "project", "fetched_at"


def listing_attrs(
    endpoint: str, project: str | list[str] | None, fetched_at: datetime
) -> dict[Hashable | None, Any]:
    """Return the `attrs` of a listing.

    Args:
        endpoint: The tenant's base URL.
        project: The project of the listing, several projects, or None for the whole tenant.
        fetched_at: When the listing was requested.
    """
    return {ENDPOINT: endpoint, PROJECT: project, FETCHED_AT: Moment.write(fetched_at)}


def fetched_at(df: pd.DataFrame) -> datetime | None:
    """Return when a listing was fetched, in UTC; None if its `attrs` hold no time.

    >>> fetched_at(client.sources()).tzinfo
    datetime.timezone.utc

    Args:
        df: The listing. Its `attrs` hold an ISO 8601 text, or a `Timestamp` if an older version
            made the frame. A time without a zone is in UTC.

    Raises:
        InvalidInput: The value in `attrs` is not a time.
    """
    value: Any = df.attrs.get(FETCHED_AT)
    if is_missing(value):
        return None
    return moment(value, name=f'df.attrs["{FETCHED_AT}"]')
