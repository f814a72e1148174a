"""The requests about one source. Each response is checked to be about the source asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TypeVar

from reinfer_nb import checks, errors, operations
from reinfer_nb.answers import Answer
from reinfer_nb.identity import is_ours, is_what_was_asked
from reinfer_nb.listings import Listings
from reinfer_nb.models import Record, Source
from reinfer_nb.text import shown
from reinfer_nb.transport import Transport

_Record = TypeVar("_Record", bound=Record)


def record(answer: Answer, key: str, model: type[_Record]) -> _Record:
    """Return the record that a response holds.

    Args:
        answer: The response.
        key: The member of the response that holds the record.
        model: The definition of the record.

    Raises:
        ReinferError: The response is an error, or not as documented.
    """
    content = answer.envelope()
    try:
        return model.from_wire(content.get(key))
    except errors.ProtocolError as error:
        raise answer.broken(f"not as documented: {error}") from None


class SourceCalls:
    """The requests about one source, without a look before a write.

    Args:
        transport: The way to the tenant.
        listings: The listings of the tenant; a write forgets them.
    """

    def __init__(self, transport: Transport, listings: Listings) -> None:
        self._transport = transport
        self._listings = listings

    def get(self, which: str) -> Source:
        """Return a source by its full name or its id, as `Client.source` documents it."""
        if checks.is_id(which):
            answer = self._transport.send(operations.GET_BY_ID, which, id=which)
        else:
            project, name = checks.source_name(which)
            answer = self._transport.send(operations.GET, which, project=project, name=name)
        return _source(answer, which)

    def create(self, full_name: str, body: Mapping[str, Any]) -> Source:
        """Create a source, and return it as the tenant made it.

        Args:
            full_name: "project/name".
            body: The settings by their names in JSON, checked.

        Raises:
            Conflict: There is a source of that name; `existing` holds it.
            ReinferError: The tenant could not be reached, or refused.
        """
        project, name = checks.full_name(full_name)
        begin = time.monotonic()
        with self._listings.writing():
            answer = self._transport.send(
                operations.CREATE, full_name, body={"source": body}, project=project, name=name
            )
        try:
            return _source(answer, full_name)
        except errors.Conflict as conflict:
            existing = conflict.existing = self._existing(full_name)
            if existing is not None and answer.in_doubt and is_ours(existing, body, answer, begin):
                # The first attempt was carried out, and only its response was lost.
                return existing
            raise

    def update(self, full_name: str, body: Mapping[str, Any]) -> Source:
        """Change settings of a source, and return it as it is then.

        Args:
            full_name: "project/name".
            body: The settings by their names in JSON, checked.

        Raises:
            ReinferError: The tenant could not be reached, or refused.
        """
        project, name = checks.source_name(full_name)
        with self._listings.writing():
            answer = self._transport.send(
                operations.UPDATE, full_name, body={"source": body}, project=project, name=name
            )
        return _source(answer, full_name)

    def delete(self, source: Source) -> None:
        """Delete a source by its id.

        Raises:
            ProtocolError: Its id cannot be one; nothing was sent.
            ReinferError: The tenant could not be reached, or refused.
        """
        self.check_id(source)
        with self._listings.writing():
            answer = self._transport.send(operations.DELETE, source.full_name, id=source.id)
        try:
            answer.envelope()
        except errors.NotFound:
            # An earlier attempt deleted it, and only its response was lost.
            if not answer.in_doubt:
                raise

    def check_id(self, source: Source) -> None:
        """Raise `ProtocolError` if a source has an id that no request can name."""
        if not checks.is_id(source.id):
            raise errors.ProtocolError(
                f"Nothing was deleted: {self._transport.tenant.endpoint} gave "
                f"{shown(source.full_name)} the id {shown(source.id)}, which is not "
                f"{checks.ID_RULE}."
            )

    def _existing(self, full_name: str) -> Source | None:
        try:
            return self.get(full_name)
        except errors.ReinferError:
            # That the name is taken is the news; the source that has it could not be looked up.
            return None


def _source(answer: Answer, which: str) -> Source:
    """Return the source that a response holds, if it is the one asked for by name or id."""
    source = record(answer, "source", Source)
    if not is_what_was_asked(source, which):
        raise answer.broken(
            f"about {shown(source.full_name)} with the id {shown(source.id)}, not about {which}"
        )
    return source
