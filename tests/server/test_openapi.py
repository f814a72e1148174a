"""The OpenAPI document of the sandbox and its page: correct, complete and readable."""

from __future__ import annotations

import copy
import functools
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from html.parser import HTMLParser
from typing import Annotated, Any

import hypothesis
import jsonschema  # type: ignore[import-untyped]
import pytest
import requests
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode, Response
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.parameters import ParameterLocation
from starlette.routing import Route

import reinfer_nb as rnb
from reinfer_nb.schema import endpoints, records
from reinfer_nb.schema.endpoints import Call
from reinfer_nb.schema.fields import About, Field, fields_of
from reinfer_nb.server import app, docs_page, openapi
from reinfer_nb.server.routes import SERVED
from tests.conftest import SLOW_EXAMPLES, Tally
from tests.server.test_practice_tenant import Plain, box_of, is_error
from tests.waiting import AGES

Json = dict[str, Any]
Case = schemathesis.Case[Any]
CALLS = [call for call in vars(endpoints).values() if isinstance(call, Call)]
# `tests/failures/test_sandbox.py` asks these operations as this module asks the others.
SOURCE_CALLS = [
    endpoints.LIST,
    endpoints.LIST_PROJECT,
    endpoints.GET,
    endpoints.GET_BY_ID,
    endpoints.CREATE,
    endpoints.UPDATE,
    endpoints.DELETE,
    endpoints.STATISTICS,
]
OPEN = ["/openapi.json", "/docs"]
BASES = ["", "/org/tenant/reinfer_"]
# Fields that the vendor's client requires, by object.
NEEDED = {
    "Source": (
        "id owner name title description language should_translate created_at updated_at _kind"
    ),
    "Project": "id name title description created_at updated_at",
    "Bucket": "id name owner created_at",
    "User": (
        "id username email created global_permissions organisation_permissions "
        "sso_global_permissions verified"
    ),
    "Statistics": "num_comments",
    "Comment": "id uid timestamp messages created_at",
    "Error": "status message",
}
# JSON types by the Python type of a field.
TYPES = {
    "str": "string",
    "bool": "boolean",
    "int": "integer",
    "tuple[str, ...]": "array",
    "datetime": "string",
    "Mapping[str, tuple[str, ...]]": "object",
}


def named(call: Call) -> str:
    return call.id


@pytest.fixture(scope="module")
def lasting() -> Iterator[rnb.Client]:
    """A client of a shared sandbox, for tests that may write and do not depend on each other."""
    with rnb.sandbox() as made:
        yield made


@pytest.fixture(scope="module")
def document(lasting: rnb.Client) -> Json:
    """The document as it is served."""
    answer = requests.get(lasting.endpoint + "/openapi.json", timeout=AGES)
    assert answer.status_code == 200
    served: Json = answer.json()
    return served


def operation_of(document: Json, call: Call) -> Json:
    operation: Json = document["paths"][call.path][call.method.lower()]
    return operation


def schema_of(document: Json, call: Call, status: int = 200) -> Json:
    """Return the schema of a response, with all referenced schemas."""
    answer = operation_of(document, call)["responses"][str(status)]
    schema: Json = answer["content"]["application/json"]["schema"]
    return {**schema, "components": document["components"]}


def check(value: Any, schema: Json) -> None:
    """Raise if a value does not match a schema."""
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    assert "date-time" in checker.checkers
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(value)


def inside(value: Any) -> Iterator[Any]:
    """Yield a JSON value and all values in it."""
    yield value
    for inner in value.values() if isinstance(value, dict) else ():
        yield from inside(inner)
    for inner in value if isinstance(value, list) else ():
        yield from inside(inner)


# The document


@pytest.mark.slow
def test_it_is_valid_openapi(document: Json) -> None:
    assert document["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(document).validate()
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    spoilt = copy.deepcopy(document)
    del spoilt["info"]["title"]
    with pytest.raises(Exception, match="title"):
        schemathesis.openapi.from_dict(spoilt).validate()
    spoilt = copy.deepcopy(document)
    spoilt["paths"]["/auth/user"]["get"]["parameters"] = {}
    with pytest.raises(Exception, match="array"):
        schemathesis.openapi.from_dict(spoilt).validate()


def test_what_it_refers_to_is_in_it(document: Json) -> None:
    objects = [one for one in inside(document) if isinstance(one, dict)]
    references = {one["$ref"] for one in objects if isinstance(one.get("$ref"), str)}
    there = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references == there
    tags = {tag["name"] for tag in document["tags"]}
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert {tag for one in operations for tag in one["tags"]} == tags
    for path, methods in document["paths"].items():
        for operation in methods.values():
            parts = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
            assert parts == re.findall(r"\{(\w+)\}", path)


def test_every_operation_is_in_it_and_no_other(document: Json) -> None:
    documented = {
        (operation["operationId"], method.upper(), path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert documented == {(call.id, call.method, call.path) for call in CALLS}
    assert len(CALLS) == len({call.id for call in CALLS}) == 28
    for call in CALLS:
        operation = operation_of(document, call)
        assert call.does.lower() in operation["summary"].lower()
        assert call.permission in operation["description"]


def test_every_route_is_in_it(lasting: rnb.Client, document: Json) -> None:
    store = box_of(lasting)._running().store
    built: Any = app.build(store, {}, *[None] * 3)  # type: ignore[arg-type]
    routes = [route for route in built._app.routes if isinstance(route, Route)]
    assert len(routes) == len(built._app.routes)
    served = {
        (route.path.replace(":path}", "}"), method)
        for route in routes
        if route.path not in OPEN
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert served == {
        (path, method.upper()) for path, methods in document["paths"].items() for method in methods
    }


@pytest.mark.parametrize("field", fields_of(rnb.Source), ids=lambda field: field.wire)
def test_every_field_of_a_source_is_in_it(document: Json, field: Field) -> None:
    schemas = document["components"]["schemas"]
    about = field.about
    described = schemas["Source"]["properties"][field.wire]
    assert described["description"] == about.help
    assert "enum" not in described
    # A response may hold values that no request may, such as a future language, but no null.
    check_type(field, described, nullable=False)
    for name, may in (("NewSource", about.create), ("SourceChanges", about.update)):
        schema = schemas[name]["properties"].get(field.wire)
        assert (schema is not None) == may
        if schema is None:
            continue
        check_type(field, schema, nullable=about.nullable)
        assert schema["description"].startswith(about.help)
        for value, meaning in (about.allowed or {}).items():
            assert f"{value}: {meaning}" in schema["description"]
        closed = about.allowed is not None and not about.open
        assert schema.get("enum") == (list(about.allowed or {}) if closed else None)
        if name == "NewSource" and about.default is not None:
            default = schema["default"]
            assert (tuple(default) if isinstance(default, list) else default) == about.default
        else:
            assert "default" not in schema


def check_type(field: Field, schema: Json, *, nullable: bool) -> None:
    hint = rnb.Source.__annotations__[field.name]
    python = re.match(r"Annotated\[(.+?)( \| None)?, About", re.sub(r"\s+", " ", hint))
    assert python is not None, hint
    expected = TYPES[python[1].strip()]
    assert schema["type"] == ([expected, "null"] if nullable else expected)
    assert (schema.get("format") == "date-time") == (python[1] == "datetime")


def test_the_least_of_an_answer_is_what_the_vendor_s_client_needs(document: Json) -> None:
    schemas = document["components"]["schemas"]
    for name, needed in NEEDED.items():
        assert set(needed.split()) <= set(schemas[name]["required"]), name
    # These two are optional.
    assert not {"bucket_id", "email_transform_tag"} & set(schemas["Source"]["required"])


@dataclass(frozen=True, kw_only=True, repr=False)
class Source(rnb.Source):
    """A source of a future version."""

    weight: Annotated[
        int | None, About("How heavy it is.", wire="_weight", create=True, default=7)
    ] = None
    colour: Annotated[
        str | None,
        About("Its colour.", update=True, nullable=True, allowed={"red": "hot", "blue": "cold"}),
    ] = None
    weighed_at: Annotated[datetime | None, About("When it was weighed.")] = None


def test_a_new_field_of_the_definition_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = openapi.document()["components"]["schemas"]
    served = []
    for one in SERVED:
        sent = one.sent
        if sent is not None and sent.model is rnb.Source:
            sent = type(sent)(sent.key, sent.operation, Source, sent.beside)
        served.append(type(one)(**{**vars(one), "sent": sent}))
    monkeypatch.setattr(openapi, "SERVED", tuple(served))
    monkeypatch.setattr(records, "Source", Source)
    schemas = openapi.document()["components"]["schemas"]
    added = {
        (name, field): schema
        for name, whole in schemas.items()
        for field, schema in whole["properties"].items()
        if field not in before[name]["properties"]
    }
    number = {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1}
    assert added == {
        ("Source", "_weight"): {**number, "description": "How heavy it is."},
        ("Source", "colour"): {"type": "string", "description": "Its colour."},
        ("Source", "weighed_at"): {
            "type": "string",
            "format": "date-time",
            "description": "When it was weighed.",
        },
        ("NewSource", "_weight"): {**number, "description": "How heavy it is.", "default": 7},
        ("SourceChanges", "colour"): {
            "type": ["string", "null"],
            "description": "Its colour. red: hot; blue: cold.",
            "enum": ["red", "blue"],
        },
    }
    assert "_weight" in docs_page.page(openapi.document())


@pytest.mark.slow
@pytest.mark.parametrize("path", OPEN)
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("authorization", [None, "Bearer unknown", "Basic x"])
def test_nobody_needs_a_token_for_it(
    lasting: rnb.Client, base: str, path: str, authorization: str | None
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = requests.get(lasting.endpoint + base + path, headers=headers, timeout=AGES)
    assert answer.status_code == 200
    assert answer.content == requests.get(lasting.endpoint + path, timeout=AGES).content
    kind = "application/json" if path == OPEN[0] else "text/html; charset=utf-8"
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["Server-Timing"].startswith("total;dur=")
    foreign = requests.get(
        lasting.endpoint + base + path, headers={"Host": "evil.example"}, timeout=10
    )
    assert is_error(foreign, 400)
    assert is_error(requests.post(lasting.endpoint + base + path, timeout=AGES), 405)


@pytest.mark.parametrize("path", OPEN)
def test_it_tells_nothing_of_the_tenant(lasting: rnb.Client, path: str) -> None:
    lasting.create_source("claims/a-source-of-ours", title="A source of ours")
    text = requests.get(lasting.endpoint + path, timeout=AGES).text
    sources, projects, buckets = lasting.sources(), lasting.projects(), lasting.buckets()
    titles = sources["title"][sources["title"].str.len() > 4]
    texts = [*sources["id"], *titles, "a-source-of-ours", *projects["id"], *buckets["id"]]
    texts += [*projects["description"], *box_of(lasting).tokens.values(), lasting.me().id]
    assert len(texts) > 250
    assert [secret for secret in texts if secret in text] == []
    lasting.delete_source("claims/a-source-of-ours")


# Responses checked against the document

COMMENTS = "/api/_private/sources/claims/motor-inbox/comments"
# The query of the requests that need one.
QUERIES = {"delete_project": "?force=true", "delete_comments": "?id={comment}&id=c/1"}
COMMENT = {
    "id": "c/1",
    "timestamp": "2026-03-01T09:00:00Z",
    "messages": [{"body": {"text": "x"}, "to": ["a"]}],
    "user_properties": {"string:Team": "x", "number:Score": 4.5},
}
SOME: dict[str, tuple[dict[str, str], Any]] = {
    "list_sources": ({}, None),
    "list_sources_of_project": ({"project": "claims"}, None),
    "get_source": ({"project": "claims", "name": "motor-inbox"}, None),
    "get_source_by_id": ({"id": "{source}"}, None),
    "create_source": (
        {"project": "claims", "name": "new"},
        {"source": {"title": "New", "bucket_id": "{bucket}"}},
    ),
    "update_source": (
        {"project": "claims", "name": "motor-inbox"},
        {"source": {"language": "xlm", "bucket_id": None, "_kind": "new"}},
    ),
    "delete_source": ({"id": "{source}"}, None),
    "get_statistics": ({"project": "claims", "name": "motor-inbox"}, {"comment_filter": {}}),
    "list_comments": ({"project": "claims", "name": "motor-inbox"}, None),
    "get_comment": ({"project": "claims", "name": "motor-inbox", "comment": "{comment}"}, None),
    "sync_comments": ({"project": "claims", "name": "motor-inbox"}, {"comments": [COMMENT]}),
    "create_comments": ({"project": "claims", "name": "motor-inbox"}, {"comments": [COMMENT]}),
    "delete_comments": ({"project": "claims", "name": "motor-inbox"}, None),
    "list_projects": ({}, None),
    "get_project": ({"project": "claims"}, None),
    "create_project": ({"project": "new"}, {"project": {"title": "x"}, "user_ids": ["{user}"]}),
    "update_project": ({"project": "claims"}, {"project": {"description": "x"}}),
    "delete_project": ({"project": "people"}, None),
    "list_buckets": ({}, None),
    "get_bucket": ({"project": "{bucket_owner}", "name": "{bucket_name}"}, None),
    "get_bucket_by_id": ({"id": "{bucket}"}, None),
    "create_bucket": (
        {"project": "claims", "name": "new"},
        {"bucket": {"bucket_type": "emails", "title": "x"}},
    ),
    "delete_bucket": ({"id": "{new_bucket}"}, None),
    "get_current_user": ({}, None),
    "refresh_user_permissions": ({}, {}),
    "list_users": ({}, None),
    "get_user": ({"id": "{user}"}, None),
    "update_user": (
        {"id": "{user}"},
        {"user": {"organisation_permissions": {"claims": ["sources-read"]}}},
    ),
}


def filled(value: Any, names: Mapping[str, str]) -> Any:
    """Return a JSON value with its placeholders in braces filled in."""
    if isinstance(value, dict):
        return {key: filled(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, names) for inner in value]
    return value.format(**names) if isinstance(value, str) else value


@pytest.fixture
def plain(client: rnb.Client) -> Iterator[Plain]:
    made = Plain(client)
    with made.session:
        yield made


@pytest.fixture
def names(client: rnb.Client, plain: Plain) -> dict[str, str]:
    return names_of(client, plain)


def names_of(client: rnb.Client, plain: Plain) -> dict[str, str]:
    """Return ids and names in the sample data, by placeholder."""
    bucket = client.buckets().iloc[0]
    new = plain("PUT", "/api/_private/buckets/claims/unused", json={"bucket": {}}).json()
    user = plain("GET", "/api/_private/users").json()["users"][1]
    assert user["username"] == "viewer"
    page = plain("GET", f"{COMMENTS}?limit=1").json()
    return {
        "comment": page["comments"][0]["id"],
        "continuation": page["continuation"],
        "source": client.source("claims/motor-inbox").id,
        "bucket": bucket["id"],
        "bucket_owner": bucket["owner"],
        "bucket_name": bucket["name"],
        "new_bucket": new["bucket"]["id"],
        "user": user["id"],
    }


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS, ids=named)
def test_an_answer_is_as_it_says(
    plain: Plain, names: dict[str, str], document: Json, call: Call
) -> None:
    parts, body = (filled(value, names) for value in SOME[call.id])
    query = filled(QUERIES.get(call.id, ""), names)
    if body is not None:
        content = operation_of(document, call)["requestBody"]["content"]["application/json"]
        check(body, {**content["schema"], "components": document["components"]})
    answer = plain(call.method, call.at(**parts) + query, json=body)
    assert answer.status_code == 200
    schema = schema_of(document, call)
    check(answer.json(), schema)
    # The schema says more than "an object".
    for spoilt in lacking(answer.json()):
        with pytest.raises(jsonschema.ValidationError):
            check(spoilt, schema)


def lacking(answer: Json) -> Iterator[Json]:
    """Yield copies of a response, each without a required field, or with null in its place."""
    # The last page has no continuation.
    for key in set(answer) - {"continuation"}:
        yield {name: value for name, value in answer.items() if name != key}
    # The response to an upload has several counts, and no object.
    key = [*(name for name in answer if name != "status"), ""][0]
    held = answer.get(key)
    one: Any = held[0] if isinstance(held, list) else held
    model = "Statistics" if key == "statistics" else key.removesuffix("s").title()
    for name in NEEDED.get(model, "").split():
        for spoilt in ({**one, name: None}, {k: v for k, v in one.items() if k != name}):
            yield {**answer, key: [spoilt, *held[1:]] if isinstance(held, list) else spoilt}
    for status in ("error", None):
        yield {**answer, "status": status}


# Generated requests, by schemathesis

# The names in a path: existing, new in an existing project, or generated. The first example has the
# first of them, and so succeeds.
WHERE = st.sampled_from(["there", "placed", "generated"])
EXAMPLES = 8
# A comment has so many fields that it takes half a second to make one up.
EXAMPLES_OF_COMMENTS = 3
MANY_FIELDS = ("create_comments", "sync_comments")


class Asking:
    """Sends generated requests to an operation, and runs all checks on the responses.

    Args:
        client: A client of a sandbox that no other test uses.
        plain: Raw requests to the same sandbox.
        operation_id: The operation.

    Attributes:
        asked: The number of requests.
        done: The number of responses with a 2xx status.
    """

    def __init__(
        self, client: rnb.Client, plain: Plain, names: Mapping[str, str], call: Call
    ) -> None:
        self.plain = plain
        self.names = names
        self.call = call
        self.base = client.endpoint
        self.schema = loaded(requests.get(self.base + "/openapi.json", timeout=AGES).text)
        self.operation = self.schema.find_operation_by_id(call.id)
        # Not the session of `plain`, which always sends the token.
        self.session = requests.Session()
        self.session.trust_env = False
        self.token = {"Authorization": f"Bearer {box_of(client).tokens['admin']}"}
        self.numbers = itertools.count()
        self.asked = self.done = 0

    def new(self, kind: str) -> str:
        """Create a bucket, a source or a project; return its id, or the name of the project."""
        name = f"made-{next(self.numbers)}"
        root = "/api/v1/sources/claims" if kind == "source" else f"/api/_private/{kind}s"
        path = f"{root}/claims/{name}" if kind == "bucket" else f"{root}/{name}"
        made = self.plain("PUT", path, json={kind: {}}).json()[kind]
        return str(made["name"] if kind == "project" else made["id"])

    def parts(self, where: str) -> dict[str, str]:
        """Return the parts of the path that are not generated."""
        if where == "generated":
            return {}
        action, noun = self.call.id.split("_", 1)
        if action == "delete" and noun != "comments":
            return {"project" if noun == "project" else "id": self.new(noun)}
        if action != "create" or noun == "comments":
            return dict(filled(SOME[self.call.id][0], self.names))
        part = "project" if noun == "project" else "name"
        parts = {} if where == "placed" else {part: f"new-{next(self.numbers)}"}
        return parts if noun == "project" else {"project": "claims", **parts}

    def ask(self, case: Case, where: str) -> None:
        """Send a request, and raise if a check of the response fails."""
        if not is_negative(case, ParameterLocation.PATH):
            case.path_parameters = {**case.path_parameters, **self.parts(where)}
        if not is_negative(case, ParameterLocation.BODY):
            mended(case.body, self.names)
        if "after" in (case.query or {}) and not is_negative(case, ParameterLocation.QUERY):
            case.query["after"] = self.names["continuation"]
        # A missing or wrong token stays so.
        given = {} if is_negative(case, ParameterLocation.HEADER) else self.token
        how: Json = {"session": self.session, "headers": given, "base_url": self.base}
        answer = case.call(**how)
        self.asked += 1
        self.done += 200 <= answer.status_code < 300
        case.validate_response(answer, headers=given, transport_kwargs=how)
        assert answer.headers["content-type"] == ["application/json"]
        assert set(answer.json()) >= {"status"}


@functools.cache
def loaded(document: str) -> Any:
    """Return the schema of a document, which is the same for all tenants."""
    return schemathesis.openapi.from_dict(json.loads(document))


def is_negative(case: Case, location: ParameterLocation) -> bool:
    return case.meta is not None and case.meta.is_negative_at(location)


def mended(body: Any, names: Mapping[str, str]) -> None:
    """Replace ids in a body by real ones, where a random text would be refused."""
    if not isinstance(body, dict):
        return
    # A member that the operation does not know may be of any type.
    for settings in (body.get("source"), body.get("user")):
        if not isinstance(settings, dict):
            continue
        if isinstance(settings.get("bucket_id"), str):
            settings["bucket_id"] = names["bucket"]
        if "email_transform_tag" in settings:
            settings["email_transform_tag"] = "generic.0.CONVKER5"
        permissions = settings.get("organisation_permissions")
        if permissions and isinstance(permissions, dict):
            held = next(iter(permissions.values()))
            settings["organisation_permissions"] = {"claims": held}
    if body.get("user_ids"):
        body["user_ids"] = [names["user"]]
    for place, comment in enumerate(body.get("comments") or ()):
        comment["id"] += f"-{place}"


@pytest.mark.slow
@pytest.mark.parametrize("call", [call for call in CALLS if call not in SOURCE_CALLS], ids=named)
def test_whatever_is_asked_is_answered_as_it_says(
    client: rnb.Client, plain: Plain, names: dict[str, str], call: Call, tally: Tally
) -> None:
    ask_everything(client, plain, names, call, tally)


def ask_everything(
    client: rnb.Client, plain: Plain, names: dict[str, str], call: Call, tally: Tally
) -> None:
    """Send generated requests, valid and invalid, to an operation, and check the responses."""
    asking = Asking(client, plain, names, call)
    generation = asking.schema.config.generation_for(operation=asking.operation)
    # Without names in its path, an operation is asked the same wherever.
    places = ("generated", "there") if SOME[call.id][0] else ("generated",)
    for case in asking.schema.iter_coverage_cases(
        asking.operation, generation_modes=list(GenerationMode), generation_config=generation
    ):
        for where in places:
            asking.ask(case, where)
    covered = asking.done
    for mode in GenerationMode:
        made_up(asking, mode)
    asking.session.close()
    assert covered > 0
    assert asking.done > covered
    tally("schemathesis examples", asking.asked)
    tally(f"schemathesis examples of {call.id}", asking.asked)


def made_up(asking: Asking, mode: GenerationMode) -> None:
    number = EXAMPLES_OF_COMMENTS if asking.call.id in MANY_FIELDS else EXAMPLES

    @hypothesis.settings(SLOW_EXAMPLES, max_examples=number)
    @given(asking.operation.as_strategy(generation_mode=mode), WHERE)
    def ask(case: Case, where: str) -> None:
        asking.ask(case, where)

    ask()


@pytest.mark.slow
def test_a_walk_through_it_is_answered_as_it_says(client: rnb.Client, tally: Tally) -> None:
    schema = schemathesis.openapi.from_url(client.endpoint + "/openapi.json")
    answered: Counter[tuple[str, bool]] = Counter()
    load_all_checks()
    # A valid request may be refused: a bucket that feeds a source, an unknown tag.
    excluded: Any = [CHECKS.get_one("positive_data_acceptance")]
    base: Any = schema.as_state_machine()

    class Walk(base):  # type: ignore[misc]
        """A walk on a tenant that no other walk uses.

        What can be chosen next depends on the responses. Hypothesis begins many walks in the same
        way, and fails where the same beginning leads to another choice.
        """

        def setup(self) -> None:
            super().setup()
            self.tenant = rnb.sandbox()
            self.tenant.start()

        def teardown(self) -> None:
            self.tenant.stop()
            super().teardown()

        def get_call_kwargs(self, case: Case) -> Json:
            token = {"Authorization": f"Bearer {self.tenant.tokens['admin']}"}
            given = {} if is_negative(case, ParameterLocation.HEADER) else token
            return {"session": session, "headers": given, "base_url": self.tenant.endpoint}

        def after_call(self, response: Response, case: Case) -> None:
            super().after_call(response, case)
            operation = case.operation.definition.raw["operationId"]
            answered[operation, 200 <= response.status_code < 300] += 1

        def validate_response(self, response: Response, case: Case, **more: Any) -> None:
            case.validate_response(
                response,
                excluded_checks=excluded,
                headers=more["headers"],
                transport_kwargs=more,
                recorder=self.recorder,
            )

    operations = ("get_source_by_id", "delete_source", "get_bucket_by_id", "get_user")
    with requests.Session() as session:
        session.trust_env = False
        # A walk chooses operations at random; each operation has to succeed at least once.
        for _ in range(40):
            Walk.run(
                settings=hypothesis.settings(
                    SLOW_EXAMPLES, max_examples=10, stateful_step_count=10, derandomize=False
                )
            )
            if all(answered[operation, True] for operation in operations):
                break
    tally("schemathesis steps in walks", sum(answered.values()))
    for operation in operations:
        assert answered[operation, True] > 0, operation


# The page


class Read(HTMLParser):
    """The content of a page.

    Attributes:
        tags: Number of elements by tag.
        attributes: Values by name of the attribute.
        text: All text that is shown.
        style: The style sheet.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: dict[str, list[str]] = {}
        self.text = ""
        self.style = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")
        if tag not in ("meta", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["style"]:
            self.style += data
        else:
            self.text += data


@pytest.fixture(scope="module")
def page(lasting: rnb.Client) -> str:
    """The page as it is served."""
    return requests.get(lasting.endpoint + "/docs", timeout=AGES).text


def test_the_page_loads_nothing(lasting: rnb.Client, page: str) -> None:
    read = Read(page)
    texts = "html head meta title style body main h1 h2 p a code pre details summary div span br"
    tables = "table thead tbody tr th td"
    assert set(read.tags) <= set(f"{texts} {tables}".split())
    targets = {f"#{target}" for target in read.attributes["id"]}
    assert set(read.attributes["href"]) <= targets | {"openapi.json"}
    assert "openapi.json" in read.attributes["href"]
    assert len(targets) == len(read.attributes["id"])
    plain_attributes = {"lang", "charset", "name", "content", "href", "id", "class", "scope"}
    assert set(read.attributes) == plain_attributes
    assert not re.search(r"url\(|@import|@font-face|expression", read.style)
    assert not re.search(r"https?:|//|javascript:|data:", page.replace("<!doctype html>", ""))
    policy = requests.get(lasting.endpoint + "/docs", timeout=AGES).headers[
        "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "script-src" not in rules
    assert set(rules) <= {"default-src", "style-src", "frame-ancestors", "base-uri", "form-action"}


def test_everything_is_on_the_page(page: str, document: Json) -> None:
    read = Read(page)
    text = " ".join(read.text.split())
    for call in CALLS:
        operation = operation_of(document, call)
        for told in (call.path, call.id, operation["summary"], operation["description"]):
            assert " ".join(told.split()) in text
        for status, answer in operation["responses"].items():
            assert status == "200" or answer["description"] in text
        for parameter in operation["parameters"]:
            assert parameter["description"] in text
    assert read.tags["details"] == len(CALLS) + len(document["components"]["schemas"])
    assert read.tags["summary"] == read.tags["details"]
    for name, schema in document["components"]["schemas"].items():
        assert name in read.attributes["id"]
        for field, inner in schema["properties"].items():
            assert field in text
            assert inner.get("description", "") in text
            for choice in inner.get("enum", ()):
                assert json.dumps(choice) in text
    assert f"OpenAPI {document['openapi']}" in text


HOSTILE = "<img src=x onerror=alert(1)></script>'\"&amp;&"


@pytest.mark.slow
def test_its_text_is_escaped(document: Json) -> None:
    def spoilt(value: Any, mark: str) -> Any:
        if isinstance(value, dict):
            return {
                key: inner if key in ("$ref", "tags") else spoilt(inner, mark)
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [spoilt(inner, mark) for inner in value]
        return value + mark if isinstance(value, str) else value

    def whole(mark: str) -> Json:
        made: Json = spoilt(copy.deepcopy(document), mark)
        made["tags"] = [{"name": tag["name"] + mark} for tag in document["tags"]]
        made["paths"] = {path + mark: methods for path, methods in made["paths"].items()}
        for methods in made["paths"].values():
            for operation in methods.values():
                operation["tags"] = [tag["name"] for tag in made["tags"]]
        schemas = made["components"]["schemas"]
        for schema in schemas.values():
            properties = schema["properties"]
            schema["properties"] = {name + mark: inner for name, inner in properties.items()}
        made["components"]["schemas"] = {name + mark: schema for name, schema in schemas.items()}
        return made

    hostile, harmless = Read(docs_page.page(whole(HOSTILE))), Read(docs_page.page(whole("MARK")))
    assert hostile.tags == harmless.tags
    assert set(hostile.attributes) == set(harmless.attributes)
    # Values are shown as JSON, which escapes quotation marks once more.
    text = hostile.text.replace(json.dumps(HOSTILE)[1:-1], HOSTILE)
    assert text == harmless.text.replace("MARK", HOSTILE)
    assert text.count(HOSTILE) > 500
