"""Lists without an order, such as sensitive properties, are compared as sets everywhere."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.diff import equality
from reinfer_nb.schema import source_diff
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import VALUE_TYPES, Names
from reinfer_nb.widgets.controls import control_for
from tests.scripted import Asked, Scripted, Step, lost, relay, reply

PROPERTIES = ("salary", "iban", "salary-grade")
NAME = "claims/motor-inbox"
# PROPERTIES in every order, and with repeated texts.
ALIKE = [
    *itertools.permutations(PROPERTIES),
    (*PROPERTIES, "iban"),
    ("salary-grade", "iban", "iban", "salary", "salary"),
]
OTHERS = [PROPERTIES[:2], (*PROPERTIES, "email"), (), ("salary", "iban", "Salary-grade")]
(FIELD,) = (field for field in fields_of(Source) if field.type is Names)


@pytest.fixture(scope="module")
def tenant() -> Any:
    """A client of a tenant whose sources all have PROPERTIES; for tests that only read."""
    with rnb.sandbox() as made:
        data = made.sources().head(12)
    data["sensitive_properties"] = [PROPERTIES] * len(data)
    with rnb.sandbox(data=data) as made:
        yield made


def listing_with(listing: pd.DataFrame, properties: tuple[str, ...]) -> pd.DataFrame:
    """Return a listing whose sources all have the same properties."""
    return listing.assign(sensitive_properties=pd.Series([properties] * len(listing), dtype=object))


def test_the_field_is_the_only_one_of_its_kind() -> None:
    """A list in which order matters would need another value type."""
    assert FIELD.name == "sensitive_properties"
    assert [kind for kind in VALUE_TYPES.values() if kind.json == Names.json] == [Names]


@pytest.mark.slow
@pytest.mark.parametrize("properties", OTHERS)
def test_other_properties_are_a_change_to_a_plan(
    tenant: rnb.Client, properties: tuple[str, ...]
) -> None:
    now = tenant.sources()
    reordered = listing_with(now, ALIKE[-1])
    plan = tenant.plan(listing_with(now, properties), reordered)
    assert plan.ok
    assert len(plan.steps) == len(now)
    assert all(step.settings == {FIELD.name: properties} for step in plan.steps)
    # Another order is not a conflict, but other properties are.
    assert len(tenant.plan(listing_with(now, properties), listing_with(now, ("x",))).problems)


@pytest.mark.slow
@pytest.mark.parametrize("properties", ALIKE)
def test_another_order_is_no_difference(
    tenant: rnb.Client, properties: tuple[str, ...], tmp_path: Path
) -> None:
    now = tenant.sources()
    other = listing_with(now, properties)
    for cells in (tuple, list, set, np.array):
        shape = other.assign(sensitive_properties=other["sensitive_properties"].map(cells))
        assert rnb.compare(now, shape).ok
        assert rnb.compare(shape, now).ok
    rows = rnb.audit(now).findings
    assert rnb.audit(other).findings[["rule", "id"]].equals(rows[["rule", "id"]])
    history = rnb.History(tmp_path)
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 5)]
    history.record(now, when=days[0])
    assert history.record(other, when=days[1]).unchanged
    assert history.changes().empty
    retitled = other.assign(title=["New", *other["title"][1:]])
    history.record(retitled, when=days[2])
    assert history.changes()["field"].tolist() == ["title"]
    history.record(listing_with(retitled, (*properties, "email")), when=days[3])
    changes = history.changes(since=days[3])
    assert changes["field"].tolist() == ["sensitive_properties"] * len(now)
    full_name = f"{now['owner'][0]}/{now['name'][0]}"
    changed = history.timeline(full_name)["changed"].map(tuple).tolist()
    assert changed == [(), ("title",), ("sensitive_properties",)]


@pytest.mark.parametrize("properties", [*ALIKE, *OTHERS])
def test_another_order_is_no_remote_change(properties: tuple[str, ...]) -> None:
    changed = properties in OTHERS
    base = Source(id="0" * 16, owner="a", name="b", sensitive_properties=PROPERTIES)
    now = replace(base, sensitive_properties=properties)
    for moment in (None, datetime(2026, 1, 1, tzinfo=UTC)):
        sides = (replace(source, updated_at=moment) for source in (base, now))
        assert source_diff.has_moved(*sides) is changed
    assert source_diff.is_as_meant(now, base, {}) is not changed
    assert source_diff.is_as_meant(now, base, {FIELD.name: list(PROPERTIES)}) is not changed
    assert bool(source_diff.differences(base, {}, now)) is changed
    assert bool(source_diff.differences(base, {FIELD.name: properties}, base)) is changed
    (difference,) = source_diff.differences(base, {FIELD.name: (*properties, "own")}, now)
    assert difference.side == ("both" if changed else "mine")
    (difference,) = source_diff.differences(
        base, {FIELD.name: ("x", "y")}, replace(now, sensitive_properties=("y", "x", "y"))
    )
    assert difference.side == "mine"


@pytest.mark.usefixtures("coarse_clock")
def test_a_lost_create_is_found_whatever_order_the_tenant_returns(client: rnb.Client) -> None:
    assert client.sandbox is not None
    onward = relay(client.endpoint)

    def reordered(asked: Asked) -> bytes:
        """Return the tenant's response with its list in another order and a repeated text."""
        head, body = onward(asked).split(b"\r\n\r\n", 1)
        content = json.loads(body)
        if "source" in content:
            properties = content["source"]["sensitive_properties"]
            content["source"]["sensitive_properties"] = [*properties[::-1], *properties[:1]]
        status = int(head.split()[1])
        date = re.search(rb"(?i)date: ([^\r]*)", head)
        return reply(content, status, {"Date": date[1].decode()} if date else None)

    token = client.sandbox.tokens["admin"]
    with (
        Scripted(lost(onward), Step(reordered), repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token=token) as tried,
        # Within the same second nobody can prove who created the source; this is not a `Conflict`.
        pytest.warns(rnb.InDoubtWarning),
    ):
        made = tried.create_source("claims/new", sensitive_properties=list(PROPERTIES))
    assert made.id == client.source("claims/new").id
    assert set(made.sensitive_properties or ()) == set(PROPERTIES)


@pytest.mark.parametrize("properties", [*ALIKE, *OTHERS])
def test_a_form_has_nothing_to_send_for_another_order(properties: tuple[str, ...]) -> None:
    control = control_for(FIELD)
    control.show(PROPERTIES)
    control.input.value = "\n".join(properties)
    assert control.entry().changed is (properties in OTHERS)


def test_columns_agree_with_sets() -> None:
    """Compare random columns with Python's sets."""
    dice = random.Random(14)
    words = ["", "a", "b", "ä", "a b"]
    shapes: list[Callable[[list[str]], Any]] = [tuple, list, set, frozenset, np.array]

    def cell() -> Any:
        if dice.random() < 0.2:
            return dice.choice([None, np.nan, pd.NA])
        return dice.choice(shapes)([dice.choice(words) for _ in range(dice.randrange(4))])

    def meaning(value: Any) -> Any:
        is_list = isinstance(value, list | tuple | set | frozenset | np.ndarray)
        return frozenset(map(str, value)) if is_list else "missing"

    left, right = ([cell() for _ in range(3_000)] for _ in range(2))
    pairs = [(meaning(a), meaning(b)) for a, b in zip(left, right, strict=True)]
    expected = [a != b for a, b in pairs]
    one, other = (pd.Series(cells, dtype=object) for cells in (left, right))
    assert equality.unequal(one, other, Names).tolist() == expected
    nothing = [frozenset(), "missing"]
    expected = [a != b and not (a in nothing and b in nothing) for a, b in pairs]
    assert equality.changed(one, other, Names).tolist() == expected
