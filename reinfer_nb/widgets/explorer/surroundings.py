"""What the explorer gives its tabs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reinfer_nb.client import Client
from reinfer_nb.widgets.table.source_table import Finder


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a tab reads and calls.

    Attributes:
        client: The tenant; None for a listing that can only be read.
        finder: The table of sources.
        listing: Returns the listing that it shows.
        look: Called with the position of a source in the listing, to look at it.
        written: Called after sources may have changed.
        buckets: The full names of the buckets by id.
        refusal: Returns why the sources of some projects cannot be changed; "" if they can.
    """

    client: Client | None
    finder: Finder
    listing: Callable[[], pd.DataFrame]
    look: Callable[[int], object]
    written: Callable[[], object]
    buckets: Mapping[str, str]
    refusal: Callable[[Iterable[str]], str]


def place_of(listing: pd.DataFrame, source_id: str | None) -> int | None:
    """Return the position of a source in a listing; None if it is not listed."""
    (places,) = np.nonzero((listing["id"] == source_id).to_numpy(dtype=bool))
    return int(places[0]) if len(places) else None
