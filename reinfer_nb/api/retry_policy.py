"""Which requests are retried, how often and after which wait, and what runs before a retry."""

from __future__ import annotations

import math
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from reinfer_nb.api.responses import Response
from reinfer_nb.api.tenant_clock import timestamp
from reinfer_nb.errors import ReinferError
from reinfer_nb.schema.endpoints import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryHooks:
    """What a caller adds to the waits and retries of its requests.

    Attributes:
        stop: Once set, the request is not sent any more.
        waited: Called before a request is sent that the tenant asked to hold back.
        look: Called before a write is sent that had to wait or is retried, with True if an earlier
            attempt may have taken effect. An exception keeps the write from being sent.
        turns: How many turns of the client's pace the request takes. A look takes two, for itself
            and for the write after it, and the write takes none: so the look is still fresh.
    """

    stop: threading.Event | None = None
    waited: Callable[[], object] | None = None
    look: Callable[[bool], object] | None = None
    turns: int = 1

    def before_sending(self, *, limited: bool, in_doubt: bool) -> bool:
        """Run the hooks after a wait; return False if the request must not be sent.

        Args:
            limited: True if the tenant asked for the wait.
            in_doubt: True if an earlier attempt may have taken effect.
        """
        if limited and self.waited is not None:
            self.waited()
        if self.stop is not None and self.stop.is_set():
            return False
        if self.look is not None:
            try:
                self.look(in_doubt)
            except ReinferError as error:
                error.in_doubt = error.in_doubt or in_doubt
                raise
        return True


NO_HOOKS = RetryHooks()


class Patience:
    """How often and for how long a call is retried.

    Every call of this API may be repeated: reads change nothing, an update sets the same values
    again, and for a create and a delete the client knows what a second response means. So only
    the failure decides. Timeouts, broken connections and the statuses 408, 429, 502, 503, 504 and
    520 to 524 (an edge such as Cloudflare could not reach the tenant) are temporary, and so is 409
    except for a create.

    Args:
        attempts: Maximum number of attempts.
        longest: Seconds after which nothing is retried.
        backoff: Seconds of the first wait; each next wait is about twice as long.
    """

    temporary = frozenset({408, 429, 502, 503, 504, *range(520, 525)})

    def __init__(self, attempts: int = 5, longest: float = 120.0, backoff: float = 0.5) -> None:
        self.longest = longest
        self.backoff = backoff
        self._retry = Retry(
            total=attempts - 1,
            status_forcelist=self.temporary,
            allowed_methods=None,
            backoff_factor=backoff,
            backoff_max=longest,
            backoff_jitter=backoff / 2,
        )

    def may_retry(self, call: Call, status: int) -> bool:
        """True if a retry of a call may succeed after a response with this status.

        This includes 409, except for a create: there it means that the name is taken.
        """
        return status in self.temporary or (status == 409 and call.method != "PUT")

    def start(self) -> Retry:
        """Return the state of a call before its first attempt."""
        return self._retry.new()

    def after_attempt(self, retry: Retry, response: Response | None) -> Retry | None:
        """Return the state after one more attempt; None if no attempts are left.

        A 429 that asks for a wait uses no attempt; `longest` bounds the total wait. A 429 whose
        `Retry-After` is not understood, or asks for no wait, uses one.
        """
        if response is not None and response.status == 429 and retry_after(response.headers) > 0:
            return retry
        try:
            return retry.increment(error=HTTPError("no usable response"))
        except HTTPError:
            return None

    def pause(self, retry: Retry, response: Response | None) -> float:
        """Return the seconds to wait before the next attempt.

        The first retry after a broken connection is sent at once: the connection may just have
        been idle for too long. A tenant that has responded gets some time.
        """
        jitter = random.uniform(0, self.backoff / 2)  # noqa: S311 - no secret
        least = self.backoff + jitter if response else 0.0
        asked = retry_after(response.headers) if response else 0.0
        return max(asked, retry.get_backoff_time(), least)


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the whole seconds that `Retry-After` asks to wait, rounded up; 0 if it asks for none.

    A value that is neither a number of seconds nor a date, or is a date in the past, asks for
    none. A date is compared with the response's own `Date` if it has one: both are of the tenant's
    clock, which may differ from the clock of this machine.
    """
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        return _rounded_up(float(value))
    until = timestamp(value)
    if until is None:
        return 0.0
    now = timestamp(headers.get("date", ""))
    return _rounded_up(max(0.0, until - (time.time() if now is None else now)))


def _rounded_up(seconds: float) -> float:
    return float(math.ceil(seconds)) if math.isfinite(seconds) else seconds
