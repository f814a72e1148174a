"""How fast a client sends once its tenant has asked to wait (429): as fast as the tenant allows.

A tenant does not say how many requests a second it allows. Two refusals are enough to find out. The
first one comes after a quick run of requests, and tells how many the tenant takes at once. Then
the client sends more slowly, and the second refusal tells whether more time allowed more requests:
if so, the tenant allows a rate, and what it takes at once is only the start; if not, it allows a
number in a stretch of time.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

# Requests a second: no rate is lower. A slower tenant still asks for waits, which are kept.
_SLOWEST = 0.5
# By what a rate is multiplied in each second in which requests wait for their turn: while the
# client searches for what the tenant allows, and from then on.
_SEARCHING, _SETTLED = 2.0, 1.02
# How many times as fast as the first run was allowed, on average, the search begins.
_FASTER = 3.0
# How many times as long as the first run the second one is to take.
_LONGER = 3.5
# The share of a rate that is used, of one that was worked out and of one that was refused.
_SAFE, _CUT, _CUT_AT_ONCE = 0.95, 0.9, 0.7
# Seconds without a 429 after which the client sends without a pace again.
_FORGOTTEN = 60.0


@dataclass(frozen=True)
class _Run:
    """Requests that a tenant allowed before it refused one: how many, and in how many seconds."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class Turn:
    """When a request may be sent.

    Attributes:
        due: The time, by the pacer's clock.
        held: Whether the tenant wants no request until then; there may be another turn to wait for
            after that.
    """

    due: float
    held: bool


class Pacer:
    """The turns of all requests of one client; safe to use from several threads.

    It only tells when a request may be sent. Whoever sends the request waits until then.

    Args:
        clock: Returns the seconds since any fixed moment.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # Requests a second; infinite where there is no pace.
        self._rate = math.inf
        self._growth = _SETTLED
        # The next turn that is free, and until when the rate has grown.
        self._next = self._grown = -math.inf
        # Until when the tenant wants no request, and when it last said so.
        self._held = self._refused_at = -math.inf
        # The run under way: when it began, how many requests it had, and whether it is over.
        self._began, self._requests, self._over = -math.inf, 0, False
        self._last_run = _Run(0, 0.0)
        # When requests of the last second were sent and answered, where there is no pace.
        self._recent: deque[tuple[float, float]] = deque()

    @property
    def rate(self) -> float:
        """Requests a second; infinite where there is no pace."""
        return self._rate

    def holds(self, waited_until: float = -math.inf) -> bool:
        """Whether the tenant wants no request now.

        Args:
            waited_until: The end of a wait that is over, by the clock as it was when it began.
        """
        with self._lock:
            return self._held > max(self._clock(), waited_until)

    def turn(self, turns: int = 1, waited_until: float = -math.inf) -> Turn:
        """Return when a request may be sent.

        Args:
            turns: How many turns the request takes. A request that takes none only keeps to the
                waits that the tenant asks for.
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
            # A rate that nobody has to wait for tells nothing about what the tenant allows.
            if due > now:
                self._rate *= self._growth ** (now - self._grown)
            self._grown = now
            self._next = due + turns / self._rate
            return Turn(due, held=False)

    def refused(self, sent_at: float, seconds: float) -> float:
        """Hold back all requests after a 429; return until when the tenant asks to wait.

        Args:
            sent_at: When the request was sent.
            seconds: How long the tenant asks to wait.
        """
        with self._lock:
            now = self._clock()
            # Requests that were under way together were refused together, and end one run.
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

    def answered(self, sent_at: float) -> None:
        """Take note of a request that was answered.

        Args:
            sent_at: When the request was sent.
        """
        with self._lock:
            now = self._clock()
            if self._held > now and sent_at > self._refused_at:
                # Somebody did not wait, and the tenant did not mind.
                self._held = now
            if self._over or (sent_at >= self._began and not math.isinf(self._rate)):
                self._requests += 1
            elif math.isinf(self._rate):
                self._recent.append((sent_at, now))
                self._forget_recent(now)

    def let_go(self) -> None:
        """Hold back no request that comes from now on; those that wait already go on waiting."""
        with self._lock:
            self._held = min(self._held, self._clock())

    def _forget_recent(self, now: float) -> None:
        while self._recent and self._recent[0][1] < now - 1:
            self._recent.popleft()

    def _set_rate(self, now: float) -> None:
        """Set the rate by the run that is over, and begin another one."""
        run = _Run(max(1, self._requests), max(1e-3, self._refused_at - self._began))
        # A number in a stretch of time shorter than a second cannot be told from one in a second.
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
