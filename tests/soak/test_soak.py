"""Short soaks; `python -m tests.soak` runs long ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from random import randrange

import pytest

from reinfer_nb.widgets import jobs
from tests.soak import explorer, stopping, tenant
from tests.soak.measuring import Held

pytestmark = [
    pytest.mark.slow,
    # Some of the faults end in such warnings.
    pytest.mark.filterwarnings("ignore::reinfer_nb.InDoubtWarning"),
]
SECONDS, REFRESHES, OPENINGS, STARTS = 6, 40, 40, 40


def expect_flat(measured: Sequence[Held], megabytes: float) -> None:
    """Expect no growth after the first measurement, when everything is imported and cached."""
    if sys.platform != "linux":
        return
    first, last = measured[0], measured[-2:]
    assert min(each.megabytes for each in last) < first.megabytes + megabytes, measured
    assert min(each.files for each in last) <= first.files + 4, measured


def test_eight_threads_find_and_leave_what_they_must() -> None:
    seed = randrange(2**32)
    print(f"seed {seed}")
    done, wrong, measured = tenant.soak(SECONDS, seed)
    assert wrong == []
    assert min(done[name] for name in ("create", "update", "delete", "read", "plan")) > 5
    expect_flat(measured, 3)


def test_refreshed_and_closed_explorers_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)
    refreshed, opened = explorer.soak(REFRESHES, OPENINGS)
    expect_flat(refreshed, 3)
    expect_flat(opened, 3)


def test_a_tenant_that_is_stopped_under_load_leaves_nothing_open() -> None:
    unclosed, measured = stopping.soak(STARTS)
    assert unclosed == []
    expect_flat(measured, 3)
