"""The README's Python blocks run in order, in one notebook with a real kernel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import reinfer_nb as rnb
from tests.kernels import kernels

README = Path(__file__).parent.parent / "README.md"
untyped: Any = nbformat


@pytest.mark.slow
def test_the_python_of_the_readme_runs_in_one_notebook(
    configured: rnb.Client, tmp_path: Path
) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    notebook = untyped.v4.new_notebook(cells=[untyped.v4.new_code_cell(block) for block in blocks])
    # The first error ends the run.
    resources = {"metadata": {"path": tmp_path}}
    NotebookClient(notebook, timeout=120, resources=resources, config=kernels()).execute()
    assert [cell.source for cell in notebook.cells if cell.execution_count is None] == []
    assert configured.sandbox is not None
    assert {request.method for request in configured.sandbox.requests} >= {"PUT", "POST", "DELETE"}
    assert (tmp_path / "sources.csv").exists()
