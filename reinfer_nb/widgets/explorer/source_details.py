"""The source that is looked at, as tabs: its fields, its JSON, a form to edit it, one to delete it.

What is filled in and not sent stays with its source while others are looked at.
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
from reinfer_nb.widgets.closing import dropping
from reinfer_nb.widgets.controls import as_text
from reinfer_nb.widgets.forms.deletion_form import DeleteForm
from reinfer_nb.widgets.forms.edit_form import UpdateForm, tag_line

FIELDS, JSON, EDIT, DELETE = range(4)
_TITLES = ("Fields", "JSON", "Edit", "Delete")


class Details(ui.VBox):
    """The pane beneath the table.

    Args:
        client: The tenant.
        written: Called after a form has changed something.
    """

    def __init__(self, client: Client, written: Callable[[], object]) -> None:
        self._client = client
        self._written = written
        self.source: Source | None = None
        self._drafts: dict[str, UpdateForm] = {}
        self._lost: list[str] = []
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
        form.observe(lambda _: self._written(), "result")
        return form

    def show(self, source: Source | None) -> None:
        """Look at a source, or at none; a form that is at work is left at it."""
        self.source = source
        if source is None:
            busy = self.delete.source is not None and self.tabs.selected_index == DELETE
            hint = markup.muted("Select a source in the table to see it here.")
            self._title.value = hint
            self.children = [self._title, self._unsent, *([self.tabs] if busy else [])]
        else:
            self._title.value = tag_line(source)
            self.children = [self._title, self._unsent, self.tabs]
        self._fill()

    def _fill(self) -> None:
        """Fill the tab that is looked at; the others wait until they are."""
        source, tab = self.source, self.tabs.selected_index
        self._put_away()
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

    def _put_away(self) -> None:
        """Keep what was filled in for another source, and say so."""
        form = self.edit
        if form.source is not None and (form.dirty or form.writing):
            self._drafts[form.source.id] = form
        with dropping(self):
            self._drafts = {k: f for k, f in self._drafts.items() if f.dirty or f.writing}
        here = self.source.id if self.source else None
        names = [f.source.full_name for key, f in self._drafts.items() if key != here and f.source]
        said = list(self._lost)
        if names:
            listed = ", ".join(names)
            said.append(f"Changes that were not sent: {listed}. Select one to go on with it.")
        self._unsent.value = markup.muted("\n".join(said)) if said else ""

    def keep_drafts(self, ids: Collection[str]) -> None:
        """Give up what was not sent to sources that are gone, and say what it was.

        Args:
            ids: The sources that are there.
        """
        self._put_away()
        for key, form in list(self._drafts.items()):
            if key not in ids and not form.writing and form.source is not None:
                del self._drafts[key]
                self._lost.append(f"{form.source.full_name} is gone. Not sent to it: {form.code}")
                if form is self.edit:
                    self.edit = self._edit_form()
        self._put_away()

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
        text = as_text(value) + (f" ({meaning})" if meaning else "")
        rows.append([field.name, text, markup.muted(field.about.help)])
    rows += [[name, _as_json(value), ""] for name, value in source.extra.items()]
    return markup.table(("Field", "Value", "What it is"), rows)


def _as_json(value: Any) -> str:
    return strict_json.text_of(value, ensure_ascii=False)
