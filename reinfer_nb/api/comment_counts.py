"""Numbers of comments: which sources are counted, with one request for each, many at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import pandas as pd

from reinfer_nb import errors
from reinfer_nb.api.listings import concatenated
from reinfer_nb.api.suggestions import Suggestions
from reinfer_nb.concurrency import Progress, checked_workers, side_by_side
from reinfer_nb.errors import InvalidInput, NotFound
from reinfer_nb.frames.cells import full_names
from reinfer_nb.schema import validation
from reinfer_nb.schema.records import Source
from reinfer_nb.snapshots.listing_source import listing_of
from reinfer_nb.text import counted, listed, shown

# Attributes of the frames of other libraries; a list of names has none of them.
_OF_FRAMES = ("to_pandas", "collect", "__dataframe__")


class Lister(Protocol):
    """The methods of a client that this module calls."""

    suggestions: Suggestions

    @property
    def endpoint(self) -> str:
        """The base URL of the tenant."""

    def sources(
        self, project: str | Iterable[str] | None = None, *, refresh: bool = False
    ) -> pd.DataFrame:
        """Return the sources of all projects or of some."""

    def source(self, which: str | Source) -> Source:
        """Return one source."""


class CountComments(Protocol):
    """`Client.count_comments`."""

    def __call__(self, which: str, *, stop: threading.Event | None = None) -> int:
        """Return how many comments a source has."""


def each(
    count_comments: CountComments,
    names: Iterable[str],
    *,
    workers: int = 16,
    progress: Progress = False,
) -> Iterator[tuple[str, int | str]]:
    """Yield each full name with its number of comments, or why it could not be counted.

    Args:
        count_comments: `Client.count_comments` of the tenant.
        names: Full names; duplicates are requested once.
        workers: Number of concurrent requests, up to 32.
        progress: As for `side_by_side`.
    """

    def count(which: str, stop: threading.Event) -> int | str:
        try:
            return count_comments(which, stop=stop)
        except InvalidInput:
            return "not a valid name"
        except (NotFound, errors.PermissionDenied) as error:
            return f"{error.status}"

    return side_by_side(
        count,
        sorted(set(names)),
        workers=checked_workers(workers),
        label="statistics",
        unit="source",
        progress=progress,
    )


def named_sources(client: Lister, which: object) -> pd.DataFrame:
    """Return the listing of what a user names, as `Client.statistics` documents it.

    Args:
        client: The client of the tenant.
        which: A listing, a project, a source, or several of the last two.

    Raises:
        InvalidInput: It is none of these.
        NotFound: There is no such project or source, or the token may not see it.
    """
    if isinstance(which, pd.DataFrame | os.PathLike) or any(
        hasattr(which, name) for name in _OF_FRAMES
    ):
        return listing_of(which, "statistics takes")
    if isinstance(which, str | Source):
        which = [which]
    if not isinstance(which, Iterable) or isinstance(which, bytes | Mapping):
        raise _unknown(which)
    names = list(dict.fromkeys(_checked(client, name) for name in which))
    if not names:
        raise InvalidInput("The list of projects and sources is empty. Give names, or a DataFrame.")
    parts = [_rows_of(client, name) for name in names]
    if len(parts) == 1:
        return parts[0]
    projects = list(dict.fromkeys(owner for part in parts for owner in part["owner"]))
    rows = concatenated(parts, client.endpoint, projects)
    # A project and one of its sources may both be named.
    return rows[~rows.duplicated(["id", "owner", "name"])].reset_index(drop=True)


def _checked(client: Lister, which: object) -> str:
    """Return a project, a full name or an id; raise `InvalidInput` if it is none of these."""
    if isinstance(which, Source):
        return which.full_name
    if not isinstance(which, str):
        raise _unknown(which)
    if "/" not in which:
        return client.suggestions.project_name(which)
    with client.suggestions.of_source(which):
        validation.full_name(which)
    return which


def _unknown(which: object) -> InvalidInput:
    return InvalidInput(
        "statistics takes a listing (a DataFrame), a project, a source (its full name or its id), "
        f"or a list of projects and sources, not {shown(which)}."
    )


def _rows_of(client: Lister, name: str) -> pd.DataFrame:
    """Return the rows of a project, or of a source by its full name or id."""
    if "/" not in name and not validation.is_id(name):
        return client.sources(name)
    for refresh in (False, True):
        rows = _listed(client, name, refresh=refresh)
        if len(rows):
            return rows.reset_index(drop=True)
        # A cached listing may be older than the source. If not, this raises the tenant's error.
        client.source(name)
    raise NotFound(
        f"The listing of {client.endpoint} has no {shown(name)}, but the source exists. Try again "
        "later."
    )


def _listed(client: Lister, name: str, *, refresh: bool) -> pd.DataFrame:
    """Return the rows of a source by its full name or id; of a project that looks like an id."""
    if "/" in name:
        listing = client.sources(name.partition("/")[0], refresh=refresh)
        return listing[listing["name"] == name.partition("/")[2]]
    listing = client.sources(refresh=refresh)
    rows = listing[listing["id"] == name]
    # The source comes first, as in `Client.source`.
    return rows if len(rows) else listing[listing["owner"] == name]


def with_comments(
    count_comments: CountComments, df: pd.DataFrame, *, workers: int, progress: Progress
) -> pd.DataFrame:
    """Return a listing with a column `num_comments`, as `Client.statistics` documents it."""
    if list(df.columns).count("owner") != 1 or list(df.columns).count("name") != 1:
        raise InvalidInput(
            "statistics takes a listing: a DataFrame with the columns owner and name, such as "
            "client.sources() returns."
        )
    names = full_names(df).fillna("").tolist()
    counts: dict[str, int | None] = {}
    uncounted = []
    for name, number in each(count_comments, names, workers=workers, progress=progress):
        counts[name] = number if isinstance(number, int) else None
        if not isinstance(number, int):
            uncounted.append(f"{name or '(no name)'} ({number})")
    if uncounted:
        errors.warn(
            f"{counted(len(uncounted), 'source')} could not be counted: {listed(uncounted)}",
            errors.UnreadableWarning,
        )
    column = pd.array([counts[name] for name in names], dtype="Int64")
    return df.assign(num_comments=column)
