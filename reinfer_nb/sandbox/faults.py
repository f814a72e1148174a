"""Faults on demand: how the sandbox misbehaves when it is told to.

A `Fault` says what goes wrong, in which operations and how often; `Faults` are those of a
running sandbox, which may change at any time. What is done to a request is `misbehaving`'s.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal, Self, TypedDict, Unpack

from reinfer_nb import operations
from reinfer_nb.errors import InvalidInput
from reinfer_nb.operations import Call
from reinfer_nb.text import listed, nearest, shown

Kind = Literal["wait", "answer", "drop", "cut", "gzip"]
Seconds = float | tuple[float, float] | Callable[[random.Random], float]
RetryAfter = float | timedelta | datetime

OPERATIONS = tuple(call.id for call in vars(operations).values() if isinstance(call, Call))


class When(TypedDict, total=False):
    """When a fault strikes; what every maker of a `Fault` takes.

    Attributes:
        on: The operations, by the names of `Fault.operations()`; by default all of them.
        after: Strike when the operation was carried out, and not before it.
        times: How often at most; by default without end.
        skip: How many requests it lets pass first.
        probability: From 0 to 1: the share of requests it strikes.
        seed: Of the dice for `probability` and for waiting times; the same seed, the same rolls.
    """

    on: str | Iterable[str]
    after: bool
    times: int | None
    skip: int
    probability: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that goes wrong in a sandbox; made by `wait`, `answer`, `drop`, `cut`, `gzip`.

    >>> with client.sandbox.faults.add(Fault.answer(503, on="list_sources", times=2)) as added:
    ...     len(client.sources()), added.struck
    (130, 2)

    Every maker takes these keywords too, which say when it strikes:

    - `on`: a name of an operation, or several, see `operations`; by default all operations;
    - `after`: True to strike when the operation was carried out; by default before it;
    - `times`: how often at most; by default without end;
    - `skip`: how many requests it lets pass first;
    - `probability`: the share of requests it strikes, from 0 to 1, by dice of a `seed`.
    """

    kind: Kind
    on: tuple[str, ...] = ()
    after: bool = False
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    seconds: Seconds = 0.0
    status: int = 503
    message: str | None = None
    body: str | None = None
    content_type: str = "text/html; charset=utf-8"
    retry_after: RetryAfter | None = None
    share: float = 0.5

    def __post_init__(self) -> None:
        for name in self.on:
            if name not in OPERATIONS:
                raise InvalidInput(f"{shown(name)} is no operation; {_hint(name, OPERATIONS)}")
        for name, least in (("times", 1), ("skip", 0)):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < least):
                raise InvalidInput(f"{name} is a whole number from {least} on, not {shown(value)}.")
        for name in ("probability", "share"):
            value = getattr(self, name)
            if not _is_number(value) or not 0 <= value <= 1:
                raise InvalidInput(f"{name} is a number from 0 to 1, not {shown(value)}.")
        if type(self.status) is not int or not 400 <= self.status <= 599:
            raise InvalidInput(f"status is a number from 400 to 599, not {shown(self.status)}.")
        if not _is_wait(self.seconds):
            raise InvalidInput(
                "A wait is a number of seconds, two of them (at least, at most), or a function "
                f"from random.Random to seconds, not {shown(self.seconds)}."
            )
        if self.retry_after is not None and not _is_retry_after(self.retry_after):
            raise InvalidInput(
                "retry_after is a number of seconds, or for an HTTP date a timedelta or a datetime "
                f"with a time zone, not {shown(self.retry_after)}."
            )

    @staticmethod
    def operations() -> list[str]:
        """Return the names of the operations, as `on` takes them."""
        return list(OPERATIONS)

    @classmethod
    def wait(cls, seconds: Seconds, **when: Unpack[When]) -> Self:
        """Return a fault that makes the answer come later.

        >>> slow = Fault.wait((0.05, 0.2), on="get_statistics")
        >>> heavy_tailed = Fault.wait(lambda dice: dice.lognormvariate(-3, 1))

        Args:
            seconds: How long; or two numbers, for any time between them; or a function that
                draws it from the `random.Random` it is given.
            **when: When it strikes, as told in `Fault`.
        """
        return cls(kind="wait", seconds=seconds, **_checked(when))

    @classmethod
    def answer(
        cls,
        status: int,
        *,
        retry_after: RetryAfter | None = None,
        message: str | None = None,
        body: str | None = None,
        content_type: str = "text/html; charset=utf-8",
        **when: Unpack[When],
    ) -> Self:
        """Return a fault that answers with an error, instead of what would be answered.

        Args:
            status: HTTP status, from 400 to 599.
            retry_after: Header `Retry-After`: a number for seconds; a `timedelta` (from the
                answer on) or a `datetime` for an HTTP date.
            message: The message in the API's envelope; by default the status in words.
            body: What to send in place of the envelope: the page of a gateway, for example.
            content_type: Of `body`.
            **when: When it strikes, as told in `Fault`.
        """
        return cls(
            kind="answer",
            status=status,
            retry_after=retry_after,
            message=message,
            body=body,
            content_type=content_type,
            **_checked(when),
        )

    @classmethod
    def drop(cls, **when: Unpack[When]) -> Self:
        """Return a fault that closes the connection without an answer.

        Args:
            **when: When it strikes, as told in `Fault`; with `after=True`, what was asked is
                done and nobody hears of it.
        """
        return cls(kind="drop", **_checked(when))

    @classmethod
    def cut(cls, share: float = 0.5, **when: Unpack[When]) -> Self:
        """Return a fault that closes the connection within the body of the answer.

        Args:
            share: How much of the body is sent, from 0 to 1, the last byte never.
            **when: When it strikes, as told in `Fault`. There is no body to cut before the
                operation was carried out, so `after` changes nothing.
        """
        return cls(kind="cut", share=share, **_checked(when))

    @classmethod
    def gzip(cls, **when: Unpack[When]) -> Self:
        """Return a fault that compresses the answer, for those who accept that.

        Args:
            **when: When it strikes, as told in `Fault`.
        """
        return cls(kind="gzip", **_checked(when))

    @property
    def ends_it(self) -> bool:
        """Whether no other fault strikes a request that this one has struck."""
        return self.kind in ("answer", "drop", "cut")


def _checked(when: When) -> dict[str, Any]:
    """Return when a fault strikes as fields of it, `on` as a tuple."""
    for name in when:
        if name not in When.__annotations__:
            hint = _hint(name, When.__annotations__)
            raise InvalidInput(f"{shown(name)} says nothing about when a fault strikes; {hint}")
    on = when.get("on", ())
    return {**when, "on": (on,) if isinstance(on, str) else tuple(on)}


def _hint(name: object, known: Iterable[str]) -> str:
    guess = nearest(name, known) if isinstance(name, str) else None
    return f"did you mean {guess}?" if guess else f"there are {listed(known, 30)}."


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_wait(seconds: Any) -> bool:
    if callable(seconds):
        return True
    low, high = seconds if isinstance(seconds, tuple) and len(seconds) == 2 else (seconds, seconds)
    return _is_number(low) and _is_number(high) and 0 <= low <= high < 86_400


def _is_retry_after(after: Any) -> bool:
    if isinstance(after, datetime):
        return after.tzinfo is not None
    return isinstance(after, timedelta) or (_is_number(after) and 0 <= float(after) < 1e9)


class Struck:
    """A fault that strikes a request, with what the dice gave.

    Attributes:
        fault: The fault.
        seconds: How long to wait.
    """

    def __init__(self, fault: Fault, dice: random.Random) -> None:
        self.fault = fault
        seconds = fault.seconds
        if isinstance(seconds, tuple):
            self.seconds = dice.uniform(*seconds)
        else:
            self.seconds = max(0.0, seconds(dice) if callable(seconds) else seconds)

    def retry_after(self) -> str | None:
        """Return the header `Retry-After`."""
        after = self.fault.retry_after
        if after is None:
            return None
        if isinstance(after, timedelta):
            # Dates know no fractions of a second: never earlier than was asked for.
            after = datetime.now(UTC) + after + timedelta(microseconds=999_999)
        if isinstance(after, datetime):
            return format_datetime(after.astimezone(UTC), usegmt=True)
        return f"{after:g}"


class _Live:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.dice = random.Random(fault.seed)  # noqa: S311 - it decides nothing that is secret
        self.passed = 0
        self.struck = 0

    def strikes(self, operation: str) -> bool:
        fault = self.fault
        if (fault.on and operation not in fault.on) or self.struck == fault.times:
            return False
        if self.passed < fault.skip:
            self.passed += 1
            return False
        if self.dice.random() >= fault.probability:
            return False
        self.struck += 1
        return True


class Faults:
    """The faults of a sandbox, in the order in which they are asked; may change while it runs.

    >>> with client.sandbox.faults.add(Fault.drop(on="create_source", after=True, times=1)):
    ...     client.create_source("claims/travel").owner
    'claims'

    A request may be struck by several, as long as none of them ends it.
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._live: list[_Live] = []
        self._gone: list[_Live] = []
        self.add(*faults)

    def add(self, *faults: Fault) -> Added:
        """Add faults; in a `with` statement, they are gone at its end.

        Args:
            *faults: Faults; one added a second time counts and rolls its dice by itself.

        Raises:
            InvalidInput: One of them is none.
        """
        for fault in faults:
            if not isinstance(fault, Fault):
                raise InvalidInput(
                    f"A fault is made by Fault.wait, .answer, .drop, .cut or .gzip; {shown(fault)} "
                    "is none."
                )
        added = [_Live(fault) for fault in faults]
        with self._lock:
            self._live += added
        return Added(self, added)

    def clear(self) -> None:
        """Take all of them away."""
        self._take_away(list(self._live))

    def struck(self, fault: Fault) -> int:
        """Return how often a fault has struck so far, whether it is still there or not.

        Args:
            fault: What was added.
        """
        with self._lock:
            return sum(one.struck for one in self._live + self._gone if one.fault is fault)

    def _take_away(self, added: list[_Live]) -> None:
        with self._lock:
            self._gone += [one for one in self._live if one in added]
            self._live = [one for one in self._live if one not in added]

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter([live.fault for live in self._live])

    def __len__(self) -> int:
        return len(self._live)

    def __repr__(self) -> str:
        return f"<Faults: {listed(fault.kind for fault in self) or 'none'}>"

    def strike(self, operation: str) -> list[Struck]:
        """Return what strikes a request, in order, up to the first fault that ends it.

        Args:
            operation: The name of the operation that is asked for.
        """
        struck = []
        with self._lock:
            for live in self._live:
                if live.strikes(operation):
                    struck.append(Struck(live.fault, live.dice))
                    if live.fault.ends_it:
                        break
        return struck


class Added:
    """Faults that were added together; the end of a `with` statement takes them away."""

    def __init__(self, faults: Faults, added: list[_Live]) -> None:
        self._faults = faults
        self._added = added

    @property
    def struck(self) -> int:
        """How often they have struck so far, taken together."""
        return sum(one.struck for one in self._added)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._faults._take_away(self._added)  # noqa: SLF001 - a part of it
