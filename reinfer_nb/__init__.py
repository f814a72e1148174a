"""The sources of a UiPath Communications Mining (Re:infer) tenant as DataFrames, in Jupyter.

    import reinfer_nb as rnb

    client = rnb.connect()      # or rnb.sandbox().start(), to practise
    df = client.sources()

All public names are in this module.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from reinfer_nb.api.conflicts import Conflict, Moved
from reinfer_nb.auth.tenant import contexts
from reinfer_nb.client import Client, connect
from reinfer_nb.errors import (
    AnswerError,
    AuthenticationError,
    ConfigurationError,
    ConnectionFailed,
    FileProblem,
    InDoubtWarning,
    InsecureWarning,
    InvalidInput,
    MovedWarning,
    NotCarriedOut,
    NotConfigured,
    NotFound,
    NotTakenWarning,
    PermissionDenied,
    ProtocolError,
    RateLimited,
    ReinferError,
    RestoredWarning,
    ServerError,
    Stopped,
    Timeout,
    UnreadableWarning,
    ValidationFailed,
)
from reinfer_nb.sandbox import Fault, Sandbox
from reinfer_nb.schema.records import Bucket, Project, Source, User

if TYPE_CHECKING:
    from reinfer_nb import charts
    from reinfer_nb.api.recreation import restore
    from reinfer_nb.audits.report import AuditReport, audit
    from reinfer_nb.audits.rule import Rule, audit_rule, audit_rules
    from reinfer_nb.csvfile.io import read_csv, to_csv
    from reinfer_nb.diff.comparison import Comparison, compare
    from reinfer_nb.history.history import History
    from reinfer_nb.history.snapshot_table import Snapshot
    from reinfer_nb.plans.plan import ApplyResult, Plan, Rehearsal, load_plan, resume
    from reinfer_nb.sandbox import sandbox
    from reinfer_nb.widgets import create_form, delete_form, explore, login, update_form

__all__ = [
    "AnswerError",
    "ApplyResult",
    "AuditReport",
    "AuthenticationError",
    "Bucket",
    "Client",
    "Comparison",
    "ConfigurationError",
    "Conflict",
    "ConnectionFailed",
    "Fault",
    "FileProblem",
    "History",
    "InDoubtWarning",
    "InsecureWarning",
    "InvalidInput",
    "Moved",
    "MovedWarning",
    "NotCarriedOut",
    "NotConfigured",
    "NotFound",
    "NotTakenWarning",
    "PermissionDenied",
    "Plan",
    "Project",
    "ProtocolError",
    "RateLimited",
    "Rehearsal",
    "ReinferError",
    "RestoredWarning",
    "Rule",
    "Sandbox",
    "ServerError",
    "Snapshot",
    "Source",
    "Stopped",
    "Timeout",
    "UnreadableWarning",
    "User",
    "ValidationFailed",
    "audit",
    "audit_rule",
    "audit_rules",
    "charts",
    "compare",
    "connect",
    "contexts",
    "create_form",
    "delete_form",
    "explore",
    "load_plan",
    "login",
    "read_csv",
    "restore",
    "resume",
    "sandbox",
    "to_csv",
    "update_form",
]


# Imported on first use.
_LATER = {
    "ApplyResult": "reinfer_nb.plans.plan",
    "AuditReport": "reinfer_nb.audits.report",
    "Comparison": "reinfer_nb.diff.comparison",
    "History": "reinfer_nb.history.history",
    "Plan": "reinfer_nb.plans.plan",
    "Rehearsal": "reinfer_nb.plans.plan",
    "Rule": "reinfer_nb.audits.rule",
    "Snapshot": "reinfer_nb.history.snapshot_table",
    "audit": "reinfer_nb.audits.report",
    "audit_rule": "reinfer_nb.audits.rule",
    "audit_rules": "reinfer_nb.audits.rule",
    "compare": "reinfer_nb.diff.comparison",
    "create_form": "reinfer_nb.widgets",
    "delete_form": "reinfer_nb.widgets",
    "explore": "reinfer_nb.widgets",
    "load_plan": "reinfer_nb.plans.plan",
    "login": "reinfer_nb.widgets",
    "read_csv": "reinfer_nb.csvfile.io",
    "restore": "reinfer_nb.api.recreation",
    "resume": "reinfer_nb.plans.plan",
    "to_csv": "reinfer_nb.csvfile.io",
    "update_form": "reinfer_nb.widgets",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return metadata.version("reinfer_nb")
    if name in _LATER:
        return globals().setdefault(name, getattr(import_module(_LATER[name]), name))
    if name == "charts":
        return import_module("reinfer_nb.charts")
    raise AttributeError(f"module 'reinfer_nb' has no attribute {name!r}")


def __dir__() -> list[str]:
    # Only public names, without imported modules.
    return sorted(__all__)
