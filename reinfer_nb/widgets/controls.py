"""Input controls for the fields of a source, with the checks of the client.

The type of a field determines its control, so a new field needs no change here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets as ui

from reinfer_nb import markup
from reinfer_nb.schema import fields, value_types
from reinfer_nb.schema.fields import Field
from reinfer_nb.schema.value_types import shown_cell
from reinfer_nb.text import is_blank, visible
from reinfer_nb.widgets.closing import dropping

LABELS = {"description_width": "13em"}
# Each widget creates its own layout from these: a shared one would be closed with the first widget.
FULL = {"width": "auto", "max_width": "60em", "min_width": "0"}
BENEATH = {"margin": "0 0 6px 13.4em", "max_width": "46.6em", "min_width": "0"}
# Why a tenant may not change a field.
NOT_TAKEN = "some settings are fixed when a source is created"


def label_of(field: Field) -> str:
    """Return the label of a field in a form."""
    return field.name.replace("_", " ").capitalize()


def button_for(name: str, clicked: Callable[[], object], style: str = "") -> Any:
    """Return a button as wide as its text.

    Args:
        name: The text of the button.
        clicked: Called when the button is clicked.
        style: The `button_style` of ipywidgets: "", "primary" or "danger".
    """
    button = ui.Button(description=name, button_style=style, layout=ui.Layout(width="auto"))
    button.on_click(lambda _: clicked())
    return button


@dataclass(frozen=True)
class Entry:
    """The value of an input, None if it does not have the field's type.

    `changed` is True if it differs from the current value, and `flaw` says why it cannot be sent.
    """

    value: Any
    changed: bool
    flaw: str | None


class Control:
    """An input for a field, with a line beneath for help or errors.

    The `value` of the input is called the raw value; for most fields it is a string.

    Args:
        field: The field.
        creating: True for a new source, which has no current value.

    Attributes:
        box: The widget to show, with input and line.
        input: The input.
        base: The current value of the field.
    """

    def __init__(self, field: Field, *, creating: bool) -> None:
        self.field = field
        self.creating = creating
        self.base: Any = None
        self._changed: list[Callable[[], object]] = []
        self._refused: tuple[Any, str] | None = None
        self._filled: tuple[Any, Any] = (None, None)
        self.note = ui.HTML(layout=BENEATH)
        self.input = self._input()
        self.box = ui.VBox([self.input, self.note], layout=ui.Layout(min_width="0"))
        self.input.observe(self._on_input, "value")
        self.show(None)

    # Overridden by the controls of some types

    def _input(self) -> Any:
        return ui.Text(description=label_of(self.field), style=LABELS, layout=FULL)

    def _raw(self, value: Any) -> Any:
        """Return the raw value for a value."""
        return "" if value is None else value

    def _value(self, raw: Any) -> Any:
        """Return the value for a raw value; raises `ValueError`."""
        if self.field.about.nullable and is_blank(raw):
            return None
        return raw

    # Common to all controls

    def observe(self, changed: Callable[[], object]) -> None:
        """Call `changed` whenever the input changes."""
        self._changed.append(changed)

    def show(self, base: Any) -> None:
        """Set the current value and fill it in, in place of what was typed."""
        self.base = base
        self._refused = None
        self._prepare(base)
        self.fill(base)

    def fill(self, value: Any) -> None:
        """Fill in a value; it stays exactly this value until the input is edited."""
        raw = self._raw(value)
        if isinstance(raw, str) and not (_encodable(raw) or isinstance(self.input, ui.Dropdown)):
            raw = visible(raw)
        self._filled = raw, value
        self.input.value = raw
        self.refresh_note()

    def rebase(self, base: Any, sent: Any) -> None:
        """Set the current value after a request, and keep what was typed since.

        Args:
            base: The new current value.
            sent: The raw value when the request was sent.
        """
        typed = self.input.value
        if typed == sent:
            self.show(base)
            return
        self.base = base
        self._prepare(base)
        self.input.value = typed
        self.refresh_note()

    def _prepare(self, base: Any) -> None:
        """Adapt the input to a current value; disable it if a browser would change the value."""
        self.input.disabled = not self._preserves(base)

    def _preserves(self, base: Any) -> bool:
        """True if a browser leaves the raw value of a current value unchanged."""
        raw = self._raw(base)
        if isinstance(raw, str) and not isinstance(self.input, ui.Dropdown):
            # A browser removes line breaks from an input of one line.
            lines = isinstance(self.input, ui.Textarea) or not re.search(r"[\r\n]", raw)
            return _encodable(raw) and lines and (base is None or bool(self._value(raw) == base))
        return True

    def _unchecked_value(self) -> Any:
        """Return the value of the input, unchecked; raises `ValueError`."""
        if self._filled[0] == self.input.value:
            return self._filled[1]
        return self._value(self.input.value)

    def entry(self) -> Entry:
        """Return the value of the input, and whether it can be sent."""
        value, changed, flaw = None, bool(self.input.value != self._raw(self.base)), None
        try:
            value = self._unchecked_value()
            changed = not self.field.same(value, self.base)
            if changed:
                self.field.check(value)
        except ValueError as error:
            flaw = f"{label_of(self.field)} {error}."
        return Entry(value, changed, flaw if changed else None)

    def refuse(self, message: str) -> None:
        """Show the tenant's message on the value until the input changes."""
        self._refused = self.input.value, message
        self.refresh_note()

    def refresh_note(self) -> None:
        """Update the line beneath the input."""
        entry = self.entry()
        flaw = entry.flaw
        if flaw is None and self._refused and self._refused[0] == self.input.value:
            flaw = self._refused[1]
        if flaw:
            self.note.value = markup.error(flaw)
        elif self.input.disabled:
            self.note.value = markup.muted(
                "A browser would change some characters of this value. Edit it from Python."
            )
        elif entry.changed and not self.creating:
            self.note.value = markup.muted(f"Was: {shown_cell(self.base)}")
        else:
            self.note.value = markup.muted(self.field.about.help + self._hint())

    def _hint(self) -> str:
        default = self.field.about.default
        if not self.creating and self.field.about.may_be_fixed:
            return f" A tenant may not take another value: {NOT_TAKEN}."
        if not self.creating or default in (None, "", ()):
            return ""
        return f" Default: {shown_cell(default)}."

    @property
    def _unset(self) -> str:
        return "(the tenant's default)" if self.creating else "(not set)"

    def _on_input(self, _: object) -> None:
        self.refresh_note()
        for changed in self._changed:
            changed()


class TextControl(Control):
    """A text, with one line, or several for a longer text or a value that has line breaks."""

    def _input(self) -> Any:
        if self.field.about.multiline:
            return self._area()
        return super()._input()

    def _area(self) -> Any:
        return ui.Textarea(description=label_of(self.field), rows=4, style=LABELS, layout=FULL)

    def _prepare(self, base: Any) -> None:
        # A browser removes line breaks from an input of one line.
        if isinstance(base, str) and re.search(r"[\r\n]", base) and isinstance(self.input, ui.Text):
            self.input.unobserve(self._on_input, "value")
            with dropping(self):
                self.input = self._area()
                self.box.children = [self.input, self.note]
            self.input.observe(self._on_input, "value")
        super()._prepare(base)

    def _hint(self) -> str:
        return super()._hint() + (" Empty means no value." if self.field.about.nullable else "")

    def _preserves(self, base: Any) -> bool:
        # A browser turns each line break into \n, which `_value` can revert if all are alike.
        alike = not isinstance(base, str) or len(set(re.findall(r"\r\n|\r|\n", base))) < 2
        return alike and super()._preserves(base)

    def _raw(self, value: Any) -> Any:
        return "" if value is None else re.sub(r"\r\n?", "\n", value)

    def _value(self, raw: Any) -> Any:
        value = super()._value(raw)
        if isinstance(self.base, str) and value is not None:
            break_ = re.search(r"\r\n?", self.base)
            return value.replace("\n", break_.group()) if break_ else value
        return value


class ChoiceControl(Control):
    """One of the allowed values, with its meaning; for an open field also any other value."""

    def _input(self) -> Any:
        allowed = self.field.about.allowed or {}
        if self.field.about.open:
            return ui.Combobox(
                description=label_of(self.field),
                options=tuple(allowed),
                placeholder="choose or type",
                style=LABELS,
                layout=FULL,
            )
        return ui.Dropdown(description=label_of(self.field), style=LABELS, layout=FULL)

    def _prepare(self, base: Any) -> None:
        if not self.field.about.open:
            options = [
                (f"{meaning} ({value})", value)
                for value, meaning in (self.field.about.allowed or {}).items()
            ]
            if base is None:
                options.insert(0, (self._unset, ""))
            elif base not in (self.field.about.allowed or {}):
                options.insert(0, (visible(base), base))
            self.input.options = options
        super()._prepare(base)

    def fill(self, value: Any) -> None:
        """As in `Control`; a value that is not allowed, such as one of a duplicate, is added."""
        raw = self._raw(value)
        if isinstance(self.input, ui.Dropdown) and raw not in [v for _, v in self.input.options]:
            self.input.options = [*self.input.options, (visible(raw), raw)]
        super().fill(value)

    def _hint(self) -> str:
        if not self.field.about.open:
            return super()._hint()
        known = (self.field.about.allowed or {}).items()
        choices = ", ".join(f"{value} ({meaning})" for value, meaning in known)
        return f" Known values: {choices}.{super()._hint()}"


class FlagControl(Control):
    """Yes, no, or not set."""

    def _input(self) -> Any:
        return ui.Dropdown(description=label_of(self.field), style=LABELS, layout=FULL)

    def _prepare(self, base: Any) -> None:
        unset = [(self._unset, "")] if base is None else []
        self.input.options = [*unset, ("yes", "yes"), ("no", "no")]
        super()._prepare(base)

    def _raw(self, value: Any) -> Any:
        return "" if value is None else "yes" if value else "no"

    def _value(self, raw: Any) -> Any:
        return {"": None, "yes": True, "no": False}[raw]


class WholeControl(Control):
    """A whole number."""

    def _raw(self, value: Any) -> Any:
        return "" if value is None else str(value)

    def _value(self, raw: Any) -> Any:
        text = raw.strip()
        if not text and self.field.about.nullable:
            return None
        if not re.fullmatch(r"-?[0-9]{1,1000}", text):
            raise ValueError("must be a whole number" + ("" if text else "; it cannot be empty"))
        return int(text)


class NamesControl(Control):
    """Several texts, one per line."""

    def _input(self) -> Any:
        return ui.Textarea(description=label_of(self.field), rows=3, style=LABELS, layout=FULL)

    def _raw(self, value: Any) -> Any:
        return "\n".join(value or ())

    def _value(self, raw: Any) -> Any:
        # A list that was pasted from a file or from Python.
        if re.match(r"""\s*(\(\)|\[\]|[\[(]\s*["'])""", raw):
            try:
                return value_types.Names.parse(raw)
            except ValueError as error:
                raise ValueError(f"{error}; or write one per line") from None
        return tuple(line for line in raw.split("\n") if line)

    def _preserves(self, base: Any) -> bool:
        return "\r" not in self._raw(base) and super()._preserves(base)

    def _hint(self) -> str:
        return " One per line." + super()._hint()


def _encodable(text: str) -> bool:
    """True if a text can be sent to a browser; a lone surrogate cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_CONTROLS: dict[type[value_types.ValueType], type[Control]] = {
    value_types.Text: TextControl,
    value_types.Flag: FlagControl,
    value_types.Whole: WholeControl,
    value_types.Names: NamesControl,
}


def control_for(field: Field, *, creating: bool = False) -> Control:
    """Return the control of a field."""
    if field.about.allowed is not None:
        return ChoiceControl(field, creating=creating)
    return _CONTROLS[field.type](field, creating=creating)


def controls_for(
    table: Iterable[Field],
    operation: fields.Operation,
    changed: Callable[[], object],
    special: Mapping[str, Callable[..., Control]] | None = None,
) -> dict[str, Control]:
    """Return the controls of the fields that an operation can set, by field name.

    Args:
        table: All fields of a source.
        operation: The operation.
        changed: Called whenever an input changes.
        special: The controls of some fields in place of those of their types, by field name.
    """
    controls = {
        field.name: (special or {}).get(field.name, control_for)(
            field, creating=operation == "create"
        )
        for field in table
        if field.may(operation)
    }
    for control in controls.values():
        control.observe(changed)
    return controls
