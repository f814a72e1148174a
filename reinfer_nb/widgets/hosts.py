"""Whether widgets can be shown here: in a Jupyter kernel, in marimo, or in a terminal."""

from __future__ import annotations

import sys
from typing import Any, Literal

from reinfer_nb import markup

Host = Literal["notebook", "marimo", "terminal"]

_SHOWN_BY = "JupyterLab, Notebook, VS Code, Colab or Voilà"


def host() -> Host:
    """Return the program that displays the value of a cell or a line."""
    marimo: Any = sys.modules.get("marimo")
    if marimo is not None and marimo.running_in_notebook():
        return "marimo"
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    # All other IPython shells belong to a kernel.
    if shell is None or type(shell).__name__ == "TerminalInteractiveShell":
        return "terminal"
    return "notebook"


class OnHosts:
    """Mixin for widgets: where a widget cannot be shown, its text names the Python to use instead.

    Attributes:
        instead: That Python code.
    """

    instead = ""

    def _advice(self) -> str:
        """Return how to use the widget in this host."""
        if host() == "notebook":
            return "run the cell to use it"
        place = "marimo" if host() == "marimo" else "a terminal"
        return f"cannot be shown in {place}, only in {_SHOWN_BY}; use {self.instead} instead"

    def _mime_(self) -> tuple[str, str]:
        """Return the type and content that marimo shows."""
        return "text/html", str(markup.status(repr(self)))
