"""Take the README's pictures anew.

python -m tests.pictures.take
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests import browser

HERE = Path(__file__).parent


def quickstart() -> None:
    """Take the picture of the quickstart, run from top to bottom."""
    with (
        tempfile.TemporaryDirectory() as folder,
        browser.jupyterlab(Path(folder), "--sandbox") as (address, _),
        browser.page() as tab,
    ):
        browser.open_notebook(tab, address, "reinfer-notebooks/01-quickstart.ipynb")
        browser.run_all_cells(tab, cells=19)
        # The listing in the middle, the files at the side out of the way.
        tab.keyboard.press("Control+b")
        tab.keyboard.press("Control+Home")
        tab.wait_for_timeout(500)
        tab.get_by_role("heading", name="List").evaluate("node => node.scrollIntoView()")
        tab.wait_for_timeout(1000)
        tab.screenshot(path=HERE / "quickstart.png")


if __name__ == "__main__":
    quickstart()
