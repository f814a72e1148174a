"""Timestamps as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def text(moment: datetime) -> str:
    """Return a moment as the API writes it: ISO 8601, offset, microseconds."""
    return moment.isoformat(timespec="microseconds")


def now() -> str:
    """Return the present moment."""
    return text(datetime.now(UTC))


def later(before: str) -> str:
    """Return the present moment, or one later than another where the clock was set back."""
    return text(max(datetime.now(UTC), datetime.fromisoformat(before) + timedelta(microseconds=1)))
