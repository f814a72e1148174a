"""The kept views of the table: a choice to apply one, and buttons to keep and remove one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as ui

from reinfer_nb.errors import ReinferError
from reinfer_nb.text import visible
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.forms.base_form import WRAP
from reinfer_nb.widgets.table import views

_NONE = ""


class ViewBar(ui.HBox):
    """Applies, keeps and removes views.

    Args:
        view: Returns the current view.
        apply: Called with the name of a kept view to apply.
        say: Called with a message.
        failed: Called with an error.

    Attributes:
        choice: The choice of a kept view, by its name; "" for none.
        name: The name under which to keep the current view.
        keep: The button that keeps it.
        remove: The button that removes the chosen view.
    """

    def __init__(
        self,
        view: Callable[[], Mapping[str, Any]],
        apply: Callable[[str], object],
        say: Callable[[str], object],
        failed: Callable[[ReinferError], object],
    ) -> None:
        self._view, self._apply, self._say, self._failed = view, apply, say, failed
        self._offering = False
        # The chosen view, as the table shows it.
        self._shown: Mapping[str, Any] | None = None
        style = {"description_width": "initial"}
        self.choice = ui.Dropdown(
            description="View", style=style, layout=ui.Layout(width="17em", max_width="100%")
        )
        self.name = ui.Text(
            description="Keep as",
            placeholder="name of the view",
            style=style,
            layout=ui.Layout(width="17em", max_width="100%"),
        )
        self.keep = button_for("Keep the view", self._on_keep)
        self.remove = button_for("Remove the view", self._on_remove)
        super().__init__([self.choice, self.remove, self.name, self.keep], layout=WRAP)
        self.choice.observe(lambda _: self._on_choice(), "value")
        self.name.observe(lambda _: self._refresh(), "value")
        self._offer(_NONE)

    def __repr__(self) -> str:
        return "Kept views"

    def show(self, name: str) -> None:
        """Show the name of the view that was applied or kept."""
        self._shown = self._view()
        self._offer(name)

    def follow(self) -> None:
        """Show that no view is chosen, once the table differs from it."""
        if self.choice.value != _NONE and not self._offering and self._view() != self._shown:
            self._offer(_NONE)

    def _offer(self, chosen: str) -> None:
        names = views.kept()
        # New options choose the first one: ignore that, and show options and choice at once.
        self._offering = True
        with self.choice.hold_sync():
            self.choice.options = [("(none chosen)", _NONE), *((visible(n, 60), n) for n in names)]
            self.choice.value = chosen if chosen in names else _NONE
        self._offering = False
        self._refresh()

    def _refresh(self) -> None:
        self.remove.disabled = self.choice.value == _NONE
        name = self.name.value.strip()
        self.keep.disabled = not name
        names = {value for _, value in self.choice.options} - {_NONE}
        self.keep.description = "Replace the view" if name in names else "Keep the view"

    def _on_choice(self) -> None:
        self._refresh()
        if self._offering or self.choice.value == _NONE:
            return
        try:
            self._apply(self.choice.value)
        except ReinferError as error:
            self._offer(_NONE)
            self._failed(error)

    def _on_keep(self) -> None:
        name = self.name.value.strip()
        try:
            views.keep(name, self._view())
        except ReinferError as error:
            self._failed(error)
            return
        self.name.value = ""
        self.show(name)
        self._say(f"The view is kept as {visible(name)}.")

    def _on_remove(self) -> None:
        name = self.choice.value
        try:
            views.remove(name)
        except ReinferError as error:
            self._failed(error)
            return
        self._offer(_NONE)
        self._say(f"The view {visible(name)} is removed. The table stays as it is.")
