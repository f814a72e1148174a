"""Rate limiting of a client's requests after a 429: as fast as the tenant allows.

A tenant does not report its rate limit, so the client infers it from two 429s. The first one ends a
quick run of requests and shows the size of a burst. Then the client sends more slowly. The second
429 shows if more requests were allowed in more time: if so, the tenant limits the rate, and the
burst is only an allowance at the start; if not, it limits the number of requests in a window.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

# Lowest rate, in requests a second. A slower tenant still asks for waits, which are obeyed.
_SLOWEST = 0.5
# Growth of the rate in each second in which requests wait for a turn: while the client searches for
# the tenant's limit, and after that.
_SEARCHING, _SETTLED = 2.0, 1.02
# The search begins at this multiple of the average rate of the first run.
_FASTER = 3.0
# The second run should last this many times as long as the first one.
_LONGER = 3.5
# Factors for a rate: one computed from two runs, one that got a 429, and one that got it early.
_SAFE, _CUT, _CUT_AT_ONCE = 0.95, 0.9, 0.7
# Seconds without a 429 after which the client sends without a pace again.
_FORGOTTEN = 60.0


@dataclass(frozen=True)
class _Run:
    """The requests that a tenant allowed before a 429, and the seconds that they took."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class Turn:
    """When a request may be sent.

    Attributes:
        due: The time, by the pacer's clock.
        held: True if the tenant asked to pause until then; the request has to ask for a turn again
            after that.
    """

    due: float
    held: bool


class Pacer:
    """Assigns turns to the requests of one client; safe to use from several threads.

    The pacer only returns when a request may be sent. The sender waits until then.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # Requests a second; infinite without a limit.
        self._rate = math.inf
        self._growth = _SETTLED
        # The next free turn, and the time of the last growth of the rate.
        self._next = self._grown = -math.inf
        # End of the pause that the tenant asked for, and the time of the 429 that ended the run.
        self._held = self._refused_at = -math.inf
        # The current run: its start, its number of requests, and if a 429 has ended it.
        self._began, self._requests, self._over = -math.inf, 0, False
        self._last_run = _Run(0, 0.0)
        # Times of sending and of the response, of the requests of the last second without a limit.
        self._recent: deque[tuple[float, float]] = deque()

    @property
    def rate(self) -> float:
        """Requests a second; infinite without a limit."""
        return self._rate

    def holds(self, waited_until: float = -math.inf) -> bool:
        """True if the tenant has asked to pause, and the pause is not over.

        Args:
            waited_until: The end of a pause that the caller has waited for already.
        """
        with self._lock:
            return self._held > max(self._clock(), waited_until)

    def turn(self, turns: int = 1, waited_until: float = -math.inf) -> Turn:
        """Return when a request may be sent.

        Args:
            turns: Number of turns that the request takes. With 0, the request only obeys the pauses
                that the tenant asks for.
            waited_until: As for `holds`.
        """
        with self._lock:
            now = self._clock()
            if self._held > max(now, waited_until):
                return Turn(self._held, held=True)
            if self._over:
                self._set_rate(now)
            if now - self._held > _FORGOTTEN:
                self._rate = math.inf
            if math.isinf(self._rate) or not turns:
                return Turn(now, held=False)
            due = max(now, self._next)
            # A rate at which nothing waits does not test the tenant's limit, so it does not grow.
            if due > now:
                self._rate *= self._growth ** (now - self._grown)
            self._grown = now
            self._next = due + turns / self._rate
            return Turn(due, held=False)

    def refused(self, sent_at: float, seconds: float) -> float:
        """Pause all requests after a 429; return the end of the pause.

        Args:
            sent_at: When the request was sent.
            seconds: The wait that the tenant asks for.
        """
        with self._lock:
            now = self._clock()
            # Concurrent requests that got a 429 end only one run.
            if not self._over and sent_at >= self._began:
                self._over = True
                if math.isinf(self._rate):
                    self._forget_recent(now)
                    self._requests = len(self._recent)
                    self._began = min([sent_at, *(sent for sent, _ in self._recent)])
                    self._recent.clear()
                self._refused_at = now
            self._held = max(self._held, now + seconds)
            return now + seconds

    def responded(self, sent_at: float) -> None:
        """Record a request that got a response other than a 429.

        Args:
            sent_at: When the request was sent.
        """
        with self._lock:
            now = self._clock()
            if self._held > now and sent_at > self._refused_at:
                # A request sent during the pause was allowed, so the pause is over.
                self._held = now
            if self._over or (sent_at >= self._began and not math.isinf(self._rate)):
                self._requests += 1
            elif math.isinf(self._rate):
                self._recent.append((sent_at, now))
                self._forget_recent(now)

    def let_go(self) -> None:
        """End the pause for new requests. Requests that wait already continue to wait."""
        with self._lock:
            self._held = min(self._held, self._clock())

    def _forget_recent(self, now: float) -> None:
        while self._recent and self._recent[0][1] < now - 1:
            self._recent.popleft()

    def _set_rate(self, now: float) -> None:
        """Set the rate from the run that is over, and begin a new run."""
        run = _Run(max(1, self._requests), max(1e-3, self._refused_at - self._began))
        # Windows shorter than a second are treated as one second.
        held = max(1.0, now - self._refused_at)
        searching = self._growth == _SEARCHING
        rate = (run.requests + 1) / run.seconds if math.isinf(self._rate) else self._rate
        at_most = _SAFE * rate
        last = self._last_run
        growth = _SETTLED
        if searching and 2 * last.seconds <= run.seconds < held:
            more = run.requests - last.requests
            if more <= 0.2 * last.requests:
                rate = _SAFE * run.requests / held
            else:
                rate = _SAFE * more / (run.seconds - last.seconds)
        elif run.seconds >= held:
            rate = _CUT * min(rate, run.requests / run.seconds)
        elif searching or math.isinf(self._rate):
            run = _Run(max(run.requests, last.requests), max(run.seconds, last.seconds))
            rate = min(_FASTER * run.requests / held, run.requests / (_LONGER * run.seconds))
            growth = _SEARCHING
        else:
            few = run.requests < rate * held / 2
            rate = (_CUT_AT_ONCE if few else _CUT) * rate
        self._rate, self._growth = max(_SLOWEST, min(rate, at_most)), growth
        self._last_run = run
        self._began = self._next = self._grown = now
        self._requests, self._over = 0, False
