"""The listings of a tenant as frames, kept for a while; a write forgets them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from reinfer_nb import arguments, strict_json
from reinfer_nb.api.frame_cache import Cache, checked_ttl
from reinfer_nb.api.responses import Answer
from reinfer_nb.api.retry_policy import NO_HOOKS, RetryHooks
from reinfer_nb.api.source_identity import is_of_project
from reinfer_nb.api.transport import Transport
from reinfer_nb.forking import importing, renew_in_children
from reinfer_nb.schema.endpoints import Call
from reinfer_nb.schema.provenance import described, fetched_at
from reinfer_nb.schema.records import Source
from reinfer_nb.text import listed, shown


class Listings:
    """The listings of a tenant, as far as its token sees it.

    Args:
        transport: The way to the tenant.
        ttl: Seconds that a listing is good for.

    Attributes:
        cache: Those that are kept.
    """

    def __init__(self, transport: Transport, ttl: float) -> None:
        self._transport = transport
        self.cache = Cache(checked_ttl(ttl))
        # Ids and projects of the sources in the last listing of each project that had any.
        self._seen = pd.DataFrame({"id": [], "owner": []}, dtype="str")
        self._deleting: set[str] = set()
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        """Take a lock of one's own, in a child process."""
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
        """Return a listing as a frame; `attrs` tell the endpoint, the project and when it is of.

        Args:
            call: What lists it.
            key: The member of the answer that holds it.
            model: The definition of its elements.
            refresh: Ask the tenant even when the last one is still good.
            project: The project whose listing it is; None for one of the whole tenant.
            hooks: What runs before the request is sent after a wait.

        Raises:
            ProtocolError: The response holds sources of other projects than `project`.
            ReinferError: The tenant could not be reached or did not answer with a listing.
        """
        refresh = arguments.flag(refresh, "refresh")
        endpoint = self._transport.tenant.endpoint

        def fetch() -> pd.DataFrame:
            parts: dict[str, Any] = {} if project is None else {"project": project}
            # What is made while the tenant writes it down may be missing in it.
            asked_at = datetime.now(UTC)
            answer = self._transport.send(call, project or "", hooks=hooks, **parts)
            frame = _frame(answer, key, model)
            if project is not None:
                _check_project(answer, frame, project)
            frame.attrs = described(endpoint, project, asked_at)
            if model is Source:
                self._note(frame)
            return frame

        return self.cache.get((call.path, project), fetch, refresh=refresh)

    def _note(self, listing: pd.DataFrame) -> None:
        """Note the sources of a listing; of a project without any there, what was noted stays."""
        with self._lock:
            earlier = self._seen[~self._seen["owner"].isin(listing["owner"].unique())]
            self._seen = pd.concat([earlier, listing[["id", "owner"]]], ignore_index=True)

    def deleting(self, id_: str) -> None:
        """Note that a source is about to be deleted from here, and will be missing."""
        with self._lock:
            self._deleting.add(id_)

    def other_sources(self, project: str, ids: Iterable[str]) -> set[str]:
        """Return the ids of the sources of a project that were listed last, less some.

        Those that were deleted from here, or may have been, are left out too.

        Args:
            project: The project.
            ids: What is left out.
        """
        with self._lock:
            seen = self._seen["id"][self._seen["owner"] == project]
            return set(seen.dropna()) - self._deleting - set(ids)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Forget them before and after: nobody is to read one that a write has outdated."""
        self.cache.clear()
        try:
            yield
        finally:
            self.cache.clear()


def concatenated(
    parts: Sequence[pd.DataFrame], endpoint: str, projects: Sequence[str]
) -> pd.DataFrame:
    """Return the listings of several projects as one frame, as old as the oldest of them."""
    times = [fetched_at(part) for part in parts]
    whole = pd.concat(parts, ignore_index=True)
    oldest = min(time for time in times if time is not None)
    whole.attrs = described(endpoint, list(projects), oldest)
    return whole


def _check_project(answer: Answer, frame: pd.DataFrame, project: str) -> None:
    """Raise `ProtocolError` if a listing of a project holds sources of another one."""
    owners = frame["owner"].unique().tolist()
    others = [shown(owner) for owner in owners if not is_of_project(owner, project)]
    if others:
        raise answer.broken(f"about sources of {listed(others, 5)}, not of {project} alone")


def _frame(answer: Answer, key: str, model: type) -> pd.DataFrame:
    with importing():
        from reinfer_nb.frames import convert

    answer.check_status()
    try:
        envelope, frame = convert.from_listing(answer.body, key=key, model=model)
    except strict_json.Malformed as error:
        raise answer.broken(str(error)) from None
    answer.check(envelope)
    if frame is None:
        raise answer.broken(f"without {key}")
    return frame
