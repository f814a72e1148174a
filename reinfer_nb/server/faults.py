"""Faults on demand: what goes wrong in a sandbox that is told to misbehave, where and how often.

Which requests are struck is `striking`'s, what is done to them is `misbehaving`'s.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Self, TypedDict, TypeGuard, Unpack, get_args

from reinfer_nb.errors import InvalidInput
from reinfer_nb.schema import endpoints
from reinfer_nb.schema.endpoints import Call
from reinfer_nb.text import hint, holds_half_character, listed, shown

Kind = Literal["wait", "answer", "drop", "cut", "gzip"]
Seconds = float | tuple[float, float] | Callable[[random.Random], float]
RetryAfter = float | timedelta | datetime

OPERATIONS = tuple(call.id for call in vars(endpoints).values() if isinstance(call, Call))


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
    - `probability`: the share of requests it strikes, from 0 to 1, by dice of a `seed`. Dice of
      one seed roll the same, so give two faults two seeds.

    A request may be struck by several faults, in the order they were given in, up to the first
    that ends it (`answer`, `drop`, `cut`). What comes to no effect is not used up.
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
        for name, is_right, rule in _RULES:
            value = getattr(self, name)
            if not is_right(value):
                raise InvalidInput(f"{name} is {rule}, not {shown(value)}.")
        on: object = self.on
        if not isinstance(on, tuple):
            raise InvalidInput(
                f"on is a tuple of operations, not {shown(on)}. Fault.answer(), Fault.wait() and "
                "the other makers also take one operation or a list."
            )
        for name in on:
            if not isinstance(name, str) or name not in OPERATIONS:
                raise InvalidInput(f"{shown(name)} is no operation. {hint(name, OPERATIONS, 30)}")

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
                answer on) or a `datetime` for an HTTP date. Whole seconds, rounded up.
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
    def comes_after(self) -> bool:
        """Whether it strikes when the operation was carried out."""
        return self.after or self.kind in ("cut", "gzip")

    @property
    def ends_it(self) -> bool:
        """Whether no other fault strikes a request that this one has struck."""
        return self.kind in ("answer", "drop", "cut")

    def is_undone_by(self, last: Fault) -> bool:
        """Whether it comes to nothing, since another one ends the request before or without it."""
        other: object = last
        if not isinstance(other, Fault):
            raise InvalidInput(f"last is a Fault, not {shown(other)}.")
        if last.ends_it and not last.comes_after:
            return self.comes_after
        return last.kind == "drop" and self.kind == "gzip"


def _checked(when: When) -> dict[str, Any]:
    """Return when a fault strikes as fields of it, `on` as a tuple."""
    for name in when:
        if name not in When.__annotations__:
            near = hint(name, When.__annotations__)
            raise InvalidInput(f"{shown(name)} says nothing about when a fault strikes. {near}")
    if "on" not in when:
        return {**when}
    on: object = when["on"]
    names = (on,) if isinstance(on, str) else tuple(on) if isinstance(on, Iterable) else ()
    if not names:
        raise InvalidInput(
            f"on is one operation or several, not {shown(on)}; leave it out for all."
        )
    return {**when, "on": names}


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(least: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and value >= least


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_text(value: Any) -> bool:
    # Half a character (a lone surrogate) cannot be sent.
    return isinstance(value, str) and not holds_half_character(value)


def _is_media_type(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[!-~][ -~]*", value) is not None


def _is_wait(seconds: Any) -> bool:
    if callable(seconds):
        return True
    low, high = seconds if isinstance(seconds, tuple) and len(seconds) == 2 else (seconds, seconds)
    return _is_number(low) and _is_number(high) and 0 <= low <= high < 86_400


def _is_retry_after(after: Any) -> bool:
    if after is None:
        return True
    if isinstance(after, datetime):
        return after.tzinfo is not None and 1970 <= after.year < 9999
    if isinstance(after, timedelta):
        return abs(after) < timedelta(days=3650)
    return _is_number(after) and 0 <= after < 1e9


# Fields, what they may be, and that in words.
_RULES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    (
        "kind",
        lambda value: isinstance(value, str) and value in get_args(Kind),
        f"one of {listed(get_args(Kind))}",
    ),
    ("after", lambda value: type(value) is bool, "True or False"),
    ("times", lambda value: value is None or _is_whole(1)(value), "a whole number from 1 on"),
    ("skip", _is_whole(0), "a whole number from 0 on"),
    ("probability", _is_share, "a number from 0 to 1"),
    ("seed", lambda value: type(value) is int, "a whole number"),
    (
        "seconds",
        _is_wait,
        "a number, two of them (at least, at most), or a function of a random.Random",
    ),
    (
        "status",
        lambda value: type(value) is int and 400 <= value <= 599,
        "a number from 400 to 599",
    ),
    ("message", lambda value: value is None or _is_text(value), "a text"),
    ("body", lambda value: value is None or _is_text(value), "a text"),
    ("content_type", _is_media_type, "a media type such as text/html"),
    (
        "retry_after",
        _is_retry_after,
        "a number of seconds, or for an HTTP date a timedelta or a datetime with a time zone",
    ),
    ("share", _is_share, "a number from 0 to 1"),
)
