"""Reads of a response have a deadline together, beside the time-out of each."""

from __future__ import annotations

import socket
import time

import pytest

from reinfer_nb.api import session
from reinfer_nb.api.connection_failures import TooLong


@pytest.mark.parametrize(("timeout", "left", "kind"), [(5, 0.05, TooLong), (0.05, 5, TimeoutError)])
def test_which_time_is_over_when_nothing_arrives(
    timeout: float, left: float, kind: type[TimeoutError]
) -> None:
    near, far = socket.socketpair()
    with near, far:
        near.settimeout(timeout)
        bounded = session._Bounded(near.makefile("rb", buffering=0), near)
        far.sendall(b"ab")
        assert bounded.read(2) == b"ab"
        bounded._deadline = time.monotonic() + left
        with pytest.raises(TimeoutError) as caught:
            bounded.read(1)
        assert type(caught.value) is kind
        bounded.close()
