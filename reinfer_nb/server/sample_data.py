"""The sample data of the sandbox: the sources of an insurer after eight years of use.

The data is the same on every start. It has the flaws of real tenants: sources without changes for
years, without a title or a description, with a duplicate title, without a bucket, in the wrong
language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from reinfer_nb.server.timestamps import text

# The one project that the user "viewer" may not see.
HIDDEN = "people"
ADMIN_ID, VIEWER_ID = "61646d696e000001", "7669657765720002"
_BEGIN = datetime(2018, 3, 5, 8, 30, tzinfo=UTC)
_END = datetime(2026, 6, 30, 17, 0, tzinfo=UTC)
_STALE = datetime(2021, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Team:
    project: str
    title: str
    description: str
    topics: tuple[tuple[str, str], ...]
    channels: tuple[tuple[str, str, str], ...]


_EMAIL = ("inbox", "{topic} inbox", "unknown")
_CHAT = ("chat", "{topic} chat", "chat")
_CALLS = ("calls", "{topic} calls", "call")
_GERMAN = ("postfach", "{topic} Postfach", "unknown")
_ARCHIVE = ("archive", "{topic} archive", "unknown")

_TEAMS = (
    _Team(
        "claims",
        "Claims",
        "Everything customers and garages write about claims.",
        (
            ("motor", "Motor claims"),
            ("property", "Property claims"),
            ("liability", "Liability claims"),
            ("glass", "Glass damage"),
            ("theft", "Theft reports"),
            ("weather", "Storm and hail"),
            ("recovery", "Recovery and subrogation"),
        ),
        (_EMAIL, _CALLS, _CHAT, _GERMAN, _ARCHIVE),
    ),
    _Team(
        "customer-service",
        "Customer service",
        "Questions of policy holders, by every channel.",
        (
            ("billing", "Billing"),
            ("renewals", "Renewals"),
            ("complaints", "Complaints"),
            ("address-change", "Change of address"),
            ("cancellations", "Cancellations"),
            ("onboarding", "New customers"),
            ("app", "Mobile app"),
        ),
        (_EMAIL, _CHAT, _CALLS, _GERMAN, _ARCHIVE),
    ),
    _Team(
        "broker-desk",
        "Broker desk",
        "What brokers and agents ask, before and after a policy is written.",
        (
            ("quotes", "Quote requests"),
            ("commissions", "Commissions"),
            ("endorsements", "Endorsements"),
            ("fleet", "Fleet business"),
            ("marine", "Marine business"),
            ("portal", "Broker portal"),
        ),
        (_EMAIL, _CALLS, _CHAT, _GERMAN, _ARCHIVE),
    ),
    _Team(
        "people",
        "People and payroll",
        "Employees to the HR department; seen by few.",
        (
            ("payroll", "Payroll"),
            ("leave", "Leave and absence"),
            ("recruiting", "Recruiting"),
            ("pensions", "Pensions"),
            ("travel", "Travel and expenses"),
        ),
        (_EMAIL, _CHAT, _CALLS, _ARCHIVE),
    ),
)

# Abandoned test sources: (project, name, title).
_LEFTOVERS = (
    ("claims", "motor-inbox-2", "Motor claims inbox"),
    ("claims", "motor_inbox", "Motor claims inbox"),
    ("claims", "test", ""),
    ("claims", "PropertyInbox", "Property claims inbox"),
    ("customer-service", "billing-inbox-old", "Billing inbox"),
    ("customer-service", "pilot-2019", ""),
    ("customer-service", "tmp-import", "DO NOT USE"),
    ("broker-desk", "quotes-inbox-copy", "Quote requests inbox"),
    ("broker-desk", "demo", ""),
    ("people", "payroll-inbox-test", "Payroll inbox"),
)


class _Dice:
    """Random numbers from `Random.random` alone, which are the same in every Python version."""

    def __init__(self, seed: int) -> None:
        self._random: Callable[[], float] = Random(seed).random  # noqa: S311 - sample data

    def below(self, end: int) -> int:
        return int(self._random() * end)

    def hits(self, chance: float) -> bool:
        return self._random() < chance

    def hex_id(self) -> str:
        return "".join("0123456789abcdef"[self.below(16)] for _ in range(16))

    def moment(self, begin: datetime, end: datetime) -> datetime:
        span = int((end - begin) / timedelta(microseconds=1))
        return begin + timedelta(microseconds=int(self._random() * span))


def projects() -> list[dict[str, Any]]:
    """Return the sample projects as the API's JSON objects."""
    dice = _Dice(1)
    return [
        {
            "id": dice.hex_id(),
            "name": team.project,
            "title": team.title,
            "description": team.description,
            "created_at": text(_BEGIN + timedelta(days=20 * number)),
            "updated_at": text(_BEGIN + timedelta(days=20 * number + 400)),
        }
        for number, team in enumerate(_TEAMS)
    ]


def buckets() -> list[dict[str, Any]]:
    """Return the sample buckets, one per topic of each team, as the API's JSON objects."""
    dice = _Dice(2)
    return [
        {
            "id": dice.hex_id(),
            "name": topic,
            "owner": team.project,
            "created_at": text(dice.moment(_BEGIN, _BEGIN + timedelta(days=900))),
        }
        for team in _TEAMS
        for topic, _ in team.topics
    ]


def sources() -> list[tuple[dict[str, Any], int]]:
    """Return the sample sources as the API's JSON objects, each with its number of comments."""
    dice = _Dice(3)
    bucket_ids = {(bucket["owner"], bucket["name"]): bucket["id"] for bucket in buckets()}
    result = []
    for project, name, title, kind, german, topic in _planned():
        leftover = topic is None
        created = dice.moment(_BEGIN, _STALE if leftover else _END)
        stale = leftover or dice.hits(0.15)
        end = max(_STALE, created + timedelta(days=30)) if stale else _END
        updated = dice.moment(created, end) if dice.hits(0.9) else created
        language = "de" if german else "xlm" if dice.hits(0.12) else "en"
        if german and dice.hits(0.3):
            language = "en"
        source: dict[str, Any] = {
            "id": dice.hex_id(),
            "owner": project,
            "name": name,
            "title": "" if dice.hits(0.06) else title,
            "description": _description(dice, title, leftover=leftover),
            "language": language,
            "should_translate": language != "en" or dice.hits(0.04),
            "sensitive_properties": _sensitive(dice, project),
            "_kind": kind,
            "created_at": text(created),
            "updated_at": text(updated),
            "last_modified": text(updated),
        }
        if topic is not None and kind == "unknown" and not dice.hits(0.12):
            source["bucket_id"] = bucket_ids[project, topic]
            source["email_transform_tag"] = "generic.0.CONVKER5"
            source["email_transform_version"] = 1 + dice.below(3)
        comments = 0 if leftover and dice.hits(0.5) else 40 + int(dice.below(160) ** 2)
        result.append((source, comments))
    return result


def _planned() -> Iterator[tuple[str, str, str, str, bool, str | None]]:
    """Yield the project, name, title, kind, "is German" and topic of each source."""
    leftovers = list(_LEFTOVERS)
    for team in _TEAMS:
        for suffix, pattern, kind in team.channels:
            german = suffix == "postfach"
            for topic, title in team.topics:
                name = f"{topic}-{suffix}"
                yield team.project, name, pattern.format(topic=title), kind, german, topic
        for project, name, title in leftovers:
            if project == team.project:
                yield project, name, title, "unknown", False, None


def _description(dice: _Dice, title: str, *, leftover: bool) -> str:
    if leftover or dice.hits(0.2):
        return ""
    owner = ("Team lead", "Shared services", "Regional office", "Data team")[dice.below(4)]
    since = 2018 + dice.below(8)
    return f"{title}: what arrives there is loaded every night. Looked after by: {owner}, {since}."


def _sensitive(dice: _Dice, project: str) -> list[str]:
    if project == "people":
        return ["employee_number", "salary"] if dice.hits(0.9) else []
    return ["policy_number"] if dice.hits(0.25) else []
