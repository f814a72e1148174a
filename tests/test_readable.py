"""Results show themselves so that a person can read them, in a terminal and in a notebook."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

import reinfer_nb as rnb
from tests.test_markup import NASTY, Parsed

# What Python prints of its own objects, and no person wants to read.
RAW = re.compile(r"mappingproxy|datetime\.datetime|\bNone\b|object at 0x|<function|dtype")


def cells(html: str) -> list[list[str]]:
    """Return the cells of the rows of all tables, as texts."""
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[Parsed(cell).text for cell in row] for row in found]


def html_of(value: object) -> str:
    html = value._repr_html_()  # type: ignore[attr-defined]
    assert isinstance(html, str)
    return html


def test_the_rules_show_what_a_person_needs_to_choose() -> None:
    table = rnb.audit_rules()
    text, rows = repr(table), cells(html_of(table))
    assert rows[0] == ["Rule", "Severity", "Why", "Columns needed", "Options"]
    assert len(rows) == len(table) + 1
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    flat = " ".join(text.split())
    for number in range(len(table)):
        rule, severity, why = table.iloc[number][["rule", "severity", "why"]]
        needs, options = table["needs"][number], table["options"][number]
        headline = why.split("\n")[0]
        # A third is 0.333.
        written = ", ".join(
            f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value!r}"
            for name, value in options.items()
        )
        assert rows[number + 1] == [rule, severity, headline, ", ".join(needs), written]
        assert any(line.startswith(f"{severity}: {rule}") for line in lines)
        assert headline in flat
        assert written in flat
    assert not RAW.search(text + html_of(table))
    assert table["needs"][table["rule"] == "stale"].iloc[0] == ("updated_at",)


def test_the_rules_are_a_frame_like_any_other() -> None:
    table = rnb.audit_rules()
    assert isinstance(table, pd.DataFrame)
    for part in (table.head(2), table[["rule", "why"]], table.copy(), table.set_index("rule")):
        assert type(part) is pd.DataFrame
    # A frame that was changed in place is shown by pandas.
    del table["why"]
    assert repr(table) == repr(pd.DataFrame(table))
    assert html_of(table) == html_of(pd.DataFrame(table))


def test_a_rule_shows_its_id_reason_and_options() -> None:
    rule = rnb.audit(pd.DataFrame({"title": ["x"], "updated_at": ["2020-01-01"]})).rules["stale"]
    assert repr(rule).startswith(
        "<Rule info: stale (needs updated_at; options days=365, silent_days=90): A source"
    )
    assert "\n" not in repr(rule)
    assert dict(cells(html_of(rule)))["Options"] == "days=365, silent_days=90"
    assert not RAW.search(repr(rule) + html_of(rule))


USER = {
    "id": "0123",
    "username": "ann",
    "email": "ann@example.com",
    "created": "2026-03-01T09:00:00Z",
    "verified": True,
    "global_permissions": ["users-read"],
    "organisation_permissions": {"people": ["sources-read"], "claims": ["sources-read", "x-admin"]},
    "team_permissions": 5,
}


def test_a_user_shows_name_address_and_a_table_of_permissions() -> None:
    user = rnb.User.from_wire(USER)
    rows = cells(html_of(user))
    facts = dict(row for row in rows if len(row) == 2)
    assert facts["username"] == "ann"
    assert facts["email"] == "ann@example.com"
    assert facts["verified"] == "yes"
    assert facts["team_permissions"] == "5"
    assert rows[rows.index(["Project", "Permissions"]) :] == [
        ["Project", "Permissions"],
        ["(all projects)", "users-read"],
        ["claims", "sources-read, x-admin"],
        ["people", "sources-read"],
    ]
    lines = [re.split(r"\s{2,}", line.strip()) for line in repr(user).splitlines()]
    assert lines[0] == ["User ann"]
    for pair in (["email", "ann@example.com"], ["claims", "sources-read, x-admin"]):
        assert pair in lines
    assert not RAW.search(repr(user) + html_of(user))
    bare = rnb.User.from_wire({"id": "1", "username": "bob"})
    assert "(none)" in repr(bare)
    assert ["(none)", ""] in cells(html_of(bare))


def test_a_snapshot_shows_time_number_project_and_tenant(
    shared: rnb.Client, tmp_path: Path
) -> None:
    history = rnb.History(tmp_path)
    whole = history.record(shared.sources(), when="2026-03-01T09:00")
    part = history.record(shared.sources("claims"), when="2026-03-02T09:00:00.5")
    assert repr(whole) == (
        f"<Snapshot of {shared.endpoint}: 130 sources at 2026-03-01 09:00:00 UTC>"
    )
    assert repr(part).endswith(": 39 sources of claims at 2026-03-02 09:00:00.500000 UTC>")
    assert dict(cells(html_of(part))) == {
        "Time": "2026-03-02 09:00:00.500000 UTC",
        "Sources": "39",
        "Project": "claims",
        "Tenant": shared.endpoint,
        "Unchanged": "no",
        "File": part.path,
    }
    assert dict(cells(html_of(whole)))["Project"] == "(all projects)"
    unknown = rnb.Snapshot(datetime(2026, 1, 1, tzinfo=UTC), 1, True, None, None, "x.parquet")  # noqa: FBT003
    assert dict(cells(html_of(unknown)))["Tenant"] == "(not known)"
    for snapshot in (whole, part, unknown):
        assert not RAW.search(repr(snapshot) + html_of(snapshot))


def test_a_source_shows_values_as_a_person_reads_them(shared: rnb.Client) -> None:
    source = shared.source("claims/motor-inbox")
    facts = dict(cells(html_of(source)))
    assert facts["owner"] == "claims"
    assert facts["title"] == "Motor claims inbox"
    assert facts["should_translate"] in ("yes", "no")
    assert not RAW.search(html_of(source))


@pytest.mark.parametrize("nasty", NASTY)
def test_texts_of_the_tenant_stay_texts(nasty: str) -> None:
    user = rnb.User.from_wire(
        {
            "id": nasty,
            "username": nasty,
            "email": nasty,
            "global_permissions": [nasty],
            "organisation_permissions": {nasty: [nasty]},
            nasty: nasty,
        }
    )
    source = rnb.Source(id=nasty, owner=nasty, name=nasty, title=nasty, extra={nasty: nasty})
    snapshot = rnb.Snapshot(datetime(2026, 1, 1, tzinfo=UTC), 1, False, nasty, nasty, nasty)  # noqa: FBT003
    for value in (user, source, snapshot):
        page = Parsed(html_of(value))
        assert {*page.names} <= {"div", "table", "caption", "thead", "tbody", "tr", "th", "td"}
        assert page.text.count(nasty) >= 3
        assert not page.others


def test_faults_show_what_was_given() -> None:
    fault = rnb.Fault.answer(429, on="list_sources", times=1, retry_after=0)
    assert repr(fault) == (
        "Fault(kind='answer', on=('list_sources',), times=1, status=429, retry_after=0)"
    )
    assert eval(repr(fault), {"Fault": rnb.Fault}) == fault  # noqa: S307 - written above
    with rnb.sandbox() as client:
        assert client.sandbox is not None
        with client.sandbox.faults.add(fault) as added:
            client.sources()
        assert repr(added) == "<Added: answer; struck 1 time>"
