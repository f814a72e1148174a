"""A drop-down that narrows the table to some sources, such as those with a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ipywidgets as ui

from reinfer_nb.widgets.table.source_table import Finder

ALL = ""


class RestrictingChoice(ui.Dropdown):
    """A drop-down with the choice "all sources", and choices that restrict the table to some.

    Returns to "all sources" when the table is cleared, or restricted by another drop-down.

    Args:
        label: The label of the drop-down.
        finder: The table.
        rows: Returns, for the value of a choice, the positions of its sources in the listing, and
            a description of them.
    """

    value: Any  # a trait without a type

    def __init__(
        self, label: str, finder: Finder, rows: Callable[[str], tuple[Iterable[int], str]]
    ) -> None:
        self._finder, self._rows = finder, rows
        # The restriction that this drop-down has set, and for which listing.
        self._restriction, self._listing = "", finder.listings
        self._offering = False
        super().__init__(
            options=[("all sources", ALL)],
            description=label,
            layout=ui.Layout(width="28em", max_width="100%"),
            style={"description_width": "initial"},
        )
        self.observe(lambda _: self.narrow(), "value")
        finder.observe(lambda _: self._follow(), "shown")

    def offer(self, choices: Sequence[tuple[str, str]]) -> None:
        """Set the choices; the chosen value stays if it is still among them.

        Args:
            choices: Label and value of each choice, without the one for all sources.
        """
        value = self.value
        # New options choose the first one: ignore that, and do not show it, since a second message
        # could come after a key and put the choice back.
        self._offering = True
        with self.hold_sync():
            self.options = [("all sources", ALL), *choices]
            self.value = value if value in dict(choices).values() else ALL
        self._offering = False
        self.narrow()

    def narrow(self) -> None:
        """Narrow the table as chosen."""
        if self._offering:
            return
        if self.value != ALL:
            positions, description = self._rows(self.value)
            self._restriction, self._listing = description, self._finder.listings
            self._finder.restrict(positions, description)
        elif self._restriction:
            description, self._restriction = self._restriction, ""
            if self._finder.only == description:
                self._finder.restrict(None)

    def _follow(self) -> None:
        # After a new listing, `offer` restricts the table again.
        same_listing = self._finder.listings == self._listing
        if self._restriction and self._finder.only != self._restriction and same_listing:
            self._restriction = ""
            self.value = ALL
