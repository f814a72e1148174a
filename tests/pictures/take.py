"""Take the pictures of the README.

python -m tests.pictures.take [FOLDER]

The explorer and the forms are taken in a light and a dark theme; the README shows the light one.
The charts show the sources of the practice tenant.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

from playwright.sync_api import Locator, Page

import reinfer_nb as rnb
from tests import browser

HERE = Path(__file__).parent
_CONNECT = "import reinfer_nb as rnb\n\nclient = rnb.connect()"


def main(folder: Path) -> None:
    """Take all pictures."""
    quickstart(folder)
    charts(folder)
    for theme in browser.THEMES:
        with (
            rnb.sandbox() as client,
            tempfile.TemporaryDirectory() as work,
            browser.host("lab", Path(work), environment=_environment(client, work)) as lab,
        ):
            pictures = _Pictures(lab, client, theme, folder)
            pictures.explorer()
            pictures.audit()
            pictures.plan()
            pictures.create()
            pictures.update()
            pictures.conflict()
            pictures.delete()
            pictures.login()


def _environment(client: rnb.Client, home: str) -> dict[str, str]:
    assert client.sandbox is not None
    token = client.sandbox.tokens["admin"]
    return {"REINFER_ENDPOINT": client.endpoint, "REINFER_TOKEN": token, "XDG_STATE_HOME": home}


def quickstart(folder: Path) -> None:
    """Take the picture of the quickstart notebook after it has run."""
    with (
        tempfile.TemporaryDirectory() as work,
        browser.jupyterlab(Path(work), "--sandbox") as (address, _),
        browser.page() as tab,
    ):
        browser.open_notebook(tab, address, "reinfer-notebooks/01-quickstart.ipynb")
        browser.run_all_cells(tab, cells=19)
        # Hide the files at the side, and scroll to the listing.
        tab.keyboard.press("Control+b")
        tab.keyboard.press("Control+Home")
        tab.wait_for_timeout(500)
        tab.get_by_role("heading", name="List").evaluate("node => node.scrollIntoView()")
        tab.wait_for_timeout(1000)
        tab.screenshot(path=folder / "quickstart.png")


def charts(folder: Path) -> None:
    """Draw two charts into one figure, as in a report."""
    from matplotlib.figure import Figure

    with rnb.sandbox() as client:
        df = client.sources()
    figure = Figure(figsize=(14, 4.8), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(4, 5))[0]
    rnb.charts.timeline(df, ax=left.subplots())
    rnb.charts.findings(rnb.audit(df), ax=right.subplots())
    figure.savefig(folder / "charts.png")


class _Pictures:
    """Pictures of widgets, each in a notebook of its own."""

    def __init__(
        self, lab: browser.Host, client: rnb.Client, theme: browser.Theme, folder: Path
    ) -> None:
        self.lab = lab
        self.client = client
        self.theme = theme
        self.suffix = "" if theme == "light" else "-dark"
        self.folder = folder

    def _save(self, tab: Page, name: str) -> None:
        # Wait for the last responses, with the pointer away from all elements.
        tab.mouse.move(2, 2)
        tab.wait_for_timeout(1000)
        _output(tab).screenshot(path=self.folder / f"{name}{self.suffix}.png")

    def explorer(self) -> None:
        """After a search, with a selected source and its fields."""
        with self.lab.run(
            _CONNECT, "rnb.explore(client)", width=1200, height=1500, theme=self.theme
        ) as tab:
            tab.get_by_label("Search", exact=True).fill("motor")
            tab.get_by_role("gridcell", name="motor-inbox", exact=True).first.click()
            tab.get_by_role("tab", name="JSON").wait_for()
            self._save(tab, "explorer")

    def audit(self) -> None:
        """Narrowed to the findings of a rule."""
        with self.lab.run(
            _CONNECT, "rnb.explore(client)", width=1200, height=1500, theme=self.theme
        ) as tab:
            tab.get_by_role("tab", name="Audit", exact=True).click()
            rules = tab.get_by_label("Findings", exact=True)
            option = rules.locator("option").filter(has_text="look-alike-names")
            rules.select_option(option.inner_text())
            tab.get_by_text("only those with look-alike-names").wait_for()
            self._save(tab, "audit")

    def plan(self) -> None:
        """Three sources selected, and the plan to set one field of them."""
        with self.lab.run(
            _CONNECT, "rnb.explore(client)", width=1200, height=1700, theme=self.theme
        ) as tab:
            tab.get_by_label("Search", exact=True).fill("motor")
            tab.get_by_role("tab", name="Bulk edit", exact=True).click()
            names = tab.get_by_role("gridcell", name="motor-", exact=False)
            names.first.wait_for()
            names.nth(0).click()
            names.nth(1).click(modifiers=["Control"])
            names.nth(2).click(modifiers=["Control"])
            pane = tab.locator(".rnb-bulk")
            pane.get_by_label("Field", exact=True).select_option("Language")
            pane.get_by_label("Language", exact=True).select_option("Multilingual (xlm)")
            pane.get_by_role("button", name="Show the plan").click()
            tab.get_by_text("This is the plan.").wait_for()
            self._save(tab, "plan")

    def create(self) -> None:
        """Filled in, with an invalid name."""
        with self._form("rnb.create_form(client, 'claims')") as tab:
            tab.get_by_label("Name", exact=True).fill("travel inbox")
            tab.get_by_label("Title", exact=True).fill("Travel claims")
            self._save(tab, "create")

    def update(self) -> None:
        """With a changed title and its code."""
        with self._form("rnb.update_form(client, 'claims/motor-inbox')") as tab:
            self._retitle(tab)
            tab.get_by_role("button", name="Show code").click()
            self._save(tab, "update")

    def conflict(self) -> None:
        """After a remote change."""
        with self._form("rnb.update_form(client, 'claims/motor-chat')") as tab:
            self._retitle(tab)
            self.client.update_source("claims/motor-chat", title="Motor chat", language="de")
            tab.get_by_role("button", name="Update", exact=True).click()
            tab.get_by_text("Take theirs").first.wait_for()
            self._save(tab, "conflict")

    def delete(self) -> None:
        """With counted comments and a partly typed name."""
        form = "rnb.delete_form(client, 'claims/motor-inbox', restore_folder='kept')"
        with self._form(form) as tab:
            tab.get_by_text("comments would be deleted with it").wait_for()
            tab.get_by_label("Full name", exact=True).fill("claims/motor-in")
            self._save(tab, "delete")

    def login(self) -> None:
        """Logged in, with the permissions of the token."""
        assert self.client.sandbox is not None
        with self._form("rnb.login()") as tab:
            tab.get_by_label("Endpoint", exact=True).fill(self.client.endpoint)
            tab.get_by_label("Token", exact=True).fill(self.client.sandbox.tokens["viewer"])
            tab.get_by_role("button", name="Log in", exact=True).click()
            tab.get_by_role("button", name="Log out", exact=True).wait_for()
            self._save(tab, "login")

    def _form(self, code: str) -> AbstractContextManager[Page]:
        return self.lab.run(_CONNECT, code, width=1000, height=1300, theme=self.theme)

    @staticmethod
    def _retitle(tab: Page) -> None:
        tab.get_by_label("Title", exact=True).fill("Motor claims, all channels")


def _output(tab: Page) -> Locator:
    return tab.locator(".jp-OutputArea-output").last


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
