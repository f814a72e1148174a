"""The settings of the tests' kernels."""

from __future__ import annotations

import sys
import tempfile
import uuid

from traitlets.config import Config

# Jupyter chooses ports that are free, and the kernel opens them later: a parallel test may have
# taken one by then. Windows has no other transport.
TRANSPORT = "tcp" if sys.platform == "win32" else "ipc"


def kernels() -> Config:
    """Return the settings of a notebook client, with sockets that no other kernel has."""
    if TRANSPORT == "tcp":
        return Config()
    place = f"{tempfile.gettempdir()}/kernel-{uuid.uuid4().hex[:12]}"
    return Config({"KernelManager": {"transport": TRANSPORT, "ip": place}})
