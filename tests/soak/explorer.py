"""An explorer that is refreshed again and again, and explorers that are opened and closed."""

from __future__ import annotations

import reinfer_nb as rnb
from tests.soak.measuring import Held, held


def soak(refreshes: int, openings: int) -> tuple[list[Held], list[Held]]:
    """Refresh one explorer so often, and open and close others so often.

    Args:
        refreshes: How often the first is refreshed.
        openings: How many others are opened and closed.

    Returns:
        What this process held after each fifth of the refreshes, and of the openings.
    """
    refreshed, opened = [], []
    with rnb.sandbox() as client:
        ex = rnb.explore(client)
        for number in range(refreshes):
            ex.reload.click()
            ex.jobs.wait()
            if (number + 1) % (refreshes // 5) == 0:
                refreshed.append(held())
        for number in range(openings):
            other = rnb.explore(client)
            other.close()
            if (number + 1) % (openings // 5) == 0:
                opened.append(held())
        ex.close()
    return refreshed, opened
