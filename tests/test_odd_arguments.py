"""Every public function accepts an odd argument or raises an error of the toolkit.

Public functions and methods are found by inspection. Each parameter gets each odd value in turn,
with valid arguments for the other parameters.
"""

from __future__ import annotations

import inspect
import io
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib import pyplot as plt

import reinfer_nb as rnb
from reinfer_nb.errors import ReinferError
from reinfer_nb.schema import endpoints

# Odd values for any parameter. Each is created anew, since reading uses some of them up.
ODD: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "5": lambda: 5,
    "-1": lambda: -1,
    "10**400": lambda: 10**400,
    "2**63": lambda: 2**63,
    "nan": lambda: float("nan"),
    "NUL": lambda: "a\0b",
    "half a character": lambda: "\ud800",
    "bytes": lambda: b"x",
    "object": object,
    "list": list,
    "list of numbers": lambda: [1, None],
    "dict": dict,
    "BytesIO": io.BytesIO,
    "StringIO": io.StringIO,
    "two levels": lambda: pd.DataFrame(
        [[1, 2]], columns=pd.MultiIndex.from_tuples([("id", "a"), ("owner", "b")])
    ),
    "a column twice": lambda: pd.DataFrame([["0" * 16, "b"]], columns=["id", "id"]),
    "half a listing": lambda: pd.DataFrame({"id": ["0" * 16], "title": [object()]}),
    "numpy number": lambda: np.int64(5),
    "array": lambda: np.array(["a", "b"]),
    "NA": lambda: pd.NA,
    "polars": lambda: pl.DataFrame({"id": ["a"]}),
}
# Classes whose objects are returned by functions, not created by users.
RETURNED = (
    rnb.ApplyResult,
    rnb.Archive,
    rnb.AuditReport,
    rnb.Bucket,
    rnb.Client,
    rnb.Comment,
    rnb.Comparison,
    rnb.Plan,
    rnb.Project,
    rnb.Rehearsal,
    rnb.Rule,
    rnb.Snapshot,
    rnb.Source,
    rnb.User,
)


class Tenant:
    """A small tenant, and valid arguments of the public functions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = 0
        rows = [
            {"id": f"{number:016x}", "owner": "lab", "name": f"s{number}", "title": "t"}
            for number in range(2)
        ]
        self.box = rnb.sandbox(pd.DataFrame(rows))
        self.client = self.box.start()
        self.box.add_user("somebody")
        df = self.client.sources()
        source, plan = self.client.source("lab/s0"), self.client.plan(df)
        # The only step was carried out already, so the plan can be applied many times.
        done = self.client.plan(df.assign(title=["a", "t"]))
        result = done.apply(progress=False, journal=self.path())
        df = self.client.sources()
        history = rnb.History(self.path())
        history.record(df)
        history.record(df.head(1))
        fault = rnb.Fault(kind="wait", seconds=0.0)
        comment = {"id": "c", "timestamp": "2026-01-01T00:00:00Z", "messages": []}
        body = {"comments": [{**comment, "messages": [{"body": {"text": "x"}}]}]}
        self.client._transport.send(endpoints.SYNC, body=body, project="lab", name="s0").envelope()
        archive = self.client.archive("lab/s0", self.path("jsonl"), progress=False)
        # An object of each class whose methods have parameters.
        self.objects: dict[type, Any] = {
            rnb.ApplyResult: result,
            rnb.Archive: archive,
            rnb.Comment: rnb.Comment.from_wire(comment),
            rnb.AuditReport: rnb.audit(df),
            rnb.Client: self.client,
            rnb.Comparison: rnb.compare(df, df.iloc[1:]),
            rnb.Fault: fault,
            rnb.History: history,
            rnb.Plan: done,
            rnb.Rehearsal: plan.rehearse(progress=False),
            rnb.Sandbox: self.box,
            rnb.Source: source,
            rnb.User: self.client.me(),
        }
        csv, saved = rnb.to_csv(df, self.path()), plan.save(self.path())
        workbook = rnb.to_excel(df, self.path("xlsx"))
        restore_file, journal = self.path(), self.path()
        self.client.delete_source(self.client.create_source("lab/gone"), restore_file=restore_file)
        plan.apply(progress=False, journal=journal)
        # Valid arguments, by parameter or by function and parameter. A function creates an argument
        # that can be used only once.
        self.valid: dict[str, Any] = {
            **dict.fromkeys(("df", "edited", "before", "after"), df),
            "client": self.client,
            "which": "lab/s0",
            "full_name": lambda: f"lab/n{self.count()}",
            "where": self.path,
            "path": self.path,
            "progress": False,
            "History.compare before": "2100-01-01",
            "History.compare after": None,
            "History.timeline source": "lab/s0",
            "Plan.apply journal": self.path,
            "Plan.apply archive": self.path,
            "Client.archive path": lambda: self.path("jsonl"),
            "Client.delete_source archive": lambda: self.path("jsonl"),
            "Client.upload archive": archive.path,
            "Client.upload confirm": 1,
            "Client.upload journal": self.path,
            "Client.comment comment_id": "c",
            "read_archive path": archive.path,
            "restore archive": None,
            "restore confirm": None,
            "resume journal": journal,
            "restore path": restore_file,
            "load_plan path": saved,
            "read_csv path": csv,
            "read_excel path": workbook,
            "read_excel sheet": "sources",
            "to_excel path": lambda: self.path("xlsx"),
            "Client.recreate_source source": source,
            "Client.delete_source which": lambda: self.client.create_source(f"lab/d{self.count()}"),
            "charts.changes changes": history.changes(),
            "charts.findings report": rnb.audit(df),
            "Fault kind": "wait",
            "Fault.answer status": 500,
            "Fault.wait seconds": 0.0,
            "Fault.is_undone_by last": fault,
            "User.may permission": "sources-read",
            "User.may project": "lab",
            "from_wire data": source.to_wire(),
            "Sandbox.add_bucket bucket_id": "0" * 16,
            "project": "lab",
            "Sandbox.add_project name": lambda: f"p{self.count()}",
            "Sandbox.add_user name": lambda: f"u{self.count()}",
            "Sandbox.permit name": "somebody",
            "connect endpoint": self.client.endpoint,
            "connect token": self.box.tokens["admin"],
        }

    def count(self) -> int:
        self.number += 1
        return self.number

    def path(self, ending: str = "csv") -> str:
        return str(self.folder / f"{self.count()}.{ending}")

    def argument(self, function: str, parameter: str) -> Any:
        """Return a valid argument for a parameter."""
        names = (f"{function} {parameter}", f"{function.rpartition('.')[2]} {parameter}", parameter)
        name = next((name for name in names if name in self.valid), None)
        assert name is not None, f"add to Tenant.valid an argument {parameter} of {function}"
        value = self.valid[name]
        return value() if inspect.isfunction(value) or inspect.ismethod(value) else value

    def bound(self, function: str) -> Callable[..., Any]:
        """Return a function by its public name; a method is bound to an object of its class."""
        holder, _, name = function.rpartition(".")
        if not holder:
            return getattr(rnb, name)  # type: ignore[no-any-return]
        parent = getattr(rnb, holder)
        if inspect.isclass(parent) and inspect.isfunction(getattr(parent, name)):
            assert parent in self.objects, f"add a {holder} to Tenant.objects"
            parent = self.objects[parent]
        return getattr(parent, name)  # type: ignore[no-any-return]


def public_callables() -> Iterator[str]:
    """Yield the names of public functions, methods, and classes that users instantiate."""
    for name in rnb.__all__:
        value = getattr(rnb, name)
        if inspect.isclass(value):
            if issubclass(value, BaseException):
                continue
            if value not in RETURNED:
                yield name
            members = inspect.getmembers(value, inspect.isroutine)
        elif inspect.ismodule(value):
            functions = inspect.getmembers(value, inspect.isfunction)
            members = [item for item in functions if item[1].__module__ == value.__name__]
        else:
            yield name
            continue
        yield from (f"{name}.{member}" for member, _ in members if not member.startswith("_"))


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters by name, including the keywords of `**settings`."""
    parameters = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD:
            parameters[name] = parameter
            continue
        hint = typing.get_type_hints(function)[name]
        fields = typing.get_type_hints(typing.get_args(hint)[0]) if typing.get_args(hint) else []
        keyword = inspect.Parameter.KEYWORD_ONLY
        for field in [*fields, "unknown"]:
            parameters[field] = inspect.Parameter(field, keyword, default=None)
    code = getattr(function, "__code__", None)
    if code is not None and code.co_flags & inspect.CO_VARKEYWORDS:
        # Signatures that show the settings do not show that others are checked.
        parameters["unknown"] = inspect.Parameter(
            "unknown", inspect.Parameter.KEYWORD_ONLY, default=None
        )
    return parameters


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    tenant = Tenant(tmp_path_factory.mktemp("odd"))
    yield tenant
    tenant.box.stop()


@pytest.mark.slow
@pytest.mark.parametrize("name", list(public_callables()))
@pytest.mark.filterwarnings("ignore")
def test_odd_arguments_work_or_are_refused_by_us(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    # Files with default names are written here.
    monkeypatch.chdir(tmp_path)
    function = tenant.bound(name)
    parameters = parameters_of(function)
    problems = []
    for odd_name in parameters:
        for label, make in ODD.items():
            positional, named = [], {}
            for parameter in parameters.values():
                if parameter.name == odd_name:
                    value = make()
                elif parameter.default is parameter.empty or parameter.name in (
                    "client",
                    "progress",
                ):
                    value = tenant.argument(name, parameter.name)
                else:
                    continue
                if parameter.kind is parameter.POSITIONAL_ONLY:
                    positional.append(value)
                else:
                    named[parameter.name] = value
            problem = problem_of(function, positional, named)
            if problem:
                problems.append(f"{odd_name} is {label}: {problem}")
    assert not problems, "\n".join(problems)


@pytest.mark.slow
def test_a_parameter_of_which_no_valid_argument_is_known_fails(tenant: Tenant) -> None:
    with pytest.raises(AssertionError, match=r"Tenant\.valid an argument colour of explore"):
        tenant.argument("explore", "colour")


def problem_of(function: Callable[..., Any], positional: list[Any], named: dict[str, Any]) -> str:
    """Return an empty text if a call works or raises a `ReinferError`; otherwise the problem."""
    try:
        close(function(*positional, **named))
    except ReinferError as error:
        message = str(error)
        is_fine = 15 <= len(message) <= 2000 and "\x00" not in message
        return "" if is_fine else f"the message {message!r}"
    except Exception as error:  # noqa: BLE001 - any other error is a fault
        return f"{type(error).__name__}: {str(error)[:150]}"
    finally:
        plt.close("all")
    return ""


def close(result: Any) -> None:
    """Use a result as a user would, then close it."""
    if isinstance(result, rnb.Sandbox):
        with result as client:
            client.sources()
    elif hasattr(result, "close") and not isinstance(result, pd.DataFrame):
        result.close()
    else:
        repr(result)
