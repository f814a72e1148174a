"""Buttons that copy texts of the current source to the clipboard of the browser's machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import anywidget

# Passed as text: given a path, anywidget keeps every widget until the process ends.
_HERE = Path(__file__).parent


class CopyBar(anywidget.AnyWidget):
    """A button for each text to copy. The texts go as messages and never as widget state."""

    _esm = (_HERE / "copy_bar.js").read_text(encoding="utf-8")

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        super().__init__()
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        return "Copy buttons"

    def show(self, texts: Mapping[str, str]) -> None:
        """Show a button for each text.

        Args:
            texts: The text to copy by what it is, such as {"id": "0123456789abcdef"}.
        """
        if texts != self._texts:
            self._texts = dict(texts)
            self._tell()

    def _tell(self) -> None:
        self.send({"kind": "texts", "texts": list(self._texts.items())})

    def _on_message(self, _: object, content: object, __: object) -> None:
        if isinstance(content, dict) and content.get("kind") == "ask":
            self._tell()
