"""A password box whose content is in no widget state: the page sends it when the kernel asks.

`ipywidgets.Password` keeps what is typed in its state, so a notebook that is saved with widget
state would contain it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from reinfer_nb.auth.secret import Token


class SecretBox(anywidget.AnyWidget):
    """A box for a token.

    Args:
        given: Called with the token, when the page has sent it after `ask`.
        entered: Called when Enter is pressed in the box.
        label_width: CSS width of the label.
        layout: CSS of the box, as `ipywidgets.Layout` takes it.

    Attributes:
        filled: True if something is typed.
        busy: True while the box is read-only.
        invalid: True if the token was refused.
    """

    _esm = Path(__file__).with_name("secret_box.js").read_text(encoding="utf-8")

    label = traitlets.Unicode("Token").tag(sync=True)
    label_width = traitlets.Unicode("6em").tag(sync=True)
    filled = traitlets.Bool(default_value=False).tag(sync=True)
    busy = traitlets.Bool(default_value=False).tag(sync=True)
    invalid = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(
        self,
        given: Callable[[Token], object],
        entered: Callable[[], object],
        label_width: str = "6em",
        layout: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(label_width=label_width, layout=dict(layout or {}))
        self._given = given
        self._entered = entered
        self._asked = 0
        self._open = False
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        return "<SecretBox, filled>" if self.filled else "<SecretBox, empty>"

    def ask(self) -> int:
        """Ask the page for the token, and return the number of this request."""
        self._asked += 1
        self._open = True
        self.send({"type": "give", "asked": self._asked})
        return self._asked

    def waiting_for(self, asked: int) -> bool:
        """True while the request with this number has no response."""
        return self._open and asked == self._asked

    def give_up(self) -> None:
        """Stop waiting; a response that comes later is ignored."""
        self._open = False

    def clear(self) -> None:
        """Empty the box in all its views."""
        self.send({"type": "empty"})
        self.filled = False

    def _on_message(self, _: object, content: Any, buffers: Sequence[Any] | None) -> None:
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "enter" and not self.busy:
            # A message may arrive before the synchronised trait.
            self.filled = content.get("filled", self.filled) is True
            self._entered()
        elif kind == "token" and type(content.get("asked")) is int:
            if not self.waiting_for(content["asked"]):
                # From another page on the same kernel, or not requested.
                return
            token = _token_from(buffers)
            if token is not None:
                self._open = False
                self._given(token)


def _token_from(buffers: Sequence[Any] | None) -> Token | None:
    """Return the text of the only buffer as a token; None if there is no such text."""
    try:
        (buffer,) = buffers or ()
        # Spaces at the ends come from copying.
        return Token(bytes(memoryview(buffer)).decode("utf-8").strip())
    except (ValueError, TypeError):
        return None
