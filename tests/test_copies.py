"""Changes to a returned value do not change the object that returned it."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reinfer_nb as rnb


class Made:
    """An object of each public class whose objects are shown to users."""

    def __init__(self, client: rnb.Client, folder: Path) -> None:
        # A project alone, since all that is shown is compared again and again.
        df = client.sources("claims")
        edited = df.iloc[12:].assign(title="t")
        self.broken = client.plan(df.assign(language="??"))
        self.deleting = client.plan(edited, delete_missing=True)
        self.rehearsal = self.deleting.rehearse(progress=False)
        few = client.plan(df.head(2).assign(title="few"))
        history = rnb.History(folder / "history")
        assert client.sandbox is not None
        self.objects: dict[str, Any] = {
            "audit": rnb.audit(df),
            "part of an audit": rnb.audit(df.drop(columns="title")).only(severity="warning"),
            "comparison": rnb.compare(df, edited),
            "renamed": rnb.compare(df, df.assign(name=df["name"] + "x")),
            "plan": self.deleting,
            "plan with problems": self.broken,
            "rehearsal": self.rehearsal,
            "result": few.apply(progress=False, journal=folder / "journal.jsonl"),
            "sandbox": client.sandbox,
            "client": client,
            "source": client.source("claims/motor-inbox"),
            "user": client.me(),
            "history": history,
            "snapshot": history.record(df),
            "explorer": rnb.explore(client),
        }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    with rnb.sandbox() as client:
        made = Made(client, tmp_path_factory.mktemp("unshared"))
        yield made
        made.objects["explorer"].close()


NAMES = [
    "audit", "part of an audit", "comparison", "renamed", "plan", "plan with problems",
    "rehearsal", "result", "sandbox", "client", "source", "user", "history", "snapshot", "explorer",
]  # fmt: skip
REPORTS = NAMES[:8]
# Attributes that users may change.
MEANT = {"sandbox.faults"}


def attributes_of(value: Any) -> dict[str, Any]:
    """Return the public attributes of an object; of a widget, those not of ipywidgets."""
    cls = type(value)
    if hasattr(value, "comm"):
        names = {"frame", "selected", "chosen", "search", "source"}
    else:
        names = {name for name in dir(cls) if isinstance(getattr(cls, name, None), property)}
        fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
        names |= {field.name for field in fields} or set(vars(value))
    return {name: getattr(value, name) for name in sorted(names) if not name.startswith("_")}


def methods_of(value: Any) -> dict[str, Any]:
    """Return the results of methods without arguments that return a frame or a dictionary."""
    calls = ("frame", "fixes", "mass_deletes", "snapshots", "changes", "sources", "projects")
    methods = [name for name in calls if inspect.ismethod(getattr(value, name, None))]
    return {f"{name}()": getattr(value, name)() for name in methods}


def spoil(value: Any) -> None:
    """Change a value in place in every possible way."""
    ways: list[Callable[[], object]] = []
    if isinstance(value, pd.DataFrame):
        ways = [
            lambda: value.attrs.update(endpoint="http://spoilt"),
            lambda: setattr(value.index, "name", "spoilt"),
            lambda: setattr(value.columns, "name", "spoilt"),
            lambda: value.insert(0, "spoilt", 1),
            lambda: value.__setitem__("owner", "spoilt"),
            lambda: value.drop(value.index, inplace=True),  # noqa: PD002
            lambda: value.drop(columns=value.columns, inplace=True),  # noqa: PD002
        ]
    elif isinstance(value, np.ndarray):
        ways = [lambda: value.fill(0), lambda: value.setflags(write=True), lambda: value.fill(0)]
    elif isinstance(value, MutableMapping):
        ways = [lambda: value.update(spoilt=0), value.clear]
    elif isinstance(value, list | set):
        ways = [value.clear]
    elif hasattr(value, "items"):
        ways = [lambda: value.__setitem__("spoilt", 0)]
    for way in ways:
        # An error is fine too.
        with contextlib.suppress(Exception):
            way()


def state_of(value: Any) -> dict[str, Any]:
    """Return everything that an object shows."""
    state = {name: described(part) for name, part in attributes_of(value).items()}
    state |= {name: described(part) for name, part in methods_of(value).items()}
    for method in ("to_text", "to_html"):
        if hasattr(value, method):
            state[method] = getattr(value, method)(limit=None)
    return state | {"repr": repr(value)}


def described(part: Any) -> Any:
    if isinstance(part, pd.DataFrame):
        names = (part.index.name, part.columns.name)
        return part.to_csv(), list(map(str, part.dtypes)), dict(part.attrs), names
    return repr(part)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_what_is_done_to_what_was_returned_changes_no_object(made: Made, name: str) -> None:
    value = made.objects[name]
    before = state_of(value)
    for part_name, part in {**attributes_of(value), **methods_of(value)}.items():
        if f"{name}.{part_name}" in MEANT:
            continue
        spoil(part)
        assert state_of(value) == before, part_name


@pytest.mark.slow
@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("way", ["copy", "deepcopy", "pickle"])
def test_copies_of_reports_say_the_same_and_share_nothing(made: Made, name: str, way: str) -> None:
    value = made.objects[name]
    before = state_of(value)
    ways: dict[str, Callable[[Any], Any]] = {
        "copy": copy.copy,
        "deepcopy": copy.deepcopy,
        "pickle": lambda it: pickle.loads(pickle.dumps(it)),  # noqa: S301
    }
    duplicate = ways[way](value)
    after = state_of(duplicate)
    for state in (after, clientless := dict(before)):
        # A pickle holds no client.
        state.pop("client", None)
        state.pop("result", None)
        state.pop("plan", None)
    assert after == clientless
    for part in attributes_of(duplicate).values():
        spoil(part)
    assert state_of(value) == before


@pytest.mark.slow
def test_problems_and_the_net_of_deletes_stay(made: Made) -> None:
    spoil(made.broken.problems)
    with pytest.raises(rnb.InvalidInput):
        made.broken.check()
    assert made.deleting.mass_deletes()
    with contextlib.suppress(Exception):
        made.deleting.sizes.update(dict.fromkeys(made.deleting.sizes, 10**6))  # type: ignore[attr-defined]
    with pytest.raises(rnb.InvalidInput, match="allow_mass_delete"):
        made.deleting.apply(progress=False)


def test_the_tokens_of_a_sandbox_go_on_working() -> None:
    with rnb.sandbox() as client:
        assert client.sandbox is not None
        client.sandbox.tokens.clear()
        assert len(client.sources(refresh=True)) == 130
        token = client.sandbox.tokens["viewer"]
        with rnb.connect(endpoint=client.endpoint, token=token) as viewer:
            assert viewer.me().username == "viewer"
