"""Which requests a fault strikes: the faults of a running sandbox, and what their dice give."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Self

from reinfer_nb.errors import InvalidInput
from reinfer_nb.server.faults import Fault
from reinfer_nb.text import listed, shown


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
            after = datetime.now(UTC) + after
        if isinstance(after, datetime):
            # Dates know no fractions of a second: never earlier than was asked for.
            after = after.astimezone(UTC) + timedelta(microseconds=999_999)
            return format_datetime(after, usegmt=True)
        return str(math.ceil(after))


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

    def take_back(self) -> None:
        self.struck -= 1


class Faults:
    """The faults of a sandbox, in the order in which they are asked; may change while it runs.

    >>> with client.sandbox.faults.add(Fault.drop(on="update_source", after=True, times=1)):
    ...     client.update_source("claims/motor-inbox", title="Motor").owner
    'claims'

    Args:
        faults: One fault or several, to begin with.
    """

    def __init__(self, faults: Fault | Iterable[Fault] = ()) -> None:
        given: object = [faults] if isinstance(faults, Fault) else faults
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise _no_fault(faults)
        self._lock = threading.Lock()
        self._live: list[_Live] = []
        self._gone: list[_Live] = []
        self.add(*given)

    def add(self, *faults: Fault) -> Added:
        """Add faults; in a `with` statement, they are gone at its end.

        Args:
            *faults: Faults; one added a second time counts and rolls its dice by itself.

        Raises:
            InvalidInput: One of them is none.
        """
        for fault in faults:
            if not isinstance(fault, Fault):
                raise _no_fault(fault)
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

    def strike(self, operation: str, *, gzip: bool = True) -> list[Struck]:
        """Return what strikes a request, in order, up to the first fault that ends it.

        Args:
            operation: The name of the operation that is asked for.
            gzip: Whether who asks takes compressed answers.
        """
        struck: list[tuple[_Live, Struck]] = []
        with self._lock:
            for one in self._live:
                if (gzip or one.fault.kind != "gzip") and one.strikes(operation):
                    struck.append((one, Struck(one.fault, one.dice)))
                    if one.fault.ends_it:
                        break
            if not struck:
                return []
            last = struck[-1][0].fault
            for one, _ in struck:
                if one.fault.is_undone_by(last):
                    one.take_back()
            return [what for one, what in struck if not one.fault.is_undone_by(last)]


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


def _no_fault(value: object) -> InvalidInput:
    return InvalidInput(
        f"A fault is made by Fault.wait, .answer, .drop, .cut or .gzip; {shown(value)} is none."
    )
