"""An empty text or list and a missing one mean the same, on every side of a three-way merge."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.api.conflicts import Moved
from reinfer_nb.plans.decisions import decisions
from reinfer_nb.schema import source_diff
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Names, Text
from reinfer_nb.widgets.forms.conflict import Conflict

FIELDS = [f for f in fields_of(Source) if f.may("update") and f.type in (Text, Names)]
IDS = [field.name for field in FIELDS]
KINDS_OF_NOTHING: dict[str, list[Any]] = {
    field.name: [None, ()] if field.type is Names else [None, ""] for field in FIELDS
}


@pytest.fixture(scope="module")
def listing(shared: rnb.Client) -> pd.DataFrame:
    return shared.sources("claims").head(6)


def with_value(listing: pd.DataFrame, name: str, value: Any) -> pd.DataFrame:
    """Return a listing with a value of one field in all rows."""
    cells = pd.Series([value] * len(listing), index=listing.index, dtype=object)
    return listing.assign(**{name: cells.astype(listing[name].dtype)})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["title", "description", "sensitive_properties"])
def test_a_value_of_others_stays_if_the_edit_and_the_base_are_empty(
    listing: pd.DataFrame, name: str
) -> None:
    theirs: Any = ("x",) if name == "sensitive_properties" else "theirs"
    for base, edited in itertools.product(KINDS_OF_NOTHING[name], repeat=2):
        frames = [with_value(listing, name, value) for value in (edited, theirs, base)]
        decided = decisions(*frames, of_this_tenant=True)
        assert (decided.steps, decided.problems) == ((), ())
        assert decided.theirs == len(listing)
    # Both cleared the field, in different forms.
    for edited, now in itertools.product(KINDS_OF_NOTHING[name], repeat=2):
        frames = [with_value(listing, name, value) for value in (edited, now, theirs)]
        decided = decisions(*frames, of_this_tenant=True)
        assert (decided.steps, decided.problems) == ((), ())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["title", "description", "sensitive_properties"])
def test_a_value_where_others_left_the_field_empty_is_no_conflict(
    listing: pd.DataFrame, name: str
) -> None:
    mine: Any = ("x",) if name == "sensitive_properties" else "mine"
    for base, now in itertools.product(KINDS_OF_NOTHING[name], repeat=2):
        frames = [with_value(listing, name, value) for value in (mine, now, base)]
        decided = decisions(*frames, of_this_tenant=True)
        assert decided.problems == ()
        settings = [(one.kind, *one.settings.items()) for one in decided.steps]
        assert settings == [("update", (name, mine))] * len(listing)


@pytest.mark.slow
@pytest.mark.parametrize("keep_empty", [True, False])
@pytest.mark.parametrize("side", ["edited", "base", "both"])
def test_an_edit_through_the_csv_of_pandas(client: rnb.Client, side: str, keep_empty: bool) -> None:  # noqa: FBT001
    names = client.sources("claims")["name"].head(4)
    for name in names:
        client.update_source(f"claims/{name}", description="", sensitive_properties=[])
    listing = client.sources("claims", refresh=True)

    def through_csv(df: pd.DataFrame) -> pd.DataFrame:
        return pd.read_csv(
            io.StringIO(df.to_csv(index=False)), dtype=str, keep_default_na=not keep_empty
        )

    edited = through_csv(listing) if side != "base" else listing
    base = through_csv(listing) if side != "edited" else listing
    plan = client.plan(edited, base, delete_missing=True)
    assert plan.ok, plan
    assert plan.steps == ()
    plan = client.plan(edited.iloc[1:], base, delete_missing=True)
    assert plan.ok, plan
    assert [(step.kind, step.name) for step in plan.steps] == [("delete", names[0])]
    result = plan.apply(progress=False)
    assert result.counts == {"done": 1}, result


@pytest.mark.slow
@pytest.mark.parametrize("field", FIELDS, ids=IDS)
@pytest.mark.parametrize("moment", [None, datetime(2026, 1, 1, tzinfo=UTC)])
def test_another_form_of_an_empty_value_is_no_remote_change(
    field: Any, moment: datetime | None
) -> None:
    source = Source(id="0" * 16, owner="a", name="b", updated_at=moment)
    for was, now in itertools.product(KINDS_OF_NOTHING[field.name], repeat=2):
        base = replace(source, **{field.name: was})
        there = replace(source, **{field.name: now})
        assert not source_diff.has_moved(base, there)
        assert source_diff.is_as_meant(there, base, {})
        assert source_diff.is_as_meant(there, base, {field.name: was})
        assert source_diff.differences(base, {field.name: was}, there) == []
        text: Any = ("x",) if field.type is Names else "x"
        full = replace(source, **{field.name: text})
        assert source_diff.is_as_meant(there, full, {field.name: was})
        form = Conflict(Moved("changed", full, there), {field.name: was}, lambda _: None)
        assert form.choices == []
