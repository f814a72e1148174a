"""Names and settings that are valid; those that are not are in `tests/failures`."""

from __future__ import annotations

import pytest

from reinfer_nb.schema import validation


@pytest.mark.parametrize("name", ["a/b", "A-_9/" + "x" * 256, "-/_", "0/00", "deadbeef/deadbeef"])
def test_a_full_name(name: str) -> None:
    assert "/".join(validation.full_name(name)) == name


def test_a_kind_of_tomorrow_passes() -> None:
    assert validation.settings("create", {"kind": "video"}) == {"_kind": "video"}
