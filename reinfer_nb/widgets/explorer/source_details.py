"""The current source as tabs: its fields, its JSON, its comments, forms to edit and delete it.

Unsent changes to a source are kept as a draft while another source is current.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import ipywidgets as ui

from reinfer_nb import markup, strict_json
from reinfer_nb.client import Client
from reinfer_nb.errors import NotCarriedOut
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.source_diff import has_moved
from reinfer_nb.schema.value_types import shown_cell
from reinfer_nb.text import visible
from reinfer_nb.widgets.buckets import BUCKET
from reinfer_nb.widgets.closing import dropping
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.explorer.comments.pane import CommentsPane
from reinfer_nb.widgets.explorer.copy_bar import CopyBar
from reinfer_nb.widgets.forms.base_form import WRAP
from reinfer_nb.widgets.forms.deletion_form import DeleteForm
from reinfer_nb.widgets.forms.edit_form import UpdateForm, tag_line

FIELDS, JSON, COMMENTS, EDIT, DELETE = range(5)
_TITLES = ("Fields", "JSON", "Comments", "Edit", "Delete")
READ_ONLY = "This is a listing without a tenant, so its comments cannot be read."
_DELETED = "To edit it, restore it first, in the tab Delete."


class Details(ui.VBox):
    """The pane beneath the table.

    Args:
        client: The tenant; None for a listing that can only be read.
        updated: Called after an update with the new version of the source, and the names of the
            fields that were sent.
        written: Called after a source was deleted, with None, or restored, with the new source.
        refusal: Returns why the sources of a project cannot be changed; "" if they can.
        duplicate: Called with a source whose settings are to be filled into a new one.
        buckets: The full names of the buckets by id.

    Attributes:
        source: The source that is looked at; None if there is none, or it was deleted.
        gone: The source that was looked at and was deleted here, until another one is looked at.
    """

    def __init__(
        self,
        client: Client | None,
        *,
        updated: Callable[[Source, Collection[str]], object],
        written: Callable[[Source | None], object],
        refusal: Callable[[str], str],
        duplicate: Callable[[Source], object],
        buckets: Mapping[str, str],
    ) -> None:
        self._client, self._buckets = client, buckets
        self._updated = updated
        self._written, self._refusal = written, refusal
        self.source: Source | None = None
        self.gone: Source | None = None
        self._drafts: dict[str, UpdateForm] = {}
        self._lost_drafts: list[str] = []
        # The restore files of the sources that were deleted here, by id.
        self._deleted: dict[str, tuple[str, str]] = {}
        self._title = ui.HTML()
        self.copying = CopyBar()
        self.duplicate = button_for("Duplicate…", self._on_duplicate)
        self._duplicate = duplicate
        self._bar = ui.HBox([self.copying, self.duplicate], layout=WRAP)
        self._unsent = ui.HTML()
        self._panes = [ui.VBox(layout=ui.Layout(min_width="0")) for _ in _TITLES]
        self._fields, self._json = ui.HTML(), ui.HTML()
        self._panes[FIELDS].children = [self._fields]
        self._panes[JSON].children = [self._json]
        # Made when they are opened, so that less is sent when the explorer opens.
        self._comments: CommentsPane | None = None
        self._edit: UpdateForm | None = None
        self._delete: DeleteForm | None = None
        self._refused = {tab: ui.HTML() for tab in (COMMENTS, EDIT, DELETE)}
        self.tabs = ui.Tab(children=self._panes, titles=_TITLES, layout=ui.Layout(min_width="0"))
        self.tabs.observe(lambda _: self._fill(), "selected_index")
        super().__init__(layout=ui.Layout(min_width="0"))
        self._panes[EDIT].add_class("rnb-edit")
        self.add_class("rnb-details")
        self.show(None)

    def __repr__(self) -> str:
        return "Details of a source"

    @property
    def comments(self) -> CommentsPane:
        """The comments of the current source."""
        if self._comments is None:
            self._comments = CommentsPane(self._with_client())
        return self._comments

    @property
    def edit(self) -> UpdateForm:
        """The form to edit the current source."""
        if self._edit is None:
            self._edit = self._edit_form(self._with_client())
        return self._edit

    @property
    def delete(self) -> DeleteForm:
        """The form to delete the current source."""
        if self._delete is None:
            self._delete = DeleteForm(self._with_client(), picker=False)
            self._delete.observe(lambda change: self._on_delete(change.new), "result")
        return self._delete

    def _with_client(self) -> Client:
        if self._client is None:
            raise NotCarriedOut("This listing can only be read: it has no forms.")
        return self._client

    def _edit_form(self, client: Client) -> UpdateForm:
        form = UpdateForm(client, picker=False)
        form.observe(lambda change: self._updated(change.new, form.sent), "result")
        return form

    def show(self, source: Source | None) -> None:
        """Show a source, or none; a form with a running request keeps its source.

        A source that was deleted here stays shown as deleted until another one is looked at.
        """
        if source is not None and (self.gone is None or source.id != self.gone.id):
            self.source, self.gone = source, None
        else:
            self.source = None
        if self.source is not None:
            self._title.value = tag_line(self.source)
        elif self.gone is not None:
            name = markup.tag("strong", self.gone.full_name)
            self._title.value = markup.block([name, " is deleted. These were its settings."])
        else:
            self._title.value = markup.muted("Select a source in the table to see it here.")
        known = self.source or self.gone
        if known is not None:
            self.copying.show({"full name": known.full_name, "id": known.id})
        self.children = [
            self._title,
            *([self._bar] if known else []),
            self._unsent,
            *([self.tabs] if known else []),
        ]
        self._fill()

    def open_edit(self) -> None:
        """Open the form to edit the current source."""
        if self.source is not None:
            self.tabs.selected_index = EDIT

    def _on_duplicate(self) -> None:
        source = self.source or self.gone
        if source is not None:
            self._duplicate(source)

    def _on_delete(self, written: Source) -> None:
        """Follow a delete, or the restore after it."""
        deleted = self.delete.deleted
        if deleted is not None:
            self._deleted[deleted.id] = deleted.full_name, str(self.delete.restore_file)
        elif self.gone is not None:
            self._deleted.pop(self.gone.id, None)
        if deleted is not None and self.source is not None and self.source.id == deleted.id:
            self.gone = self.source
            self.show(None)
        elif deleted is None and self.gone is not None:
            self.gone = None
            self.show(written)
        self._written(written if deleted is None else None)

    def _fill(self) -> None:
        """Fill the open tab; the others are filled when they are opened."""
        source, tab = self.source or self.gone, self.tabs.selected_index
        self._update_drafts()
        if source is None:
            return
        if tab == FIELDS:
            self._fields.value = _facts(source, self._buckets)
        elif tab == JSON:
            text = strict_json.text_of(source.to_wire(), indent=2, ensure_ascii=False)
            self._json.value = markup.code(text)
        elif tab == COMMENTS:
            self._open_comments()
        elif tab == EDIT:
            self._open_edit()
        elif tab == DELETE:
            self._open_delete()

    def _update_drafts(self) -> None:
        """Keep forms with unsent changes as drafts, and name their sources."""
        form = self._edit
        if form is not None and form.source is not None and (form.dirty or form.writing):
            self._drafts[form.source.id] = form
        with dropping(self):
            self._drafts = {k: f for k, f in self._drafts.items() if f.dirty or f.writing}
        own = self.source.id if self.source else None
        names = [f.source.full_name for key, f in self._drafts.items() if key != own and f.source]
        messages = list(self._lost_drafts)
        messages += [
            f"{visible(name)} is deleted. To restore it: rnb.restore(client, {file!r})"
            for key, (name, file) in self._deleted.items()
            if self.gone is None or key != self.gone.id
        ]
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
                if form is self._edit:
                    # The next one to edit gets a form of its own.
                    self._edit = None
        self._update_drafts()

    def _open_comments(self) -> None:
        if self.source is None or self._client is None:
            reason = "It has no comments any more." if self._client else READ_ONLY
            self._refused[COMMENTS].value = markup.muted(reason)
            self._panes[COMMENTS].children = [self._refused[COMMENTS]]
            return
        self._panes[COMMENTS].children = [self.comments]
        self.comments.look_at(self.source)

    def _open_edit(self) -> None:
        source, client = self.source, self._client
        reason = self._refusal(source.owner) if source else _DELETED
        if source is None or client is None or reason:
            self._refused[EDIT].value = markup.muted(reason)
            self._panes[EDIT].children = [self._refused[EDIT]]
            return
        draft = self._drafts.get(source.id)
        if draft is not None:
            self._edit = draft
        else:
            if self._edit in self._drafts.values():
                self._edit = self._edit_form(client)
            opened = self.edit.source
            if opened is None or has_moved(opened, source):
                self.edit.look_at(source)
        if self._panes[EDIT].children != (self.edit,):
            with dropping(self):
                self._panes[EDIT].children = [self.edit]

    def _open_delete(self) -> None:
        source = self.source
        if source is None:
            return
        reason = self._refusal(source.owner)
        writing = self._delete is not None and self._delete.writing
        if self._client is None or (reason and not writing):
            self._refused[DELETE].value = markup.muted(reason)
            self._panes[DELETE].children = [self._refused[DELETE]]
            return
        self._panes[DELETE].children = [self.delete]
        opened = self.delete.source
        if not self.delete.writing and (opened is None or has_moved(opened, source)):
            self.delete.look_at(source)


def _facts(source: Source, buckets: Mapping[str, str]) -> markup.Markup:
    rows: list[list[markup.Content]] = []
    for field in fields_of(type(source)):
        value = getattr(source, field.name)
        meanings = buckets if field.name == BUCKET else field.about.allowed or {}
        meaning = meanings.get(value) if isinstance(value, str) else None
        text = shown_cell(value) + (f" ({meaning})" if meaning else "")
        rows.append([field.name, text, markup.muted(field.about.help)])
    rows += [[name, _as_json(value), ""] for name, value in source.extra.items()]
    return markup.table(("Field", "Value", "Meaning"), rows)


def _as_json(value: Any) -> str:
    return strict_json.text_of(value, ensure_ascii=False)
