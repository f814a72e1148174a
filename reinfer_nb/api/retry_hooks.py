"""What a thread has to say to a request of its own that waits, before that is sent again.

Said around the call rather than handed through it: between who knows and the transport lie the
operations of the client, whose arguments are those of the API.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from reinfer_nb.errors import ReinferError
from reinfer_nb.schema.endpoints import Call

# Once it is set, what this thread sends is not tried again.
_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)
# What is told that this thread has waited, since the tenant said so.
_waited: ContextVar[Callable[[], object] | None] = ContextVar("waited", default=None)
# What looks again before something is written that had to wait.
_look: ContextVar[Callable[[bool], object] | None] = ContextVar("look", default=None)
# Whether this thread looks at a source and writes to it right after that.
_looks_first: ContextVar[bool] = ContextVar("looks_first", default=False)


@contextmanager
def until(stop: threading.Event, waited: Callable[[], object]) -> Iterator[None]:
    """Try nothing again in here, in this thread, once an event is set.

    Args:
        stop: The event.
        waited: Called before anything is sent that had to wait, since the tenant said so.
    """
    tokens = _stop.set(stop), _waited.set(waited)
    try:
        yield
    finally:
        _stop.reset(tokens[0])
        _waited.reset(tokens[1])


@contextmanager
def looking_again(look: Callable[[bool], object]) -> Iterator[None]:
    """Look again before each write in here, in this thread, that had to wait or is tried again.

    What is read in here is a look that a write follows at once.

    Args:
        look: Called with whether an earlier attempt may have been carried out; what it raises
            keeps the write from being sent.
    """
    tokens = _look.set(look), _looks_first.set(True)
    try:
        yield
    finally:
        _look.reset(tokens[0])
        _looks_first.reset(tokens[1])


def turns(call: Call) -> int:
    """Return how many turns of the client's pace a request takes.

    A look takes the turn of the write after it too. So the write waits for no turn of its own, and
    what the look has seen is still fresh.
    """
    if not _looks_first.get():
        return 1
    return 0 if call.writes else 2


def tells_of_waits() -> bool:
    """Whether `until` has named somebody who is told of waits, and tells of them in turn."""
    return _waited.get() is not None


def stop_of_this_thread() -> threading.Event | None:
    """Return the event that `until` has named, if any."""
    return _stop.get()


def come_back(call: Call, stop: threading.Event | None, *, limited: bool, in_doubt: bool) -> bool:
    """Do what is to be done between a wait and the next attempt; return whether it is to be none.

    Args:
        call: What is to be sent.
        stop: Once set, nothing is sent any more.
        limited: Whether the tenant had said to wait.
        in_doubt: Whether an earlier attempt may have been carried out.
    """
    waited = _waited.get()
    if limited and waited is not None:
        waited()
    if stop is not None and stop.is_set():
        return True
    look = _look.get()
    if look is not None and call.writes:
        # What looks sends requests of its own.
        token = _look.set(None)
        try:
            look(in_doubt)
        except ReinferError as error:
            error.in_doubt = error.in_doubt or in_doubt
            raise
        finally:
            _look.reset(token)
    return False
