"""The listings of a tenant as frames, cached until they expire or something is written."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd

from reinfer_nb import arguments
from reinfer_nb.api.responses import Response
from reinfer_nb.api.retry_policy import NO_HOOKS, RetryHooks
from reinfer_nb.api.source_identity import is_of_project
from reinfer_nb.api.transport import Transport
from reinfer_nb.forking import importing, renew_in_children
from reinfer_nb.frames.frame_cache import Cache, checked_ttl
from reinfer_nb.schema.endpoints import Call
from reinfer_nb.schema.provenance import fetched_at, listing_attrs
from reinfer_nb.schema.records import Source
from reinfer_nb.text import listed, shown

# The number of listings whose ids are kept before they are united.
_MOST_SEEN = 64


class Listings:
    """The listings of a tenant that the token may see.

    Args:
        transport: Sends the requests.
        ttl: Seconds for which a listing is cached.

    Attributes:
        cache: The cached listings.
    """

    def __init__(self, transport: Transport, ttl: float) -> None:
        self._transport = transport
        self.cache = Cache(checked_ttl(ttl))
        # Ids and projects of the sources in earlier listings; later ones replace those before.
        self._seen: list[tuple[pd.Series, pd.Series]] = []
        self._deleting: set[str] = set()
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        """Replace the lock in a child process."""
        self._lock = threading.Lock()

    def get(
        self,
        call: Call,
        key: str,
        model: type,
        *,
        refresh: bool,
        project: str | None = None,
        hooks: RetryHooks = NO_HOOKS,
    ) -> pd.DataFrame:
        """Return a listing as a frame, with endpoint, project and time in its `attrs`.

        Args:
            call: The call that lists the elements.
            key: The member of the response that holds them.
            model: The definition of an element.
            refresh: Request the listing even if a cached one is still valid.
            project: The project of the listing; None for the whole tenant.
            hooks: What runs before the request is sent after a wait.

        Raises:
            ProtocolError: The response holds sources of other projects than `project`.
            ReinferError: The tenant could not be reached or returned no listing.
        """
        refresh = arguments.flag(refresh, "refresh")
        endpoint = self._transport.tenant.endpoint

        def fetch() -> pd.DataFrame:
            parts: dict[str, Any] = {} if project is None else {"project": project}
            response = self._transport.send(call, project or "", hooks=hooks, **parts)
            frame = _frame(response, key, model)
            if project is not None:
                _check_project(response, frame, project)
            # A source created after this time may be missing in the listing.
            requested_at = self._transport.clock.time_of(response.sent)
            frame.attrs = listing_attrs(endpoint, project, requested_at)
            if model is Source:
                self._note(frame)
            return frame

        return self.cache.get((call.path, project), fetch, refresh=refresh)

    def cached(self, *calls: Call) -> list[pd.DataFrame]:
        """Return the cached listings of some calls; only to be read.

        Args:
            *calls: The calls.
        """
        paths = {call.path for call in calls}
        valid = self.cache.valid().items()
        return [df for scope, df in valid if isinstance(scope, tuple) and scope[0] in paths]

    def _note(self, listing: pd.DataFrame) -> None:
        """Note the sources of a listing. Projects without sources in it keep their earlier ones."""
        with self._lock:
            self._seen.append((listing["id"], listing["owner"]))
            if len(self._seen) > _MOST_SEEN:
                self._seen = [self._last_seen()]

    def _last_seen(self) -> tuple[pd.Series, pd.Series]:
        """Return the ids in the last non-empty listing of each project, with the project."""
        seen: set[Any] = set()
        parts = []
        for ids, owners in reversed(self._seen):
            new = ~owners.isin(seen)
            parts.append((ids[new], owners[new]))
            seen.update(owners.unique())
        ids, owners = (pd.concat(column, ignore_index=True) for column in zip(*parts, strict=True))
        return ids, owners

    def deleting(self, id_: str) -> None:
        """Note that this client is about to delete a source."""
        with self._lock:
            self._deleting.add(id_)

    def other_sources(self, project: str, ids: Iterable[str]) -> set[str]:
        """Return the ids in the last listing of a project, without `ids`.

        Sources that this client deleted, or may have deleted, are left out too.

        Args:
            project: The project.
            ids: Ids to leave out.
        """
        with self._lock:
            for seen, owners in reversed(self._seen):
                of_project = seen[owners == project]
                if len(of_project):
                    return set(of_project.dropna()) - self._deleting - set(ids)
            return set()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Context manager for a write: clear the cache before and after it."""
        self.cache.clear()
        try:
            yield
        finally:
            self.cache.clear()


def concatenated(
    parts: Sequence[pd.DataFrame], endpoint: str, projects: Sequence[str]
) -> pd.DataFrame:
    """Return the listings of several projects as one frame with the oldest time of all."""
    times = [fetched_at(part) for part in parts]
    frame = pd.concat(parts, ignore_index=True)
    oldest = min(time for time in times if time is not None)
    frame.attrs = listing_attrs(endpoint, list(projects), oldest)
    return frame


def _check_project(response: Response, frame: pd.DataFrame, project: str) -> None:
    """Raise `ProtocolError` if a listing of a project holds sources of another one."""
    owners = frame["owner"].unique().tolist()
    others = [shown(owner) for owner in owners if not is_of_project(owner, project)]
    if others:
        raise response.broken(f"about sources of {listed(others, 5)}, not of {project} alone")


def _frame(response: Response, key: str, model: type) -> pd.DataFrame:
    with importing():
        from reinfer_nb.frames import convert

    _, frame = response.parsed(lambda body: convert.from_listing(body, key=key, model=model))
    if frame is None:
        raise response.broken(f"without {key}")
    return frame
