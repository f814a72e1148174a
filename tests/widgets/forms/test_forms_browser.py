"""How the forms look in a real JupyterLab, in Voilà, and in a real browser.

What they do is in `tests/failures`, in the cases 30, 37 and 38.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

import reinfer_nb as rnb
from tests import browser
from tests.widget_pages import (
    CONNECT,
    Looks,
    Setup,
    alert,
    button,
    field,
    fill,
    form_of,
    set_up,
)

pytestmark = browser.needed()


# The hosts show the same forms, so one is enough.
@pytest.fixture(scope="module", params=["lab"])
def setup(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp(request.param)
    with rnb.sandbox() as client, set_up(request.param, folder, client) as setup:
        yield setup


def test_axe_and_widths(setup: Setup) -> None:
    long = "word " * 100 + "unbroken" * 60
    name = "claims/contested"
    setup.client.create_source(name, title=long, description=long)
    cells = (
        "rnb.create_form(client)",
        "rnb.update_form(client)",
        f"rnb.delete_form(client, '{name}')",
    )
    with setup.host.run(CONNECT, *cells, width=1600, height=3600) as tab:
        looks = Looks(tab, (1000, 600, 1600), 3600)
        create, update, delete = (form_of(tab, place) for place in range(3))
        fill(create, {"Project": "claims", "Name": "no name", "Title": long})
        for form in (create, update, delete):
            button(form, "Show code").click()
        expect(alert(create, "no name")).to_be_visible()
        fill(update, {"Source": name})
        button(update, "Open").click()
        expect(field(update, "Description")).to_have_value(long)
        fill(update, {"Title": f"{long} mine", "Description": f"{long} mine"})
        field(update, "Language").select_option("German (de)")
        expect(update.get_by_role("table")).to_contain_text("Language")
        expect(alert(delete, "0 comments would be deleted with it")).to_be_visible()
        looks.at("filled in")
        setup.client.update_source(name, title="theirs", description="theirs", language="xlm")
        button(update, "Update").click()
        expect(alert(update, "Nothing was written")).to_be_visible()
        update.get_by_label("Edit", exact=True).first.check()
        fill(delete, {"Full name": name})
        button(delete, "Delete").click()
        expect(alert(delete, "Nothing was written")).to_be_visible()
        looks.at("refused")
    assert looks.flaws == []
