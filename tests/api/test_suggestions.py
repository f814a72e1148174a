"""Misspelt projects and sources: the message ends with a similar name that the token may see."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import reinfer_nb as rnb
from reinfer_nb import Fault, cli
from reinfer_nb.text import nearest_source
from tests.scripted import Asked, Scripted, Step, reply

Call = Callable[[rnb.Client], object]
MISSPELT: dict[str, tuple[Call, str]] = {
    "sources": (lambda c: c.sources("clams"), "claims"),
    "sources, a list": (lambda c: c.sources(["people", "clams"]), "claims"),
    "sources, another case": (lambda c: c.sources("Claims"), "claims"),
    "source": (lambda c: c.source("claims/motor-inbx"), "claims/motor-inbox"),
    "source, both parts": (lambda c: c.source("clams/motor-inbx"), "claims/motor-inbox"),
    "statistics": (lambda c: c.statistics("clams", progress=False), "claims"),
    "statistics, a source": (
        lambda c: c.statistics("claims/motor-inbx", progress=False),
        "claims/motor-inbox",
    ),
    "statistics, a list": (
        lambda c: c.statistics(["people", "claims/motor-inbx"], progress=False),
        "claims/motor-inbox",
    ),
    "count_comments": (lambda c: c.count_comments("claims/motor-inbx"), "claims/motor-inbox"),
    "update_source": (
        lambda c: c.update_source("claims/motor-inbx", title="x"),
        "claims/motor-inbox",
    ),
    "delete_source": (lambda c: c.delete_source("claims/motor-inbx"), "claims/motor-inbox"),
    "create_source": (lambda c: c.create_source("clams/travel"), "claims/travel"),
    "recreate_source": (
        lambda c: c.recreate_source(rnb.Source(id="0" * 16, owner="clams", name="travel")),
        "claims/travel",
    ),
    "plan": (lambda c: c.plan(c.sources("claims"), project="clams"), "claims"),
    "update_form": (lambda c: rnb.update_form(c, "claims/motor-inbx"), "claims/motor-inbox"),
    "delete_form": (lambda c: rnb.delete_form(c, "claims/motor-inbx"), "claims/motor-inbox"),
}


@pytest.mark.parametrize("known", ["nothing", "the tenant", "the project"])
@pytest.mark.parametrize("name", MISSPELT)
def test_a_misspelt_name_gets_a_suggestion(shared: rnb.Client, name: str, known: str) -> None:
    call, wanted = MISSPELT[name]
    assert shared.sandbox is not None
    with rnb.connect(endpoint=shared.endpoint, token=shared.sandbox.tokens["admin"]) as client:
        if known == "the tenant":
            client.sources()
        elif known == "the project":
            client.sources("claims")
        with pytest.raises(rnb.NotFound) as caught:
            call(client)
    message = str(caught.value)
    assert message.endswith(f". Did you mean {wanted}?")
    # The tenant's response comes first, unchanged.
    assert ": 404" in message
    assert caught.value.status == 404
    assert caught.value.server_message


INVALID: dict[str, tuple[Call, str]] = {
    "source, without its project": (lambda c: c.source("payroll-inbox"), "people/payroll-inbox"),
    "source, spaces": (lambda c: c.source("claims/motor-inbox!"), "claims/motor-inbox"),
    "sources, a space": (lambda c: c.sources("claims "), "claims"),
    "sources, a full name": (lambda c: c.sources("claims/motor-inbox"), "claims"),
    "sources, a list": (lambda c: c.sources(["people", "claims "]), "claims"),
    "statistics": (lambda c: c.statistics(["claims/motor-inbox!"]), "claims/motor-inbox"),
    "count_comments": (lambda c: c.count_comments("claims/motor-inbox!"), "claims/motor-inbox"),
    "update_source": (
        lambda c: c.update_source("claims/motor-inbox!", title="x"),
        "claims/motor-inbox",
    ),
    "delete_source": (lambda c: c.delete_source("claims/motor-inbox!"), "claims/motor-inbox"),
    "create_source": (lambda c: c.create_source("claims /travel"), "claims/travel"),
}


@pytest.mark.parametrize("projects", [[None], ["people", "claims"]], ids=["tenant", "projects"])
@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_name_gets_a_suggestion_without_a_request(
    shared: rnb.Client, name: str, projects: list[str | None]
) -> None:
    call, wanted = INVALID[name]
    box = shared.sandbox
    assert box is not None
    with rnb.connect(endpoint=shared.endpoint, token=box.tokens["admin"]) as client:
        before = len(box.requests)
        with pytest.raises(rnb.InvalidInput) as without:
            call(client)
        assert len(box.requests) == before
        assert "Did you mean" not in str(without.value)
        for project in projects:
            client.sources(project)
        before = len(box.requests)
        with pytest.raises(rnb.InvalidInput) as caught:
            call(client)
        assert len(box.requests) == before
    assert str(caught.value) == f"{without.value} Did you mean {wanted}?"


def test_a_wrong_setting_gets_no_suggestion_of_a_name(client: rnb.Client) -> None:
    client.sources()
    for name in ("claims/motor-inbox", "claims/motor-inbx"):
        with pytest.raises(rnb.InvalidInput) as caught:
            client.update_source(name, langauge="de")  # type: ignore[call-arg]
        assert str(caught.value).endswith("Did you mean 'language'?")


@pytest.mark.parametrize(
    "which", ["claims/nothing-like-it", "zzz/motor-inbox", "claims/motor-inbox", "0" * 16]
)
def test_without_a_similar_name_there_is_no_suggestion(client: rnb.Client, which: str) -> None:
    gone = client.source("claims/motor-inbox")
    # Another client deletes the source, so that this one has it in its cache.
    client.sources()
    assert client.sandbox is not None
    token = client.sandbox.tokens["admin"]
    with rnb.connect(endpoint=client.endpoint, token=token) as other:
        other.delete_source(gone)
    with pytest.raises(rnb.NotFound) as caught:
        client.source(which)
    assert "Did you mean" not in str(caught.value) or which == "claims/motor-inbox"
    assert "Did you mean claims/motor-inbox?" not in str(caught.value)


def test_an_error_about_something_else_gets_no_suggestion(
    client: rnb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.sources()

    def fail(*_: object) -> None:
        raise rnb.InvalidInput("The token is not valid.")

    monkeypatch.setattr(client.calls, "get", fail)
    with pytest.raises(rnb.InvalidInput) as caught:
        client.source("claims/motor-inbx")
    assert str(caught.value) == "The token is not valid."


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a/motor-inbx", "a/motor-inbox"),
        ("motor-inbox", None),  # two projects have it
        ("payroll", "b/payroll"),
        ("payrol", None),
        ("a/zzz", None),
        ("claims/payroll", None),
        ("", None),
        ("/", None),
    ],
)
def test_the_nearest_source(given: str, wanted: str | None) -> None:
    names = ["a/motor-inbox", "b/motor-inbox", "b/payroll"]
    assert nearest_source(given, names) == wanted


def test_a_suggestion_is_a_name_that_the_token_may_see(client: rnb.Client) -> None:
    assert client.sandbox is not None
    client.sandbox.add_user("clerk", organisation_permissions={"people": ["sources-read"]})
    client.sources()
    token = client.sandbox.tokens["clerk"]
    with rnb.connect(endpoint=client.endpoint, token=token) as clerk:
        for call in (
            lambda: clerk.sources("clams"),
            lambda: clerk.source("claims/motor-inbx"),
            lambda: clerk.source("clams/motor-inbox"),
            lambda: clerk.statistics("clams"),
        ):
            with pytest.raises(rnb.NotFound) as caught:
                call()
            assert "Did you mean" not in str(caught.value)
        with pytest.raises(rnb.NotFound, match=r"Did you mean people\?"):
            clerk.sources("peple")


OUTAGES = {
    "503": Fault.answer(503),
    "429": Fault.answer(429, retry_after=60),
    "403": Fault.answer(403),
    "dropped": Fault.drop(),
}


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("on", ["list_projects", "list_sources_of_project"])
def test_a_suggestion_that_fails_changes_nothing_else(
    client: rnb.Client, on: str, outage: str
) -> None:
    box = client.sandbox
    assert box is not None
    before = len(box.requests)
    with (
        box.faults.add(replace(OUTAGES[outage], on=(on,))),
        pytest.raises(rnb.NotFound) as caught,
    ):
        client.source("clams/motor-inbx")
    assert ": 404" in str(caught.value)
    assert "Did you mean" not in str(caught.value)
    # One look, and at most one attempt for each of the two listings.
    assert len(box.requests) - before <= 3


def test_what_a_listing_holds_cannot_break_the_message() -> None:
    def respond(asked: Asked) -> bytes:
        if asked.path.endswith("/projects"):
            names: list[object] = [None, 5, "a\x1b[31mcme", "acme "]
            return reply({"status": "ok", "projects": [{"name": name} for name in names]})
        return reply({"status": "error", "message": "404 Not Found"}, 404)

    with (
        warnings.catch_warnings(),
        Scripted(Step(respond), repeat=True) as server,
        rnb.connect(endpoint=server.endpoint, token="some-token") as client,
    ):
        # A warning that is an error does not replace the response of the tenant either.
        warnings.simplefilter("error")
        with pytest.raises(rnb.NotFound) as caught:
            client.sources("acme")
    assert str(caught.value).isprintable()


def test_counting_many_sources_requests_no_suggestions(client: rnb.Client) -> None:
    box = client.sandbox
    assert box is not None
    listing = client.sources("claims").head(4).assign(name=["motor-inbx", "a", "b", "bad name"])
    before = len(box.requests)
    with (
        # Nothing is cached, so that a suggestion would take a request.
        rnb.connect(endpoint=client.endpoint, token=box.tokens["admin"], cache_ttl=0) as other,
        pytest.warns(rnb.UnreadableWarning, match="4 sources could not be counted"),
    ):
        other.statistics(listing, progress=False)
    assert [one.method for one in box.requests[before:]] == ["POST"] * 3


def test_a_source_to_create_in_an_unknown_project_is_a_problem_with_a_suggestion(
    client: rnb.Client,
) -> None:
    row = client.sources("claims").head(1).assign(id=None, owner="clams", name="new")
    problems = client.plan(row[["owner", "name", "title"]]).problems
    assert problems["reason"].iloc[0].endswith("Did you mean claims?")


def test_restoring_into_an_unknown_project_gets_a_suggestion(
    client: rnb.Client, tmp_path: Path
) -> None:
    gone = client.delete_source("claims/motor-inbox", restore_file=tmp_path / "gone.json")
    text = (tmp_path / "gone.json").read_text()
    (tmp_path / "gone.json").write_text(text.replace('"claims"', '"clams"'))
    with pytest.raises(rnb.NotFound, match=rf"Did you mean claims/{gone.name}\?$"):
        rnb.restore(client, tmp_path / "gone.json")


@pytest.fixture
def _configured(client: rnb.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.sandbox is not None
    monkeypatch.setenv("REINFER_ENDPOINT", client.endpoint)
    monkeypatch.setenv("REINFER_TOKEN", client.sandbox.tokens["admin"])


@pytest.mark.usefixtures("_configured")
@pytest.mark.parametrize(
    "command", [["list", "--project", "clams"], ["audit", "--project", "clams"]]
)
def test_the_command_line_shows_the_suggestion(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(command) == 2
    assert capsys.readouterr().err.replace("'", "").endswith("Did you mean claims?\n")
