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
    # A listing that is bad all over is no goal: most of the time goes into its findings.
    for shape, listed, goal in (
        ("", rows, 2),
        (", all with findings", [row | _BAD for row in rows], None),
    ):
        if scale.quick and goal is None:
            continue
        body = body_of(listed)
        yield side_by_side(
            "audit",
            f"all rules over {scale.sources:,} sources{shape}",
            partial(rnb.audit, by_toolkit(body)),
            "the listing by hand",
            partial(by_hand, body),
            rounds=scale.rounds(7),
            goal=goal,
        )
