"""The sources of a UiPath Communications Mining (Re:infer) tenant as DataFrames, in Jupyter.

    import reinfer_nb as rnb

    client = rnb.connect()      # or rnb.sandbox().start(), to practise
    df = client.sources()

All public names are in this module.
"""

from __future__ import annotations

from importlib import import_module

from reinfer_nb.constants import VERSION

# The module `typing` takes 2 ms to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from reinfer_nb import charts
    from reinfer_nb.api.conflicts import Conflict, Moved
    from reinfer_nb.api.recreation import restore
    from reinfer_nb.audits.report import AuditReport, audit
    from reinfer_nb.audits.rule import Rule, audit_rule
    from reinfer_nb.audits.rule_table import audit_rules
    from reinfer_nb.auth.tenant import contexts
    from reinfer_nb.client import Client, connect
    from reinfer_nb.comments.archive_file import Archive
    from reinfer_nb.comments.comment import Comment
    from reinfer_nb.comments.io import read_archive
    from reinfer_nb.csvfile.io import read_csv, to_csv
    from reinfer_nb.diff.comparison import Comparison, compare
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
    from reinfer_nb.excelfile.io import read_excel, to_excel
    from reinfer_nb.history.history import History
    from reinfer_nb.plans.plan import ApplyResult, Plan, Rehearsal
    from reinfer_nb.plans.saved import load_plan, resume
    from reinfer_nb.sandbox import Fault, Sandbox, sandbox
    from reinfer_nb.schema.records import Bucket, Project, Source, User
    from reinfer_nb.snapshots.snapshot_table import Snapshot
    from reinfer_nb.widgets import create_form, delete_form, explore, login, update_form

__version__ = VERSION

__all__ = [
    "AnswerError",
    "ApplyResult",
    "Archive",
    "AuditReport",
    "AuthenticationError",
    "Bucket",
    "Client",
    "Comment",
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
    "read_archive",
    "read_csv",
    "read_excel",
    "restore",
    "resume",
    "sandbox",
    "to_csv",
    "to_excel",
    "update_form",
]


# The module of each name. It is imported when the name is first used.
_MODULES = {
    "AnswerError": "reinfer_nb.errors",
    "ApplyResult": "reinfer_nb.plans.plan",
    "Archive": "reinfer_nb.comments.archive_file",
    "AuditReport": "reinfer_nb.audits.report",
    "AuthenticationError": "reinfer_nb.errors",
    "Bucket": "reinfer_nb.schema.records",
    "Client": "reinfer_nb.client",
    "Comment": "reinfer_nb.comments.comment",
    "Comparison": "reinfer_nb.diff.comparison",
    "ConfigurationError": "reinfer_nb.errors",
    "Conflict": "reinfer_nb.api.conflicts",
    "ConnectionFailed": "reinfer_nb.errors",
    "Fault": "reinfer_nb.sandbox",
    "FileProblem": "reinfer_nb.errors",
    "History": "reinfer_nb.history.history",
    "InDoubtWarning": "reinfer_nb.errors",
    "InsecureWarning": "reinfer_nb.errors",
    "InvalidInput": "reinfer_nb.errors",
    "Moved": "reinfer_nb.api.conflicts",
    "MovedWarning": "reinfer_nb.errors",
    "NotCarriedOut": "reinfer_nb.errors",
    "NotConfigured": "reinfer_nb.errors",
    "NotFound": "reinfer_nb.errors",
    "NotTakenWarning": "reinfer_nb.errors",
    "PermissionDenied": "reinfer_nb.errors",
    "Plan": "reinfer_nb.plans.plan",
    "Project": "reinfer_nb.schema.records",
    "ProtocolError": "reinfer_nb.errors",
    "RateLimited": "reinfer_nb.errors",
    "Rehearsal": "reinfer_nb.plans.plan",
    "ReinferError": "reinfer_nb.errors",
    "RestoredWarning": "reinfer_nb.errors",
    "Rule": "reinfer_nb.audits.rule",
    "Sandbox": "reinfer_nb.sandbox",
    "ServerError": "reinfer_nb.errors",
    "Snapshot": "reinfer_nb.snapshots.snapshot_table",
    "Source": "reinfer_nb.schema.records",
    "Stopped": "reinfer_nb.errors",
    "Timeout": "reinfer_nb.errors",
    "UnreadableWarning": "reinfer_nb.errors",
    "User": "reinfer_nb.schema.records",
    "ValidationFailed": "reinfer_nb.errors",
    "audit": "reinfer_nb.audits.report",
    "audit_rule": "reinfer_nb.audits.rule",
    "audit_rules": "reinfer_nb.audits.rule_table",
    "compare": "reinfer_nb.diff.comparison",
    "connect": "reinfer_nb.client",
    "contexts": "reinfer_nb.auth.tenant",
    "create_form": "reinfer_nb.widgets",
    "delete_form": "reinfer_nb.widgets",
    "explore": "reinfer_nb.widgets",
    "load_plan": "reinfer_nb.plans.saved",
    "login": "reinfer_nb.widgets",
    "read_archive": "reinfer_nb.comments.io",
    "read_csv": "reinfer_nb.csvfile.io",
    "read_excel": "reinfer_nb.excelfile.io",
    "restore": "reinfer_nb.api.recreation",
    "resume": "reinfer_nb.plans.saved",
    "to_csv": "reinfer_nb.csvfile.io",
    "to_excel": "reinfer_nb.excelfile.io",
    "update_form": "reinfer_nb.widgets",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return globals().setdefault(name, getattr(import_module(_MODULES[name]), name))
    if name in ("charts", "sandbox"):
        return import_module(f"reinfer_nb.{name}")
    raise AttributeError(f"module 'reinfer_nb' has no attribute {name!r}")


def __dir__() -> list[str]:
    # Only public names, without imported modules.
    return sorted(__all__)
