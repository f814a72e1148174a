"""The public surface as a user's editor infers it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

import pandas as pd

import reinfer_nb as rnb

client = rnb.connect(endpoint="https://example.com", token="t", timeout=(5, 30), verify="ca.pem")
assert_type(client, rnb.Client)
assert_type(client.sources(), pd.DataFrame)
assert_type(client.sources("acme", refresh=True), pd.DataFrame)
assert_type(client.statistics(client.sources(), workers=8), pd.DataFrame)
assert_type(client.projects(), pd.DataFrame)
assert_type(client.buckets(), pd.DataFrame)
assert_type(client.me().organisation_permissions, Mapping[str, tuple[str, ...]] | None)

source = client.source("acme/support")
assert_type(source, rnb.Source)
assert_type(source.id, str)
assert_type(source.title, str | None)
assert_type(source.updated_at, datetime | None)
assert_type(source.sensitive_properties, tuple[str, ...] | None)
assert_type(source.extra, Mapping[str, Any])
assert_type(client.create_source("acme/x", title="X", sensitive_properties=["a"]), rnb.Source)
assert_type(client.update_source(source, bucket_id=None), rnb.Source)
assert_type(client.delete_source(source), rnb.Source)

client.create_source("acme/x", titel="X")  # type: ignore[call-arg]
client.update_source("acme/x", should_translate="yes")  # type: ignore[arg-type]
client.update_source("acme/x", title=None)  # type: ignore[arg-type]

with rnb.sandbox(client.sources(), database="tenant.db") as practice:
    assert_type(practice, rnb.Client)
    assert_type(practice.sandbox, rnb.Sandbox | None)

assert_type(rnb.to_csv(client.sources(), "a.csv", overwrite=True, sep=";"), Path)
assert_type(rnb.read_csv("a.csv"), pd.DataFrame)
assert_type(rnb.contexts(), pd.DataFrame)

assert_type(client.count_comments(source), int)
assert_type(client.recreate_source(source), rnb.Source)
assert_type(client.delete_source(source, restore_file=Path("kept.json")), rnb.Source)
assert_type(rnb.restore(client, "kept.json", another_tenant=True), rnb.Source)
assert_type(rnb.explore(client).frame, pd.DataFrame)
assert_type(rnb.explore().selected, pd.DataFrame)
assert_type(rnb.create_form(client, "acme").code, str)
assert_type(rnb.update_form(client, source).dirty, bool)
assert_type(rnb.delete_form(client, "acme/x", restore_folder="kept").comments, int | None)

fault = rnb.Fault.answer(429, retry_after=timedelta(seconds=2), on=["list_sources"], times=1)
assert_type(fault, rnb.Fault)
rnb.Fault.drop(onn="create_source")  # type: ignore[call-arg]
rnb.Fault.wait("long")  # type: ignore[arg-type]
with rnb.sandbox(faults=[fault, rnb.Fault.wait((0.1, 0.2)), rnb.Fault.cut(0.1)]) as faulty:
    box = faulty.sandbox
    assert box is not None
    box.add_project("acme")
    box.add_bucket("18ba5ce699f8da1f", "acme")
    assert_type(box.add_user("auditor", organisation_permissions={"acme": ["sources-read"]}), str)
    with box.faults.add(rnb.Fault.gzip()) as added:
        assert_type(added.struck, int)
    assert_type(box.requests[-1].status, int)

assert_type(rnb.compare(client.sources(), client.sources(), ["owner", "name"]), rnb.Comparison)
assert_type(rnb.compare(client.sources(), client.sources()).changed, pd.DataFrame)

report = rnb.audit(client.sources(), ["missing-title"], ignore=["stale"], days=180)
assert_type(report, rnb.AuditReport)
assert_type(report.findings, pd.DataFrame)
assert_type(report.fixes(), pd.DataFrame)
assert_type(report.only(severity="warning"), rnb.AuditReport)
assert_type(rnb.audit_rules(), pd.DataFrame)


@rnb.audit_rule(severity="info", needs=["title"])
def long_title(df: pd.DataFrame, *, longest: int = 60) -> pd.Series:
    """The title is too long."""
    return df["title"].str.len() > longest


rnb.audit(client.sources(), rules=[long_title], longest=80)
report.only(severity="grave")  # type: ignore[arg-type]

history = rnb.History("audits", storage_options={"anon": True})
assert_type(history.load("2026-03-01", project="acme"), pd.DataFrame)
assert_type(history.compare("2026-03-01"), rnb.Comparison)
assert_type(history.timeline("acme/support"), pd.DataFrame)
assert_type(history.changes(since=datetime(2026, 3, 1)), pd.DataFrame)  # noqa: DTZ001 - is UTC

plan = client.plan(client.sources("acme"), client.sources(), delete_missing=True, project="acme")
assert_type(plan, rnb.Plan)
assert_type(plan.frame, pd.DataFrame)
assert_type(plan.problems, pd.DataFrame)
assert_type(plan.ok, bool)
assert_type(plan.notes, tuple[str, ...])
assert_type(plan.save("change.json"), Path)
assert_type(rnb.load_plan("change.json", client), rnb.Plan)
assert_type(plan.rehearse(), rnb.Rehearsal)
assert_type(plan.rehearse().sources, pd.DataFrame)
assert_type(plan.moved(), pd.DataFrame)
result = plan.apply(workers=4, progress=False, journal="apply.jsonl", allow_mass_delete=True)
assert_type(result, rnb.ApplyResult)
assert_type(result.frame, pd.DataFrame)
assert_type(result.journal, Path | None)
assert_type(result.retry(), rnb.ApplyResult)
assert_type(result.undo(), rnb.Plan)
assert_type(rnb.resume(client, "apply.jsonl"), rnb.ApplyResult)
