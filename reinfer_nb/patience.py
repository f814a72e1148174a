"""What is tried again, how often, and after how long a wait."""

from __future__ import annotations

import random

from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry

from reinfer_nb.answers import Answer


class Patience:
    """How often and how long a call is tried again.

    Every call of this API may be repeated: reads change nothing, an update sets the same values
    again, and for a create and a delete the client knows what a second answer means. So what
    decides is the failure: 429, 502, 503, 504, time-outs and broken connections pass.

    Args:
        attempts: How often at most.
        longest: Seconds after which nothing is tried again.
        backoff: Seconds of the first wait; each next one is about twice as long.
    """

    passing = frozenset({429, 502, 503, 504})

    def __init__(self, attempts: int = 5, longest: float = 120.0, backoff: float = 0.5) -> None:
        self.longest = longest
        self.backoff = backoff
        self._retry = Retry(
            total=attempts - 1,
            status_forcelist=self.passing,
            allowed_methods=None,
            backoff_factor=backoff,
            backoff_max=longest,
            backoff_jitter=backoff / 2,
        )

    def start(self) -> Retry:
        """Return the state of a call that was not tried yet."""
        return self._retry.new()

    def spent(self, retry: Retry, answer: Answer | None) -> Retry | None:
        """Return the state after one more attempt; None if there is none left.

        One that was told to wait, and for how long, is not counted: the time is what bounds it.
        """
        if answer is not None and answer.status == 429 and "retry-after" in answer.headers:
            return retry
        try:
            return retry.increment(error=HTTPError("no usable answer"))
        except HTTPError:
            return None

    def pause(self, retry: Retry, answer: Answer | None) -> float:
        """Return the seconds to wait before the next attempt.

        A connection that broke is tried anew at once, the first time: it may just have been idle
        for too long. Who answered is given time.
        """
        retry_after = answer.headers.get("retry-after") if answer else None
        jitter = random.uniform(0, self.backoff / 2)  # noqa: S311 - no secret
        least = self.backoff + jitter if answer else 0.0
        try:
            asked = retry.parse_retry_after(retry_after) if retry_after else 0.0
        except (InvalidHeader, ValueError, OverflowError):
            asked = 0.0
        return max(asked, retry.get_backoff_time(), least)
