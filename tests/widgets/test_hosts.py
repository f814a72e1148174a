"""Reports and widgets outside of Jupyter: in marimo and in a terminal."""

from __future__ import annotations

import html
import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import reinfer_nb as rnb
from reinfer_nb import markup
from reinfer_nb.api.contents.uploading import UploadResult
from reinfer_nb.widgets import hosts

METHODS = ("_repr_html_", "to_html")


def plan(client: rnb.Client) -> rnb.Plan:
    df = client.sources()
    df.loc[0, "title"] = "Another title"
    return client.plan(df)


def history(client: rnb.Client, folder: Path) -> rnb.History:
    made = rnb.History(folder / "audits")
    made.record(client.sources())
    return made


MADE: dict[str, Callable[[rnb.Client, Path], Any]] = {
    "AuditReport": lambda client, _: rnb.audit(client.sources()),
    "Comparison": lambda client, _: rnb.compare(client.sources().iloc[1:], client.sources()),
    "Plan": lambda client, _: plan(client),
    "ApplyResult": lambda client, _: plan(client).apply(progress=False),
    "Rehearsal": lambda client, _: plan(client).rehearse(progress=False),
    "History": history,
    "Source": lambda client, _: client.source("claims/motor-inbox"),
    "User": lambda client, _: client.me(),
    "Rule": lambda client, _: rnb.audit(client.sources()).rules["missing-title"],
    "RuleTable": lambda *_: rnb.audit_rules(),
    "Snapshot": lambda client, folder: history(client, folder).record(client.sources()),
    "Project": lambda *_: rnb.Project(name="claims"),
    "Comment": lambda client, _: client.comment(
        "claims/motor-inbox", client.sample("claims/motor-inbox", 1)["id"][0]
    ),
    "Archive": lambda client, folder: client.archive(
        "claims/theft-inbox", folder / "theft.jsonl.gz", progress=False
    ),
    "UploadResult": lambda *_: UploadResult(source="claims/motor-inbox", new=3),
    "Bucket": lambda *_: rnb.Bucket(id="00", name="b", owner="claims"),
}


def classes() -> Iterator[type]:
    """Yield the classes of the package that have an HTML representation."""
    for module in pkgutil.walk_packages(rnb.__path__, "reinfer_nb."):
        if module.name.endswith(("__main__", "sandbox.pytest")):
            continue
        for found in vars(importlib.import_module(module.name)).values():
            own = isinstance(found, type) and found.__module__ == module.name
            if own and any(callable(getattr(found, name, None)) for name in METHODS):
                yield found


def test_every_class_that_shows_itself_is_tried() -> None:
    # Record and ResultData are base classes.
    names = {cls.__name__ for cls in classes() if not getattr(cls, "_is_protocol", False)}
    assert names == {*MADE, "Record", "ResultData"}


@pytest.mark.slow
@pytest.mark.parametrize("what", MADE)
def test_html_is_a_text_and_no_subclass(client: rnb.Client, tmp_path: Path, what: str) -> None:
    made = MADE[what](client, tmp_path)
    for name in METHODS:
        if hasattr(made, name):
            assert type(getattr(made, name)()) is str
    assert type(repr(made)) is str


# marimo itself

CELLS = {
    "AuditReport": "rnb.audit(client.sources())",
    "Comparison": "rnb.compare(client.sources().iloc[1:], client.sources())",
    "Source": "client.source('claims/motor-inbox')",
    "Plan": "client.plan(client.sources().assign(title='x'))",
    "Explorer": "rnb.explore(client)",
    "Login": "rnb.login()",
    "CreateForm": "rnb.create_form(client)",
    "UpdateForm": "rnb.update_form(client)",
    "DeleteForm": "rnb.delete_form(client)",
}


@pytest.fixture(scope="module")
def shown_by_marimo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Return the output of each cell in marimo: its type and its content."""
    folder = tmp_path_factory.mktemp("marimo")
    cells = ["import reinfer_nb as rnb\n    client = rnb.sandbox().start()", *CELLS.values()]
    given = ["", *["client, rnb"] * len(CELLS)]
    returned = ["client, rnb", *[""] * len(CELLS)]
    text = "import marimo\napp = marimo.App()\n" + "".join(
        f"\n@app.cell\ndef _({take}):\n    {cell}\n    return {give}\n"
        for take, cell, give in zip(given, cells, returned, strict=True)
    )
    (folder / "tried.py").write_text(text)
    command = [sys.executable, "-m", "marimo", "export", "html", "tried.py", "-o", "tried.html"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(CELLS, outputs((folder / "tried.html").read_text())[1:], strict=True))


def outputs(page: str) -> list[tuple[str, str]]:
    """Return the outputs of the cells in a page that marimo has exported, in order."""
    begin = page.index('"session": ') + len('"session": ')
    session, _ = json.JSONDecoder().raw_decode(page[begin:])
    found = []
    for cell in session["cells"]:
        (output,) = cell["outputs"]
        assert output["type"] == "data", output
        ((kind, content),) = output["data"].items()
        found.append((kind, content))
    return found


# One process runs these tests, so that marimo runs once.
@pytest.mark.slow
@pytest.mark.xdist_group("marimo")
@pytest.mark.parametrize("what", CELLS)
def test_marimo_shows_it(shown_by_marimo: dict[str, tuple[str, str]], what: str) -> None:
    kind, content = shown_by_marimo[what]
    assert kind == "text/html"
    if what in MADE:
        assert re.search("<table", content)
    else:
        text = html.unescape(re.sub("<[^>]*>", "", content))
        assert "cannot be shown in marimo" in text
        assert "run the cell" not in text
        assert re.search(r"use (client|rnb)\.", text)


# A terminal


def test_a_terminal_says_what_works_there(shared: rnb.Client) -> None:
    for widget in (rnb.explore(shared), rnb.login(), rnb.create_form(shared)):
        assert "cannot be shown in a terminal" in repr(widget)
        assert "run the cell" not in repr(widget)


@pytest.mark.parametrize("form", [rnb.create_form, rnb.update_form, rnb.delete_form])
def test_what_works_instead_is_code_that_there_is(
    shared: rnb.Client, form: Callable[[rnb.Client], Any]
) -> None:
    name = re.findall(r"client\.(\w+)\(", form(shared).instead)
    assert name
    assert all(callable(getattr(rnb.Client, method)) for method in name)


@pytest.mark.slow
def test_beneath_a_kernel_a_cell_is_run(
    shared: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "host", lambda: "notebook")
    assert repr(rnb.explore(shared)).endswith("sources; run the cell to use it")
    assert repr(rnb.create_form(shared)).endswith("; run the cell to use it")
    assert repr(rnb.login()) == "Login form, not logged in; run the cell to use it"


def test_markup_is_escaped_once() -> None:
    assert str(markup.join([markup.tag("b", "<i>")])) == "<b>&lt;i&gt;</b>"
