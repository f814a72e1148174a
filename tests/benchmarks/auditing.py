"""All audit rules over a listing, beside the making of that listing by hand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import reinfer_nb as rnb
from tests.benchmarks.listing import by_hand
from tests.benchmarks.measuring import Line, Scale, side_by_side
from tests.benchmarks.tenants import body_of, by_toolkit, rows_of

_BAD = {"title": "", "description": "", "bucket_id": None, "_kind": "unknown"}


def lines(scale: Scale) -> Iterator[Line]:
    """Yield the lines of this part."""
    rows = rows_of(scale.sources)
    for shape, listed in (("", rows), (", all with findings", [row | _BAD for row in rows])):
        body = body_of(listed)
        yield side_by_side(
            "audit",
            f"all rules over {scale.sources:,} sources{shape}",
            partial(rnb.audit, by_toolkit(body)),
            "the listing by hand",
            partial(by_hand, body),
            rounds=scale.rounds(7),
            goal=2,
        )
