"""What the forms have in common: a button, one request at a time, what is said, and the code."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import ipywidgets as ui
import traitlets

from reinfer_nb import errors, markup
from reinfer_nb.api.write_result import Written
from reinfer_nb.client import Client
from reinfer_nb.schema.records import Source
from reinfer_nb.text import visible
from reinfer_nb.widgets.closing import can_close, close_all_in, dropping
from reinfer_nb.widgets.controls import Control
from reinfer_nb.widgets.hosts import OnHosts
from reinfer_nb.widgets.jobs import Job, Jobs

_Result = TypeVar("_Result")

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
WRAP = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "4px"}


def call_text(method: str, *arguments: str, settings: Mapping[str, Any] | None = None) -> str:
    """Return a call of a client's method as Python, over several lines where it is long.

    >>> call_text("update_source", "claims/travel", settings={"title": "Travel"})
    "client.update_source('claims/travel', title='Travel')"
    """
    parts = [repr(argument) for argument in arguments]
    for name, value in (settings or {}).items():
        parts.append(f"{name}={list(value) if isinstance(value, tuple) else value!r}")
    line = f"client.{method}({', '.join(parts)})"
    if len(line) <= 88:
        return line
    inside = "".join(f"    {part},\n" for part in parts)
    return f"client.{method}(\n{inside})"


class Form(OnHosts, ui.VBox):
    """A form: its last result, its button, and what there is to say.

    Attributes:
        result: The last `Source` that came of it; `observe` it to learn of the next.
        button: What sends it.
    """

    result = traitlets.Instance(Source, allow_none=True)
    definition: type[Source] = Source
    _noun = "form"

    def __init__(self, client: Client, action: str, style: str = "primary") -> None:
        self.client = client
        self.button = ui.Button(
            description=action, button_style=style, disabled=True, layout=ui.Layout(width="auto")
        )
        self.button.on_click(lambda _: self._on_button())
        self.said = ui.HTML(layout=ui.Layout(min_height="1.5em"))
        self._show_code = ui.ToggleButton(
            value=False, description="Show code", layout=ui.Layout(width="auto")
        )
        self._code = ui.HTML(layout=ui.Layout(display="none"))
        self._done = ""
        self._writing = False
        self.jobs = Jobs(lambda _: self.refresh())
        super().__init__(layout=ui.Layout(padding="4px", min_width="0", overflow="hidden"))
        self._show_code.observe(lambda _: self.refresh(), "value")

    def __repr__(self) -> str:
        # What a saved notebook shows of it: nothing that the tenant told.
        return f"{self._noun} on {self.client.endpoint}; {self._advice()}"

    # What each form says for itself

    def _ready(self) -> bool:
        """Whether the button may be pressed."""
        raise NotImplementedError

    def _pending(self) -> str:
        """Return the code for what the button is about to do; empty when that is nothing."""
        raise NotImplementedError

    def _on_button(self) -> None:
        raise NotImplementedError

    # What they share

    @property
    def code(self) -> str:
        """The Python for what the form is about to do, or else for what it has done."""
        return self._pending() or self._done

    @property
    def writing(self) -> bool:
        """Whether a request is on its way that may change something."""
        return self._writing and self.jobs.running

    def refresh(self) -> None:
        """Bring the button and the code up to date."""
        self.button.disabled = self.jobs.running or not self._ready()
        shown = self._show_code.value
        self._code.layout.display = None if shown else "none"
        if shown:
            self._code.value = markup.code(self.code or "# Nothing to do yet.")

    def say(self, content: markup.Content) -> None:
        """Show one line, in place of the last."""
        self.said.value = content if isinstance(content, markup.Markup) else markup.status(content)

    def close(self) -> None:
        """Close the form and every widget in it; a request that was sent is not taken back."""
        if can_close(self):
            close_all_in(self)

    def _show(self, *parts: Any) -> None:
        """Show these parts of the form and no others."""
        with dropping(self):
            self.children = parts

    def say_written(self, said: str, written: Written) -> None:
        """Show that a source was written, and what of it the tenant left as it was."""
        remarks = [markup.error(visible(remark, 2000)) for remark in written.remarks()]
        self.say(markup.join([*([markup.status(said)] if said else []), *remarks]))

    def _actions(self, *others: Any) -> list[Any]:
        """Return the last part of a form."""
        return [
            ui.HBox([self.button, *others, self._show_code], layout=WRAP),
            self.said,
            self._code,
        ]

    def _run(
        self,
        doing: str,
        work: Callable[[Job], _Result],
        done: Callable[[_Result], object],
        *,
        failed: Callable[[Exception], object] | None = None,
    ) -> None:
        """Send something beside the notebook, and show that it is being done.

        An error is shown at the end of the form; `failed` may put it where it belongs, too.
        """

        def finished(result: _Result) -> None:
            self.say("")
            done(result)
            self.refresh()

        def ended(error: Exception | None) -> None:
            self.say(markup.status("Stopped.") if error is None else markup.error(words_of(error)))
            if error is not None and failed is not None:
                failed(error)
            self.refresh()

        before = self.said.value
        self.say(markup.progress(doing))
        if self.jobs.start(work, finished, ended, clicked=doing):
            self._writing = True
        else:
            self.said.value = before


def words_of(error: Exception) -> str:
    """Return what to show of an error."""
    if isinstance(error, errors.ReinferError):
        return str(error)
    return f"{type(error).__name__}: {error}. This is a fault of the toolkit."


def refused_field(error: Exception, controls: Mapping[str, Control]) -> Control | None:
    """Return the control that a tenant's refusal is about, as far as its message tells."""
    if not isinstance(error, errors.ValidationFailed):
        return None
    quoted = _QUOTED.findall(error.server_message)
    # A name within quotes may be a text of the user's.
    said = _QUOTED.sub("", error.server_message)
    named = [
        control
        for name, control in controls.items()
        if re.search(rf"\b({re.escape(name)}|{re.escape(control.field.wire)})\b", said)
    ]
    values = {text[1:-1] for text in quoted} - {""}
    holding = [control for control in controls.values() if control.input.value in values]
    found = named or holding
    return found[0] if len(found) == 1 else None
