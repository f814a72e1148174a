"""The form for a new source, which opens beneath the buttons."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as ui

from reinfer_nb.client import Client
from reinfer_nb.schema.records import Source
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.forms.creation_form import NAME, CreateForm

_CLASS = "rnb-new"


class NewPane(ui.VBox):
    """A pane that shows or hides the form; what is filled in stays while it is hidden.

    Args:
        client: The tenant; None if nothing can be created.
        project: The project that is filled in at first.
        created: Called with each source that was created.
        focus: Called with the CSS class of a part whose first field is to get the focus.

    Attributes:
        button: The button that shows and hides the form.
        form: The form; None before it was opened.
    """

    def __init__(
        self,
        client: Client | None,
        project: str,
        created: Callable[[Source], object],
        focus: Callable[[str], object],
    ) -> None:
        self._client, self._project, self._created, self._focus = client, project, created, focus
        self.form: CreateForm | None = None
        self._shown = False
        self.button = button_for("New source", self._on_click)
        super().__init__(layout=ui.Layout(min_width="0"))
        self.add_class(_CLASS)

    def __repr__(self) -> str:
        return "New source"

    def _on_click(self) -> None:
        if self._shown:
            self._shown = False
            self.set_trait("children", [])
            self.button.description = "New source"
        else:
            self._open()

    def _open(self) -> CreateForm | None:
        if self._client is None:
            return None
        if self.form is None:
            self.form = CreateForm(self._client, self._project)
            self.form.observe(lambda change: self._created(change.new), "result")
        self._shown = True
        self.set_trait("children", [self.form])
        self.button.description = "Hide new source"
        self._focus(_CLASS)
        return self.form

    def duplicate(self, source: Source) -> None:
        """Open the form with the project and the settings of a source.

        Args:
            source: The source.
        """
        form = self._open()
        if form is not None:
            form.fill_from(source)
            # The copy needs a name of its own.
            self._focus(f"{_CLASS} .{NAME}")
