"""The plan that undoes another one looks at the tenant again."""

from __future__ import annotations

import pytest

import reinfer_nb as rnb

A, B, C, D = (f"claims/{name}-inbox" for name in ("motor", "property", "glass", "theft"))


@pytest.fixture
def result(client: rnb.Client) -> rnb.ApplyResult:
    """The result of a plan that set title and description of four sources."""
    df = client.sources("claims").set_index("name", drop=False)
    names = [full.partition("/")[2] for full in (A, B, C, D)]
    edited = df.loc[names].assign(title="Mine", description="Mine too").reset_index(drop=True)
    return client.plan(edited).apply(progress=False)


def test_a_change_of_another_field_is_kept(client: rnb.Client, result: rnb.ApplyResult) -> None:
    client.update_source(A, language="xlm")
    plan = result.undo()
    assert len(plan.steps) == 4
    assert plan.notes == ()
    assert plan.apply(progress=False).counts == {"done": 4}
    now = client.source(A)
    assert (now.title, now.language) == ("Motor claims inbox", "xlm")


def test_created_and_deleted_sources_are_looked_at_again(client: rnb.Client) -> None:
    df = client.sources("claims")
    new = df.head(1).assign(id=None, name="new-one")
    made = client.plan(new).apply(progress=False)
    gone = client.plan(df.iloc[1:], df, delete_missing=True).apply(progress=False)
    assert (made.counts, gone.counts) == ({"done": 1}, {"done": 1})
    client.update_source("claims/new-one", title="In use")
    (step,) = made.undo().steps
    assert step.remark == "changed since: it will be left alone"
    assert "left alone" in made.undo().to_html()
    client.create_source(f"claims/{df['name'].iloc[0]}")
    (step,) = gone.undo().steps
    assert step.remark == "it exists again already"
