"""The faults of a running sandbox: which requests they strike, by counters and random numbers."""

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
from reinfer_nb.text import counted, listed, shown


class Struck:
    """A fault that strikes one request, with its random values drawn.

    Attributes:
        fault: The fault.
        seconds: Seconds to wait.
    """

    def __init__(self, fault: Fault, dice: random.Random) -> None:
        self.fault = fault
        seconds = fault.seconds
        if isinstance(seconds, tuple):
            self.seconds = dice.uniform(*seconds)
        else:
            self.seconds = max(0.0, seconds(dice) if callable(seconds) else seconds)

    def retry_after(self) -> str | None:
        """Return the value of the header `Retry-After`, or None."""
        after = self.fault.retry_after
        if after is None:
            return None
        if isinstance(after, timedelta):
            after = datetime.now(UTC) + after
        if isinstance(after, datetime):
            # HTTP dates have whole seconds; round up.
            after = after.astimezone(UTC) + timedelta(microseconds=999_999)
            return format_datetime(after, usegmt=True)
        return str(math.ceil(after))


class _ActiveFault:
    """A fault with its counters and its random numbers."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.dice = random.Random(fault.seed)  # noqa: S311 - not used for secrets
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
    """The faults of a sandbox, in the order in which they strike; may change while it runs.

    >>> with client.sandbox.faults.add(Fault.drop(on="update_source", after=True, times=1)):
    ...     client.update_source("claims/motor-inbox", title="Motor").owner
    'claims'

    Args:
        faults: The first faults, one or several.
    """

    def __init__(self, faults: Fault | Iterable[Fault] = ()) -> None:
        first: object = [faults] if isinstance(faults, Fault) else faults
        if isinstance(first, str) or not isinstance(first, Iterable):
            raise _not_a_fault(faults)
        self._lock = threading.Lock()
        self._active: list[_ActiveFault] = []
        self._removed: list[_ActiveFault] = []
        self.add(*first)

    def add(self, *faults: Fault) -> Added:
        """Add faults; as a context manager, remove them at its end.

        Args:
            *faults: Faults; one added a second time has a counter and random numbers of its own.

        Raises:
            InvalidInput: An argument is not a `Fault`.
        """
        for fault in faults:
            if not isinstance(fault, Fault):
                raise _not_a_fault(fault)
        added = [_ActiveFault(fault) for fault in faults]
        with self._lock:
            self._active += added
        return Added(self, added)

    def clear(self) -> None:
        """Remove all faults."""
        self._remove(list(self._active))

    def struck(self, fault: Fault) -> int:
        """Return how often a fault has struck so far, even if it was removed since.

        Args:
            fault: A fault that was added.
        """
        with self._lock:
            faults = self._active + self._removed
            return sum(active.struck for active in faults if active.fault is fault)

    def _remove(self, faults: list[_ActiveFault]) -> None:
        with self._lock:
            self._removed += [active for active in self._active if active in faults]
            self._active = [active for active in self._active if active not in faults]

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter([active.fault for active in self._active])

    def __len__(self) -> int:
        return len(self._active)

    def __repr__(self) -> str:
        return f"<Faults: {listed(fault.kind for fault in self) or 'none'}>"

    def strike(self, operation: str, *, gzip: bool = True) -> list[Struck]:
        """Return the faults that strike a request, in order, up to the first that ends it.

        Args:
            operation: The name of the requested operation.
            gzip: Whether the caller accepts compressed responses.
        """
        struck: list[tuple[_ActiveFault, Struck]] = []
        with self._lock:
            for active in self._active:
                if (gzip or active.fault.kind != "gzip") and active.strikes(operation):
                    struck.append((active, Struck(active.fault, active.dice)))
                    if active.fault.ends_it:
                        break
            if not struck:
                return []
            last = struck[-1][0].fault
            for active, _ in struck:
                if active.fault.is_undone_by(last):
                    active.take_back()
            return [strike for active, strike in struck if not active.fault.is_undone_by(last)]


class Added:
    """Faults that were added together; as a context manager, removes them at its end."""

    def __init__(self, faults: Faults, added: list[_ActiveFault]) -> None:
        self._faults = faults
        self._added = added

    @property
    def struck(self) -> int:
        """How often they have struck so far, all together."""
        return sum(active.struck for active in self._added)

    def __repr__(self) -> str:
        kinds = listed(active.fault.kind for active in self._added)
        return f"<Added: {kinds or 'none'}; struck {counted(self.struck, 'time')}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._faults._remove(self._added)  # noqa: SLF001 - a part of `Faults`


def _not_a_fault(value: object) -> InvalidInput:
    return InvalidInput(
        f"{shown(value)} is not a Fault. Create one with Fault.wait, .answer, .drop, .cut or .gzip."
    )
