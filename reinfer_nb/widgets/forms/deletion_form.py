"""The form that deletes a source: what would go, the name typed, the settings kept first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import ipywidgets as ui

from reinfer_nb import errors, markup
from reinfer_nb.api import conflicts, recreation, restore_files, safe_write
from reinfer_nb.api.write_result import Written
from reinfer_nb.client import Client
from reinfer_nb.files import lasting_path
from reinfer_nb.schema import source_diff
from reinfer_nb.schema.records import Source
from reinfer_nb.text import counted, visible
from reinfer_nb.widgets.controls import FULL, LABELS, as_text, label_of
from reinfer_nb.widgets.forms.base_form import WRAP, Form, call_text, words_of
from reinfer_nb.widgets.forms.conflict import MINE, THEIRS
from reinfer_nb.widgets.forms.edit_form import tag_line
from reinfer_nb.widgets.forms.source_picker import Picker


class DeleteForm(Form):
    """The form that deletes a source; `delete_form` shows one.

    Attributes:
        result: The source as it last was, once it is deleted; the new one, once it is restored.
        source: The source that the form was opened on, or None.
        comments: How many comments would go with it; None while that is not known.
        restore_file: Where its settings are, or would be, written.
    """

    _noun = "Form to delete a source"
    instead = 'client.delete_source("project/name", restore_file="...")'

    def __init__(
        self,
        client: Client,
        source: Source | None = None,
        *,
        folder: str | os.PathLike[str] | None = None,
        picker: bool = True,
    ) -> None:
        super().__init__(client, "Delete", "danger")
        self.source: Source | None = None
        self.comments: int | None = None
        self.restore_file: Path | None = None
        self._folder = None if folder is None else lasting_path(folder)
        self._counted = False
        self._why = self._no_file = ""
        self._gone: Source | None = None
        self.picker = Picker(client, self.look_at) if picker else None
        self._facts = ui.HTML()
        self.name = ui.Text(
            description="Full name",
            placeholder="type it to delete the source",
            style=LABELS,
            layout=FULL,
        )
        self.name.observe(lambda _: self.refresh(), "value")
        self.restore_button = ui.Button(
            description="Restore", layout=ui.Layout(width="auto", display="none")
        )
        self.restore_button.on_click(lambda _: self._on_restore())
        self.look_at(source)

    def look_at(self, source: Source | None) -> None:
        """Open the form on a source, or on none, and count what would go with it.

        While a request is on its way the form stays with what it is at.
        """
        if self.writing:
            return
        self.source = source
        self._gone = None
        self._done = ""
        self.comments, self._counted = None, False
        self._name_restore_file()
        self.name.value = ""
        self.say("")
        self._show_fields()
        if source is not None:
            self._count(source)

    def _name_restore_file(self) -> None:
        """Choose a new restore file for the source, or keep the reason why there can be none."""
        self.restore_file, self._no_file = None, ""
        if self.source is not None:
            try:
                self.restore_file = restore_files.new_file(self.source, self._folder)
            except errors.FileProblem as error:
                self._no_file = str(error)

    def _count(self, source: Source) -> None:
        def known(count: int | None, why: str = "") -> None:
            if self.source is not None and self.source is not source:
                self._count(self.source)
            elif self.source is source:
                self.comments, self._why, self._counted = count, why, True
            self.refresh()

        self._writing = False
        self.jobs.start(
            lambda _: self.client.count_comments(source),
            known,
            lambda error: known(None, "" if error is None else words_of(error)),
            clicked=None,
        )

    def _show_fields(self) -> None:
        head = [self.picker.box] if self.picker else []
        fields = [self._facts, self.name] if self.source else []
        self._show(*head, *fields, *self._actions(self.restore_button))
        self.refresh()

    def _ready(self) -> bool:
        there = self.restore_file is not None and self._gone is None and self._counted
        return there and self.source is not None and self.name.value == self.source.full_name

    def _pending(self) -> str:
        if self.source is None or self.restore_file is None or self._gone is not None:
            return ""
        if self._done and not self.name.value:
            return ""
        return self._call(self.source)

    def _call(self, source: Source) -> str:
        return call_text(
            "delete_source", source.full_name, settings={"restore_file": str(self.restore_file)}
        )

    def refresh(self) -> None:
        """Bring what would go, the buttons and the code up to date."""
        if self.source is not None:
            self._facts.value = self._what_goes(self.source)
        gone = self._gone is not None
        self.name.disabled = gone
        self.restore_button.layout.display = None if gone else "none"
        self.restore_button.disabled = self.jobs.running
        super().refresh()

    def _what_goes(self, source: Source) -> markup.Markup:
        if self._gone is not None:
            return markup.block([tag_line(source), "It is deleted."])
        if not self._counted:
            comments = "How many comments would go with it is being counted."
        elif self.comments is None:
            comments = f"How many comments would go with it could not be found out: {self._why}"
        else:
            comments = f"{counted(self.comments, 'comment')} would go with it."
        file = markup.muted(
            f"Its settings are written to {self.restore_file} first. From that file a new source "
            "can be made with them, under a new id and without comments."
        )
        if self._no_file:
            file = markup.error(f"It cannot be deleted here. {self._no_file}")
        return markup.block(
            [
                tag_line(source),
                markup.error([markup.tag("strong", comments), " Nothing brings comments back."]),
                file,
            ]
        )

    def _on_button(self) -> None:
        source, file = self.source, self.restore_file
        if source is None or file is None or not self._ready():
            return
        code = self._call(source)

        def done(outcome: tuple[Source, str]) -> None:
            deleted, remark = outcome
            self._done = code
            self._gone = deleted
            comments = "" if self.comments is None else f" with {counted(self.comments, 'comment')}"
            said = f"{visible(deleted.full_name)} is deleted{comments}. Its settings are in {file}"
            self.say(said if not remark else markup.error(f"{remark} Its settings are in {file}"))
            self.result = deleted

        self._run(
            f"Deleting {visible(source.full_name)}",
            lambda _: safe_write.delete(self.client.calls, source, file),
            done,
            failed=self._explain,
        )

    def _explain(self, error: Exception) -> None:
        kept = self.restore_file is not None and self.restore_file.exists()
        if self.source is not None and kept and not isinstance(error, errors.FileProblem):
            self.say(markup.error(f"{words_of(error)} Its settings are in {self.restore_file}"))
            # The next attempt writes its own.
            self._name_restore_file()
        if isinstance(error, conflicts.Moved):
            self.say("")
            head = [self.picker.box] if self.picker else []
            self._show(*head, *self._moved(error))

    def _moved(self, moved: conflicts.Moved) -> list[Any]:
        rows = [
            [label_of(d.field), as_text(d.was), as_text(d.theirs)]
            for d in source_diff.differences(moved.base, {}, moved.theirs)
        ]
        shown = markup.table(("Field", "It was", "Theirs"), rows) if rows else markup.muted("")
        keep = ui.Button(
            description=f"{MINE}: delete it all the same", layout=ui.Layout(width="auto")
        )
        take = ui.Button(description=f"{THEIRS}: do not delete it", layout=ui.Layout(width="auto"))

        def go_on(_: object) -> None:
            typed = self.name.value
            self.look_at(moved.theirs)
            self.name.value = typed

        keep.on_click(go_on)
        take.on_click(lambda _: self.look_at(moved.theirs))
        return [
            ui.HTML(markup.error(str(moved))),
            ui.HTML(shown),
            ui.HBox([keep, take], layout=WRAP),
        ]

    def _on_restore(self) -> None:
        file = self.restore_file
        if self._gone is None or file is None:
            return

        def done(outcome: tuple[Written, str]) -> None:
            written, said = outcome
            made = written.source
            self.look_at(made)
            self._done = f"rnb.restore(client, {str(file)!r})"
            self.say_written(said, written)
            self.result = made

        self._run("Restoring its settings", lambda _: recreation.restored(self.client, file), done)
