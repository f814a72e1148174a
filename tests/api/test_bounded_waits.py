"""Waits for a process that does not react are bounded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reinfer_nb.cli import lab
from tests import waiting


def test_a_jupyterlab_that_ignores_sigterm_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ready, processes = tmp_path / "ready", []
    real: Any = subprocess.Popen

    class Interrupted(real):  # type: ignore[misc]
        """A process whose first wait ends with an error."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            processes.append(self)
            self.waits = 0

        def wait(self, timeout: float | None = None) -> int:
            self.waits += 1
            if self.waits == 1:
                waiting.until(ready.exists)
                raise OSError("no more of that")
            code: int = super().wait(timeout)
            return code

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    monkeypatch.setattr(lab, "_END_TIMEOUT", 0.2)
    code = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
    )
    with pytest.raises(OSError, match="no more of that"):
        lab._run([sys.executable, "-c", code, str(ready)], dict(os.environ))
    assert processes[0].returncode == -9
