"""The current source as tabs: its fields, its JSON, and the forms to edit and to delete it.

Unsent changes to a source are kept as a draft while another source is current.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import ipywidgets as ui

from reinfer_nb import markup, strict_json
from reinfer_nb.client import Client
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.source_diff import has_moved
from reinfer_nb.schema.value_types import shown_cell
from reinfer_nb.widgets.closing import dropping
from reinfer_nb.widgets.forms.deletion_form import DeleteForm
from reinfer_nb.widgets.forms.edit_form import UpdateForm, tag_line

FIELDS, JSON, EDIT, DELETE = range(4)
_TITLES = ("Fields", "JSON", "Edit", "Delete")


class Details(ui.VBox):
    """The pane beneath the table.

    Args:
        client: The tenant.
        updated: Called after an update with the new version of the source, and the names of the
            fields that were sent.
        written: Called after a source was deleted or restored.
    """

    def __init__(
        self,
        client: Client,
        updated: Callable[[Source, Collection[str]], object],
        written: Callable[[], object],
    ) -> None:
        self._client = client
        self._updated = updated
        self.source: Source | None = None
        self._drafts: dict[str, UpdateForm] = {}
        self._lost_drafts: list[str] = []
        self._title = ui.HTML()
        self._unsent = ui.HTML()
        self._panes = [ui.VBox(layout=ui.Layout(min_width="0")) for _ in _TITLES]
        self._fields, self._json = ui.HTML(), ui.HTML()
        self._panes[FIELDS].children = [self._fields]
        self._panes[JSON].children = [self._json]
        self.edit = self._edit_form()
        self.delete = DeleteForm(client, picker=False)
        self.delete.observe(lambda _: written(), "result")
        self._panes[DELETE].children = [self.delete]
        self.tabs = ui.Tab(children=self._panes, titles=_TITLES, layout=ui.Layout(min_width="0"))
        self.tabs.observe(lambda _: self._fill(), "selected_index")
        super().__init__(layout=ui.Layout(min_width="0"))
        self.add_class("rnb-details")
        self.show(None)

    def __repr__(self) -> str:
        return "Details of a source"

    def _edit_form(self) -> UpdateForm:
        form = UpdateForm(self._client, picker=False)
        form.observe(lambda change: self._updated(change.new, form.sent), "result")
        return form

    def show(self, source: Source | None) -> None:
        """Show a source, or none; a form with a running request keeps its source."""
        self.source = source
        if source is None:
            # After a delete its form stays, with the Restore button.
            deleting = self.delete.source is not None and self.tabs.selected_index == DELETE
            self._title.value = markup.muted("Select a source in the table to see it here.")
            self.children = [self._title, self._unsent, *([self.tabs] if deleting else [])]
        else:
            self._title.value = tag_line(source)
            self.children = [self._title, self._unsent, self.tabs]
        self._fill()

    def _fill(self) -> None:
        """Fill the open tab; the others are filled when they are opened."""
        source, tab = self.source, self.tabs.selected_index
        self._update_drafts()
        if source is None:
            return
        if tab == FIELDS:
            self._fields.value = _facts(source)
        elif tab == JSON:
            text = strict_json.text_of(source.to_wire(), indent=2, ensure_ascii=False)
            self._json.value = markup.code(text)
        elif tab == EDIT:
            self._open_edit(source)
        elif tab == DELETE:
            self._open_delete(source)

    def _update_drafts(self) -> None:
        """Keep forms with unsent changes as drafts, and name their sources."""
        form = self.edit
        if form.source is not None and (form.dirty or form.writing):
            self._drafts[form.source.id] = form
        with dropping(self):
            self._drafts = {k: f for k, f in self._drafts.items() if f.dirty or f.writing}
        own = self.source.id if self.source else None
        names = [f.source.full_name for key, f in self._drafts.items() if key != own and f.source]
        messages = list(self._lost_drafts)
        if names:
            listed = ", ".join(names)
            messages.append(f"Changes that were not sent: {listed}. Select a source to continue.")
        self._unsent.value = markup.muted("\n".join(messages)) if messages else ""

    def keep_drafts(self, ids: Collection[str]) -> None:
        """Drop the drafts of sources that are no longer listed, and show what they were.

        Args:
            ids: The ids of the listed sources.
        """
        self._update_drafts()
        for key, form in list(self._drafts.items()):
            if key not in ids and not form.writing and form.source is not None:
                del self._drafts[key]
                name = form.source.full_name
                self._lost_drafts.append(f"{name} is no longer listed. Not sent: {form.code}")
                if form is self.edit:
                    self.edit = self._edit_form()
        self._update_drafts()

    def _open_edit(self, source: Source) -> None:
        draft = self._drafts.get(source.id)
        if draft is not None:
            self.edit = draft
        else:
            if self.edit in self._drafts.values():
                self.edit = self._edit_form()
            opened = self.edit.source
            if opened is None or has_moved(opened, source):
                self.edit.look_at(source)
        if self._panes[EDIT].children != (self.edit,):
            with dropping(self):
                self._panes[EDIT].children = [self.edit]

    def _open_delete(self, source: Source) -> None:
        opened = self.delete.source
        if not self.delete.writing and (opened is None or has_moved(opened, source)):
            self.delete.look_at(source)


def _facts(source: Source) -> markup.Markup:
    rows: list[list[markup.Content]] = []
    for field in fields_of(type(source)):
        value = getattr(source, field.name)
        meaning = (field.about.allowed or {}).get(value) if isinstance(value, str) else None
        text = shown_cell(value) + (f" ({meaning})" if meaning else "")
        rows.append([field.name, text, markup.muted(field.about.help)])
    rows += [[name, _as_json(value), ""] for name, value in source.extra.items()]
    return markup.table(("Field", "Value", "Meaning"), rows)


def _as_json(value: Any) -> str:
    return strict_json.text_of(value, ensure_ascii=False)
