"""What keeps the keys typed in a drop-down from the notebook around it, and is not seen."""

from __future__ import annotations

from pathlib import Path

import anywidget
import ipywidgets as ui

# Given as text: anywidget keeps every widget of a path for as long as the process runs.
_HERE = Path(__file__).parent


class Keys(anywidget.AnyWidget):
    """Stands among the children of a box, and looks after all drop-downs in that box."""

    _esm = (_HERE / "key_guard.js").read_text(encoding="utf-8")

    def __init__(self) -> None:
        super().__init__(layout=ui.Layout(display="none"))

    def __repr__(self) -> str:
        return "Keys"
