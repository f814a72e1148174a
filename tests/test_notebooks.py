"""The notebooks that are shipped run from top to bottom, in a real kernel, against a sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import reinfer_nb as rnb
from reinfer_nb import lab

NOTEBOOKS = lab.shipped_notebooks()
untyped: Any = nbformat


def test_there_are_notebooks() -> None:
    assert [notebook.name for notebook in NOTEBOOKS][:1] == ["01-quickstart.ipynb"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_runs(
    notebook: Path, client: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.sandbox is not None
    token = client.sandbox.tokens["admin"]
    monkeypatch.setenv("REINFER_ENDPOINT", client.endpoint)
    monkeypatch.setenv("REINFER_TOKEN", token)
    before = client.sandbox.sources()
    content = untyped.read(notebook, as_version=4)
    NotebookClient(content, timeout=120, resources={"metadata": {"path": tmp_path}}).execute()

    assert any(asked.path == "/api/v1/sources" for asked in client.sandbox.requests)
    assert token not in json.dumps(content)
    # What is configured may be somebody's production: running all cells changes nothing there.
    assert client.sandbox.sources().equals(before)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_is_shipped_without_outputs(notebook: Path) -> None:
    for cell in untyped.read(notebook, as_version=4).cells:
        assert not cell.get("outputs")
        assert not cell.get("execution_count")


def test_an_error_shows_itself_and_the_line_of_the_cell() -> None:
    code = "import reinfer_nb as rnb\n\nrnb.connect(endpoint='x', token='secret-token')"
    content = untyped.v4.new_notebook(cells=[untyped.v4.new_code_cell(code)])
    NotebookClient(content, timeout=60, allow_errors=True).execute()
    (output,) = content.cells[0].outputs
    assert output.output_type == "error"
    assert output.traceback == [
        (
            "InvalidInput: The endpoint 'x' does not begin with https://, such as "
            "https://cloud.uipath.com/<org>/<tenant>/reinfer_."
        ),
        "  in line 3 of the cell",
    ]
