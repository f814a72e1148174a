"""An invisible widget that guards a box: keys, focus, clicks, and the link to the kernel.

Keys typed in the box are no commands of the notebook; the focus can be moved to what was opened; a
click waits until the kernel has all that was typed before it; and when the kernel is gone, the box
says so and takes no more input.
"""

from __future__ import annotations

from pathlib import Path

import anywidget
import ipywidgets as ui
import traitlets

# Passed as text: given a path, anywidget keeps every widget until the process ends.
_HERE = Path(__file__).parent


class BoxGuard(anywidget.AnyWidget):
    """Guards the box that `watch` puts it into."""

    box_id = traitlets.Unicode().tag(sync=True)
    _esm = (_HERE / "box_guard.js").read_text(encoding="utf-8")

    def __init__(self) -> None:
        super().__init__(layout=ui.Layout(display="none"))

    def __repr__(self) -> str:
        return "Guard of a box"

    def watch(self, box: ui.Box) -> None:
        """Guard a box: become its last child, and tell the browser which widget it is."""
        self.box_id = box.model_id
        box.children = (*box.children, self)

    def focus_in(self, name: str) -> None:
        """Move the focus to the first field in a part of the box, as soon as it is shown.

        Args:
            name: A CSS class of that part.
        """
        self.send({"focus": name})
