"""The shipped notebooks run from top to bottom, in a real kernel, against a sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import papermill  # type: ignore[import-untyped]
import pytest
from nbclient import NotebookClient

import reinfer_nb as rnb
from reinfer_nb.cli import lab
from tests.kernels import kernels

NOTEBOOKS = lab.shipped_notebooks()
untyped: Any = nbformat


def test_there_are_notebooks() -> None:
    assert [notebook.name for notebook in NOTEBOOKS][:1] == ["01-quickstart.ipynb"]


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_runs(
    notebook: Path, client: rnb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.sandbox is not None
    token = client.sandbox.tokens["admin"]
    monkeypatch.setenv("REINFER_ENDPOINT", client.endpoint)
    monkeypatch.setenv("REINFER_TOKEN", token)
    before = client.sandbox.sources()
    # Stricter than nbclient: papermill fails for an error that a tag of the cell allows.
    content = papermill.execute_notebook(
        notebook,
        tmp_path / "executed.ipynb",
        cwd=tmp_path,
        progress_bar=False,
        execution_timeout=120,
        config=kernels(),
    )

    assert any(asked.path == "/api/v1/sources" for asked in client.sandbox.requests)
    assert token not in json.dumps(content)
    # The configured tenant may be in production, so running all cells must not change it.
    assert client.sandbox.sources().equals(before)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_is_shipped_without_outputs(notebook: Path) -> None:
    for cell in untyped.read(notebook, as_version=4).cells:
        assert not cell.get("outputs")
        assert not cell.get("execution_count")


FORM = "import reinfer_nb as rnb\nrnb.update_form(source='claims/motor-inbox')"


@pytest.mark.slow
@pytest.mark.parametrize("by", ["nbclient", "papermill"])
@pytest.mark.parametrize("kept", [True, False], ids=["with state", "without"])
def test_what_is_kept_of_a_form_in_a_notebook_that_is_run_without_a_browser(
    configured: rnb.Client, tmp_path: Path, by: str, *, kept: bool
) -> None:
    assert configured.sandbox is not None
    content = untyped.v4.new_notebook(cells=[untyped.v4.new_code_cell(FORM)])
    content.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    if by == "nbclient":
        NotebookClient(content, timeout=120, store_widget_state=kept, config=kernels()).execute()
    else:
        nbformat.write(content, tmp_path / "form.ipynb")  # type: ignore[no-untyped-call]
        content = papermill.execute_notebook(
            tmp_path / "form.ipynb",
            tmp_path / "executed.ipynb",
            cwd=tmp_path,
            progress_bar=False,
            store_widget_state=kept,
            config=kernels(),
        )
    whole = json.dumps(content)
    title = configured.source("claims/motor-inbox").title
    assert title is not None
    assert title not in json.dumps(content.cells)
    # The runner decides whether to store widget state, as documented in `update_form`.
    assert (title in whole) is kept
    assert configured.sandbox.tokens["admin"] not in whole


@pytest.mark.slow
def test_an_error_shows_itself_and_the_line_of_the_cell() -> None:
    code = "import reinfer_nb as rnb\n\nrnb.connect(endpoint='x', token='secret-token')"
    content = untyped.v4.new_notebook(cells=[untyped.v4.new_code_cell(code)])
    NotebookClient(content, timeout=60, allow_errors=True, config=kernels()).execute()
    (output,) = content.cells[0].outputs
    assert output.output_type == "error"
    assert output.traceback == [
        (
            "InvalidInput: The endpoint 'x' does not begin with https://, such as "
            "https://cloud.uipath.com/<org>/<tenant>/reinfer_."
        ),
        "  in line 3 of the cell",
    ]
