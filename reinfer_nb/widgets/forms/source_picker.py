"""An input to choose a source by its name, with suggestions from the listing."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as ui
import pandas as pd

from reinfer_nb import errors, markup
from reinfer_nb.client import Client
from reinfer_nb.frames.cells import full_names
from reinfer_nb.schema import validation
from reinfer_nb.schema.records import Source
from reinfer_nb.search import query
from reinfer_nb.search.table_filter import Narrowing
from reinfer_nb.widgets.controls import FULL, LABELS
from reinfer_nb.widgets.forms.base_form import WRAP
from reinfer_nb.widgets.job_line import words_of
from reinfer_nb.widgets.jobs import Jobs

_SUGGESTED = 20


class Picker:
    """An input for the name or id of a source, and a button that opens the source.

    Args:
        client: The tenant.
        picked: Called with the source, freshly read from the tenant.

    Attributes:
        box: The widget to show.
    """

    def __init__(self, client: Client, picked: Callable[[Source], object]) -> None:
        self._client = client
        self._picked = picked
        self._listing: Narrowing | None = None
        self.input = ui.Combobox(
            description="Source",
            placeholder="project/name, or an id",
            style=LABELS,
            layout=FULL,
        )
        self.button = ui.Button(description="Open", disabled=True, layout=ui.Layout(width="auto"))
        self.note = ui.HTML()
        self._jobs = Jobs(lambda _: self._refresh())
        self._loading = Jobs()
        self.input.observe(self._on_input, "value")
        self.button.on_click(lambda _: self._open())
        self.box = ui.VBox([self.input, ui.HBox([self.button, self.note], layout=WRAP)])

    def _on_input(self, _: object) -> None:
        if self._listing is None:
            # If listing fails there are no suggestions, but a name can still be typed.
            self._loading.start(
                lambda _: Narrowing(self._client.sources()),
                self._on_listing,
                lambda _: self._on_listing(Narrowing(pd.DataFrame({"owner": [], "name": []}))),
                clicked=None,
            )
        else:
            self._suggest(self._listing)
        self._refresh()

    def _on_listing(self, listing: Narrowing) -> None:
        self._listing = listing
        self._suggest(listing)

    def _suggest(self, listing: Narrowing) -> None:
        listing.narrow(search=query.plain(self.input.value))
        rows = listing.frame.iloc[listing.positions[:_SUGGESTED]]
        self.input.options = full_names(rows).dropna().tolist()

    def _refresh(self) -> None:
        flaw = None
        typed = self.input.value
        if typed and not validation.is_id(typed):
            try:
                validation.source_name(typed)
            except errors.InvalidInput as error:
                flaw = str(error)
        self.button.disabled = self._jobs.running or not typed or flaw is not None
        self.note.value = markup.muted(flaw or "")

    def _open(self) -> None:
        def failed(error: Exception | None) -> None:
            self.note.value = markup.error(words_of(error) if error else "Stopped.")

        if not self.button.disabled:
            name = self.input.value
            self._jobs.start(lambda _: self._client.source(name), self._picked, failed)
