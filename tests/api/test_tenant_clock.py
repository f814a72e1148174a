"""The tenant's clock, as a machine learns it that is asleep at times."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from reinfer_nb.api import tenant_clock
from reinfer_nb.api.tenant_clock import Instant, Span, TenantClock

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_AHEAD = 70.0  # seconds by which the tenant's clock is ahead of the machine's


class Machine:
    """A machine, and the time that its tenant's clock really shows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.awake = self.asleep = self.set_by = 0.0
        self.ahead = _AHEAD
        monkeypatch.setattr(time, "monotonic", lambda: 1000 + self.awake)
        monkeypatch.setattr(time, "time", lambda: 1e9 + self.awake + self.asleep + self.set_by)
        self.clock = TenantClock()

    def tenant_time(self) -> datetime:
        return _BEGIN + timedelta(seconds=self.ahead + self.awake + self.asleep)

    def ask(self, *, way: float = 0.01, back: float = 0.01, asleep: float = 0.0) -> None:
        """Send a request, and sleep before its response arrives."""
        sent = Instant.now()
        self.awake += way
        date = format_datetime(self.tenant_time().replace(microsecond=0), usegmt=True)
        self.asleep += asleep
        self.awake += back
        self.clock.learn(date, sent)

    def span(self, moment: float | None = None) -> Span:
        span = self.clock.at(time.monotonic() if moment is None else moment)
        assert span is not None
        return span

    def width(self) -> float:
        span = self.span()
        return (span.latest - span.earliest).total_seconds()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_a_clock_without_a_date_is_unknown() -> None:
    clock = TenantClock()
    for date in (None, "", "no date", "Mon, 01 Jan 99999 00:00:00 GMT"):
        clock.learn(date, Instant.now())
        assert clock.at(0.0) is None


def test_a_clock_keeps_the_most_exact_offset(machine: Machine) -> None:
    exact = tenant_clock.RESOLUTION + 0.1
    machine.ask(way=0.1, back=0.0)
    assert machine.width() == pytest.approx(exact)
    # A slow response adds nothing.
    machine.ask(way=60, back=0.0)
    assert machine.width() == pytest.approx(exact)
    machine.ask(way=0.05, back=0.0)
    assert machine.width() == pytest.approx(exact - 0.05)
    # An hour later the clocks may have drifted apart.
    machine.awake += 3600
    machine.ask(way=0.5, back=0.0)
    assert machine.width() == pytest.approx(tenant_clock.RESOLUTION + 0.5)


@pytest.mark.parametrize("earlier", [0, 1])
@pytest.mark.parametrize("seconds", [0.5, 1.5, 3600])
def test_a_moment_before_the_machine_was_asleep(
    machine: Machine, seconds: float, earlier: int
) -> None:
    for _ in range(earlier):
        machine.ask()
    machine.awake += 1
    sent, then = time.monotonic(), machine.tenant_time()
    # The response of the first attempt is under way meanwhile, the next one is quick.
    machine.ask(asleep=seconds)
    for _ in range(3):
        machine.ask()
        assert machine.span(sent).earliest <= then <= machine.span(sent).latest
        assert machine.span().earliest <= machine.tenant_time() <= machine.span().latest
    assert machine.width() < 2.1


def test_a_moment_after_the_machine_was_asleep(machine: Machine) -> None:
    machine.ask()
    machine.asleep += 3600
    machine.awake += 1
    assert machine.span().earliest <= machine.tenant_time() <= machine.span().latest


def test_a_time_of_day_that_is_set_back_is_no_sleep(machine: Machine) -> None:
    machine.ask()
    machine.set_by -= 3600
    machine.ask()
    assert machine.width() < 2.1


@pytest.mark.parametrize("seconds", [600, -600])
def test_a_tenant_whose_clock_is_set(machine: Machine, seconds: float) -> None:
    machine.ask()
    machine.awake += 1
    sent, then = time.monotonic(), machine.tenant_time()
    machine.ahead += seconds
    machine.awake += 1
    machine.ask()
    assert machine.span(sent).earliest <= then <= machine.span(sent).latest
    assert machine.span().earliest <= machine.tenant_time() <= machine.span().latest
    assert machine.width() < 2.1


@pytest.mark.parametrize("seed", range(200))
def test_the_true_time_is_always_within_the_span(machine: Machine, seed: int) -> None:
    chance = random.Random(seed)
    moments: list[tuple[float, datetime]] = []
    for _ in range(15):
        machine.awake += chance.choice([0.001, 0.01, 1, 30])
        machine.asleep += chance.choice([0, 0, 0, 0, 0.3, 2, 900])
        moments.append((time.monotonic(), machine.tenant_time()))
        machine.ask(
            way=chance.choice([0.001, 0.2, 3]),
            back=chance.choice([0.001, 0.2, 3]),
            asleep=chance.choice([0, 0, 0, 0.3, 2, 900]),
        )
        for moment, true in moments:
            if machine.clock.at(moment) is not None:
                span = machine.span(moment)
                assert span.earliest <= true <= span.latest
