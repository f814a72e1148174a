"""The sandbox: a practice tenant on this machine, over SQLite, with sample data and a client.

For first steps, tests and rehearsals. The client works as with a real tenant.
"""

from __future__ import annotations

import inspect
import os
import sys
import types
from collections.abc import Iterable, Mapping

import pandas as pd

from reinfer_nb.api.client import DEFAULT_TTL
from reinfer_nb.client import Sandbox
from reinfer_nb.constants import LOOPBACK
from reinfer_nb.frames.frame_cache import checked_ttl
from reinfer_nb.server.active_faults import Faults
from reinfer_nb.server.faults import Fault

__all__ = ["LOOPBACK", "Fault", "Faults", "Sandbox", "sandbox"]


def sandbox(
    data: pd.DataFrame | str | os.PathLike[str] | None = None,
    *,
    database: str | os.PathLike[str] | None = None,
    tokens: Mapping[str, str] | None = None,
    new_tokens: bool = False,
    faults: Fault | Iterable[Fault] | None = (),
    host: str = LOOPBACK,
    port: int = 0,
    cache_ttl: float = DEFAULT_TTL,
) -> Sandbox:
    """Return a practice tenant; use it as a context manager or call `start`.

    >>> with sandbox() as client:
    ...     len(client.sources())
    130

    By default it serves only this machine, and keeps its data in memory.

    Args:
        data: Sources to fill it with, with their ids and timestamps: a listing, or the path of a
            CSV or Excel file or a history, as for `audit`. By default the sample company: four
            projects, 130
            sources, eight years, with the flaws of real tenants. A name or id that no request can
            have is taken, with a warning.
        database: File for the data. An existing sandbox in it is opened. Acknowledged writes
            survive a kill of the process.
        tokens: Tokens by user name, such as `{"admin": "..."}`, in place of random ones.
        new_tokens: Revoke the tokens that the database file has so far; those in
            `Sandbox.tokens` replace them.
        faults: Faults to inject, see `Fault`; `Sandbox.faults` changes them while it runs.
        host: Address to listen on. With an address other than loopback, other machines have
            access, and tokens travel unencrypted.
        port: TCP port; 0 for any free one.
        cache_ttl: As for `connect`, for the client of the `with` statement.

    The tokens of the first start with a database file still work after a restart. The file
    has only their hashes, so note them from `Sandbox.tokens` or the output of the command
    line. The tokens of a later start work until its end.

    Raises:
        InvalidInput: An argument is invalid. At the start: `data` has an id or a name twice, the
            database has sources of its own, or `tokens` has an unknown user.
        ConfigurationError: At the start: the extra "sandbox" is not installed, this machine does
            not have the address `host`, or the port is taken.
        FileProblem: At the start: the database is not a sandbox's, or another sandbox has it
            open. The file is not changed.
    """
    box = Sandbox(
        data,
        database=database,
        tokens=tokens,
        new_tokens=new_tokens,
        faults=faults,
        host=host,
        port=port,
    )
    box.cache_ttl = checked_ttl(cache_ttl)
    return box


class _CallableModule(types.ModuleType):
    """This module as `rnb.sandbox`: a call of the module is a call of its function `sandbox`."""

    __call__ = staticmethod(sandbox)
    __signature__ = inspect.signature(sandbox)


sys.modules[__name__].__class__ = _CallableModule
