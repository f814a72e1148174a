"""Fixtures for other people's tests: their notebooks and scripts on a tenant in a box.

One line in `conftest.py` brings them, `pytest_plugins = ["reinfer_nb.sandbox.pytest"]`:

- `reinfer_sandbox`: the handle of a sandbox of the test's own, to which `rnb.connect()` leads
  while the test runs, in this process and in those that it starts;
- `reinfer_client`: a client of it that may do everything;
- `reinfer_data`: what it is filled with; a fixture of that name in a test module replaces the
  sample company.

A login of this process is set aside meanwhile. What names a tenant itself, `rnb.connect` with an
endpoint or a context, goes where it says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pandas as pd
import pytest

from reinfer_nb.auth.tenant import CONTEXT, ENDPOINT, TOKEN, forget_login, logged_in, remember_login
from reinfer_nb.client import Client
from reinfer_nb.sandbox import Sandbox


@pytest.fixture
def reinfer_data() -> pd.DataFrame | str | os.PathLike[str] | None:
    """What the sandbox is filled with: a listing, the path of a CSV, or None for the sample."""
    return None


@pytest.fixture
def reinfer_sandbox(
    reinfer_data: pd.DataFrame | str | os.PathLike[str] | None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sandbox]:
    """The handle of a running sandbox, to which `rnb.connect()` leads."""
    login = logged_in()
    box = Sandbox(reinfer_data)
    with box:
        forget_login()
        monkeypatch.setenv(ENDPOINT, box.endpoint)
        monkeypatch.setenv(TOKEN, box.tokens["admin"])
        # It would be contradicted by the two above.
        monkeypatch.delenv(CONTEXT, raising=False)
        yield box
        forget_login()
        if login is not None:
            remember_login(login)


@pytest.fixture
def reinfer_client(reinfer_sandbox: Sandbox) -> Client:
    """A client of the sandbox with the admin's token."""
    return reinfer_sandbox.start()
