"""Text from a tenant, field names included, is visible and inert wherever it is shown."""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets as ui
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import reinfer_nb as rnb
from reinfer_nb import errors
from reinfer_nb.search.table_filter import Narrowing
from reinfer_nb.text import visible
from reinfer_nb.widgets.forms.conflict import Conflict
from reinfer_nb.widgets.jobs import Jobs
from tests.commands import Commands
from tests.scripted import Asked, Scripted, Step, reply

# Characters of every kind that are invisible, or that move, colour or reorder text.
PLANTED = (
    "\x1b[31m\x07\x08\x7f\x9b5m\u202e\u2066\u200b\u200d\u200c\u200e\u061c\u00ad\u034f\u115f\u1160"
    "\u17b4\u180e\u3164\uffa0\ufeff\u2028\u2029\u2060\ufff9\ufe0f\U000e0041\U000e007f\U000e0100\r"
)
HIDDEN = {char for char in PLANTED if char not in "[315m"}
ID = "18ba5ce699f8da1f"
OTHER = "28ba5ce699f8da1f"


def nasty(what: str, half: str = "") -> str:
    return f"{what}{PLANTED}end{half}"


def element(key: str = ID, **fields: Any) -> dict[str, Any]:
    """Return a source with nasty text in every field."""
    return {
        "id": key,
        "owner": nasty("owner"),
        "name": nasty("name" + key),
        "title": nasty("title"),
        "description": nasty("description"),
        "language": nasty("language"),
        "_kind": nasty("kind"),
        "bucket_id": nasty("bucket"),
        "email_transform_tag": nasty("tag"),
        "sensitive_properties": [nasty("property")],
        "updated_at": nasty("date"),
        nasty("field"): nasty("value"),
        nasty("nested"): {nasty("key"): [nasty("item")]},
        **fields,
    }


USER = {
    "id": nasty("id"),
    "username": nasty("user"),
    "email": nasty("email"),
    "global_permissions": [nasty("permission")],
    "organisation_permissions": {nasty("project"): [nasty("permission")]},
    nasty("field"): nasty("value"),
}
PROJECT = {"id": nasty("id"), "name": nasty("project"), nasty("field"): nasty("value")}
REFUSED = {"status": "error", "message": nasty("refused")}


def tenant(asked: Asked) -> bytes:
    """Return the response of a tenant full of nasty texts."""
    if asked.path.endswith("/sources") and asked.method == "GET":
        plain = {"id": OTHER, "owner": "acme", "name": "plain", "title": "Plain"}
        return reply({"status": "ok", "sources": [element(), element(OTHER) | plain]})
    if "user" in asked.path:
        return reply({"status": "ok", "user": USER})
    if asked.path.endswith("/projects"):
        return reply({"status": "ok", "projects": [PROJECT]})
    if asked.method == "GET" and "sources/" in asked.path and "missing" not in asked.path:
        return reply({"status": "ok", "source": element(OTHER, owner="acme", name="plain")})
    return reply(REFUSED, 404 if asked.method == "GET" else 422)


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with Scripted(Step(tenant), repeat=True) as server:
        yield server.endpoint


@pytest.fixture
def client(served: str) -> Iterator[rnb.Client]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rnb.UnreadableWarning)
        with rnb.connect(endpoint=served, token="a-token") as made:
            yield made


def check(shown: str) -> None:
    """Check that an output has none of the planted characters."""
    assert sorted(ascii(char) for char in HIDDEN & set(shown)) == [], ascii(shown)
    shown.encode()


def check_all(shown: object) -> None:
    """Check every representation of a value."""
    check(repr(shown))
    check(str(shown))
    for name in ("_repr_html_", "to_text", "to_html"):
        if hasattr(shown, name):
            check(getattr(shown, name)())


def edited(df: pd.DataFrame) -> pd.DataFrame:
    """Return a listing with changes, creates and problems in nasty places."""
    df = df.copy()
    df.loc[1, "title"] = nasty("new title")
    return df


SHOWN: dict[str, Callable[[rnb.Client], object]] = {
    "source": lambda c: c.source("acme/plain"),
    "user": lambda c: c.me(),
    "project": lambda _: rnb.Project.from_wire(PROJECT),
    "bucket": lambda _: rnb.Bucket.from_wire(
        {"id": nasty("id"), "name": nasty("name"), "owner": nasty("o"), nasty("field"): 1}
    ),
    "comparison": lambda c: rnb.compare(
        pd.DataFrame({"id": [ID, OTHER], nasty("gone"): 1, nasty("both"): [nasty("a"), "b"]}),
        c.sources().assign(**{nasty("both"): [nasty("b"), "c"]}),
    ),
    "comparison of names": lambda c: rnb.compare(
        c.sources(), c.sources().rename(columns={nasty("field"): nasty("g")}), on=["owner", "name"]
    ),
    "comparison by a key of one's own": lambda c: rnb.compare(
        c.sources().iloc[:1].assign(**{nasty("key"): nasty("k1"), "title": nasty("t")}),
        c.sources().iloc[:1].assign(**{nasty("key"): nasty("k1")}),
        on=nasty("key"),
    ),
    "audit": lambda c: rnb.audit(c.sources()),
    "plan": lambda c: c.plan(edited(c.sources()), delete_missing=True),
    "plan with problems": lambda c: c.plan(c.sources().rename(columns={"title": nasty("titel")})),
    "plan with bad values": lambda c: c.plan(
        c.sources().assign(should_translate=nasty("x"), sensitive_properties=nasty("["))
    ),
    "result": lambda c: c.plan(edited(c.sources()).iloc[1:]).apply(progress=False),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", SHOWN)
def test_what_shows_itself_shows_it_visibly(client: rnb.Client, what: str) -> None:
    check_all(SHOWN[what](client))


RAISING: dict[str, Callable[[rnb.Client], object]] = {
    "not found": lambda c: c.source("acme/missing"),
    "refused": lambda c: c.update_source("acme/plain", title="x"),
    "a field that is none": lambda c: c.update_source(
        "acme/plain",
        **{nasty("titel"): "x"},  # type: ignore[arg-type]
    ),
    "a name that is none": lambda c: c.source(nasty("acme/x")),
    "a choice that is none": lambda c: c.update_source("acme/plain", language=nasty("en")),
    "a plan with problems": lambda c: c.plan(
        c.sources().assign(should_translate=nasty("x"))
    ).apply(),
    "compare on a column": lambda c: rnb.compare(c.sources(), c.sources(), on=nasty("key")),
    "compare twice": lambda c: rnb.compare(
        pd.concat([c.sources()] * 2), c.sources(), on=nasty("field")
    ),
    "chart by a column": lambda c: rnb.charts.projects(c.sources(), by=nasty("kind")),
    "chart without a column": lambda c: rnb.charts.timeline(c.sources()[[nasty("field")]]),
    "audit option": lambda c: rnb.audit(
        c.sources(),
        **{nasty("days"): 1},  # type: ignore[arg-type]
    ),
    "audit rule": lambda c: rnb.audit(c.sources(), rules=[nasty("rule")]),
    "search in a column": lambda c: Narrowing(c.sources()).sort_by(nasty("titel")),
    "facet": lambda c: Narrowing(c.sources()).narrow(chosen={nasty("owner"): "x"}),
    "choice of a facet": lambda c: Narrowing(c.sources()).narrow(chosen={"owner": nasty("x")}),
    "file": lambda _: rnb.read_csv(nasty("/nowhere/file")),
    "sandbox": lambda _: rnb.sandbox(data=pd.DataFrame({nasty("x"): [nasty("y")]})).start(),
    "token": lambda c: rnb.connect(endpoint=c.endpoint, token=nasty("token")),
    "context": lambda _: rnb.connect(context=nasty("context")),
    "endpoint": lambda _: rnb.connect(endpoint=nasty("https://x"), token="t"),
    "error of one's own": lambda _: (_ for _ in ()).throw(rnb.ReinferError(nasty("x"))),
    "error with an operating system's": lambda _: (_ for _ in ()).throw(
        rnb.FileProblem(nasty("x"))
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", RAISING)
def test_errors_show_it_visibly(client: rnb.Client, what: str) -> None:
    with pytest.raises(rnb.ReinferError) as caught:
        RAISING[what](client)
    error = caught.value
    check(str(error))
    check(repr(error))
    check("".join(error._render_traceback_()))
    check("".join(traceback.format_exception_only(error)))


@pytest.mark.filterwarnings("ignore::reinfer_nb.UnreadableWarning")
def test_half_a_character_can_be_printed() -> None:
    source = rnb.Source.from_wire(element(**{nasty("f", "\ud800"): nasty("v", "\ud800")}))
    check_all(source)
    check(str(rnb.ReinferError("\ud800")))


def test_warnings_show_it_visibly(served: str) -> None:
    with (
        rnb.connect(endpoint=served, token="a-token") as client,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        client.sources()
        client.source("acme/plain")
    assert len(caught) == 2
    for warning in caught:
        check(str(warning.message))


def test_any_warning_shows_it_visibly() -> None:
    with pytest.warns(rnb.MovedWarning) as caught:
        errors.warn("a\x1b[31m title", rnb.MovedWarning)
    assert "\x1b" not in str(caught[0].message)


def test_a_history_shows_it_visibly(client: rnb.Client, tmp_path: Path) -> None:
    history = rnb.History(tmp_path / nasty("history").replace("\r", ""))
    df = client.sources().drop(columns=nasty("nested"))
    check_all(history.record(df, when="2026-01-01"))
    check_all(history.record(df.assign(title=nasty("later")), when="2026-01-02"))
    check_all(history)
    check_all(history.compare("2026-01-01", "2026-01-02"))
    with pytest.raises(rnb.ReinferError) as caught:
        history.timeline(nasty("acme/x"))
    check(str(caught.value))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["projects", "timeline", "freshness", "findings"])
def test_charts_show_it_visibly(client: rnb.Client, kind: str) -> None:
    df = client.sources().assign(created_at=pd.Timestamp("2026-01-01", tz="UTC"))
    axes = Figure(figsize=(8, 5)).add_subplot()
    if kind == "findings":
        rnb.charts.findings(rnb.audit(df), ax=axes)
    elif kind == "projects":
        rnb.charts.projects(df, by=nasty("field"), ax=axes)
    else:
        getattr(rnb.charts, kind)(df, ax=axes)
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    for text in axes.figure.findobj(Text):
        check(text.get_text())


# Widgets


def shown_by(widget: ui.Widget) -> Iterator[str]:
    """Yield the texts of a widget and of all widgets in it that a browser shows."""
    state = widget.get_state()
    for name in ("value", "description", "tooltip", "label", "_options_labels"):
        text = state.get(name)
        # The value of an input is sent back unchanged.
        if name == "value" and not isinstance(widget, ui.HTML):
            continue
        yield from [text] if isinstance(text, str) else map(str, text or ())
    yield from map(str, state.get("titles") or ())
    if type(widget).__module__.startswith("reinfer_nb"):
        yield repr(widget)
    for child in getattr(widget, "children", ()):
        yield from shown_by(child)


def texts_of(content: Any) -> Iterator[str]:
    """Yield the texts of a message that the table shows; `key` is a column's internal name."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from () if name == "key" else texts_of(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from texts_of(value)
    elif isinstance(content, str):
        yield content


def wait(*jobs: Jobs) -> None:
    for job in jobs:
        job.wait()


@pytest.mark.slow
def test_the_explorer_shows_it_visibly(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    ex = rnb.explore(client)
    sent: list[Any] = []
    monkeypatch.setattr(ex.finder, "send", lambda content, *_: sent.append(content))
    ex.finder.restrict([0, 1], nasty("those"))
    ex.finder.search = "end"
    for message in sent:
        check("".join(texts_of(message)))
    assert any("rows" in message for message in sent)
    for source in (element(), element(owner="acme", name="plain")):
        for pane in range(4):
            ex.details.tabs.selected_index = pane
            ex.details.show(rnb.Source.from_wire(source))
            for text in shown_by(ex):
                check(text)
    for number in range(len(ex.tabs.children)):
        ex.tabs.selected_index = number
        for text in shown_by(ex):
            check(text)
    ex.statistics.click()
    wait(ex.jobs)
    for text in shown_by(ex):
        check(text)


@pytest.mark.filterwarnings("ignore::reinfer_nb.UnreadableWarning")
def test_a_conflict_shows_it_visibly() -> None:
    base = rnb.Source.from_wire(element(owner="acme", name="plain"))
    theirs = rnb.Source.from_wire(
        element(owner="acme", name="plain", title=nasty("t"), **{nasty("field"): nasty("w")})
    )
    moved = rnb.Moved(nasty("moved"), base, theirs)
    pane = Conflict(moved, {"title": nasty("mine")}, lambda _: None)
    for text in shown_by(pane):
        check(text)


# The command line


def run(commands: Commands, *arguments: str, code: int) -> str:
    """Run a command line, check what it prints, and return its output."""
    ended, *printed = commands.run(*arguments)
    out, err = (part.decode("utf-8", "surrogatepass") for part in printed)
    assert ended == code, err
    check(out)
    check(err)
    return out


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks processes")
def test_the_command_line_shows_it_visibly(
    client: rnb.Client, served: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    df = client.sources()
    old = df.rename(columns={nasty("field"): nasty("old field")}).assign(title="Old")
    rnb.to_csv(old, tmp_path / "old.csv")
    rnb.to_csv(edited(df), tmp_path / "edited.csv")
    rnb.to_csv(df.rename(columns={"title": nasty("titel")}), tmp_path / "wrong.csv")
    environment = {
        "REINFER_ENDPOINT": served,
        "REINFER_TOKEN": "a-token",
        "PYTHONIOENCODING": "utf-8",
    }
    with Commands(environment, tmp_path, tmp_path_factory.mktemp("output")) as commands:
        assert "owner" in run(commands, "list", code=0)
        run(commands, "list", "--json", code=0)
        assert "field" in run(commands, "compare", "old.csv", code=1)
        run(commands, "compare", "old.csv", "--format", "html", code=1)
        run(commands, "compare", "old.csv", "--on", nasty("key"), code=2)
        run(commands, "audit", code=1)
        run(commands, "audit", "--option", nasty("days=1"), code=2)
        run(commands, "plan", "wrong.csv", code=0)
        run(commands, "plan", "edited.csv", code=0)
        run(commands, "record", nasty("audits"), code=0)
        run(commands, "list", "--csv", nasty("file") + ".csv", code=0)


# Invisible characters that scripts and emoji need


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f469\u200d\U0001f4bb",  # an emoji of two
        "\u2764\ufe0f\u200d\U0001f525",  # one with a selector
        "\U0001f468\U0001f3fd\u200d\U0001f692",  # one with the colour of a skin
        "1\ufe0f\u20e3",  # a key
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian
        "\u0915\u094d\u200d\u0937",  # Hindi
        "\u845b\U000e0100\u57ce",  # a Japanese name
        "\u0661\u0600\u0662",  # a sign of numbers, which is seen
        "\u05d0\u05d1 \u0e20\u0e32\u0e29\u0e32 \u4fdd\u967a a\u0301",
    ],
)
def test_what_a_script_needs_stays(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    "text", ["a\u200db", "a\ufe0f", "\u845b\U000e0100\U000e0100", "\U0001f600\u200da", "\u200d"]
)
def test_elsewhere_it_is_seen(text: str) -> None:
    assert visible(text) != text
    assert visible(visible(text)) == visible(text)


@pytest.mark.parametrize("char", sorted(HIDDEN))
def test_each_hidden_character_is_seen(char: str) -> None:
    assert visible(f"a{char}b") == f"a{ascii(char)[1:-1]}b"
