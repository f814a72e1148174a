"""The requests about one source. Each response is checked to be about the requested source."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from reinfer_nb import errors, strict_json
from reinfer_nb.api.conflicts import Conflict
from reinfer_nb.api.listings import Listings
from reinfer_nb.api.responses import Response
from reinfer_nb.api.retry_policy import NO_HOOKS, RetryHooks
from reinfer_nb.api.source_identity import is_older, is_requested, maker_of
from reinfer_nb.api.tenant_clock import Instant, Span
from reinfer_nb.api.transport import Transport
from reinfer_nb.api.write_result import Written, fields_not_taken, remember
from reinfer_nb.schema import endpoints, validation
from reinfer_nb.schema.endpoints import Call
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Project, Record, Source, User
from reinfer_nb.schema.value_types import Whole
from reinfer_nb.text import holds_half_character, shown

_Record = TypeVar("_Record", bound=Record)


def record(response: Response, key: str, model: type[_Record]) -> _Record:
    """Return the record that a response holds.

    Args:
        response: The response.
        key: The member of the response that holds the record.
        model: The definition of the record.

    Raises:
        ReinferError: The response is an error, or not as documented.
    """
    content = response.envelope(key)
    try:
        return model.from_wire(content.get(key))
    except errors.ProtocolError as error:
        reason = str(error).removesuffix(".")
        raise response.broken(f"not as documented: {reason}") from None
    except strict_json.Malformed as error:
        raise response.broken(str(error)) from None


def comments_of(response: Response) -> int:
    """Return the number of comments that a response about the statistics of a source holds.

    Raises:
        ReinferError: The response is an error, or holds no such number.
    """
    statistics = response.envelope().get("statistics")
    number = statistics.get("num_comments") if isinstance(statistics, dict) else None
    try:
        count = Whole.read(number)
    except ValueError:
        count = -1
    if count < 0:
        raise response.broken("without a number of comments")
    return count


class SourceCalls:
    """The requests about one source, without a look before a write.

    Args:
        transport: Sends the requests.
        listings: The listings of the tenant; a write clears their cache.
        hooks: What runs before a request is sent after a wait.
    """

    def __init__(
        self, transport: Transport, listings: Listings, hooks: RetryHooks = NO_HOOKS
    ) -> None:
        self._transport = transport
        self._listings = listings
        self._hooks = hooks

    @property
    def endpoint(self) -> str:
        """The base URL of the tenant."""
        return self._transport.tenant.endpoint

    def with_hooks(self, **changes: Any) -> SourceCalls:
        """Return the same requests with other hooks.

        Args:
            **changes: Fields of `RetryHooks`; the others stay as they are.
        """
        return SourceCalls(self._transport, self._listings, replace(self._hooks, **changes))

    def _send(self, call: Call, subject: str = "", **more: Any) -> Response:
        return self._transport.send(call, subject, hooks=self._hooks, **more)

    def get(self, which: str) -> Source:
        """Return a source by its full name or its id, as `Client.source` documents it."""
        return self.look(which)[0]

    def look(self, which: str) -> tuple[Source, Instant]:
        """Return a source, and when its request was sent.

        The time is that of the last attempt, without earlier attempts and waits.

        Args:
            which: A full name or an id.
        """
        if validation.is_id(which):
            response = self._send(endpoints.GET_BY_ID, which, id=which)
        else:
            project, name = validation.source_name(which)
            response = self._send(endpoints.GET, which, project=project, name=name)
        return _source(response, which), response.sent

    def count_comments(
        self,
        full_name: str,
        stop: threading.Event | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> int:
        """Return how many comments a source has.

        Args:
            full_name: "project/name".
            stop: Once set, a failed request is not retried.
            since: Only comments with this timestamp or a later one.
            until: Only comments with this timestamp or an earlier one.

        Raises:
            ReinferError: The tenant could not be reached, or rejected the request.
        """
        project, name = validation.source_name(full_name)
        bounds = {"minimum": since, "maximum": until}
        timestamp = {name: _time(bound) for name, bound in bounds.items() if bound is not None}
        response = self._transport.send(
            endpoints.STATISTICS,
            full_name,
            body={"comment_filter": {"timestamp": timestamp} if timestamp else {}},
            hooks=RetryHooks(stop=stop),
            project=project,
            name=name,
        )
        return comments_of(response)

    def create(self, full_name: str, body: Mapping[str, Any]) -> Written:
        """Create a source, and return it as the tenant created it.

        Args:
            full_name: "project/name".
            body: The settings by their names in JSON, validated.

        Raises:
            Conflict: There is a source of that name; `existing` holds it.
            ReinferError: The tenant could not be reached, or rejected the request.
        """
        project, name = validation.full_name(full_name)
        with self._listings.writing():
            response = self._send(
                endpoints.CREATE, full_name, body={"source": body}, project=project, name=name
            )
        try:
            return self._written(response, full_name, body)
        except Conflict as conflict:
            existing = conflict.existing = self._existing(full_name)
            if existing is None or not response.in_doubt:
                raise
            # An earlier attempt may have taken effect and lost its response.
            first_try = self.tenant_time(response.tried_at)
            maker = maker_of(existing, body, first_try)
            if maker != "somebody else":
                return Written(existing, proven=maker == "we")
            if is_older(existing, first_try):
                conflict.in_doubt = False
            raise

    def recreate(self, source: Source) -> Written:
        """Create a source again, as `Client.recreate_source` documents it."""
        given: object = source
        if not isinstance(given, Source):
            raise errors.InvalidInput(
                "recreate_source takes a Source, such as delete_source returns, not "
                f"{shown(given)}."
            )
        names = {field.wire for field in fields_of(Source) if field.may("create")}
        body = {name: value for name, value in source.to_wire().items() if name in names}
        if holds_half_character(body):
            raise errors.InvalidInput(
                f"A text of {shown(source.full_name)} holds half a character (a lone surrogate), "
                "which cannot be sent. Replace it with dataclasses.replace(source, ...)."
            )
        return self.create(source.full_name, body)

    def update(self, full_name: str, body: Mapping[str, Any], id_: str | None = None) -> Written:
        """Change settings of a source, and return its new version.

        Args:
            full_name: "project/name".
            body: The settings by their names in JSON, validated.
            id_: The id that the source must have; None for any.

        Raises:
            ProtocolError: The response is about a source with another id.
            ReinferError: The tenant could not be reached, or rejected the request.
        """
        project, name = validation.source_name(full_name)
        with self._listings.writing():
            response = self._send(
                endpoints.UPDATE, full_name, body={"source": body}, project=project, name=name
            )
        return self._written(response, full_name, body, id_)

    def delete(self, source: Source) -> bool:
        """Delete a source by its id.

        Returns:
            True if it is certain that the source was deleted. False if only the tenant says so;
            `check_deleted` looks.

        Raises:
            ProtocolError: The source has an invalid id; nothing was sent.
            ReinferError: The tenant could not be reached, or rejected the request.
        """
        self.check_id(source)
        self._listings.deleting(source.id)
        with self._listings.writing():
            response = self._send(endpoints.DELETE, source.full_name, id=source.id)
        try:
            response.envelope()
        except errors.NotFound:
            # An earlier attempt may have deleted the source and lost its response.
            if not (response.in_doubt and self.is_gone(source)):
                raise
            return True
        return False

    def check_deleted(self, source: Source) -> str:
        """Check that a source was deleted after the tenant has accepted its delete.

        Returns:
            '' if the source was deleted; else a remark why that could not be checked.

        Raises:
            NotCarriedOut: The source still exists.
        """
        accepted = f"{self.endpoint} accepted the delete of {source.full_name}"
        try:
            self.get(source.id)
        except errors.NotFound:
            return ""
        except errors.ReinferError as error:
            return f"{accepted}, but the delete could not be verified: {error}"
        raise errors.NotCarriedOut(
            f"{accepted}, but the source {source.id} still exists. Check it again later. If it "
            "still exists then, ask whoever runs the tenant."
        )

    def is_gone(self, source: Source) -> bool:
        """True if it is certain that a source was deleted, and not merely hidden from the token.

        The proof is a listing of the project without the source. A listing is no proof if ids are
        missing in it, or if another source is missing that still exists.
        """
        project = source.owner
        others = self._listings.other_sources(project, [source.id])
        try:
            listing = self._listings.get(
                endpoints.LIST_PROJECT,
                "sources",
                Source,
                refresh=True,
                project=project,
                hooks=self._hooks,
            )
        except errors.NotFound:
            # The project was deleted too, unless it is hidden from the token.
            return (
                not self._listings.other_sources(project, [source.id])
                and self._shows_project(project) is False
                and self._may_read("")
            )
        except errors.ReinferError:
            return False
        ids = listing["id"].tolist()
        if source.id in ids or not all(validation.is_id(id_) for id_ in ids):
            return False
        if not ids:
            return self.has_none(project, [source.id])
        missing = sorted(others.difference(ids))
        return not missing or self._is_not_found(missing[0])

    def _is_not_found(self, id_: str) -> bool:
        try:
            self.get(id_)
        except errors.ReinferError as error:
            return isinstance(error, errors.NotFound)
        return False

    def has_none(self, project: str, ids: Iterable[str]) -> bool:
        """True if it is certain that a project with an empty listing has no sources.

        A tenant may return an empty listing to a token that has lost its permission. So the token
        must see the project itself, its user must have the permission, and the project's last
        listing must hold no other sources than `ids`.

        Args:
            project: The project.
            ids: Sources known to be missing; they may have been deleted.
        """
        return (
            not self._listings.other_sources(project, ids)
            and self._may_read(project)
            and self._shows_project(project) is True
        )

    def _may_read(self, project: str) -> bool:
        """True if the token may see the sources of a project; of all projects if it is empty."""
        try:
            user = record(self._send(endpoints.ME), "user", User)
        except errors.ReinferError:
            return False
        return user.may(endpoints.READ, project)

    def _shows_project(self, name: str) -> bool | None:
        """True if the token may see a project; None if that cannot be determined."""
        try:
            response = self._send(endpoints.PROJECT, name, project=name)
            return record(response, "project", Project).name == name
        except errors.NotFound:
            return False
        except errors.ReinferError:
            return None

    def tenant_time(self, moment: float | None = None) -> Span | None:
        """Return the time of the tenant's clock at a moment; None if it is not known.

        Args:
            moment: By `time.monotonic`; now by default.
        """
        return self._transport.clock.at(time.monotonic() if moment is None else moment)

    def check_id(self, source: Source) -> None:
        """Raise `ProtocolError` if the id of a source is invalid."""
        if not validation.is_id(source.id):
            raise errors.ProtocolError(
                f"Nothing was deleted: at {self.endpoint}, the id of {shown(source.full_name)} is "
                f"{shown(source.id)}, not {validation.ID_RULE}."
            )

    def _written(
        self, response: Response, full_name: str, body: Mapping[str, Any], id_: str | None = None
    ) -> Written:
        source = _source(response, full_name)
        if id_ is not None:
            _source(response, id_)
        names = fields_not_taken(response.envelope("source")["source"], body)
        remember(self.endpoint, source, body, names)
        return Written(source, names)

    def _existing(self, full_name: str) -> Source | None:
        try:
            return self.get(full_name)
        except errors.ReinferError:
            # The conflict is reported without the source that has the name.
            return None


def _time(moment: datetime) -> str:
    """Return a moment in UTC as the API takes it."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _source(response: Response, which: str) -> Source:
    """Return the source in a response; raise `ProtocolError` if another one was requested."""
    source = record(response, "source", Source)
    if not is_requested(source, which):
        raise response.broken(
            f"about {shown(source.full_name)} with the id {shown(source.id)}, not about {which}"
        )
    return source
