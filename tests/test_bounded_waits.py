"""Nothing waits without end for somebody who has left, or who does not react."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reinfer_nb import lab
from reinfer_nb.concurrency import Lanes
from tests import waiting


def entered(lanes: Lanes) -> bool:
    """Whether another thread gets a lane."""
    inside = threading.Event()

    def enter() -> None:
        with lanes:
            inside.set()

    threading.Thread(target=enter, daemon=True).start()
    return inside.wait(10)


def enter(lanes: Lanes) -> None:
    with lanes:
        pytest.fail("the lane is taken")


def come_back(lanes: Lanes) -> None:
    # There is no lane for one who comes back, as long as two others have them.
    with lanes:
        lanes.again()
        pytest.fail("the lane is taken")


@pytest.mark.parametrize(("wait", "others"), [(enter, 1), (come_back, 2)])
def test_ctrl_c_in_a_queue_for_a_lane_lets_those_behind_go_on(
    wait: Callable[[Lanes], None], others: int
) -> None:
    lanes, free, inside = Lanes(others), threading.Event(), threading.Semaphore(0)
    if wait is come_back:
        lanes = Lanes(3)

    def hold() -> None:
        with lanes:
            inside.release()
            free.wait(waiting.AGES)

    threads = [threading.Thread(target=hold, daemon=True) for _ in range(others)]
    for thread in threads:
        thread.start()
        assert inside.acquire(timeout=waiting.AGES)
    queues = (lanes._new, lanes._back)
    with pytest.raises(KeyboardInterrupt), waiting.ctrl_c_once(lambda: any(map(len, queues))):
        wait(lanes)
    free.set()
    for thread in threads:
        thread.join(waiting.AGES)
    assert entered(lanes)
    assert lanes._busy == 0
    assert not any(map(len, queues))


def test_a_jupyterlab_that_does_not_end_is_ended(
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
    monkeypatch.setattr(lab, "_ENDING", 0.2)
    code = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
    )
    with pytest.raises(OSError, match="no more of that"):
        lab._until_closed([sys.executable, "-c", code, str(ready)], dict(os.environ))
    assert processes[0].returncode == -9
