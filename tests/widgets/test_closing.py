"""Closing a widget closes all widgets in it, and does not break widgets that are opened later."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets as ui
import pytest
from ipywidgets.widgets import widget as registry

import reinfer_nb as rnb
from reinfer_nb.widgets import jobs
from reinfer_nb.widgets.explorer.source_details import EDIT

OPENED: dict[str, Callable[[rnb.Client], ui.Widget]] = {
    "explorer": rnb.explore,
    "create": rnb.create_form,
    "update": lambda client: rnb.update_form(client, "claims/motor-inbox"),
    "update with a choice": rnb.update_form,
    "delete": lambda client: rnb.delete_form(client, "claims/motor-inbox"),
    "login": lambda _: rnb.login(),
}


def registered() -> dict[str, ui.Widget]:
    """Return the widgets that ipywidgets keeps, by id."""
    return registry._instances  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def _only_this_test() -> Iterator[None]:
    ui.Widget.close_all()
    gc.collect()
    yield
    ui.Widget.close_all()


def named_in(content: Any) -> Iterator[str]:
    """Yield the ids of the widgets that a widget's state refers to."""
    if isinstance(content, dict):
        for value in content.values():
            yield from named_in(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from named_in(value)
    elif isinstance(content, str) and content.startswith("IPY_MODEL_"):
        yield content.removeprefix("IPY_MODEL_")


@pytest.mark.slow
@pytest.mark.parametrize("what", OPENED)
def test_it_is_whole_after_all_others_were_closed(shared: rnb.Client, what: str) -> None:
    for opened in OPENED.values():
        opened(shared)
    ui.Widget.close_all()
    assert not registered()
    widget = OPENED[what](shared)
    states = [each.get_state() for each in registered().values()]
    wanted = set(named_in(states)) | {widget.model_id}
    assert len(wanted) > 5
    assert wanted <= set(registered())


@pytest.mark.slow
@pytest.mark.parametrize("what", OPENED)
def test_closing_closes_everything_in_it(shared: rnb.Client, what: str) -> None:
    widget = OPENED[what](shared)
    assert len(registered()) > 5
    for running in (getattr(widget, name, None) for name in ("jobs", "lookups")):
        if running is not None:
            running.wait()
    widget.close()
    assert list(map(type, registered().values())) == []
    widget.close()
    gone = weakref.ref(widget)
    del widget
    for _ in range(3):
        gc.collect()
    assert gone() is None


@pytest.mark.slow
def test_a_closed_explorer_lets_go_of_the_listing_though_it_is_kept(shared: rnb.Client) -> None:
    ex = rnb.explore(shared)
    ex.search = "motor"
    for tab in range(len(ex.tabs.children)):
        ex.tabs.selected_index = tab
    listing = weakref.ref(ex._listing)
    ex.close()
    gc.collect()
    assert listing() is None
    assert ex.frame.empty
    assert ex.selected.empty
    assert list(ex.frame.columns)[:3] == list(shared.sources().columns)[:3]


@pytest.mark.slow
def test_looking_at_many_sources_leaves_nothing(shared: rnb.Client) -> None:
    ex = rnb.explore(shared)
    sources = [rnb.Source.from_wire(row) for row in rows_of(shared)]

    def look(number: int) -> None:
        for source in sources[:number]:
            for tab in range(4):
                ex.details.tabs.selected_index = tab
                ex.details.show(source)
            ex.details.tabs.selected_index = EDIT
            # A draft that is kept, and then given up.
            ex.details.edit.controls["title"].fill("A draft")
            ex.details.show(source)
            ex.details.show(sources[-1])
            ex.details.show(source)
            ex.details.edit.controls["title"].fill(source.title)

    look(3)
    before = len(registered())
    look(8)
    assert len(registered()) <= before + 5


def rows_of(client: rnb.Client) -> list[dict[str, Any]]:
    from reinfer_nb.frames import elements

    return elements.to_elements(client.sources().head(9))


@pytest.mark.slow
def test_files_offered_one_after_the_other_leave_nothing(
    shared: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ex = rnb.explore(shared)
    ex.audit.refresh()
    monkeypatch.setattr(jobs, "_DOUBLE_CLICK", 0.0)

    def export() -> None:
        ex.audit.export.csv.click()
        ex.audit.jobs.wait()

    export()
    before = len(registered())
    for _ in range(5):
        export()
    assert len(registered()) == before
    assert len(list(tmp_path.glob("*.csv"))) == 6
