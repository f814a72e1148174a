"""Faults on demand: what a fault does, to which operations, and how often.

`active_faults` decides which requests a fault strikes; `fault_middleware` injects it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
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
    """When a fault strikes: the keywords that every constructor of `Fault` takes.

    Attributes:
        on: Operations, by the names of `Fault.operations()`; by default all.
        after: Strike after the operation was carried out instead of before.
        times: Maximum number of strikes; by default unlimited.
        skip: Number of requests to let pass first.
        probability: The share of requests to strike, from 0 to 1.
        seed: Seed of the random numbers for `probability` and waiting times.
    """

    on: str | Iterable[str]
    after: bool
    times: int | None
    skip: int
    probability: float
    seed: int


@dataclass(frozen=True, kw_only=True, repr=False)
class Fault:
    """A fault of a sandbox; create one with `wait`, `answer`, `drop`, `cut` or `gzip`.

    >>> with client.sandbox.faults.add(Fault.answer(503, on="list_sources", times=1)) as added:
    ...     len(client.sources()), added.struck
    (130, 1)

    All of them take these keywords too, which say when the fault strikes:

    - `on`: the name of one operation or several, see `operations`; by default all operations;
    - `after`: True to strike after the operation was carried out; by default before;
    - `times`: maximum number of strikes; by default unlimited;
    - `skip`: number of requests to let pass first;
    - `probability`: the share of requests to strike, from 0 to 1, drawn with `seed`. Two faults
      with the same seed draw the same numbers, so give them different seeds.

    Several faults may strike one request, in the order they were added, up to the first that
    ends the request (`answer`, `drop`, `cut`). A fault without effect does not count as a strike.
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
        for name, is_valid, rule in _RULES:
            value = getattr(self, name)
            if not is_valid(value):
                raise InvalidInput(f"{name} must be {rule}, not {shown(value)}.")
        on: object = self.on
        if not isinstance(on, tuple) or not all(isinstance(name, str) for name in on):
            raise InvalidInput(
                f"on must be a tuple of names, not {shown(on)}. Fault.answer(), Fault.wait() and "
                "so on also take one name or a list."
            )
        for name in on:
            if not isinstance(name, str) or name not in OPERATIONS:
                raise InvalidInput(f"Unknown operation {shown(name)}. {hint(name, OPERATIONS, 30)}")

    def __repr__(self) -> str:
        values = ((field.name, getattr(self, field.name), field.default) for field in fields(self))
        given = [f"{name}={shown(value)}" for name, value, default in values if value != default]
        return f"Fault({', '.join(given)})"

    @staticmethod
    def operations() -> list[str]:
        """Return the names of the operations, for `on`."""
        return list(OPERATIONS)

    @classmethod
    def wait(cls, seconds: Seconds, **when: Unpack[When]) -> Self:
        """Return a fault that delays the response.

        >>> slow = Fault.wait((0.05, 0.2), on="get_statistics")
        >>> heavy_tailed = Fault.wait(lambda dice: dice.lognormvariate(-3, 1))

        Args:
            seconds: The delay in seconds; or two numbers, to draw a delay between them; or a
                function that draws the delay from the `random.Random` that it is given.
            **when: When it strikes, see `Fault`.
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
        """Return a fault that sends an error in place of the response.

        Args:
            status: HTTP status, from 400 to 599.
            retry_after: Header `Retry-After`: a number of seconds; or for an HTTP date a
                `timedelta` from the response on, or a `datetime`. Rounded up to whole seconds.
            message: The message in the API's envelope; by default the status and its phrase.
            body: Body to send in place of the envelope, for example the page of a gateway.
            content_type: Media type of `body`.
            **when: When it strikes, see `Fault`.
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
        """Return a fault that closes the connection without a response.

        Args:
            **when: When it strikes, see `Fault`; with `after=True`, the operation is carried out
                first.
        """
        return cls(kind="drop", **_checked(when))

    @classmethod
    def cut(cls, share: float = 0.5, **when: Unpack[When]) -> Self:
        """Return a fault that closes the connection within the body of the response.

        Args:
            share: The share of the body to send, from 0 to 1; the last byte is never sent.
            **when: When it strikes, see `Fault`. It always strikes after the operation, whatever
                `after` says.
        """
        return cls(kind="cut", share=share, **_checked(when))

    @classmethod
    def gzip(cls, **when: Unpack[When]) -> Self:
        """Return a fault that compresses the response, for callers who accept gzip.

        Args:
            **when: When it strikes, see `Fault`.
        """
        return cls(kind="gzip", **_checked(when))

    @property
    def comes_after(self) -> bool:
        """True if the fault strikes after the operation was carried out."""
        return self.after or self.kind in ("cut", "gzip")

    @property
    def ends_it(self) -> bool:
        """True if the fault ends the request, so that no later fault strikes."""
        return self.kind in ("answer", "drop", "cut")

    def is_undone_by(self, last: Fault) -> bool:
        """True if the fault has no effect on a request that another one ends.

        Args:
            last: The other fault.
        """
        other: object = last
        if not isinstance(other, Fault):
            raise InvalidInput(f"last must be a Fault, not {shown(other)}.")
        if last.ends_it and not last.comes_after:
            return self.comes_after
        return last.kind == "drop" and self.kind == "gzip"


def _checked(when: When) -> dict[str, Any]:
    """Return the keywords as fields of `Fault`, with `on` as a tuple."""
    for name in when:
        if name not in When.__annotations__:
            near = hint(name, When.__annotations__)
            raise InvalidInput(f"Unknown keyword {shown(name)} of a fault. {near}")
    if "on" not in when:
        return {**when}
    on: object = when["on"]
    names = (on,) if isinstance(on, str) else tuple(on) if isinstance(on, Iterable) else ()
    if not names:
        raise InvalidInput(
            f"on must be one operation or several, not {shown(on)}. Leave it out for all."
        )
    return {**when, "on": names}


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(least: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and value >= least


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_text(value: Any) -> bool:
    # A lone surrogate cannot be sent.
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


# Each field with its check, and the rule for the message.
_RULES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    (
        "kind",
        lambda value: isinstance(value, str) and value in get_args(Kind),
        f"one of {listed(get_args(Kind))}",
    ),
    ("after", lambda value: type(value) is bool, "True or False"),
    ("times", lambda value: value is None or _is_whole(1)(value), "a whole number of at least 1"),
    ("skip", _is_whole(0), "a whole number of at least 0"),
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
