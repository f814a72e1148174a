"""Timestamps as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def text(moment: datetime) -> str:
    """Return a moment as the API writes it: ISO 8601 with offset and microseconds."""
    return moment.isoformat(timespec="microseconds")


def now() -> str:
    """Return the present moment."""
    return text(datetime.now(UTC))


def later(before: str) -> str:
    """Return the present moment, but at least a microsecond after `before`."""
    return text(max(datetime.now(UTC), datetime.fromisoformat(before) + timedelta(microseconds=1)))
