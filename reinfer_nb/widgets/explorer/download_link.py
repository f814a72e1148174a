"""A link that downloads a file from the kernel's machine.

The browser may run on another machine, and not all hosts serve files. So the browser requests the
file from the kernel in pieces.
"""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from reinfer_nb.errors import FileProblem, reason_of

# Passed as text: given a path, anywidget keeps every widget until the process ends.
_HERE = Path(__file__).parent


def new_file(kind: str, ending: str = "csv") -> Path:
    """Return the path of a new file in the folder of the notebook.

    Args:
        kind: The kind of content, used as the beginning of the file name.
        ending: The end of the file name: "csv" or "xlsx".

    Raises:
        FileProblem: The folder was deleted or moved.
    """
    try:
        folder = Path.cwd()
    except OSError as error:
        raise FileProblem(
            f"The folder of this notebook cannot be found: {reason_of(error)}. Change to another "
            "folder with os.chdir."
        ) from None
    return folder / f"{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.{ending}"


class Saved(anywidget.AnyWidget):
    """A download link for a file.

    Args:
        path: The file.
    """

    _esm = (_HERE / "download_link.js").read_text(encoding="utf-8")
    name = traitlets.Unicode().tag(sync=True)
    # Bytes; Jupyter's server drops messages beyond a million bytes a second.
    _piece = 300_000

    def __init__(self, path: Path) -> None:
        super().__init__(name=path.name)
        self._path = path
        self._packed = b""
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        return f"Saved as {self._path}"

    def _on_message(self, _: object, content: Any, __: object) -> None:
        """Send the requested piece, and the number of pieces."""
        number = content.get("piece") if isinstance(content, dict) else None
        if type(number) is not int or number < 0:
            return
        if number == 0:
            try:
                self._packed = gzip.compress(self._path.read_bytes(), 3)
            except OSError as error:
                self.send({"failed": f"{self._path} cannot be read: {reason_of(error)}"})
                return
        start = number * self._piece
        pieces = -(-len(self._packed) // self._piece)
        self.send({"piece": number, "pieces": pieces}, [self._packed[start : start + self._piece]])
