"""Where the code runs, as far as widgets go: beneath a notebook, in marimo, or in a terminal."""

from __future__ import annotations

import sys
from typing import Any, Literal

from reinfer_nb import markup

Host = Literal["notebook", "marimo", "terminal"]

_SHOWN_BY = "JupyterLab, Notebook, VS Code, Colab or Voilà"


def host() -> Host:
    """Return what shows the value of a cell or a line here."""
    marimo: Any = sys.modules.get("marimo")
    if marimo is not None and marimo.running_in_notebook():
        return "marimo"
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    # Every other shell of IPython belongs to a kernel.
    if shell is None or type(shell).__name__ == "TerminalInteractiveShell":
        return "terminal"
    return "notebook"


class OnHosts:
    """A widget that says, where it cannot be shown, what works there instead.

    Attributes:
        instead: The Python that does the same.
    """

    instead = ""

    def _advice(self) -> str:
        """Return how to use the widget here."""
        if host() == "notebook":
            return "run the cell to use it"
        here = "marimo" if host() == "marimo" else "a terminal"
        return f"{here} does not show it, {_SHOWN_BY} does; here use {self.instead}"

    def _mime_(self) -> tuple[str, str]:
        """Return what marimo shows."""
        return "text/html", str(markup.status(repr(self)))
