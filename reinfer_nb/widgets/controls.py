"""A field of the definition as something to fill in, checked by the checks of the client.

A new field of a source gets its control from its type; nothing here names a field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets as ui

from reinfer_nb import markup
from reinfer_nb.schema import fields, value_types
from reinfer_nb.schema.fields import Field
from reinfer_nb.text import is_blank, visible
from reinfer_nb.widgets.closing import dropping

LABELS = {"description_width": "13em"}
# Of these each widget makes a layout of its own: a shared one would be closed with the first.
FULL = {"width": "auto", "max_width": "60em", "min_width": "0"}
BENEATH = {"margin": "0 0 6px 13.4em", "max_width": "46.6em", "min_width": "0"}


# Why a tenant may answer that all is well, and leave a field as it was.
NOT_TAKEN = "some settings are fixed when a source is made"


def label_of(field: Field) -> str:
    """Return what a form calls a field."""
    return field.name.replace("_", " ").capitalize()


def as_text(value: Any) -> str:
    """Return a value as a person reads it."""
    if value is None or value in ((), ""):
        return "(nothing)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def button_for(name: str, clicked: Callable[[], object], style: str = "") -> Any:
    """Return a button as wide as its name.

    Args:
        name: What stands on it.
        clicked: Called when it is clicked.
        style: ipywidgets' own: "", "primary" or "danger".
    """
    button = ui.Button(description=name, button_style=style, layout=ui.Layout(width="auto"))
    button.on_click(lambda _: clicked())
    return button


class Control:
    """A field as an input with a line beneath, which says what it is for or what is wrong.

    What the input holds is called raw: for most fields it is a text.

    Args:
        field: Which.
        creating: Whether it is filled in for a new source, with nothing there before.

    Attributes:
        box: The widget to show.
        input: The part that is filled in; its `value` is the raw value.
        base: The value that is there already.
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

    # What a type of field decides for itself

    def _input(self) -> Any:
        return ui.Text(description=label_of(self.field), style=LABELS, layout=FULL)

    def _raw(self, value: Any) -> Any:
        """Return what the input holds for a value."""
        return "" if value is None else value

    def _value(self, raw: Any) -> Any:
        """Return the value for what the input holds; raises `ValueError`."""
        if self.field.about.nullable and is_blank(raw):
            return None
        return raw

    # What all have in common

    def observe(self, changed: Callable[[], object]) -> None:
        """Call `changed` whenever what is filled in changes."""
        self._changed.append(changed)

    def show(self, base: Any) -> None:
        """Fill in the value that is there already; what was typed is gone."""
        self.base = base
        self._refused = None
        self._prepare(base)
        self.fill(base)

    def fill(self, value: Any) -> None:
        """Fill in a value; as long as the input is left alone, it is kept to the letter."""
        raw = self._raw(value)
        if isinstance(raw, str) and not (_travels(raw) or isinstance(self.input, ui.Dropdown)):
            raw = visible(raw)
        self._filled = raw, value
        self.input.value = raw
        self.tell()

    def rebase(self, base: Any, sent: Any) -> None:
        """Take another value for the one that is there, and leave what was typed meanwhile.

        Args:
            base: What is there now.
            sent: What the input held when that was asked for.
        """
        typed = self.input.value
        if typed == sent:
            self.show(base)
            return
        self.base = base
        self._prepare(base)
        self.input.value = typed
        self.tell()

    def _prepare(self, base: Any) -> None:
        """Make the input one that can hold a value without changing it."""
        self.input.disabled = not self._holds(base)

    def _holds(self, base: Any) -> bool:
        raw = self._raw(base)
        if isinstance(raw, str) and not isinstance(self.input, ui.Dropdown):
            # A browser takes the line breaks out of what stands in one line.
            lines = isinstance(self.input, ui.Textarea) or not re.search(r"[\r\n]", raw)
            return _travels(raw) and lines and (base is None or bool(self._value(raw) == base))
        return True

    def _held(self) -> Any:
        """Return the value for what is filled in, unchecked; raises `ValueError`."""
        if self._filled[0] == self.input.value:
            return self._filled[1]
        return self._value(self.input.value)

    @property
    def changed(self) -> bool:
        """Whether it holds something else than what is there already."""
        try:
            held = self._held()
        except ValueError:
            return bool(self.input.value != self._raw(self.base))
        return not self.field.same(held, self.base)

    def value(self) -> Any:
        """Return the value filled in, checked as the client checks it; raises `ValueError`."""
        value = self._held()
        self.field.check(value)
        return value

    def flaw(self) -> str | None:
        """Return why what is filled in cannot be sent, if it cannot."""
        if not self.changed:
            return None
        try:
            self.value()
        except ValueError as error:
            return f"{label_of(self.field)} {error}."
        return None

    def refuse(self, message: str) -> None:
        """Show what the tenant said of the value, until it is another."""
        self._refused = self.input.value, message
        self.tell()

    def tell(self) -> None:
        """Say beneath the input what is to be said."""
        flaw = self.flaw()
        if flaw is None and self._refused and self._refused[0] == self.input.value:
            flaw = self._refused[1]
        if flaw:
            self.note.value = markup.error(flaw)
        elif self.input.disabled:
            self.note.value = markup.muted(
                "Holds characters that a browser would change; edit it from Python."
            )
        elif self.changed and not self.creating:
            self.note.value = markup.muted(f"Was: {as_text(self.base)}")
        else:
            self.note.value = markup.muted(self.field.about.help + self._hint())

    def _hint(self) -> str:
        default = self.field.about.default
        if not self.creating and self.field.about.may_be_fixed:
            return f" A tenant may not take another one: {NOT_TAKEN}."
        if not self.creating or default in (None, "", ()):
            return ""
        return f" Left out, it is {as_text(default)}."

    @property
    def _unsaid(self) -> str:
        return "(as the tenant has it by default)" if self.creating else "(not said)"

    def _on_input(self, _: object) -> None:
        self.tell()
        for changed in self._changed:
            changed()


class TextControl(Control):
    """Text: a line, or several where the field is for longer text or the value has lines."""

    def _input(self) -> Any:
        if self.field.about.multiline:
            return self._area()
        return super()._input()

    def _area(self) -> Any:
        return ui.Textarea(description=label_of(self.field), rows=4, style=LABELS, layout=FULL)

    def _prepare(self, base: Any) -> None:
        # A browser takes the line breaks out of what stands in one line.
        if isinstance(base, str) and re.search(r"[\r\n]", base) and isinstance(self.input, ui.Text):
            self.input.unobserve(self._on_input, "value")
            with dropping(self):
                self.input = self._area()
                self.box.children = [self.input, self.note]
            self.input.observe(self._on_input, "value")
        super()._prepare(base)

    def _hint(self) -> str:
        return super()._hint() + (" Emptied, it has none." if self.field.about.nullable else "")

    def _holds(self, base: Any) -> bool:
        # A browser writes every line break as \n; only where all are alike can they be put back.
        alike = not isinstance(base, str) or len(set(re.findall(r"\r\n|\r|\n", base))) < 2
        return alike and super()._holds(base)

    def _raw(self, value: Any) -> Any:
        return "" if value is None else re.sub(r"\r\n?", "\n", value)

    def _value(self, raw: Any) -> Any:
        value = super()._value(raw)
        if isinstance(self.base, str) and value is not None:
            break_ = re.search(r"\r\n?", self.base)
            return value.replace("\n", break_.group()) if break_ else value
        return value


class ChoiceControl(Control):
    """One of the values allowed, with its meaning; or of those known, and any other."""

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
                options.insert(0, (self._unsaid, ""))
            elif base not in (self.field.about.allowed or {}):
                options.insert(0, (visible(base), base))
            self.input.options = options
        super()._prepare(base)

    def _hint(self) -> str:
        if not self.field.about.open:
            return super()._hint()
        known = (self.field.about.allowed or {}).items()
        choices = ", ".join(f"{value} ({meaning})" for value, meaning in known)
        return f" Known are {choices}.{super()._hint()}"


class FlagControl(Control):
    """Yes, no, or not said."""

    def _input(self) -> Any:
        return ui.Dropdown(description=label_of(self.field), style=LABELS, layout=FULL)

    def _prepare(self, base: Any) -> None:
        unsaid = [(self._unsaid, "")] if base is None else []
        self.input.options = [*unsaid, ("yes", "yes"), ("no", "no")]
        super()._prepare(base)

    def _raw(self, value: Any) -> Any:
        return "" if value is None else "yes" if value else "no"

    def _value(self, raw: Any) -> Any:
        return {"": None, "yes": True, "no": False}[raw]


class WholeControl(Control):
    """A whole number, typed."""

    def _raw(self, value: Any) -> Any:
        return "" if value is None else str(value)

    def _value(self, raw: Any) -> Any:
        text = raw.strip()
        if not text and self.field.about.nullable:
            return None
        if not re.fullmatch(r"-?[0-9]{1,1000}", text):
            raise ValueError("must be a whole number" + ("" if text else "; it cannot be emptied"))
        return int(text)


class NamesControl(Control):
    """Several texts, one a line."""

    def _input(self) -> Any:
        return ui.Textarea(description=label_of(self.field), rows=3, style=LABELS, layout=FULL)

    def _raw(self, value: Any) -> Any:
        return "\n".join(value or ())

    def _value(self, raw: Any) -> Any:
        # A list pasted from a file or from Python.
        if re.match(r"""\s*(\(\)|\[\]|[\[(]\s*["'])""", raw):
            try:
                return value_types.Names.parse(raw)
            except ValueError as error:
                raise ValueError(f"{error}; or write one a line") from None
        return tuple(line for line in raw.split("\n") if line)

    def _holds(self, base: Any) -> bool:
        return "\r" not in self._raw(base) and super()._holds(base)

    def _hint(self) -> str:
        return " One a line." + super()._hint()


def _travels(text: str) -> bool:
    """Whether a text can be sent to a browser; half of a character cannot."""
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
    table: Iterable[Field], operation: fields.Operation, changed: Callable[[], object]
) -> dict[str, Control]:
    """Return the controls of the fields that an operation takes, by field name.

    Args:
        table: The fields of the definition.
        operation: Which.
        changed: Called whenever something filled in changes.
    """
    made = {
        field.name: control_for(field, creating=operation == "create")
        for field in table
        if field.may(operation)
    }
    for control in made.values():
        control.observe(changed)
    return made
