"""Suggestions at the end of the message about a name that does not exist: "Did you mean ...?"."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from itertools import chain

import pandas as pd

from reinfer_nb.api.listings import Listings
from reinfer_nb.api.retry_policy import RetryHooks
from reinfer_nb.errors import InvalidInput, NotFound
from reinfer_nb.frames.cells import full_names, text_column
from reinfer_nb.schema import endpoints, validation
from reinfer_nb.schema.records import Project, Source
from reinfer_nb.text import did_you_mean, nearest, nearest_source

# Whether listings may be requested -> the suggestion.
_Find = Callable[[bool], str | None]


class Suggestions:
    """Names that are similar to a misspelt one, from the listings of a client.

    A listing holds only what the token may see. Cached listings are searched first. Only if the
    tenant has responded that a name does not exist, at most two listings are requested, each with
    one attempt; if that fails, there is no suggestion.

    Args:
        listings: The listings of the client.
    """

    def __init__(self, listings: Listings) -> None:
        self._listings = listings

    def project_name(self, given: object) -> str:
        """Return a project's name.

        Raises:
            InvalidInput: It is not a valid name.
        """
        with self.of_project(given):
            return validation.project_name(given)

    def of_project(self, given: object, rest: str = "") -> AbstractContextManager[None]:
        """Return a context manager that adds a suggestion to an error about a project.

        Args:
            given: What the user gave as the project.
            rest: What follows the project in the suggestion, such as "/motor-inbox".
        """
        if not isinstance(given, str):
            return nullcontext()
        # Of a source's full name, the project is the first part.
        owner = given.partition("/")[0]

        def find(ask: bool) -> str | None:  # noqa: FBT001 - as `_Find`
            project = self._project(owner, ask=ask)
            return None if project is None else project + rest

        return _suggesting(find, given + rest, valid=validation.is_name(given))

    def of_new_source(self, full_name: object) -> AbstractContextManager[None]:
        """Return a context manager that suggests another project to an error of a create."""
        if not isinstance(full_name, str):
            return nullcontext()
        owner, slash, name = full_name.partition("/")
        return self.of_project(owner, slash + name)

    def of_source(self, which: object) -> AbstractContextManager[None]:
        """Return a context manager that adds a suggestion to an error about a source.

        Args:
            which: What the user gave as the source; an id gets no suggestion.
        """
        if not isinstance(which, str) or validation.is_id(which):
            return nullcontext()
        owner, _, name = which.partition("/")

        def find(ask: bool) -> str | None:  # noqa: FBT001 - as `_Find`
            return self._source(which, ask=ask)

        valid = validation.is_name(owner) and validation.is_name(name)
        return _suggesting(find, which, valid=valid)

    def _project(self, given: str, *, ask: bool) -> str | None:
        """Return the project closest to a text; None if none is close."""
        listings = self._listings.cached(endpoints.PROJECTS)
        names = {name for listing in listings for name in text_column(listing, "name")}
        names |= self._owners(endpoints.LIST)
        guess = _nearest(given, names)
        if guess is None and ask and not self._listings.cached(endpoints.LIST):
            with suppress(Exception):
                names.update(text_column(self._requested(endpoints.PROJECTS), "name"))
        return guess or _nearest(given, names | self._owners(endpoints.LIST_PROJECT))

    def _owners(self, call: endpoints.Call) -> set[str]:
        """Return the projects in the cached listings of a call."""
        listings = self._listings.cached(call)
        return {owner for listing in listings for owner in text_column(listing, "owner").unique()}

    def _source(self, given: str, *, ask: bool) -> str | None:
        """Return the full name closest to a text; None if none is close."""
        listings = self._listings.cached(endpoints.LIST)
        if not listings and ask:
            owner = given.partition("/")[0]
            is_known = owner in self._owners(endpoints.LIST_PROJECT)
            project = owner if is_known else self._project(owner, ask=True) or owner
            listings = [self._requested(endpoints.LIST_PROJECT, project)]
            given = project + given.removeprefix(owner)
        elif not listings:
            listings = self._listings.cached(endpoints.LIST_PROJECT)
        names = (full_names(listing).dropna() for listing in listings)
        return nearest_source(given, chain.from_iterable(names))

    def _requested(self, call: endpoints.Call, project: str | None = None) -> pd.DataFrame:
        """Return a listing, requested with one attempt unless it is cached."""
        stop = threading.Event()
        stop.set()
        key, model = ("projects", Project) if call is endpoints.PROJECTS else ("sources", Source)
        hooks = RetryHooks(stop=stop)
        return self._listings.get(call, key, model, refresh=False, project=project, hooks=hooks)


def _nearest(given: str, names: Iterable[object]) -> str | None:
    """Return the name closest to a text; a missing name is left out."""
    return nearest(given, (name for name in names if isinstance(name, str)))


@contextmanager
def _suggesting(find: _Find, given: str, *, valid: bool) -> Iterator[None]:
    """Add a suggestion to the message of an error.

    Args:
        find: Returns the suggestion.
        given: What the user gave; no suggestion of its own.
        valid: True if it is a valid name, so that an `InvalidInput` is about something else.
    """
    try:
        yield
    except (NotFound, InvalidInput) as error:
        unknown = isinstance(error, NotFound)
        guess = None
        if unknown or not valid:
            # Whatever fails here, the user sees the first error.
            with suppress(Exception):
                guess = find(unknown)
        if guess is not None and guess != given:
            error.args = (f"{error.args[0]}{did_you_mean(guess)}", *error.args[1:])
        raise
