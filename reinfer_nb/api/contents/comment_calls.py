"""The requests about the comments of a source."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime

from reinfer_nb.api.retry_policy import RetryHooks
from reinfer_nb.api.transport import Transport
from reinfer_nb.schema import endpoints, validation
from reinfer_nb.schema.value_types import Moment


class CommentCalls:
    """The requests about the comments of a source.

    Args:
        transport: Sends the requests.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def timestamps(
        self, full_name: str, stop: threading.Event, parameters: Mapping[str, str]
    ) -> list[datetime]:
        """Return the timestamps of the comments in one page.

        Args:
            full_name: "project/name".
            stop: Once set, a failed request is not retried.
            parameters: The query parameters of the request.

        Raises:
            ReinferError: The tenant could not be reached, or rejected the request.
        """
        project, name = validation.source_name(full_name)
        response = self._transport.send(
            endpoints.COMMENTS,
            full_name,
            hooks=RetryHooks(stop=stop),
            parameters=parameters,
            project=project,
            name=name,
        )
        comments = response.envelope("comments").get("comments")
        try:
            return [Moment.read(comment["timestamp"]) for comment in comments or []]
        except (TypeError, KeyError, ValueError):
            raise response.broken("without the comments of the source") from None
