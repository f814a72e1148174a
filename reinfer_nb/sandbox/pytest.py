"""Pytest fixtures to test notebooks and scripts on a practice tenant.

Enable them in `conftest.py` with `pytest_plugins = ["reinfer_nb.sandbox.pytest"]`:

- `reinfer_sandbox`: a new sandbox for each test. During the test, `rnb.connect()` connects to it,
  in this process and in child processes;
- `reinfer_client`: a client of the sandbox with all permissions;
- `reinfer_data`: the data of the sandbox; override this fixture to replace the sample company.

A login of this process is suspended during the test. `rnb.connect` with an endpoint or a context
connects there as usual.
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
    """The data of the sandbox: a listing, the path of a file, or None for the sample company."""
    return None


@pytest.fixture
def reinfer_sandbox(
    reinfer_data: pd.DataFrame | str | os.PathLike[str] | None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sandbox]:
    """A running sandbox, to which `rnb.connect()` connects."""
    login = logged_in()
    box = Sandbox(reinfer_data)
    with box:
        forget_login()
        monkeypatch.setenv(ENDPOINT, box.endpoint)
        monkeypatch.setenv(TOKEN, box.tokens["admin"])
        # A context would contradict the two variables above.
        monkeypatch.delenv(CONTEXT, raising=False)
        yield box
        forget_login()
        if login is not None:
            remember_login(login)


@pytest.fixture
def reinfer_client(reinfer_sandbox: Sandbox) -> Client:
    """A client of the sandbox with the admin's token."""
    return reinfer_sandbox.start()
