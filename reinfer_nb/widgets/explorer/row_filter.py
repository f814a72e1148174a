"""A choice that narrows the table to some sources: those with a finding, those that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ipywidgets as ui

from reinfer_nb.widgets.explorer.source_table import Finder

ALL = ""


class RestrictingChoice(ui.Dropdown):
    """A drop-down whose first choice is all sources, and whose others are some of them.

    It lets go of the table when that is cleared, or narrowed by another one.

    Args:
        label: What stands before it.
        finder: The table.
        rows: Gives, for a choice's value, the positions of its sources in the listing, and what
            they have in common.
    """

    value: Any  # a trait, of which nothing says the type

    def __init__(
        self, label: str, finder: Finder, rows: Callable[[str], tuple[Iterable[int], str]]
    ) -> None:
        self._finder, self._rows = finder, rows
        self._mine, self._of = "", finder.listings
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
        """Offer other choices; what is chosen stays so where it is still among them.

        Args:
            choices: Label and value of each, besides that for all sources.
        """
        before = self.value
        # With other options the first is chosen, which means nothing yet.
        self._offering = True
        self.options = [("all sources", ALL), *choices]
        self.value = before if before in dict(choices).values() else ALL
        self._offering = False
        self.narrow()

    def narrow(self) -> None:
        """Narrow the table as chosen."""
        if self._offering:
            return
        if self.value != ALL:
            positions, why = self._rows(self.value)
            self._mine, self._of = why, self._finder.listings
            self._finder.restrict(positions, why)
        elif self._mine:
            mine, self._mine = self._mine, ""
            if self._finder.only == mine:
                self._finder.restrict(None)

    def _follow(self) -> None:
        # Another listing is narrowed again by whoever offers the choices.
        another = self._finder.listings != self._of
        if self._mine and self._finder.only != self._mine and not another:
            self._mine = ""
            self.value = ALL
