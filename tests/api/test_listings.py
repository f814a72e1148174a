"""Which sources a client has seen in its listings."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.api import listings

PROJECTS = st.sampled_from(["a", "b", "c"])
SOURCES = st.tuples(PROJECTS, st.integers(0, 5).map(str))


@given(st.lists(st.lists(SOURCES, max_size=5, unique=True), max_size=9), st.integers(1, 4))
def test_each_project_has_the_sources_of_its_last_listing(
    noted: list[list[tuple[str, str]]], most: int
) -> None:
    transport: Any = None
    seen, expected = listings.Listings(transport, 0), dict[str, set[str]]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listings, "_MOST_SEEN", most)
        for sources in noted:
            seen._note(pd.DataFrame(sources, columns=["owner", "id"], dtype="str"))
            expected |= {
                project: {id_ for owner, id_ in sources if owner == project}
                for project, _ in sources
            }
    for project in ("a", "b", "c"):
        assert seen.other_sources(project, []) == expected.get(project, set())
        assert seen.other_sources(project, ["1"]) == expected.get(project, set()) - {"1"}


@pytest.mark.parametrize("error", [None, rnb.ServerError("in doubt"), KeyboardInterrupt()])
def test_a_listing_of_the_time_of_a_write_is_not_kept(
    shared: rnb.Client, error: BaseException | None
) -> None:
    with suppress(rnb.ServerError, KeyboardInterrupt), shared._listings.writing():
        shared.sources("claims")
        if error is not None:
            raise error
    assert not shared._listings.cache.valid()
