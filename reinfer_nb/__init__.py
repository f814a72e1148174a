"""The sources of a UiPath Communications Mining (Re:infer) tenant as DataFrames, in Jupyter.

    import reinfer_nb as rnb

    client = rnb.connect()      # or rnb.sandbox().start(), to practise
    df = client.sources()

Everything public is named here.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from reinfer_nb.client import Client
from reinfer_nb.config import contexts
from reinfer_nb.connection import connect
from reinfer_nb.errors import (
    AnswerError,
    AuthenticationError,
    ConfigurationError,
    Conflict,
    ConnectionFailed,
    FileProblem,
    InsecureWarning,
    InvalidInput,
    NotFound,
    PermissionDenied,
    ProtocolError,
    RateLimited,
    ReinferError,
    ServerError,
    Timeout,
    UnreadableWarning,
    ValidationFailed,
)
from reinfer_nb.models import Bucket, Project, Source, User
from reinfer_nb.sandbox import Sandbox, sandbox

if TYPE_CHECKING:
    from reinfer_nb.export import read_csv, to_csv

__all__ = [
    "AnswerError",
    "AuthenticationError",
    "Bucket",
    "Client",
    "ConfigurationError",
    "Conflict",
    "ConnectionFailed",
    "FileProblem",
    "InsecureWarning",
    "InvalidInput",
    "NotFound",
    "PermissionDenied",
    "Project",
    "ProtocolError",
    "RateLimited",
    "ReinferError",
    "Sandbox",
    "ServerError",
    "Source",
    "Timeout",
    "UnreadableWarning",
    "User",
    "ValidationFailed",
    "connect",
    "contexts",
    "read_csv",
    "sandbox",
    "to_csv",
]


# Imported when first used.
_LATER = {"read_csv": "reinfer_nb.export", "to_csv": "reinfer_nb.export"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return metadata.version("reinfer_nb")
    if name in _LATER:
        return globals().setdefault(name, getattr(import_module(_LATER[name]), name))
    raise AttributeError(f"module 'reinfer_nb' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
