"""A file that was written, with a link that brings it into the browser's downloads.

The file lies where the kernel runs, which need not be where the browser runs, and a link to it
would work in some hosts only. So the browser asks the kernel for it, piece by piece.
"""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from reinfer_nb.errors import FileProblem

# Given as text: anywidget keeps every widget of a path for as long as the process runs.
_HERE = Path(__file__).parent


def new_file(kind: str) -> Path:
    """Return the path of a CSV file in the folder of the notebook, never that of an older one.

    Args:
        kind: What is in it; its name begins with that.

    Raises:
        FileProblem: That folder was deleted or moved.
    """
    try:
        folder = Path.cwd()
    except OSError as error:
        raise FileProblem(
            f"The folder of this notebook cannot be found: {error.strerror}. Change to another "
            "one with os.chdir."
        ) from None
    return folder / f"{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.csv"


class Saved(anywidget.AnyWidget):
    """The link to one file.

    Args:
        path: The file.
    """

    _esm = (_HERE / "download_link.js").read_text(encoding="utf-8")
    name = traitlets.Unicode().tag(sync=True)
    # Jupyter's server drops what comes faster than a million bytes a second.
    _piece = 300_000

    def __init__(self, path: Path) -> None:
        super().__init__(name=path.name)
        self._path = path
        self._packed = b""
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        return f"Saved as {self._path}"

    def _on_message(self, _: object, content: Any, __: object) -> None:
        """Send the piece that is asked for; the first one with how many there are."""
        number = content.get("piece") if isinstance(content, dict) else None
        if type(number) is not int or number < 0:
            return
        if number == 0:
            try:
                self._packed = gzip.compress(self._path.read_bytes(), 3)
            except OSError as error:
                self.send({"failed": f"{self._path} cannot be read: {error.strerror}"})
                return
        begin = number * self._piece
        pieces = -(-len(self._packed) // self._piece)
        self.send({"piece": number, "pieces": pieces}, [self._packed[begin : begin + self._piece]])
