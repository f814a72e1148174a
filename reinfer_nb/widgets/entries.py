"""What is filled in in the controls of a form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reinfer_nb.widgets.controls import Control, Entry


def entries_of(controls: Mapping[str, Control]) -> dict[str, Entry]:
    """Return the entry of each control, by field name."""
    return {name: control.entry() for name, control in controls.items()}


def changed_settings(entries: Mapping[str, Entry]) -> dict[str, Any] | None:
    """Return the changed values by field name; None if one of them has a flaw."""
    if any(entry.flaw for entry in entries.values()):
        return None
    return {name: entry.value for name, entry in entries.items() if entry.changed}
