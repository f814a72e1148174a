"""An invisible widget that keeps keys typed in a drop-down from being notebook commands."""

from __future__ import annotations

from pathlib import Path

import anywidget
import ipywidgets as ui

# Passed as text: given a path, anywidget keeps every widget until the process ends.
_HERE = Path(__file__).parent


class Keys(anywidget.AnyWidget):
    """Guards all drop-downs in a box; put it among the children of that box."""

    _esm = (_HERE / "key_guard.js").read_text(encoding="utf-8")

    def __init__(self) -> None:
        super().__init__(layout=ui.Layout(display="none"))

    def __repr__(self) -> str:
        return "Keys"
