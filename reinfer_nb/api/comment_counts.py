"""Numbers of comments: which sources are counted, with one request for each, many at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

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

_Answer = TypeVar("_Answer")

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


def each(
    ask: Callable[[str, threading.Event], _Answer],
    names: Iterable[str],
    *,
    workers: int = 16,
    progress: Progress = False,
) -> Iterator[tuple[str, _Answer | str]]:
    """Yield each full name with what was asked about it, or why it could not be asked.

    Args:
        ask: Called with a full name, and an event: once that is set, no request is retried.
        names: Full names; duplicates are requested once.
        workers: Number of sources that are asked about at the same time, up to 32.
        progress: As for `side_by_side`.
    """

    def asked(which: str, stop: threading.Event) -> _Answer | str:
        try:
            return ask(which, stop)
        except InvalidInput as error:
            owner, _, name = which.partition("/")
            valid = validation.is_name(owner) and validation.is_name(name)
            return str(error) if valid else "not a valid name"
        except (NotFound, errors.PermissionDenied) as error:
            return f"{error.status}"

    return side_by_side(
        asked,
        sorted(set(names)),
        workers=checked_workers(workers),
        label="statistics",
        unit="source",
        progress=progress,
    )


def named_sources(client: Lister, which: object, method: str) -> pd.DataFrame:
    """Return the listing of what a user names, as `Client.statistics` documents it.

    Args:
        client: The client of the tenant.
        which: A listing, a project, a source, or several of the last two.
        method: The method of the client, for messages.

    Raises:
        InvalidInput: It is none of these.
        NotFound: There is no such project or source, or the token may not see it.
    """
    if isinstance(which, pd.DataFrame | os.PathLike) or any(
        hasattr(which, name) for name in _OF_FRAMES
    ):
        return listing_of(which, f"{method} takes")
    if isinstance(which, str | Source):
        which = [which]
    if not isinstance(which, Iterable) or isinstance(which, bytes | Mapping):
        raise _unknown(which, method)
    names = list(dict.fromkeys(_checked(client, name, method) for name in which))
    if not names:
        raise InvalidInput("The list of projects and sources is empty. Give names, or a DataFrame.")
    parts = [_rows_of(client, name) for name in names]
    if len(parts) == 1:
        return parts[0]
    projects = list(dict.fromkeys(owner for part in parts for owner in part["owner"]))
    rows = concatenated(parts, client.endpoint, projects)
    # A project and one of its sources may both be named.
    return rows[~rows.duplicated(["id", "owner", "name"])].reset_index(drop=True)


def _checked(client: Lister, which: object, method: str) -> str:
    """Return a project, a full name or an id; raise `InvalidInput` if it is none of these."""
    if isinstance(which, Source):
        return which.full_name
    if not isinstance(which, str):
        raise _unknown(which, method)
    if "/" not in which:
        return client.suggestions.project_name(which)
    with client.suggestions.of_source(which):
        validation.full_name(which)
    return which


def _unknown(which: object, method: str) -> InvalidInput:
    return InvalidInput(
        f"{method} takes a listing (a DataFrame), a project, a source (its full name or its id), "
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


def names_in(df: pd.DataFrame, method: str) -> list[str]:
    """Return the full name of each row; "" where a part of it is missing.

    Args:
        df: A listing.
        method: The method of the client, for messages.

    Raises:
        InvalidInput: The frame is no listing.
    """
    if list(df.columns).count("owner") != 1 or list(df.columns).count("name") != 1:
        raise InvalidInput(
            f"{method} takes a listing: a DataFrame with the columns owner and name, such as "
            "client.sources() returns."
        )
    names: list[str] = full_names(df).fillna("").tolist()
    return names


def of_each(
    ask: Callable[[str, threading.Event], _Answer],
    df: pd.DataFrame,
    method: str,
    *,
    workers: int,
    progress: Progress,
) -> list[_Answer | None]:
    """Return what was asked about the source of each row; None where it could not be asked.

    Args:
        ask: As for `each`.
        df: A listing.
        method: The method of the client, for messages.
        workers: As for `each`.
        progress: As for `each`.

    Raises:
        InvalidInput: The frame is no listing.
        ReinferError: The tenant could not be reached, or failed.

    Warns:
        UnreadableWarning: Some sources could not be asked about; the message names them.
    """
    names = names_in(df, method)
    answers: dict[str, _Answer | None] = {}
    uncounted = []
    for name, answer in each(ask, names, workers=workers, progress=progress):
        answers[name] = None if isinstance(answer, str) else answer
        if isinstance(answer, str):
            uncounted.append(f"{name or '(no name)'} ({answer})")
    if uncounted:
        errors.warn(
            f"{counted(len(uncounted), 'source')} could not be counted: {listed(uncounted)}",
            errors.UnreadableWarning,
        )
    return [answers[name] for name in names]
