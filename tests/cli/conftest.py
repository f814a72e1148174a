"""Fixtures for the tests of the command line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forked_cli import ForkedCli


@pytest.fixture(scope="session")
def forked() -> Iterator[list[str]]:
    """A faster equivalent of `python -m reinfer_nb.cli`."""
    # The path of a folder of pytest may be too long for a socket.
    with tempfile.TemporaryDirectory() as folder, ForkedCli(Path(folder)) as cli:
        yield cli.command
