"""Base class of the forms: the button, one request at a time, the message and the code."""

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
from reinfer_nb.widgets.box_guard import BoxGuard
from reinfer_nb.widgets.closing import can_close, close_all_in, dropping
from reinfer_nb.widgets.controls import Control
from reinfer_nb.widgets.hosts import OnHosts
from reinfer_nb.widgets.job_line import JobLine
from reinfer_nb.widgets.jobs import Job

_Result = TypeVar("_Result")

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
WRAP = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "4px"}


def call_text(method: str, *arguments: str, settings: Mapping[str, Any] | None = None) -> str:
    """Return the Python code of a client's method call, split into lines if it is long.

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


class _EachResult(traitlets.Instance[Source | None]):
    """A trait that notifies of each result, also of one that equals the last one."""

    def set(self, obj: Any, value: Any) -> None:
        before, new = obj._trait_values.get(self.name), self._validate(obj, value)  # noqa: SLF001
        obj._trait_values[self.name] = new  # noqa: SLF001
        if new is not before:
            obj._notify_trait(self.name, before, new)  # noqa: SLF001


class Form(OnHosts, ui.VBox):
    """A form with its button, its message and its last result.

    Attributes:
        result: The last `Source` that the form wrote; `observe` it for the next one.
        button: The button that sends the form.
    """

    result = _EachResult(Source, allow_none=True)
    definition: type[Source] = Source
    _noun = "form"

    def __init__(self, client: Client, action: str, style: str = "primary") -> None:
        self.client = client
        self.button = ui.Button(
            description=action, button_style=style, disabled=True, layout=ui.Layout(width="auto")
        )
        self.button.on_click(lambda _: self._on_button())
        self.said = JobLine(lambda: self.refresh())  # noqa: PLW0108 - of a subclass
        self.jobs = self.said.jobs
        self._show_code = ui.ToggleButton(
            value=False, description="Show code", layout=ui.Layout(width="auto")
        )
        self._code = ui.HTML(layout=ui.Layout(display="none"))
        self._done = ""
        self._writing = False
        self._guard = BoxGuard()
        super().__init__(layout=ui.Layout(padding="4px", min_width="0", overflow="hidden"))
        self._guard.watch(self)
        self._show_code.observe(lambda _: self.refresh(), "value")

    def __repr__(self) -> str:
        # A saved notebook shows this text: it must not contain data of the tenant.
        return f"{self._noun} on {self.client.endpoint}; {self._advice()}"

    # Implemented by each form

    def _pending(self) -> str:
        """Return the code of the request that the button will send; empty if there is none."""
        raise NotImplementedError

    def _on_button(self) -> None:
        raise NotImplementedError

    # Common to all forms

    @property
    def code(self) -> str:
        """The Python for the request that the form will send, or else for the last one it sent."""
        return self._pending() or self._done

    @property
    def writing(self) -> bool:
        """True while a write request is running."""
        return self._writing and self.jobs.running

    def refresh(self) -> None:
        """Update the button and the code."""
        pending = self._pending()
        self._update(pending, ready=bool(pending))

    def _update(self, pending: str, *, ready: bool) -> None:
        """Update the button and the code.

        Args:
            pending: The code of the request that the button will send; empty if there is none.
            ready: True if the form can be sent.
        """
        self.button.disabled = self.jobs.running or not ready
        shown = self._show_code.value
        self._code.layout.display = None if shown else "none"
        if shown:
            self._code.value = markup.code(pending or self._done or "# Nothing to do yet.")

    def say(self, content: markup.Content) -> None:
        """Show a message in place of the last one."""
        self.said.say(content)

    def close(self) -> None:
        """Close the form and every widget in it; a running request is not cancelled."""
        if can_close(self):
            close_all_in(self)

    def _show(self, *parts: Any) -> None:
        """Show these parts of the form and no others."""
        with dropping(self):
            self.children = [*parts, self._guard]

    def say_written(self, message: str, written: Written) -> None:
        """Show the message of a write and its remarks, such as fields that were not taken."""
        remarks = [markup.error(visible(remark, 2000)) for remark in written.remarks()]
        self.say(markup.join([*([markup.status(message)] if message else []), *remarks]))

    def _actions(self, *buttons: Any) -> list[Any]:
        """Return the last part of a form: buttons, message and code."""
        return [
            ui.HBox([self.button, *buttons, self._show_code], layout=WRAP),
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
        clicked: str = "",
    ) -> None:
        """Run `work` in the background, and show progress and errors.

        Args:
            doing: The text of the progress.
            work: Called in a thread of its own.
            done: Called with the result.
            failed: Called with an error, which is also shown at the end of the form.
            clicked: What the click asks for, to recognise a double click; by default `doing`.
        """

        def on_failure(error: Exception | None) -> None:
            if error is not None and failed is not None:
                failed(error)

        if self.said.run(doing, work, done, on_failure, clicked=clicked):
            self._writing = True


def refused_field(error: Exception, controls: Mapping[str, Control]) -> Control | None:
    """Return the control of the field that a validation error is about; None if unclear."""
    if not isinstance(error, errors.ValidationFailed):
        return None
    values = {text[1:-1] for text in _QUOTED.findall(error.server_message)} - {""}
    # Quoted text may come from the user: a field name in it does not count.
    message = _QUOTED.sub("", error.server_message)
    by_name = [
        control
        for name, control in controls.items()
        if re.search(rf"\b({re.escape(name)}|{re.escape(control.field.wire)})\b", message)
    ]
    by_value = [control for control in controls.values() if control.input.value in values]
    matches = by_name or by_value
    return matches[0] if len(matches) == 1 else None
