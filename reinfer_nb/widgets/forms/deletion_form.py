"""The form that deletes a source: asks for its full name, writes a restore file and an archive."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import ipywidgets as ui

from reinfer_nb import errors, markup
from reinfer_nb.api import conflicts, recreation, restore_files
from reinfer_nb.api.contents import last_copy
from reinfer_nb.api.contents.uploading import price
from reinfer_nb.api.write_result import Written
from reinfer_nb.client import Client
from reinfer_nb.comments.archive_file import Archive
from reinfer_nb.files import lasting_path
from reinfer_nb.schema import source_diff
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import shown_cell
from reinfer_nb.text import counted, visible
from reinfer_nb.widgets.controls import FULL, LABELS, button_for, label_of
from reinfer_nb.widgets.forms.base_form import WRAP, Form, call_text
from reinfer_nb.widgets.forms.conflict import MINE, THEIRS
from reinfer_nb.widgets.forms.deletion import Deletion
from reinfer_nb.widgets.forms.edit_form import tag_line
from reinfer_nb.widgets.forms.source_picker import Picker
from reinfer_nb.widgets.job_line import words_of


class DeleteForm(Form):
    """The form that deletes a source; `delete_form` returns one.

    Attributes:
        result: The deleted source, or the new one after a restore.
        source: The source that the form has opened, or None.
        comments: How many comments would be deleted with the source; None if not known.
        restore_file: Path of the restore file.
        archive: Path of the archive of its comments; None if they are not archived.
        keep: Whether its comments are archived before the delete.
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
        self._count_error = self._file_error = ""
        self._deleted: Source | None = None
        self._deletion: Deletion | None = None
        self.picker = Picker(client, self.look_at) if picker else None
        self._facts = ui.HTML()
        self.name = ui.Text(
            description="Full name",
            placeholder="type it to delete the source",
            style=LABELS,
            layout=FULL,
        )
        self.name.observe(lambda _: self.refresh(), "value")
        self.keep = ui.Checkbox(
            description="Archive its comments first", indent=False, layout=FULL, value=True
        )
        self.keep.observe(lambda _: self.refresh(), "value")
        self.stop_button = button_for("Stop archiving", self._on_stop)
        self.restore_button = button_for("Restore", self._on_restore)
        self.comments_button = button_for("", self._on_comments)
        self.confirm_button = button_for("", self._on_confirm)
        self.look_at(source)

    def look_at(self, source: Source | None) -> None:
        """Open a source, or none, and count its comments.

        While a request is running, the form keeps its source.
        """
        if self.writing:
            return
        self.source = source
        self._deleted = self._deletion = None
        self._done = ""
        self._asking = False
        self.keep.value = True
        self.comments, self._counted = None, False
        self._name_restore_file()
        self.name.value = ""
        self.say("")
        self._show_fields()
        if source is not None:
            self._count(source)

    @property
    def deleted(self) -> Source | None:
        """The source that the form has deleted, until it is restored or another one is opened."""
        return self._deleted

    def _name_restore_file(self) -> None:
        """Choose a new path for the restore file, or note why there is none."""
        self.restore_file, self._file_error = None, ""
        if self.source is not None:
            try:
                self.restore_file = restore_files.new_file(self.source, self._folder)
            except errors.FileProblem as error:
                self._file_error = str(error)

    def _count(self, source: Source) -> None:
        def show(count: int | None, problem: str = "") -> None:
            if self.source is not None and self.source is not source:
                self._count(self.source)
            elif self.source is source:
                self.comments, self._count_error, self._counted = count, problem, True
            self.refresh()

        self._writing = False
        self.jobs.start(
            lambda _: self.client.count_comments(source),
            show,
            lambda error: show(None, "" if error is None else words_of(error)),
            clicked=None,
        )

    def _show_fields(self) -> None:
        head = [self.picker.box] if self.picker else []
        fields = [self._facts, self.keep, self.name] if self.source else []
        buttons = (
            self.stop_button,
            self.restore_button,
            self.comments_button,
            self.confirm_button,
        )
        self._show(*head, *fields, *self._actions(*buttons))
        self.refresh()

    def _ready(self) -> bool:
        """True if the full name is typed and everything is prepared for the delete."""
        prepared = self.restore_file is not None and self._deleted is None and self._counted
        return prepared and self.source is not None and self.name.value == self.source.full_name

    def _pending(self) -> str:
        if self.source is None or self.restore_file is None or self._deleted is not None:
            return ""
        if self._done and not self.name.value:
            return ""
        return self._call(self.source)

    def _call(self, source: Source) -> str:
        files = {"restore_file": str(self.restore_file)}
        if self.archive is not None:
            files["archive"] = str(self.archive)
        return call_text("delete_source", source.full_name, settings=files)

    @property
    def archive(self) -> Path | None:
        """Path of the archive of its comments; None if they are not archived."""
        if self.comments == 0 or not self.keep.value or self.restore_file is None:
            return None
        return self.restore_file.with_name(f"{self.restore_file.stem}.jsonl.gz")

    def refresh(self) -> None:
        """Update the facts, the buttons and the code."""
        if self.source is not None:
            self._facts.value = self._consequences(self.source)
        deleted, running = self._deleted is not None, self.jobs.running
        self.name.disabled = deleted
        self.keep.disabled = running
        kept = self._kept()
        archiving = running and not deleted and self._deletion is not None and kept is None
        for widget, is_shown in (
            (self.keep, self._counted and self.comments != 0 and not deleted),
            (self.stop_button, archiving and self.archive is not None),
            (self.restore_button, deleted),
            (self.comments_button, deleted and kept is not None and not self._asking),
            (self.confirm_button, deleted and kept is not None and self._asking),
        ):
            widget.layout.display = None if is_shown else "none"
        for button in (self.restore_button, self.comments_button, self.confirm_button):
            button.disabled = running
        if kept is not None:
            comments = counted(kept.num_comments, "comment")
            self.comments_button.description = f"Restore with {comments}…"
            units = counted(kept.num_comments, "AI unit")
            self.confirm_button.description = f"Upload {comments} for up to {units}"
        self._update(self._pending(), ready=self._ready())

    def _consequences(self, source: Source) -> markup.Markup:
        if self._deleted is not None:
            return markup.block([tag_line(source), "It is deleted."])
        if not self._counted:
            comments = "Its comments are being counted."
        elif self.comments is None:
            comments = f"Its comments could not be counted: {self._count_error}"
        else:
            comments = f"{counted(self.comments, 'comment')} would be deleted with it."
        written = f"Its settings are written to {self.restore_file} first"
        again = "The source can be created again from that file, with a new id and without comments"
        if self.archive is not None:
            written += f", and its comments to {self.archive}"
            again = "The source can be created again from these files, with a new id"
        file = markup.muted(f"{written}. {again}.")
        if self._file_error:
            file = markup.error(f"It cannot be deleted without a restore file. {self._file_error}")
        if self.archive is None:
            warning = markup.error(
                [
                    markup.tag("strong", comments),
                    " Without an archive, nothing brings comments back.",
                ]
            )
        else:
            warning = markup.block(markup.tag("strong", comments))
        return markup.block([tag_line(source), warning, file])

    def _on_button(self) -> None:
        source, file = self.source, self.restore_file
        if source is None or file is None or not self._ready():
            return
        code = self._call(source)
        self._deletion = Deletion(
            self.client, source, file, self.archive, is_empty=self.comments == 0
        )

        def done(outcome: tuple[Source, str]) -> None:
            deleted, remark = outcome
            self._done = code
            self._deleted = deleted
            kept = self._kept()
            number = self.comments if kept is None else kept.num_comments
            comments = "" if number is None else f" with {counted(number, 'comment')}"
            text = remark or f"{visible(deleted.full_name)} is deleted{comments}."
            places = f"in {file}" if kept is None else f"in {file}, its comments in {kept.path}"
            message = f"{text} Its settings are {places}"
            self.say(markup.error(message) if remark else message)
            self.result = deleted

        self._run(
            f"{'Deleting' if self.archive is None else 'Archiving'} {visible(source.full_name)}",
            self._deletion.run,
            done,
            failed=self._explain,
        )

    def _kept(self) -> Archive | None:
        """Return the complete archive of the deleted source; None if there is none."""
        return None if self._deletion is None else self._deletion.kept

    def _on_stop(self) -> None:
        if self._deletion is not None and not self._deletion.stop():
            self.say("It is too late: the source is being deleted.")

    def _explain(self, error: Exception) -> None:
        written = self.restore_file is not None and self.restore_file.exists()
        if self.source is not None and written and not isinstance(error, errors.FileProblem):
            self.say(markup.error(f"{words_of(error)} Its settings are in {self.restore_file}"))
        if self.source is not None and (written or self._kept() is not None):
            # The next attempt writes files of its own; an archive that was begun goes on.
            self._deletion = None
            self._name_restore_file()
        if isinstance(error, last_copy.NotArchived) and self.source is not None:
            self.comments, self._counted = None, False
            self._count(self.source)
        if isinstance(error, conflicts.Moved):
            self.say("")
            head = [self.picker.box] if self.picker else []
            self._show(*head, *self._conflict(error))

    def _conflict(self, moved: conflicts.Moved) -> list[Any]:
        rows = [
            [label_of(d.field), shown_cell(d.was), shown_cell(d.theirs)]
            for d in source_diff.differences(moved.base, {}, moved.theirs)
        ]
        table = markup.table(("Field", "Before", "Theirs"), rows) if rows else markup.muted("")

        def delete_anyway() -> None:
            typed = self.name.value
            self.look_at(moved.theirs)
            self.name.value = typed

        keep = button_for(f"{MINE}: delete it anyway", delete_anyway)
        take = button_for(f"{THEIRS}: do not delete it", lambda: self.look_at(moved.theirs))
        return [
            ui.HTML(markup.error(str(moved))),
            ui.HTML(table),
            ui.HBox([keep, take], layout=WRAP),
        ]

    def _on_restore(self) -> None:
        self._restore("Restoring its settings", {})

    def _on_comments(self) -> None:
        kept, deleted = self._kept(), self._deleted
        if kept is not None and deleted is not None:
            self._asking = True
            self.say(price(kept.num_comments, deleted.full_name))
            self.refresh()

    def _on_confirm(self) -> None:
        kept = self._kept()
        if kept is not None:
            settings = {"archive": str(kept.path), "confirm": kept.num_comments}
            self._restore("Restoring its settings and comments", settings)

    def _restore(self, doing: str, settings: dict[str, Any]) -> None:
        """Create the source again, with the comments of its archive if `settings` names it."""
        file = self.restore_file
        if self._deleted is None or file is None:
            return

        def done(outcome: tuple[Written, str]) -> None:
            written, message = outcome
            self.look_at(written.source)
            named = "".join(f", {name}={value!r}" for name, value in settings.items())
            self._done = f"rnb.restore(client, {str(file)!r}{named})"
            self.say_written(message, written)
            self.result = written.source

        self._run(
            doing,
            lambda job: recreation.restored(self.client, file, **settings, progress=job.progress),
            done,
        )
