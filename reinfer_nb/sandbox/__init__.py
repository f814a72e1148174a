"""A tenant in a box: the API served on this machine, over SQLite, with sample data.

For first steps, for tests and for rehearsals: the client does not know the difference. The parts
below know nothing of the client; this module puts them and a client together.
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
from reinfer_nb.server.active_faults import Faults
from reinfer_nb.server.faults import Fault
from reinfer_nb.server.practice_tenant import LOOPBACK

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
    """Return a tenant in a box, to be used in a `with` statement or started with `start`.

    >>> with sandbox() as client:
    ...     len(client.sources())
    130

    It listens on this machine only unless told otherwise, and lasts only with a database file.

    Args:
        data: Sources to fill it with, ids and timestamps kept: a listing, or the path of a CSV
            that `to_csv` wrote. By default the sample company: four projects, 130 sources, eight
            years, with the flaws that real tenants have. Names and ids that no request can
            ask for are kept, with a warning.
        database: File to keep it in. One that holds a sandbox already is opened as it is. What
            was acknowledged is on the disk, whatever happens to the process.
        tokens: Tokens of your own by user, such as `{"admin": "..."}`, in place of made-up ones.
        new_tokens: End the tokens that a database file has had so far; those in `Sandbox.tokens`
            take their place.
        faults: What goes wrong, see `Fault`; `Sandbox.faults` changes it while it runs.
        host: Address to listen on. Others than loopback ones let other machines in, tokens and
            all travelling in the clear.
        port: TCP port; 0 for any that is free.
        cache_ttl: As for `connect`, of the client that `with` gives.

    The tokens of the first start with a database file go on working after a restart. The file
    holds only their hashes, so note them: `Sandbox.tokens`, or what the command line prints. The
    tokens that a later start makes are valid until it ends.

    Raises:
        InvalidInput: An argument cannot be what it should be. When it is started: `data` has the
            same id or name twice, the database has sources of its own, or `tokens` names no user.
        ConfigurationError: When it is started: the extra "sandbox" is not installed, the host is
            none of this machine's, or the port is taken.
        FileProblem: When it is started: the database is not a sandbox's, or is open in another
            one; it is left as it is.
    """
    return Sandbox(
        data,
        database=database,
        tokens=tokens,
        new_tokens=new_tokens,
        faults=faults,
        host=host,
        port=port,
        cache_ttl=cache_ttl,
    )


class _CallableModule(types.ModuleType):
    """This module as `rnb.sandbox`: a call of the module is a call of its function `sandbox`."""

    __call__ = staticmethod(sandbox)
    __signature__ = inspect.signature(sandbox)


sys.modules[__name__].__class__ = _CallableModule
